# SPDX-License-Identifier: MIT
"""The full preparation: every BAR, bridge, bus number and interrupt line, seen from inside."""

import itertools

import pytest

from harness import accesses, acpi, memory, mtree, multiboot, paths, pci, pci_tables, pvh
from harness.failure import check_complaint, complaint
from harness.guest import booted, linux_like, write_kernel
from harness.memory import FOUR_GIB, GIB
from harness.qemu import Qemu
from harness.sentences import expect_sentence

FULL = ["-fw_cfg", "name=opt/org.mayfly/prepare,string=full"]
LEAN = ["-fw_cfg", "name=opt/org.mayfly/prepare,string=lean"]
NOT_DECODED = -1
MOST_ACCESSES = 250  # q35 with four virtio-pci devices

VIRTIO = ["virtio-net-pci", "virtio-rng-pci", "virtio-balloon-pci", "virtio-serial-pci"]


def devices(*names: str) -> list[str]:
    """A -device for each."""
    return list(itertools.chain.from_iterable(("-device", name) for name in names))


def shared(size: str, *places: str, first: int = 0) -> list[str]:
    """An ivshmem-plain with a 64-bit BAR of this size at each place; the memory is never touched."""
    result = []
    for number, place in enumerate(places, first):
        result += ["-object", f"memory-backend-ram,id=m{number},size={size},share=on,reserve=off",
                   "-device", f"ivshmem-plain,memdev=m{number}{place}"]
    return result


def root_ports(count: int, first: int = 0, options: str = "") -> list[str]:
    """Root ports with ids r0, r1 ... eight to a slot."""
    return devices(*(f"pcie-root-port,id=r{i},chassis={i + 1},port={i},addr={4 + i // 8:x}.{i % 8}"
                     f",multifunction=on{options}" for i in range(first, first + count)))


NESTED = devices("pci-bridge,id=b1,chassis_nr=1", "pci-bridge,id=b2,chassis_nr=2,bus=b1,addr=1",
                 "pci-bridge,id=b3,chassis_nr=3,bus=b2,addr=3",
                 "pci-bridge,id=b4,chassis_nr=4,bus=b3,addr=1", "VGA,bus=b4,addr=2",
                 "virtio-net-pci,bus=b4,addr=4", "virtio-rng-pci,bus=b2,addr=5",
                 "e1000,bus=b1,addr=9")
NUMA = ["-m", "1G", "-smp", "2", "-object", "memory-backend-ram,id=n0,size=512M",
        "-object", "memory-backend-ram,id=n1,size=512M", "-numa", "node,cpus=0,memdev=n0",
        "-numa", "node,cpus=1,memdev=n1"]
SWITCH = devices("pcie-root-port,id=r0,chassis=1", "x3130-upstream,id=u,bus=r0",
                 *(f"xio3130-downstream,id=d{i},bus=u,chassis={i + 2},addr={i}" for i in range(4)),
                 "virtio-net-pci,bus=d0", "virtio-rng-pci,bus=d3")

# An IOMMU's table names buses: behind a switch, a conventional bridge and an extra root.
EXPRESS_BUSES = [*SWITCH[1::2], "pci-bridge,id=b,chassis_nr=7", "e1000,bus=b,addr=3",
                 "pcie-root-port,id=p,chassis=8,bus-reserve=2",
                 "pcie-root-port,id=s,chassis=10", "pcie-pci-bridge,id=t,bus=s",
                 "e1000,bus=t,addr=1",
                 "pxb-pcie,id=x,bus_nr=64,bus=pcie.0", "pcie-root-port,id=q,bus=x,chassis=9",
                 "virtio-rng-pci,bus=q"]

# What QEMU 7.2 starts without a server, a device of the host or KVM. It wants qxl-vga first.
EVERYTHING = """
    qxl-vga ich9-usb-ehci1 ich9-usb-ehci2 ich9-usb-uhci1 ich9-usb-uhci2 ich9-usb-uhci3
    ich9-usb-uhci4 ich9-usb-uhci5 ich9-usb-uhci6 nec-usb-xhci pci-ohci piix3-usb-uhci
    piix4-usb-uhci qemu-xhci usb-ehci am53c974 dc390 ich9-ahci lsi53c810 lsi53c895a megasas
    megasas-gen2 mptsas1068 nvme,serial=1 piix3-ide piix4-ide pvscsi sdhci-pci virtio-scsi-pci
    virtio-blk-pci,drive=disk virtio-9p-pci,fsdev=files,mount_tag=t e1000 e1000-82544gc
    e1000-82545em e1000e i82550 i82551 i82557a i82557b i82557c i82558a i82558b i82559a i82559b
    i82559c i82559er i82562 i82801 ne2k_pci pcnet rocker rtl8139 tulip virtio-net-pci vmxnet3
    kvaser_pci,canbus=can mioe3680_pci,canbus0=can,canbus1=can
    pcm3680_pci,canbus0=can,canbus1=can ctucan_pci,canbus0=can,canbus1=can pci-serial
    pci-serial-2x pci-serial-4x tpci200 virtio-keyboard-pci virtio-mouse-pci virtio-serial-pci
    virtio-tablet-pci ati-vga bochs-display cirrus-vga qxl secondary-vga VGA virtio-gpu-pci
    virtio-vga vmware-svga AC97 ES1370 ich9-intel-hda intel-hda edu pci-testdev pvpanic-pci
    virtio-balloon-pci virtio-rng-pci i6300esb virtio-crypto-pci,cryptodev=crypto
    pci-ipmi-kcs,bmc=kcs pci-ipmi-bt,bmc=bt acpi-erst,memdev=errors ivshmem-plain,memdev=shared
    virtio-rng-pci-transitional virtio-net-pci-non-transitional virtio-scsi-pci-transitional
""".split()
BACKENDS = ["-blockdev", "null-co,node-name=disk,read-zeroes=on", "-fsdev", "synth,id=files",
            "-object", "can-bus,id=can", "-object", "cryptodev-backend-builtin,id=crypto",
            *devices("ipmi-bmc-sim,id=kcs", "ipmi-bmc-sim,id=bt"),
            "-object", "memory-backend-ram,id=errors,size=64K",
            "-object", "memory-backend-ram,id=shared,size=1M,share=on"]
PER_BRIDGE = 25
EVERY_DEVICE = [*BACKENDS, *devices(
    *(f"pci-bridge,id=b{i},chassis_nr={1 + i},addr={0x10 + i:x}"
      for i in range(1 + len(EVERYTHING) // PER_BRIDGE)),
    *(f"{name},bus=b{i // PER_BRIDGE},addr={1 + i % PER_BRIDGE:x}"
      for i, name in enumerate(EVERYTHING)), "virtio-iommu-pci")]
EVERY_BUS = {
    "pc": devices("pxb,id=x,bus_nr=64", "pci-bridge,id=y,bus=x,chassis_nr=80,addr=2",
                  "pci-bridge-seat,id=z,bus=y,chassis_nr=81,addr=3", "e1000,bus=z,addr=4"),
    "q35": devices("pcie-root-port,id=p0,chassis=80", "ioh3420,id=p1,chassis=81",
                   "i82801b11-bridge,id=p2", "pcie-pci-bridge,id=p3,bus=p0",
                   "x3130-upstream,id=p4,bus=p1", "xio3130-downstream,id=p5,bus=p4,chassis=82",
                   "pxb-pcie,id=x,bus_nr=64", "pcie-root-port,id=p6,bus=x,chassis=83",
                   "e1000,bus=p2,addr=1", "e1000,bus=p3,addr=2", "e1000e,bus=p5",
                   "nvme,serial=1,bus=p6")}

ERST = ["-object", "memory-backend-ram,id=e,size=64K", "-device"]

BOTH = {
    "nothing": [],
    "virtio": devices(*VIRTIO),
    "display and USB": devices("VGA", "qemu-xhci"),
    "network ROMs": devices("e1000", "rtl8139", "virtio-net-pci"),
    "SCSI and NVMe": devices("lsi", "megasas", "virtio-scsi-pci", "nvme,serial=1"),
    "functions": devices("ich9-usb-uhci1,addr=8.0,multifunction=on", "ich9-usb-uhci2,addr=8.1",
                         "ich9-usb-uhci3,addr=8.2", "ich9-usb-ehci1,addr=8.7"),
    "4-deep bridges": NESTED,
    "28 devices on one bus": devices("pci-bridge,id=b,chassis_nr=1",
                                     *(f"virtio-rng-pci,bus=b,addr={i:x}" for i in range(1, 29))),
    "5 GiB of RAM": ["-m", "5G", *devices(*VIRTIO)],
    "DIMM slots": ["-m", "1G,slots=4,maxmem=64G", *shared("4G", "")],
    "BAR of 256 MiB": shared("256M", ""),
    "BARs of 4 GiB": shared("4G", "", ""),
    "BAR of 32 GiB": shared("32G", ""),
    "BAR of 64 GiB": shared("64G", ""),
    "BAR of 4 GiB behind a bridge": [*devices("pci-bridge,id=b,chassis_nr=1"),
                                     *shared("4G", ",bus=b,addr=1")],
    "BAR of 32 GiB behind a bridge": [*devices("pci-bridge,id=b,chassis_nr=1"),
                                      *shared("32G", ",bus=b,addr=1")],
    "BAR of 64 GiB behind two bridges": [*devices("pci-bridge,id=b,chassis_nr=1",
                                                  "pci-bridge,id=c,bus=b,chassis_nr=2,addr=1"),
                                         *shared("64G", ",bus=c,addr=1")],
    "BARs of 4, 32 and 64 GiB": [*devices("pci-bridge,id=b,chassis_nr=1"),
                                 *shared("4G", "", ",bus=b,addr=1"),
                                 *shared("32G", ",bus=b,addr=2", "", first=2),
                                 *shared("64G", "", ",bus=b,addr=3", first=4)],
    "BAR of 64 GiB and 37 address bits": [*shared("64G", ""), "-cpu", "qemu64,phys-bits=37"],
    "bridge with io-reserve=0": devices(
        "pci-bridge,id=b,chassis_nr=1,io-reserve=0", "e1000,bus=b,addr=1"),
    "bridge with reservations": devices(
        "pci-bridge,id=b,chassis_nr=1,io-reserve=8K,mem-reserve=8M,pref64-reserve=256M",
        "pci-bridge,id=c,bus=b,chassis_nr=2,addr=1,mem-reserve=0,pref32-reserve=4M",
        "VGA,bus=c,addr=1", "rtl8139,bus=b,addr=2"),
    "persistent and pluggable memory": [
        "-m", "1G,slots=4,maxmem=16G", "-object", "memory-backend-ram,id=p,size=1G,reserve=off",
        "-object", "memory-backend-ram,id=q,size=1G,reserve=off",
        *devices("virtio-pmem-pci,memdev=p", "virtio-mem-pci,memdev=q"), *shared("4G", "")],
    "pins behind bridges": devices(
        "pci-bridge,id=b1,chassis_nr=1,addr=13", "pci-bridge,id=b2,chassis_nr=2,bus=b1,addr=2",
        *(f"ich9-usb-uhci{1 + i % 6},bus=b{1 + i % 2},addr={3 + i // 4:x}.{i % 4}"
          f",multifunction=on" for i in range(24))),
    "edu and test device": devices("edu", "pci-testdev"),
    "ERST": [*ERST, "acpi-erst,memdev=e"],
    "ERST behind bridges": [*devices("pci-bridge,id=b,chassis_nr=1",
                                     "pci-bridge,id=c,bus=b,chassis_nr=2,addr=1"),
                            *ERST, "acpi-erst,memdev=e,bus=c,addr=3"],
    "virtio-iommu": devices("virtio-iommu-pci", *VIRTIO),
    "virtio-iommu and bridges": devices("virtio-iommu-pci", *NESTED[1::2]),
}
PC = {
    "everything": [*EVERY_DEVICE, *EVERY_BUS["pc"]],
    "pxb": devices("pxb,id=x,bus_nr=64", "virtio-net-pci,bus=x", "e1000,bus=x"),
    "virtio-iommu and pxb": devices(
        "virtio-iommu-pci", "pxb,id=x,bus_nr=64", "pci-bridge,id=b,chassis_nr=1",
        "pci-bridge,id=c,chassis_nr=2,bus=x,addr=1", "virtio-net-pci,bus=c,addr=1"),
    "two pxb with NUMA": [*NUMA, *devices(
        "VGA,bus=pci.0", "pxb,id=x,bus_nr=64,numa_node=0,bus=pci.0",
        "pxb,id=y,bus_nr=128,numa_node=1,bus=pci.0", "virtio-net-pci,bus=x",
        "virtio-net-pci,bus=y")],
    "high BAR behind pxb": [*devices("pxb,id=x,bus_nr=64"), *shared("4G", ",bus=x")],
    "BARs of 32 and 64 GiB behind pxb": [*devices("pxb,id=x,bus_nr=64"),
                                         *shared("32G", ",bus=x"),
                                         *shared("64G", ",bus=x", first=1)],
    "IDE and floppy controllers": devices("isa-fdc", "piix3-usb-uhci"),
}
Q35 = {
    "everything": [*EVERY_DEVICE, *EVERY_BUS["q35"]],
    "20 root ports": [*root_ports(20), *devices("virtio-net-pci,bus=r3", "nvme,serial=1,bus=r19")],
    "switch": SWITCH,
    "conventional bridge": devices("i82801b11-bridge,id=d", "pci-bridge,id=b,bus=d,chassis_nr=1",
                                   "e1000,bus=b,addr=3", "pcie-root-port,id=r,chassis=2",
                                   "pcie-pci-bridge,id=c,bus=r", "virtio-rng-pci,bus=c,addr=5"),
    "pxb-pcie with NUMA": [*NUMA, *devices(
        "pxb-pcie,id=x,bus_nr=64,numa_node=0,bus=pcie.0",
        "pxb-pcie,id=y,bus_nr=128,numa_node=1,bus=pcie.0",
        "pcie-root-port,id=r0,bus=x,chassis=1", "pcie-root-port,id=r1,bus=y,chassis=2,addr=5",
        "virtio-net-pci,bus=r0", "nvme,serial=1,bus=r1")],
    "BAR of 4 GiB behind a port": [*root_ports(1), *shared("4G", ",bus=r0")],
    "BAR of 32 GiB behind a port": [*root_ports(2), *shared("32G", ",bus=r0")],
    "BARs behind a switch": [*SWITCH, *shared("4G", ",bus=d1"), *shared("64G", ",bus=d2", first=1)],
    "BARs of 32 and 64 GiB behind pxb-pcie": [
        *devices("pxb-pcie,id=x,bus_nr=64", "pcie-root-port,id=p,bus=x,chassis=1",
                 "pcie-root-port,id=q,bus=x,chassis=2"),
        *shared("32G", ",bus=p"), *shared("64G", ",bus=q", first=1)],
    "slots from 25 on": devices(
        "pcie-root-port,id=p,chassis=1,addr=19", "pci-bridge,id=b,chassis_nr=2,addr=1a",
        "e1000,addr=1b", "virtio-net-pci,bus=p", "e1000,bus=b,addr=19", "e1000,bus=b,addr=1e",
        *(f"ich9-usb-uhci{i},addr=1c.{i - 1},multifunction=on" for i in range(1, 5))),
    "slot 29 of an extra root": devices(
        "pxb-pcie,id=x,bus_nr=64", "pcie-root-port,id=q,bus=x,chassis=3,addr=1d",
        "virtio-net-pci,bus=q"),
    "slot 5 of an extra root, and a port": devices(
        "pcie-root-port,id=p,chassis=1", "virtio-rng-pci,bus=p", "pxb-pcie,id=x,bus_nr=64",
        "pcie-root-port,id=q,bus=x,chassis=3,addr=5", "virtio-net-pci,bus=q"),
    "BAR of 64 GiB behind a port": [*root_ports(2), *shared("64G", ",bus=r1")],
    "reservations": devices(
        "pcie-root-port,id=r0,chassis=1,pref64-reserve=4G,bus-reserve=3",
        "pcie-root-port,id=r1,chassis=2,mem-reserve=32M,io-reserve=8K",
        "pcie-root-port,id=r2,chassis=3,pref32-reserve=16M",
        "pcie-root-port,id=r3,chassis=4,io-reserve=0,mem-reserve=0", "virtio-rng-pci,bus=r3"),
    "legacy device on a port": [*root_ports(1), *devices("e1000,bus=r0")],
    "intel-iommu": devices("intel-iommu", *VIRTIO),
    "amd-iommu": devices("amd-iommu", *VIRTIO),
    **{f"{name} and buses": devices(name, *EXPRESS_BUSES)
       for name in ("intel-iommu", "amd-iommu", "virtio-iommu-pci")},
    "much RAM": ["-m", "3G", *devices(*VIRTIO)],
}
TOPOLOGIES = [(machine, name) for machine, more in (("pc", PC), ("q35", Q35))
              for name in (*BOTH, *more)]


def arguments(machine: str, name: str) -> list[str]:
    """The command line of a topology."""
    return {**BOTH, **(PC if machine == "pc" else Q35)}[name]


def tree_of(tmp_path, machine, args, **options) -> tuple[pci.Tree, object, str]:
    """What the payload finds, its whole report and what the firmware said."""
    with booted(tmp_path, machine, args, words="buses", **options) as guest:
        return pci.Tree(guest.report), guest.report, guest.vm.debug


def windows_of(machine: str, report) -> dict:
    """The host's windows, above the RAM that the guest sees."""
    ram = memory.of_type(memory.firmware_map(report), memory.RAM)
    low = max(e.end for e in ram if e.end <= FOUR_GIB)
    high = max([FOUR_GIB, *(e.end for e in ram)])
    return pci.host_windows(machine, low, high)


def check(tree: pci.Tree, machine: str, report, without=frozenset()) -> None:
    """Everything but `without` has its place."""
    pci.check_buses(tree)
    pci.check_places(tree, windows_of(machine, report), without)
    if machine != "microvm":
        pci.check_interrupts(tree, machine)


def check_as_qemu_has_it(tree: pci.Tree, vm) -> None:
    """`info pci` names every BAR of the payload's at its place: QEMU decodes it."""
    def flatten(found):
        for device in found:
            yield device
            yield from flatten(device.get("pci_bridge", {}).get("devices", []))
    seen = {}
    for bus in vm.qmp("query-pci"):
        for device in flatten(bus["devices"]):
            number = device["bus"] << 8 | device["slot"] << 3 | device["function"]
            for region in device["regions"]:
                # pvpanic-pci has 2 bytes, less than a memory BAR can say.
                size = max(region["size"], 16 if region["type"] == "memory" else 0)
                seen[number, region["bar"]] = region["address"], size
    for key, (function, bar) in tree.bars().items():
        if bar.number != pci.ROM:
            assert seen[key] == (bar.address or NOT_DECODED, bar.size), f"{function} {bar}"


@pytest.mark.parametrize("machine, name", TOPOLOGIES)
def test_topology(tmp_path, machine, name):
    """Everything is assigned, reached and decoded; SeaBIOS assigns nothing that we do not."""
    args = arguments(machine, name)
    with booted(tmp_path, machine, [*FULL, *args], words="buses") as guest:
        tree = pci.Tree(guest.report)
        check(tree, machine, guest.report)
        check_as_qemu_has_it(tree, guest.vm)
        mtree.check_mapped(tree, guest.vm)
        mtree.check_outside_hotplug(tree, guest.vm)
        acpi.check(guest.report)
        pci_tables.check(tree, guest.report)
        assert guest.vm.debug == ""
    theirs, _, _ = tree_of(tmp_path, machine, args, firmware=paths.SEABIOS)
    assert tree.bars().keys() == theirs.bars().keys(), "the same functions on the same buses"
    pci.check_coverage(tree, theirs)
    pci.check_lines(tree, theirs, machine)


DIMM = ["-object", "memory-backend-ram,id=d,size=1G,reserve=off", "-device", "pc-dimm,memdev=d"]


@pytest.mark.parametrize("machine", ["pc", "q35"])
@pytest.mark.parametrize("most, more", [
    (16, shared("4G", "", "")), (64, shared("32G", "")), (16, [*DIMM, *shared("4G", "")]),
    (16, [*devices("pci-bridge,id=b,chassis_nr=1"), *shared("4G", ",bus=b,addr=1")])],
    ids=["4 GiB", "32 GiB", "4 GiB and a DIMM", "4 GiB behind a bridge"])
def test_nothing_is_put_where_memory_may_be_plugged_in(tmp_path, machine, most, more):
    """High BARs begin where etc/reserved-memory-end says: the guest's map has none of the slots."""
    args = [*FULL, "-m", f"1G,slots=4,maxmem={most}G", *more]
    with booted(tmp_path, machine, args, words="buses") as guest:
        tree = pci.Tree(guest.report)
        assert mtree.hotplug_window(guest.vm).size >= most - 1 << 30
        assert any(used.begin >= FOUR_GIB for _, used in pci.memory_used(tree))
        mtree.check_outside_hotplug(tree, guest.vm)
        check(tree, machine, guest.report)
        assert guest.vm.debug == ""


def test_reservations(tmp_path):
    """QEMU's wishes for a port are what its bridge passes on."""
    tree, _, _ = tree_of(tmp_path, "q35", [*FULL, *arguments("q35", "reservations")])
    first, second, third, fourth = (f for f in tree.functions if f.is_bridge)
    assert first.windows()[pci.PREFETCHABLE].size == 4 << 30
    assert len(first.buses) == 4
    assert second.windows()[pci.LOW].size == 32 << 20
    assert second.windows()[pci.IO].size == 8 << 10
    assert third.windows()[pci.PREFETCHABLE].size == 16 << 20
    assert third.windows()[pci.PREFETCHABLE].end <= FOUR_GIB
    assert pci.IO not in fourth.windows()
    assert fourth.windows()[pci.LOW].size == 1 << 20  # what the device behind it takes


@pytest.mark.parametrize("machine, bridge", [
    ("pc", "pci-bridge,chassis_nr=1"), ("q35", "pcie-root-port,chassis=1")])
def test_room_for_hotplug(tmp_path, machine, bridge):
    """Behind an empty bridge there is room for what may come."""
    tree, _, _ = tree_of(tmp_path, machine, [*FULL, *devices(bridge)])
    windows = next(f for f in tree.functions if f.is_bridge).windows()
    assert windows[pci.IO].size == 4 << 10
    assert windows[pci.LOW].size == windows[pci.PREFETCHABLE].size == 2 << 20


@pytest.mark.parametrize("args", [[], devices(*VIRTIO), devices(
    "pcie-root-port,id=r0,chassis=1", "pcie-root-port,id=r1,chassis=2", "nvme,serial=1,bus=r0")],
    ids=["nothing", "virtio", "ports"])
def test_microvm(tmp_path, args):
    """By memory alone, and without I/O."""
    with booted(tmp_path, "microvm,pcie=on", [*FULL, *args], words="buses") as guest:
        tree = pci.Tree(guest.report)
        pci.check_buses(tree)
        without = {key for key, (_, bar) in tree.bars().items() if bar.kind == pci.IO}
        pci.check_places(tree, windows_of("microvm", guest.report), without)
        mtree.check_mapped(tree, guest.vm)
        assert guest.vm.debug == ""


def test_microvm_without_pci(tmp_path):
    """There is nothing to prepare, and nothing is said."""
    tree, _, said = tree_of(tmp_path, "microvm", FULL)
    assert not tree.functions and said == ""


PXB = {"pc": devices("pxb,id=x,bus_nr=64", "virtio-rng-pci,bus=x"),
       "q35": devices("pxb-pcie,id=x,bus_nr=64", "pcie-root-port,id=r,bus=x,chassis=1",
                      "virtio-rng-pci,bus=r")}


IMAGES = {"bzImage": linux_like, "Linux by PVH": pvh.build,
          "another bzImage": lambda: linux_like(payload_length=0),
          "another by PVH": lambda: pvh.build(linux=False),
          "multiboot": lambda: multiboot.flat(multiboot.Program.reporting())}


@pytest.mark.parametrize("machine", ["pc", "q35"])
@pytest.mark.parametrize("kernel, args, is_full", [
    ("bzImage", [], False), ("bzImage", FULL, True), ("bzImage", "pxb", True),
    ("bzImage", [*LEAN, "pxb"], False), ("Linux by PVH", [], False), ("Linux by PVH", FULL, True),
    ("another bzImage", [], True), ("another bzImage", LEAN, False), ("another by PVH", [], True),
    ("another by PVH", LEAN, False), ("multiboot", [], True), ("multiboot", LEAN, False)], ids=str)
def test_choice(tmp_path, machine, kernel, args, is_full):
    """Lean for Linux, full for others and extra roots, and what the user asks for."""
    image = IMAGES[kernel]()
    more = PXB[machine] if "pxb" in args else devices("virtio-rng-pci")
    args = [*(a for a in args if a != "pxb"), *more] if args != "pxb" else more
    tree, _, said = tree_of(tmp_path, machine, args, kernel=image)
    assert said == ""
    assigned = [bar for _, bar in tree.bars().values() if bar.address != 0]
    assert bool(assigned) == is_full
    assert not is_full or not tree.missing()


def test_unknown_preparation(tmp_path):
    """Neither `lean` nor `full`."""
    check_complaint("q35", ["-kernel", write_kernel(tmp_path, linux_like()), "-fw_cfg",
                            "name=opt/org.mayfly/prepare,string=fuller"],
                    "mayfly: opt/org.mayfly/prepare: neither lean nor full (fuller)")


def places(tree: pci.Tree) -> dict:
    """Where each BAR is, and what each bridge passes on."""
    return {**{key: bar.address for key, (_, bar) in tree.bars().items()},
            **{f.number: (f.buses, f.windows()) for f in tree.functions if f.is_bridge}}


REBOOTED = {
    "pc": [*devices("pci-bridge,id=b,chassis_nr=1", "virtio-net-pci,bus=b,addr=3", "VGA"),
           *shared("4G", ",bus=b,addr=4")],
    "q35": [*SWITCH, *devices("VGA", "pcie-root-port,id=p,chassis=9,bus-reserve=2,addr=9"),
            *shared("4G", ",bus=d1")]}
# With devices in slot 0 of buses behind, as the roots are looked for there first.
REBOOTED_ROOTS = {
    "pc": devices("pxb,id=x,bus_nr=64,bus=pci.0", "pxb,id=y,bus_nr=128,bus=pci.0",
                  "pci-bridge,id=b,bus=x,chassis_nr=9,addr=1,shpc=off", "e1000,bus=x",
                  "virtio-rng-pci,bus=b,addr=0", "e1000,bus=y"),
    "q35": devices("pxb-pcie,id=x,bus_nr=64,bus=pcie.0", "pxb-pcie,id=y,bus_nr=128,bus=pcie.0",
                   "pcie-root-port,id=p,bus=x,chassis=1", "virtio-net-pci,bus=p",
                   "pcie-root-port,id=q,bus=y,chassis=2", "virtio-rng-pci,bus=q")}


@pytest.mark.parametrize("devices_of", [REBOOTED, REBOOTED_ROOTS], ids=["bridges", "extra roots"])
@pytest.mark.parametrize("machine, kind", [("pc", "cf9"), ("pc", "init"), ("q35", "triple"),
                                           ("q35", "fff0")])
def test_every_boot_gives_the_same_places(tmp_path, machine, kind, devices_of):
    """After a reset, and where the devices still have what the last boot gave them."""
    with booted(tmp_path, machine, [*FULL, *devices_of[machine]],
                words=f"buses boots=2 reboot={kind}", boots=2) as guest:
        first, second = (pci.Tree(report) for report in guest.reports)
        check(first, machine, guest.reports[0])
        assert places(first) == places(second)


FEW_BITS = ["-cpu", "qemu64,phys-bits=36"]  # 64 GiB
TOO_LARGE = {
    "a BAR": (shared("64G", ",addr=10"), 0x10 << 3, 0x18, 64 << 30),
    "a reservation": (devices("pcie-root-port,id=l,chassis=9,pref64-reserve=64G,addr=10"),
                      0x10 << 3, 0x24, 64 << 30),
    "more than can be counted": (
        devices("pcie-root-port,id=l,chassis=9,pref64-reserve=16T,addr=10"), 0x10 << 3, 0x24,
        (8 << 40) - (1 << 20)),
    "buses": (devices("pcie-root-port,id=l,chassis=9,bus-reserve=254,addr=10"), 0x10 << 3, 0x18,
              254)}


@pytest.mark.parametrize("args, function, register, size", TOO_LARGE.values(), ids=TOO_LARGE)
def test_one_wish_that_never_fits_takes_nothing_from_others(tmp_path, args, function, register,
                                                           size):
    """It is named, alone; ports have their room for hotplug, and what is asked for elsewhere."""
    asked = devices("pcie-root-port,id=a,chassis=8,pref64-reserve=4G,addr=9")
    tree, _, said = tree_of(tmp_path, "q35",
                            [*FULL, *root_ports(4), *asked, *args, *FEW_BITS])
    expect_sentence(said, f"mayfly: pci: no room (function {function:#x}, register "
                          f"{register:#x}, size {size:#x})")
    for bridge in tree.functions:
        if bridge.is_bridge:
            windows = bridge.windows()
            assert windows[pci.LOW].size >= 2 << 20, bridge
            wanted = 4 << 30 if bridge.device == 9 else 0 if bridge.device == 0x10 else 2 << 20
            assert wanted == 0 or windows[pci.PREFETCHABLE].size >= wanted, bridge


def test_io_behind_a_port_that_passes_on_none_is_named(tmp_path):
    """io-reserve=0 has QEMU close the window for good."""
    args = [*FULL, *devices("pcie-root-port,id=r,chassis=1,io-reserve=0,addr=4", "e1000,bus=r")]
    tree, report, said = tree_of(tmp_path, "q35", args)
    check(tree, "q35", report, {(0x100, 1)})
    expect_sentence(said, "mayfly: pci: no room (function 0x100, register 0x14, size 0x40)")


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_what_has_no_room_is_named(tmp_path, machine):
    """A BAR larger than all addresses of the CPU; the rest has its place."""
    args = [*FULL, *devices("virtio-rng-pci"), *shared("64G", ""), "-cpu", "pentium3"]
    tree, report, said = tree_of(tmp_path, machine, args)
    missing, = tree.missing()
    pci.check_places(tree, windows_of(machine, report), {missing})
    expect_sentence(said, f"mayfly: pci: no room (function {missing[0]:#x}, register "
                          f"{0x10 + 4 * missing[1]:#x}, size 0x1000000000)")


def test_no_room_to_plan_in_is_said(tmp_path):
    """A machine of 1 MiB, with an image below 640 KiB, has no RAM to note its devices in."""
    kernel = write_kernel(tmp_path, multiboot.flat(multiboot.Program.reporting(low=True)))
    with Qemu("pc", ["-kernel", kernel, "-m", "1M"]) as vm:
        said = complaint(vm)
    expect_sentence(said, "mayfly: pci: no room below 4096 MiB (98304 bytes, alignment 4096)")


MANY_BITS = ["-cpu", "qemu64,phys-bits=46"]


@pytest.mark.parametrize("end", [
    (1 << 40) + (1 << 32), (1 << 43) - (1 << 32), 1 << 43, (1 << 43) + (1 << 32), 1 << 44,
    (1 << 46) - (1 << 33)], ids=hex)
def test_memory_ends_far_up(tmp_path, end):
    """BARs at the root and behind a port, where 32 bits of pages do not reach."""
    reserved = tmp_path / "end"
    reserved.write_bytes(end.to_bytes(8, "little"))
    args = [*FULL, *root_ports(1), *shared("1G", ""), *shared("2G", ",bus=r0", first=1),
            *MANY_BITS, "-fw_cfg", f"name=etc/reserved-memory-end,file={reserved}"]
    with booted(tmp_path, "q35", args, words="buses") as guest:
        tree = pci.Tree(guest.report)
        ram_end = windows_of("q35", guest.report)[pci.LOW][0].begin
        pci.check_places(tree, pci.host_windows("q35", ram_end, end, address_bits=46))
        assert guest.vm.debug == ""
        check_as_qemu_has_it(tree, guest.vm)
        assert all(b.address >= end for _, b in tree.bars().values() if b.size >= GIB)


@pytest.mark.parametrize("end", [1 << 46, (1 << 64) - 1], ids=hex)
def test_nothing_is_put_where_memory_ends_beyond_the_cpu(tmp_path, end):
    """What lies beyond must not wrap to the RAM."""
    reserved = tmp_path / "end"
    reserved.write_bytes(end.to_bytes(8, "little"))
    args = [*FULL, *shared("4G", ""), *MANY_BITS,
            "-fw_cfg", f"name=etc/reserved-memory-end,file={reserved}"]
    tree, report, said = tree_of(tmp_path, "q35", args)
    missing, = tree.missing()
    pci.check_places(tree, windows_of("q35", report), {missing})
    expect_sentence(said, f"mayfly: pci: no room (function {missing[0]:#x}, register "
                          f"{0x10 + 4 * missing[1]:#x}, size 0x100000000)")


def test_microvm_with_a_window_far_up(tmp_path):
    """Its window is the last quarter of all addresses."""
    args = [*FULL, *shared("4G", ""), *MANY_BITS]
    tree, _, said = tree_of(tmp_path, "microvm,pcie=on", args)
    no_io = {key for key, (_, bar) in tree.bars().items() if bar.kind == pci.IO}
    pci.check_places(tree, pci.host_windows("microvm", 0, address_bits=46), no_io)
    assert any(bar.address >= 3 << 44 for _, bar in tree.bars().values()) and said == ""


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_buses_without_a_number_are_named(tmp_path, machine):
    """More bridges on bus 0 than numbers below an extra root."""
    extra = (["pxb,id=x,bus_nr=4"] if machine == "pc" else
             ["pxb-pcie,id=x,bus_nr=4", "pcie-root-port,bus=x,chassis=9"])
    args = devices(*(f"pci-bridge,id=b{i},chassis_nr={i + 1},addr={8 + i:x}" for i in range(4)),
                   *extra, "virtio-rng-pci,bus=b3,addr=1")
    with booted(tmp_path, machine, args) as guest:
        function = (8 + 3) << 3
        expect_sentence(guest.vm.debug, f"mayfly: pci: no room (function {function:#x}, "
                                        "register 0x18, size 0x1)")


def test_accesses(record_property):
    """q35 with four virtio-pci devices, everything prepared."""
    args = devices(*VIRTIO)
    for machine in ("pc", "q35", "microvm,pcie=on"):
        ours = accesses.device_accesses(machine, [*FULL, *args])
        theirs = accesses.device_accesses(machine, args,
                                          firmware=paths.seabios(machine.split(",")[0]))
        record_property("figures", f"{machine}, four virtio-pci devices, prepared fully: "
                                   f"{len(ours)} device accesses, SeaBIOS {len(theirs)} with its debug "
                                   "log")
        assert machine != "q35" or len(ours) <= MOST_ACCESSES
        assert len(ours) < len(theirs) / 4 or machine.startswith("microvm")
