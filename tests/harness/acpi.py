# SPDX-License-Identifier: MIT
"""ACPI tables as the payload found them. Layouts: ACPI specification 6.4."""

import struct
from dataclasses import dataclass

from .report import Memory, Report


def byte_sum(data: bytes) -> int:
    """The checksum of ACPI, SMBIOS and MP tables; 0 if right."""
    return sum(data) & 0xFF


@dataclass(frozen=True)
class Table:
    """A table with the common header."""

    address: int
    data: bytes

    @property
    def signature(self) -> str:
        """Four letters."""
        return self.data[:4].decode("latin-1")

    def field(self, layout: str, offset: int) -> int:
        """A little-endian number, 0 beyond the end."""
        if offset + struct.calcsize(layout) > len(self.data):
            return 0
        return struct.unpack_from(layout, self.data, offset)[0]


def _table(piece: Memory) -> Table:
    return Table(piece.address, piece.data)


def all_tables(report: Report) -> list[Table]:
    """Root, DSDT and everything the root points to, without the FACS."""
    pieces = [p for name in ("rsdt", "xsdt", "acpi") for p in report.memory.get(name, [])]
    return [_table(p) for p in pieces]


def tables(report: Report, signature: str) -> list[Table]:
    """The tables with this signature."""
    return [t for t in all_tables(report) if t.signature == signature]


def table(report: Report, signature: str) -> Table:
    """The only table with this signature."""
    found = tables(report, signature)
    assert len(found) == 1, f"{len(found)} x {signature} instead of one"
    return found[0]


def subtables(data: bytes, begin: int) -> list[bytes]:
    """Entries that begin with one byte type, one byte length, as in the MADT and the SRAT."""
    result = []
    while begin < len(data):
        size = data[begin + 1]
        assert size >= 2, f"entry of {size} bytes at {begin:#x}"
        result.append(data[begin : begin + size])
        begin += size
    return result


MADT_ENTRIES_AT = 44
MADT_LOCAL_APIC = 0
MADT_LOCAL_X2APIC = 9


def madt_cpus(report: Report) -> list[int]:
    """APIC IDs of the enabled CPUs."""
    ids = []
    for entry in subtables(table(report, "APIC").data, MADT_ENTRIES_AT):
        if entry[0] == MADT_LOCAL_APIC and entry[4] & 1:
            ids.append(entry[3])
        if entry[0] == MADT_LOCAL_X2APIC and entry[8] & 1:
            ids.append(struct.unpack_from("<I", entry, 4)[0])
    return ids


def check(report: Report) -> None:
    """Every checksum and every pointer, beginning with the RSDP."""
    rsdp = report.one("rsdp")
    assert byte_sum(rsdp.data[:20]) == 0, "RSDP checksum"
    if rsdp.data[15] >= 2:
        assert len(rsdp.data) == 36 and byte_sum(rsdp.data) == 0, "RSDP extended checksum"
    assert "table_above_4g" not in report.values
    assert "table_too_long" not in report.values, report.values["table_too_long"]
    assert {"FACP", "DSDT", "APIC"} <= {t.signature for t in all_tables(report)}
    for t in all_tables(report):
        assert len(t.data) >= 36, f"{t.signature} at {t.address:#x} is {len(t.data)} bytes long"
        assert byte_sum(t.data) == 0, f"checksum of {t.signature} at {t.address:#x}"
