# SPDX-License-Identifier: MIT
"""Xen, by multiboot, boots Linux as dom0 to its init, and finds what it finds with SeaBIOS."""

import re

import pytest

from harness import paths

from . import complaints, stalls, xen
from .boot import MIB, Boot
from .expectations import NOT_TABLES

WIDE = pytest.mark.wide
NO_REAL_MODE = "no-real-mode"
# What one firmware may take more of the RAM for its tables than the other: SeaBIOS 128 KiB.
TABLES_KIB = 256
# Linux decides by the date of the BIOS whether the map keeps places from PCI (arch/x86/pci/acpi.c).
BY_DATE = re.compile(r"PCI: .* reservations for host bridge windows")

# CPUs whose APIC IDs have no gap: as Linux, Xen addresses a few by bit masks, which QEMU's own APIC
# delivers only up to the first ID that is missing. No firmware gets such a guest to run.
BOOTS = {
    "q35": Boot("generic", "q35", 512, "2", append=NO_REAL_MODE),
    "pc_asking_the_bios": Boot("generic", "pc", 512, "2"),
    "pc": Boot("generic", "pc", 512, "2", append=NO_REAL_MODE),
    "q35_asking_the_bios": Boot("generic", "q35", 512, "2"),
    "q35_with_4_cpus_and_5_gib": Boot("generic", "q35", 5120, "4,cores=2,sockets=2",
                                      append=NO_REAL_MODE),
    "pc_with_3_sockets_and_3_gib": Boot("generic", "pc", 3072, "3,sockets=3"),
}
IN_DEFAULT_RUN = ("q35", "pc_asking_the_bios")


def check_xen(boot, ours, theirs):
    """The hypervisor's own count of RAM and CPUs, and the tables it found."""
    for report in (ours, theirs):
        assert xen.number(report, r"SMP: Allowing (\d+) CPUs \(0 hotplug CPUs\)") == boot.cpu_count
        assert xen.number(report, r"Brought up (\d+) CPUs") == boot.cpu_count
        assert any(line.startswith("found SMP MP-table at ") for line in xen.said(report))
    total = r"System RAM: \d+MB \((\d+)kB\)"
    assert abs(xen.number(ours, total) - xen.number(theirs, total)) <= TABLES_KIB
    usable = sum(end - begin for begin, end in xen.usable_ranges(ours))
    assert 0 <= boot.memory_mib * MIB - usable <= MIB
    assert [begin for begin, _ in xen.usable_ranges(ours)] == [
        begin for begin, _ in xen.usable_ranges(theirs)]
    assert xen.acpi_tables(ours) == xen.acpi_tables(theirs)
    assert not xen.blame(ours) - xen.blame(theirs)


def total_kib(report):
    """All RAM that dom0 knows of, by its line `Memory:`."""
    found = re.search(r"Memory: \d+K/(\d+)K available", report.text("dmesg"))
    assert found, report.text("dmesg")
    return int(found[1])


def check_dom0(boot, ours, theirs):
    """What dom0 makes of it."""
    for report in (ours, theirs):
        count = len(re.findall(r"^processor\s*:", report.text("cpuinfo"), re.MULTILINE))
        assert count == boot.cpu_count
    assert abs(total_kib(ours) - total_kib(theirs)) <= TABLES_KIB
    tables = set(theirs.lines("acpi_tables")) - NOT_TABLES
    assert tables and tables <= set(ours.lines("acpi_tables"))
    known = {complaints.normalised(line) for line in complaints.complaints(theirs)}
    new = [line for line in complaints.complaints(ours)
           if complaints.normalised(line) not in known and not BY_DATE.search(line)]
    assert not new, "\n".join(new)


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=() if name in IN_DEFAULT_RUN else WIDE) for name in BOOTS])
def test_xen_boots_dom0_to_init(tmp_path, name, record_property):
    """Memory, CPUs and tables are as SeaBIOS has them, and nobody complains more."""
    boot = BOOTS[name]
    ours, _ = stalls.run(boot, tmp_path, xen.run)
    assert ours.debug == "", ours.debug
    (tmp_path / "seabios").mkdir()
    theirs = stalls.run_reference(boot, tmp_path / "seabios", paths.SEABIOS, xen.run)
    record_property("figures", f"Xen on {name}: {ours.seconds:.0f} s to the end, with SeaBIOS "
                               f"{theirs.seconds:.0f} s")
    check_xen(boot, ours, theirs)
    check_dom0(boot, ours, theirs)
