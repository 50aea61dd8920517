# SPDX-License-Identifier: MIT
"""Random topologies under the full preparation: the number in a test's name makes it again."""

import random

import pytest

from harness import mtree, pci, pci_tables
from harness.guest import booted

from test_pci import FULL, check, check_as_qemu_has_it, devices, shared

WIDE = pytest.mark.wide
ENDPOINTS = ["virtio-net-pci", "virtio-rng-pci", "virtio-serial-pci", "virtio-scsi-pci", "e1000", "VGA,vgamem_mb={mb}", "nvme,serial=1", "edu", "qemu-xhci",
             "secondary-vga", "rtl8139", "megasas", "ich9-ahci"]
# Not pci-testdev and lsi: QEMU 7.2 ends in an assertion of its own (object_finalize) where the
# payload takes their addresses away to ask for their sizes.
MOST_DEVICES = 24


class Topology:
    """Grows a command line device by device; `open_slots` are the places left, by bus."""

    def __init__(self, machine: str, seed: int):
        self.machine = machine
        self.chance = random.Random(f"{machine} {seed}")
        self.count = 0
        self.names: list[str] = []
        self.memory: list[str] = []
        root = "pci.0" if machine == "pc" else "pcie.0"
        # PIIX is at 1, the ICH9 at 31.
        self.open_slots = {root: list(range(2, 30)), **self._extra_roots(root)}
        self.express = {"pcie.0"}
        for _ in range(self.chance.randrange(1, MOST_DEVICES)):
            self._grow()

    def _extra_roots(self, root: str) -> dict[str, list[int]]:
        slots = {}
        for i in range(self.chance.choice((0, 0, 0, 1, 2))):
            if self.machine == "pc":
                self.names.append(f"pxb,id=x{i},bus_nr={96 + 64 * i},bus={root},addr={30 + i:x}")
                slots[f"x{i}"] = list(range(1, 32))
        return slots

    def _place(self) -> str | None:
        buses = [bus for bus, slots in self.open_slots.items() if slots]
        if not buses:
            return None
        self.bus = self.chance.choice(buses)
        slots = self.open_slots[self.bus]
        slot = slots.pop(self.chance.randrange(len(slots)))
        return f",bus={self.bus},addr={slot:x}"

    def _grow(self) -> None:
        place = self._place()
        if place is None:
            return
        self.count += 1
        name = f"b{self.count}"
        kind = self.chance.random()
        if self.bus in self.express and kind < 0.35:
            spare = self.chance.choice(("", "", ",pref64-reserve=1G", ",mem-reserve=8M",
                                        ",bus-reserve=2", ",io-reserve=0", ",pref32-reserve=4M"))
            self.names.append(f"pcie-root-port,id={name},chassis={self.count}{spare}{place}")
            self.open_slots[name] = [0]
        elif kind < 0.2 and self.bus.startswith("b") and self.open_slots[self.bus] == [] \
                and self._is_port(self.bus):
            self.names.append(f"pcie-pci-bridge,id={name}{place}")
            self.open_slots[name] = list(range(1, 32))
        elif kind < 0.5 and not self._is_port(self.bus):
            self.names.append(f"pci-bridge,id={name},chassis_nr={self.count}{place}")
            self.open_slots[name] = list(range(1, 32))
        elif kind < 0.6:
            size = self.chance.choice(("1M", "64M", "512M", "4G", "16G"))
            self.memory += shared(size, place, first=len(self.memory) // 4)
        else:
            endpoint = self.chance.choice(ENDPOINTS).format(mb=self.chance.choice((8, 16, 64)))
            self.names.append(endpoint + place)

    def _is_port(self, bus: str) -> bool:
        return any(n.startswith("pcie-root-port,") and f",id={bus}," in n + "," for n in self.names)

    def arguments(self) -> list[str]:
        """The whole command line."""
        return [*devices(*self.names), *self.memory]


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


def test_generator_repeats():
    """A seed is a topology."""
    assert Topology("q35", 5).arguments() == Topology("q35", 5).arguments()
    assert Topology("q35", 5).arguments() != Topology("q35", 6).arguments()


@pytest.mark.parametrize("machine", ["pc", "q35"])
@pytest.mark.parametrize("seed", [pytest.param(n, marks=() if n < 4 else WIDE) for n in range(60)])
def test_random_topology(tmp_path, machine, seed):
    """Whatever QEMU accepts is assigned whole, reached and decoded."""
    args = Topology(machine, seed).arguments()
    with booted(tmp_path, machine, [*FULL, *args], words="buses") as guest:
        tree = pci.Tree(guest.report)
        assert guest.vm.debug == "", guest.vm.debug
        check(tree, machine, guest.report, without_io(tree))
        check_as_qemu_has_it(tree, guest.vm)
        mtree.check_mapped(tree, guest.vm)
        pci_tables.check(tree, guest.report)
