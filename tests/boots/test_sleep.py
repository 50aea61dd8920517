# SPDX-License-Identifier: MIT
"""Linux sleeps by `echo mem > /sys/power/state`, is woken, and finds everything as it was."""

import pytest

from . import sleeping
from .boot import Boot
from .devices import PCI, ahci_disk, ide_disk, virtio_disk, virtio_network, virtio_without_share
from .expectations import problems
from .test_pci import FULL, devices

WIDE = pytest.mark.wide
VMGENID = devices("vmgenid")
PORTS = devices("pcie-root-port,id=port1,chassis=1", "pcie-root-port,id=port2,chassis=2")
BRIDGES = devices("pci-bridge,id=b1,chassis_nr=1", "pci-bridge,id=b2,chassis_nr=2,bus=b1,addr=1",
                  "VGA,bus=b2,addr=3")
FEW, MANY = 2, 20

BEHIND = {
    "pc": (BRIDGES, (virtio_disk(PCI, extra=",bus=b2,addr=9"),
                     virtio_network(PCI, ",bus=b1,addr=4"))),
    "q35": (PORTS, (virtio_disk(PCI, extra=",bus=port1"), virtio_network(PCI, ",bus=port2"))),
}
CASES = {}
for machine, (bridges, behind) in BEHIND.items():
    for kernel in ("cloud", "generic"):
        CASES[f"{kernel}_{machine}_lean"] = Boot(
            kernel, machine, 256, "2", devices=virtio_without_share(PCI), arguments=VMGENID), "vda"
        CASES[f"{kernel}_{machine}_full"] = Boot(
            kernel, machine, 256, "2", devices=behind, arguments=(*FULL, *VMGENID, *bridges)), "vda"
CASES["generic_pc_ide"] = Boot("generic", "pc", devices=(ide_disk(),), arguments=VMGENID), "sda"
CASES["generic_q35_ahci"] = Boot("generic", "q35", devices=(ahci_disk(),),
                                 arguments=(*FULL, *VMGENID)), "sda"
CASES["i386_q35_full"] = Boot("i386", "q35", devices=virtio_without_share(PCI),
                              arguments=FULL), "vda"
CASES["cloud_pc_5_gib"] = Boot("cloud", "pc", 5120, "2", devices=virtio_without_share(PCI),
                               arguments=VMGENID), "vda"
ALWAYS = ("cloud_pc_lean", "cloud_q35_full")


def check(name, folder, count):
    """Sleeps, compares, and then uses every device."""
    boot, disk = CASES[name]
    report, used = sleeping.run(boot, folder, count, disk)
    found = sleeping.problems(count, report) + problems(boot, report, used)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", ALWAYS)
def test_two_sleeps(name, tmp_path):
    """A guest that slept goes on with its memory, disk, network and interrupts."""
    check(name, tmp_path, FEW)


@WIDE
@pytest.mark.parametrize("name", CASES)
def test_twenty_sleeps(name, tmp_path):
    """Nothing adds up."""
    check(name, tmp_path, MANY)
