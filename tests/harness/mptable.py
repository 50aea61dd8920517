# SPDX-License-Identifier: MIT
"""The MP configuration table. Layouts: Intel MultiProcessor Specification 1.4, chapter 4."""

import struct
from dataclasses import dataclass, field

from .acpi import byte_sum
from .report import Report

HEADER_SIZE = 44
PROCESSOR = 0
BUS = 1
IOAPIC = 2
IO_INTERRUPT = 3
LOCAL_INTERRUPT = 4
ENTRY_SIZES = {PROCESSOR: 20, BUS: 8, IOAPIC: 8, IO_INTERRUPT: 8, LOCAL_INTERRUPT: 8}

ENABLED = 1
BOOT_PROCESSOR = 2

INT = 0
NMI = 1
EXTINT = 3


@dataclass(frozen=True)
class Interrupt:
    """An I/O or local interrupt assignment."""

    kind: int
    flags: int
    bus: int
    irq: int
    apic: int
    pin: int


@dataclass
class MpTable:
    """The entries by type."""

    cpus: list[int] = field(default_factory=list)
    boot_cpus: list[int] = field(default_factory=list)
    buses: dict[int, str] = field(default_factory=dict)
    ioapics: dict[int, int] = field(default_factory=dict)  # APIC ID to address
    interrupts: list[Interrupt] = field(default_factory=list)
    local: list[Interrupt] = field(default_factory=list)
    local_apic: int = 0

    def bus_number(self, name: str) -> int:
        """The number of the only bus of this type."""
        numbers = [n for n, t in self.buses.items() if t == name]
        assert len(numbers) == 1, f"buses {self.buses}"
        return numbers[0]


def _add(table: MpTable, entry: bytes) -> None:
    kind = entry[0]
    if kind == PROCESSOR:
        if entry[3] & ENABLED:
            table.cpus.append(entry[1])
        if entry[3] & BOOT_PROCESSOR:
            table.boot_cpus.append(entry[1])
    elif kind == BUS:
        assert entry[1] not in table.buses, "a bus number occurs twice"
        table.buses[entry[1]] = entry[2:8].decode("ascii").rstrip()
    elif kind == IOAPIC:
        assert entry[1] not in table.ioapics, "an I/O APIC ID occurs twice"
        if entry[3] & ENABLED:
            table.ioapics[entry[1]] = struct.unpack_from("<I", entry, 4)[0]
    else:
        interrupts = table.interrupts if kind == IO_INTERRUPT else table.local
        interrupts.append(Interrupt(*struct.unpack_from("<xBHBBBB", entry)))


def read(report: Report) -> MpTable:
    """The table, after checking signature, checksums, length and entry count."""
    pointer = report.one("mp_pointer").data
    piece = report.one("mp_table")
    assert struct.unpack_from("<I", pointer, 4)[0] == piece.address
    assert pointer[9] in (1, 4), "specification revision"
    data = piece.data
    assert data[:4] == b"PCMP"
    length, revision, _ = struct.unpack_from("<HBB", data, 4)
    assert revision in (1, 4)
    assert byte_sum(data[:length]) == 0, "checksum of the MP table"
    count, local_apic = struct.unpack_from("<HI", data, 34)
    table = MpTable(local_apic=local_apic)
    at = HEADER_SIZE
    seen = 0
    while at < length:
        size = ENTRY_SIZES[data[at]]
        _add(table, data[at : at + size])
        at += size
        seen += 1
    assert (at, seen) == (length, count), "length and entry count of the MP table"
    return table
