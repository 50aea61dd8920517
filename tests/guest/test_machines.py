# SPDX-License-Identifier: MIT
"""The same complete hand-over on every machine version and variant."""

import pytest
from test_interrupts import EDU_PLACES, check_edu, check_timer
from test_pci import VIRTIO, check_as_qemu_has_it, devices
from test_pci import check as check_tree
from test_pci_bios import check_pci_bios
from test_processors import check_complete

from harness import acpi, layout, memory, mptable, multiboot, pci, pci_tables, smbios
from harness.debian_qemu import machines, version
from harness.failure import check_complaint
from harness.guest import boot, booted, linux_like, pvh_kernel, write_kernel
from harness.memory import Range
from harness.sentences import expect_sentence

WIDE = pytest.mark.wide

VERSIONS = ["2.5", "2.6", "2.7", "2.8", "2.9", "2.10", "2.11", "2.12", "3.0", "3.1", "4.0", "4.1",
            "4.2", "5.0", "5.1", "5.2", "6.0", "6.1", "6.2", "7.0", "7.1", "7.2"]
WITH_DMA = [*(f"pc-{chipset}-{v}" for chipset in ("i440fx", "q35") for v in VERSIONS),
            "pc-q35-4.0.1"]
WITHOUT_DMA = [*(f"pc-i440fx-{v}" for v in ("1.4", "1.5", "1.6", "1.7", "2.0", "2.1", "2.2", "2.3",
                                           "2.4")), "pc-q35-2.4"]
UNVERSIONED = ["pc", "q35", "microvm", "isapc"]
NOT_FOR_US = ["none", "x-remote"]  # QEMU itself takes no -kernel for them
CHOSEN = {"pc-i440fx-2.5", "pc-i440fx-4.2", "pc-q35-2.12", "pc-q35-7.2"}
NEWEST = (7, 2)

NO_DMA = "mayfly: fw_cfg: no DMA interface (machine types before 2.5 have none)"

PROTOCOLS = {
    "bzimage": linux_like,
    "pvh": pvh_kernel,
    "multiboot": lambda: multiboot.KINDS["elf"](multiboot.Program.reporting()),
}


def preparation(name: str) -> list[str]:
    """The arguments that ask for the lean or the full preparation."""
    return ["-fw_cfg", f"name=opt/org.mayfly/prepare,string={name}"]


def check(guest, with_acpi: bool = True, with_smbios: bool = True) -> None:
    """Everything that is the same on all machines."""
    layout.check(guest.report, memory.qemu_ram(guest.vm))
    assert len(mptable.read(guest.report).cpus) == len(guest.vm.qmp("query-cpus-fast"))
    if with_acpi:
        acpi.check(guest.report)
    else:
        assert guest.report.values["rsdp"]["found"] == 0
    if with_smbios:
        smbios.check(guest.report)
    assert guest.vm.debug == "", "the firmware said something on a good boot"


PREPARED_CPUS = 3
PREPARED_DEVICES = [*EDU_PLACES["behind a bridge"], *devices(*VIRTIO)]  # the bridge has its place
PREPARED_WORDS = f"timer edu buses pcibios processors={PREPARED_CPUS}"


def check_prepared(guest, chipset: str) -> None:
    """What other guests than Linux have besides, on pc or q35 with these devices and words."""
    report = guest.report
    check_timer(report)
    check_edu(report, chipset)
    check_complete(report, PREPARED_CPUS)
    check_pci_bios(report, 1)
    tree = pci.Tree(report)
    check_tree(tree, chipset, report)
    check_as_qemu_has_it(tree, guest.vm)
    pci_tables.check(tree, report)


def is_known_by(newest: tuple, machine: str) -> bool:
    """Whether a QEMU of this version has the machine type."""
    *_, last = machine.split("-")
    return tuple(int(n) for n in last.split(".") if n.isdecimal()) <= newest


def test_every_machine_is_tested():
    """The lists here are those of QEMU 7.2; a newer one has fewer of these, and some of its own."""
    listed = {m for m in machines() if is_known_by(NEWEST, m)}
    known = {*WITH_DMA, *WITHOUT_DMA, *UNVERSIONED, *NOT_FOR_US}
    if version() == NEWEST:
        assert listed == known
    else:
        assert {m for m in listed if m.startswith("pc-")} <= known


@pytest.mark.parametrize("machine", [
    pytest.param(m, marks=() if m in CHOSEN else WIDE) for m in WITH_DMA])
def test_versions(tmp_path, machine):
    """Layout, ACPI, SMBIOS and MP table on this version."""
    with booted(tmp_path, machine, ["-smp", "2"], initrd=bytes(10_000)) as guest:
        check(guest)


@WIDE
@pytest.mark.parametrize("machine", WITH_DMA)
def test_versions_prepared_fully(tmp_path, machine):
    """By multiboot also PCI and its BIOS, all CPUs, and interrupts by both controllers."""
    with booted(tmp_path, machine, ["-smp", str(PREPARED_CPUS), *PREPARED_DEVICES],
                kernel=PROTOCOLS["multiboot"](), words=PREPARED_WORDS) as guest:
        check(guest)
        check_prepared(guest, "q35" if "q35" in machine else "pc")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_versions_without_dma(tmp_path, protocol):
    """The oldest versions, of which newer QEMUs have few, end in a sentence by every protocol."""
    kernel = write_kernel(tmp_path, PROTOCOLS[protocol]())
    for machine in set(WITHOUT_DMA) & set(machines()):
        print(machine)
        check_complaint(machine, ["-kernel", kernel], NO_DMA)


TRIMMED = [
    "pc,smm=off", "pc,vmport=off", "pc,hpet=off", "pc,graphics=off", "pc,smbus=off",
    "pc,sata=off,smbus=off,hpet=off,smm=off,vmport=off,graphics=off", "pc,usb=on", "pc,pit=off",
    "q35,sata=off", "q35,smbus=off", "q35,smm=off", "q35,hpet=off",
    "q35,sata=off,smbus=off,hpet=off,smm=off,vmport=off,graphics=off", "q35,usb=on", "q35,pit=off",
    "pc,i8042=off", "q35,i8042=off",
]


@pytest.mark.parametrize("machine", [
    pytest.param(m, marks=() if m.count(",") > 3 else WIDE) for m in TRIMMED])
def test_trimmed_machines(tmp_path, machine):
    """Devices that are switched off are not needed."""
    with booted(tmp_path, machine, ["-smp", "2"]) as guest:
        check(guest)


@pytest.mark.parametrize("machine", ["pc,acpi=off", "q35,acpi=off"])
def test_without_acpi(tmp_path, machine):
    """The PM function is absent; nothing claims ACPI."""
    with booted(tmp_path, machine, ["-smp", "2"]) as guest:
        check(guest, with_acpi=False)


MICROVMS = [
    "microvm", "microvm,acpi=off", "microvm,pcie=on", "microvm,pic=off,pit=off",
    "microvm,acpi=off,pic=off,pit=off,rtc=off,isa-serial=off",
    *[pytest.param(m, marks=WIDE) for m in (
        "microvm,pic=off", "microvm,pit=off", "microvm,rtc=on", "microvm,rtc=off",
        "microvm,isa-serial=off", "microvm,ioapic2=on", "microvm,ioapic2=off",
        "microvm,x-option-roms=off", "microvm,auto-kernel-cmdline=off", "microvm,usb=on",
        "microvm,pcie=on,ioapic2=off", "microvm,acpi=off,pcie=on", "microvm,acpi=off,rtc=on",
        "microvm,acpi=off,isa-serial=off", "microvm,acpi=off,ioapic2=on",
        "microvm,pcie=on,pic=off,pit=off,rtc=on,isa-serial=off,usb=on")],
]


@pytest.mark.parametrize("machine", MICROVMS)
@pytest.mark.parametrize("protocol", ["bzimage", "pvh"])
def test_microvm_variants(tmp_path, machine, protocol):
    """Every switch of microvm."""
    kernel = pvh_kernel() if protocol == "pvh" else None
    with booted(tmp_path, machine, ["-smp", "2"], kernel=kernel, initrd=bytes(10_000)) as guest:
        check(guest, with_acpi="acpi=off" not in machine, with_smbios=False)


@pytest.mark.parametrize("machine", ["pc", "q35"])
@pytest.mark.parametrize("protocol", ["bzimage", "pvh"])
def test_pflash_in_place_of_bios(tmp_path, machine, protocol):
    """The image runs from a flash device, whose command state a stray write would enter."""
    kernel = pvh_kernel() if protocol == "pvh" else None
    with booted(tmp_path, machine, kernel=kernel, firmware_as="pflash") as guest:
        check(guest)


DEVICES = {
    "virtio": ["-device", "virtio-net-pci", "-device", "virtio-rng-pci", "-device",
               "virtio-balloon-pci", "-device", "virtio-serial-pci"],
    "display": ["-device", "VGA"],
    "two functions": ["-device", "ich9-usb-uhci1,addr=8.0,multifunction=on",
                      "-device", "ich9-usb-uhci2,addr=8.1"],
    "bridge": ["-device", "pci-bridge,chassis_nr=1,id=bridge",
               "-device", "virtio-rng-pci,bus=bridge,addr=1"],
    "large BAR": ["-object", "memory-backend-ram,id=share,size=1G,share=on",
                  "-device", "ivshmem-plain,memdev=share"],
}


@pytest.mark.parametrize("machine", ["pc", "q35"])
@pytest.mark.parametrize("name", DEVICES)
def test_devices_do_not_disturb(tmp_path, machine, name):
    """Nothing is done per PCI device, and nothing depends on there being none."""
    with booted(tmp_path, machine, DEVICES[name]) as guest:
        check(guest)


CPUS = ["qemu64", "max", "Nehalem", "EPYC", "pentium3", "kvm64"]


@pytest.mark.parametrize("cpu", [
    pytest.param(c, marks=() if c in ("max", "pentium3") else WIDE) for c in CPUS])
@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
def test_cpu_models(tmp_path, machine, cpu):
    """32-bit CPUs and new ones."""
    with booted(tmp_path, machine, ["-cpu", cpu]) as guest:
        check(guest, with_smbios=machine != "microvm")


# A 486 has no model-specific register, no MTRR and no CMOV, a Pentium no MTRR and no CMOV.
OLD_CPUS = ["486", "pentium", "qemu32", "n270"]


@pytest.mark.parametrize("cpu", [
    pytest.param(c, marks=() if c in ("486", "pentium") else WIDE) for c in OLD_CPUS])
@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("prepare", ["lean", "full"])
def test_old_cpus(tmp_path, machine, cpu, protocol, prepare):
    """No instruction or register that the CPU lacks is used, on any way to a kernel.

    QEMU refuses CMOV and registers, not all that is missing; test_rom.py looks at the instructions.
    """
    args = ["-cpu", cpu, *preparation(prepare)]
    if machine != "microvm":
        args += ["-device", "virtio-rng-pci"]
    with booted(tmp_path, machine, args, kernel=PROTOCOLS[protocol]()) as guest:
        check(guest, with_smbios=machine != "microvm")


@pytest.mark.parametrize("cpu", [*OLD_CPUS, "pentium3"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_isapc_is_treated_generically(tmp_path, cpu, protocol):
    """A machine without a known host bridge still boots, and the debug port says so."""
    with booted(tmp_path, "isapc", ["-cpu", cpu], kernel=PROTOCOLS[protocol]()) as guest:
        report = guest.report
        layout.check_disjoint(report)
        free = memory.of_type(memory.firmware_map(report), memory.RAM)
        assert free[0] == Range(0, free[0].end, memory.RAM)
        assert report.port[0x4D0] == report.port[0x4D1] == 0, "ISA interrupts are edges"
        assert "mp_pointer" not in report.memory, "there is no I/O APIC"
        expect_sentence(guest.vm.debug, "mayfly: host bridge: unknown, treated as a generic PC "
                                        "(PCI vendor and device 0xffffffff)")


def test_default_cpu_count_of_versions_with_threads(tmp_path):
    """A machine before 6.2 counts sockets first; its APIC IDs are dense."""
    report = boot(tmp_path, "pc-q35-6.1", ["-smp", "6"], kernel=linux_like())
    assert sorted(mptable.read(report).cpus) == [0, 1, 2, 3, 4, 5]
