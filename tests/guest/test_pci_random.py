# SPDX-License-Identifier: MIT
"""Random topologies under the full preparation: the number in a test's name makes it again."""

import random

import pytest

from harness import mtree, paths, pci, pci_tables
from harness.guest import booted, linux_like, sent_reports, write_kernel
from harness.qemu import Qemu

from test_pci import FULL, check, check_as_qemu_has_it, devices, shared

WIDE = pytest.mark.wide
ENDPOINTS = ["virtio-net-pci", "virtio-rng-pci", "virtio-serial-pci", "virtio-scsi-pci", "e1000",
             "VGA,vgamem_mb={mb}", "nvme,serial=1", "edu", "qemu-xhci", "secondary-vga", "rtl8139",
             "megasas", "ich9-ahci"]
# Not pci-testdev and lsi: QEMU 7.2 ends in an assertion of its own (object_finalize) where the
# payload takes their addresses away to ask for their sizes.
MOST_DEVICES = 24
MOST_BRIDGES = 10  # each has 4 KiB of I/O, of which there are 52 on pc
RAM = ["128M", "128M", "3G", "5G", "1G,slots=4,maxmem=16G"]
IOMMUS = {"pc": ["virtio-iommu-pci,addr=1f"],
          "q35": ["intel-iommu", "amd-iommu", "virtio-iommu-pci,addr=1"]}
RESERVATIONS = {"io-reserve": ("0", "4K", "8K"), "mem-reserve": ("0", "1M", "8M"),
                "pref64-reserve": ("2M", "1G", "6G"), "pref32-reserve": ("0", "4M", "64M"),
                "bus-reserve": ("1", "2", "3")}
# Which kind of bus takes what, as QEMU allows it, and how often.
ENDPOINT, PORT, BRIDGE, MEMORY, FUNCTIONS = "endpoint", "port", "bridge", "memory", "functions"
UPSTREAM, DOWNSTREAM, TO_PCI, DMI = "upstream", "downstream", "to PCI", "DMI"
TAKES = {
    "conventional": {ENDPOINT: 5, BRIDGE: 3, MEMORY: 1, FUNCTIONS: 1},
    "pcie.0": {ENDPOINT: 3, PORT: 5, BRIDGE: 1, MEMORY: 1, FUNCTIONS: 1, DMI: 1},
    "pxb-pcie": {PORT: 5, BRIDGE: 1},
    "link": {ENDPOINT: 4, UPSTREAM: 3, TO_PCI: 2, MEMORY: 2, FUNCTIONS: 1},
    "switch": {DOWNSTREAM: 1}}
LEADS_TO = {PORT: "link", DOWNSTREAM: "link", UPSTREAM: "switch", BRIDGE: "conventional",
            TO_PCI: "conventional", DMI: "conventional"}
SLOTS = {"link": [0], "switch": range(32), "conventional": range(1, 32)}


class Topology:
    """Grows a command line device by device; `open_slots` are the places left, by bus."""

    def __init__(self, machine: str, seed: int):
        self.machine = machine
        self.chance = random.Random(f"{machine} {seed}")
        self.count = 0
        self.bridges = 0
        self.names: list[str] = []
        self.memory: list[str] = []
        self.ram = self.chance.choice(RAM)
        self.root = "pci.0" if machine == "pc" else "pcie.0"
        # PIIX is at 1, extra roots at 29 and 30, the ICH9 at 31.
        self.open_slots = {self.root: list(range(2, 29))}
        self.kinds = {self.root: "conventional" if machine == "pc" else "pcie.0"}
        if self.chance.random() < 0.3:
            self.names.append(self.chance.choice(IOMMUS[machine]))
        self._add_extra_roots()
        for _ in range(self.chance.randrange(1, MOST_DEVICES)):
            self._grow()

    def _add_extra_roots(self) -> None:
        name = "pxb" if self.machine == "pc" else "pxb-pcie"
        for i in range(self.chance.choice((0, 0, 0, 1, 2))):
            self.names.append(f"{name},id=x{i},bus_nr={96 + 64 * i},bus={self.root},"
                              f"addr={30 - i:x}")
            self._open(f"x{i}", "conventional" if self.machine == "pc" else "pxb-pcie")
            if self.machine == "q35":  # an empty one stays unseen
                self._add(PORT, f"x{i}")

    def _open(self, bus: str, kind: str) -> None:
        self.open_slots[bus] = list(SLOTS.get(kind, range(32)))
        self.kinds[bus] = kind

    def _slot(self, bus: str) -> int:
        slots = self.open_slots[bus]
        return slots.pop(self.chance.randrange(len(slots)))

    def _grow(self) -> None:
        buses = [bus for bus, slots in self.open_slots.items() if slots]
        bus = self.chance.choice(buses)
        takes = {what: often for what, often in TAKES[self.kinds[bus]].items()
                 if self.bridges < MOST_BRIDGES or what not in LEADS_TO}
        if takes:
            self._add(*self.chance.choices(list(takes), list(takes.values())), bus)

    def _add(self, what: str, bus: str) -> None:
        self.count += 1
        place = f",bus={bus},addr={self._slot(bus):x}"
        if what in LEADS_TO:
            self.bridges += 1
            name = f"b{self.count}"
            self.names.append(f"{self._bridge(what)},id={name}{place}")
            self._open(name, LEADS_TO[what])
        elif what == MEMORY:
            size = self.chance.choice(("1M", "64M", "512M", "4G", "16G"))
            self.memory += shared(size, place, first=len(self.memory) // 4)
        elif what == FUNCTIONS:
            numbers = [0, *sorted(self.chance.sample(range(1, 8), self.chance.randrange(1, 4)))]
            self.names += [f"{self._endpoint()}{place}.{n},multifunction=on" for n in numbers]
        else:
            self.names.append(self._endpoint() + place)

    def _endpoint(self) -> str:
        return self.chance.choice(ENDPOINTS).format(mb=self.chance.choice((8, 16, 64)))

    def _bridge(self, what: str) -> str:
        if what == PORT:
            return f"pcie-root-port,chassis={self.count}{self._reservations()}"
        if what == BRIDGE:
            return f"pci-bridge,chassis_nr={self.count}{self._reservations()}"
        return {UPSTREAM: "x3130-upstream", TO_PCI: "pcie-pci-bridge", DMI: "i82801b11-bridge",
                DOWNSTREAM: f"xio3130-downstream,chassis={self.count}"}[what]

    def _reservations(self) -> str:
        """None mostly; QEMU refuses both kinds of prefetchable memory at once."""
        if self.chance.random() < 0.5:
            return ""
        names = self.chance.sample(list(RESERVATIONS), self.chance.randrange(1, 4))
        if "pref64-reserve" in names and "pref32-reserve" in names:
            names.remove("pref32-reserve")
        return "".join(f",{name}={self.chance.choice(RESERVATIONS[name])}" for name in names)

    def arguments(self) -> list[str]:
        """The whole command line."""
        return ["-m", self.ram, *devices(*self.names), *self.memory]


def without_io(tree: pci.Tree) -> set[tuple[int, int]]:
    """The I/O BARs behind ports that are asked (io-reserve=0) to pass on none."""
    result = set()
    for key, (function, bar) in tree.bars().items():
        bus = function.bus
        while bar.kind == pci.IO and (bridge := tree.bridge_of(bus)):
            if bridge.registers[1] & pci.COMMAND_IO == 0:
                result.add(key)
            bus = bridge.bus
    return result


def complaints(tree: pci.Tree, without: set[tuple[int, int]]) -> list[str]:
    """What the firmware has to say of those."""
    bars = tree.bars()
    return sorted(f"mayfly: pci: no room (function {function:#x}, register {0x10 + 4 * number:#x}, "
                  f"size {bars[function, number][1].size:#x})" for function, number in without)


def given_up(said: str) -> bool:
    """SeaBIOS stops where not all has room below 4 GiB, or counts its buses in a circle."""
    return "PCI: out of" in said or said.count("init_bus_rec bus = ") > 3 * 256


def seabios_tree(tmp_path, machine, args) -> pci.Tree | None:
    """What the payload finds with SeaBIOS, None where that cannot do it."""
    command = ["-kernel", write_kernel(tmp_path, linux_like()), "-append", "wait buses", *args]
    with Qemu(machine, command, firmware=paths.SEABIOS) as vm:
        vm.wait_until(lambda: b"\nend\n" in vm.report or given_up(vm.debug), "report")
        if given_up(vm.debug):
            return None
        tree = pci.Tree(sent_reports(vm, 1)[0])
        # bus-reserve has it end a bridge's buses before those that are behind.
        is_whole = all(f.buses for f in tree.functions if f.is_bridge)
        return tree if is_whole else None


def test_generator_repeats():
    """A seed is a topology."""
    assert Topology("q35", 5).arguments() == Topology("q35", 5).arguments()
    assert Topology("q35", 5).arguments() != Topology("q35", 6).arguments()


@pytest.mark.parametrize("machine", ["pc", "q35"])
@pytest.mark.parametrize("seed", [pytest.param(n, marks=() if n < 4 else WIDE) for n in range(60)])
def test_random_topology(tmp_path, machine, seed):
    """Whatever QEMU accepts is assigned whole, reached and decoded, and SeaBIOS has no more."""
    args = Topology(machine, seed).arguments()
    with booted(tmp_path, machine, [*FULL, *args], words="buses") as guest:
        tree = pci.Tree(guest.report)
        without = without_io(tree)
        assert sorted(guest.vm.debug.splitlines()) == complaints(tree, without)
        check(tree, machine, guest.report, without)
        check_as_qemu_has_it(tree, guest.vm)
        mtree.check_mapped(tree, guest.vm)
        mtree.check_outside_hotplug(tree, guest.vm)
        pci_tables.check(tree, guest.report)
    theirs = seabios_tree(tmp_path, machine, args)
    if theirs is not None:
        pci.check_coverage(tree, theirs, without)
        pci.check_lines(tree, theirs, machine)
