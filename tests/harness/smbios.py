# SPDX-License-Identifier: MIT
"""SMBIOS structures. Layouts: DMTF DSP0134 3.6."""

import struct
from dataclasses import dataclass

from .acpi import byte_sum
from .report import Report

END_OF_TABLE = 127


@dataclass(frozen=True)
class Structure:
    """One structure: its formatted part and its strings."""

    kind: int
    handle: int
    formatted: bytes
    strings: list[str]
    size: int

    def string(self, offset: int) -> str:
        """The string whose number the formatted part holds at this offset."""
        number = self.formatted[offset]
        return self.strings[number - 1] if number else ""


def structures(table: bytes) -> list[Structure]:
    """All structures up to the end-of-table one."""
    result = []
    at = 0
    while at < len(table):
        kind, size, handle = struct.unpack_from("<BBH", table, at)
        end = table.index(b"\0\0", at + size)
        text = table[at + size : end]
        strings = [s.decode("latin-1") for s in text.split(b"\0")] if text else []
        result.append(Structure(kind, handle, table[at : at + size], strings, end + 2 - at))
        at = end + 2
        if kind == END_OF_TABLE:
            break
    return result


def check_2(report: Report) -> list[Structure]:
    """The 32-bit entry point, section 5.2.1, agrees with its table."""
    anchor = report.one("smbios2").data
    assert byte_sum(anchor) == 0 and byte_sum(anchor[16:31]) == 0, "entry point checksums"
    assert anchor[16:21] == b"_DMI_"
    table = report.one("smbios2_table").data
    found = structures(table)
    length, _, count = struct.unpack_from("<HIH", anchor, 0x16)
    assert sum(s.size for s in found) == length == len(table), "structure table length"
    assert len(found) == count, "number of structures"
    assert max(s.size for s in found) == struct.unpack_from("<H", anchor, 8)[0], "maximum size"
    return found


def check_3(report: Report) -> list[Structure]:
    """The 64-bit entry point, section 5.2.2, agrees with its table."""
    anchor = report.one("smbios3").data
    assert len(anchor) == 24 and byte_sum(anchor) == 0, "entry point checksum"
    table = report.one("smbios3_table").data
    found = structures(table)
    assert sum(s.size for s in found) <= struct.unpack_from("<I", anchor, 0x0C)[0]
    return found


def check(report: Report) -> list[Structure]:
    """Whichever entry points there are; returns the structures."""
    found = check_3(report) if "smbios3" in report.memory else check_2(report)
    assert found[-1].kind == END_OF_TABLE
    handles = [s.handle for s in found]
    assert len(set(handles)) == len(handles), f"a handle occurs twice: {handles}"
    return found


def of_kind(found: list[Structure], kind: int) -> list[Structure]:
    """The structures of one type."""
    return [s for s in found if s.kind == kind]
