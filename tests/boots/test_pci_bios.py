# SPDX-License-Identifier: MIT
"""Linux without ACPI and APIC, by the 32-bit PCI BIOS, `$PIR` and the PIC that the firmware left."""

import re

import pytest

from . import stalls
from .boot import Boot
from .devices import PCI, e1000, virtio_disk
from .expectations import interrupts
from .test_pci import FULL, devices

pytestmark = pytest.mark.wide

BRIDGE = devices("pci-bridge,chassis_nr=1,id=bridge")
PIC = "XT-PIC"
ROUTERS = {"pc": "8086:7000", "q35": "8086:2918"}


@pytest.mark.parametrize("options", ["pci=bios,biosirq", "pci=bios,biosirq,routeirq"])
@pytest.mark.parametrize("machine", ROUTERS)
def test_pci_bios(machine, options, tmp_path):
    """Linux finds the PCI BIOS and reads all by it, finds the router, and every device's interrupt
    comes."""
    boot = Boot("i386", machine, devices=(virtio_disk(PCI), e1000()), controller=PIC,
                append=f"acpi=off nolapic noapic {options}", arguments=(*FULL, *BRIDGE))
    report, _ = stalls.run(boot, tmp_path)
    log = report.text("dmesg")
    assert re.search(r"PCI: PCI BIOS revision 2\.10 entry at 0xf0[0-9a-f]{3}, last bus=1\b", log)
    assert re.search(rf"PIIX/ICH IRQ router \[{ROUTERS[machine]}\]", log)
    assert "Using configuration type" not in log, "not by ports"
    assert interrupts(boot, report) == []
