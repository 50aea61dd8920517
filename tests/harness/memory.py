# SPDX-License-Identifier: MIT
"""Ranges of guest-physical memory: the firmware's map, and QEMU's own for comparison."""

import re
import struct
from dataclasses import dataclass

from .report import Report

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30
FOUR_GIB = 4 * GIB

# Types of INT 15h E820, ACPI specification 6.4, table 15.4.
RAM = 1
RESERVED = 2
ACPI = 3
NVS = 4

E820_AT = 0x2D0
E820_COUNT_AT = 0x1E8
SETUP_DATA_AT = 0x250
SETUP_E820_EXT = 1

LEGACY_HOLE = 0xA0000
BIOS_SEGMENT = 0xF0000

RAM_LINE = re.compile(r"^ +([0-9a-f]{16})-([0-9a-f]{16}) \(prio -?\d+, (?:ram|nv-ram|rom)\): (\S+)")


@dataclass(frozen=True, order=True)
class Range:
    """[begin, end) with a type or a name."""

    begin: int
    end: int
    what: object = None

    @property
    def size(self) -> int:
        """Bytes."""
        return self.end - self.begin

    def overlaps(self, other: "Range") -> bool:
        """True if they share a byte."""
        return self.begin < other.end and other.begin < self.end

    def contains(self, other: "Range") -> bool:
        """True if the other lies wholly within."""
        return self.begin <= other.begin and other.end <= self.end

    def __str__(self) -> str:
        return f"[{self.begin:#x}, {self.end:#x}) {self.what}"


def merge(ranges: list[Range]) -> list[Range]:
    """Sorted ranges without the borders between neighbours; the types are dropped."""
    result: list[Range] = []
    for r in sorted(ranges):
        if result and r.begin <= result[-1].end:
            result[-1] = Range(result[-1].begin, max(result[-1].end, r.end))
        else:
            result.append(Range(r.begin, r.end))
    return result


def within(ranges: list[Range], inner: Range) -> bool:
    """True if `inner` lies wholly in the union of the ranges."""
    return any(r.contains(inner) for r in merge(ranges))


def _e820_entries(data: bytes) -> list[Range]:
    return [Range(begin, begin + size, kind)
            for begin, size, kind in struct.iter_unpack("<QQI", data)]


def _zero_page_map(report: Report) -> list[Range]:
    page = report.one("zero_page").data
    size = 20 * page[E820_COUNT_AT]
    entries = _e820_entries(page[E820_AT : E820_AT + size])
    for node in report.memory.get("setup_data", []):
        if struct.unpack_from("<I", node.data, 8)[0] == SETUP_E820_EXT:
            entries += _e820_entries(node.data[16:])
    return entries


def _pvh_map(report: Report) -> list[Range]:
    return [Range(begin, begin + size, kind) for begin, size, kind, _
            in struct.iter_unpack("<QQII", report.one("memory_map").data)]


def _multiboot_map(report: Report) -> list[Range]:
    data = report.one("memory_map").data
    result = []
    while data:
        size, begin, length, kind = struct.unpack_from("<IQQI", data)
        result.append(Range(begin, begin + length, kind))
        data = data[4 + size :]  # the size does not count itself
    return result


MAPS = {"pvh": _pvh_map, "multiboot": _multiboot_map}


def firmware_map(report: Report) -> list[Range]:
    """The memory map the payload was given, in the given order."""
    return MAPS.get(report.entry, _zero_page_map)(report)


def of_type(ranges: list[Range], *kinds: int) -> list[Range]:
    """The ranges of these types."""
    return [r for r in ranges if r.what in kinds]


def _system_view(text: str) -> str:
    for view in text.split("FlatView #"):
        if "Root memory region: system" in view:
            return view
    raise AssertionError(f"no system memory in:\n{text}")


def is_main_memory(name: str) -> bool:
    """True unless the region is one of the images QEMU keeps in RAM blocks of their own."""
    return not any(part in name for part in ("bios", "pc.rom", "flash", ".rom", "vram"))


def qemu_ram(vm) -> list[Range]:
    """Where QEMU has main memory, by `info mtree -f`."""
    result = []
    for line in _system_view(vm.hmp("info mtree -f")).splitlines():
        m = RAM_LINE.match(line)
        if m and is_main_memory(m[3]):
            result.append(Range(int(m[1], 16), int(m[2], 16) + 1))
    return merge(result)
