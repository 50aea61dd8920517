# SPDX-License-Identifier: MIT
"""Where everything of a hand-over lies, and that nothing lies on top of anything."""

import struct

from . import memory
from .acpi import all_tables
from .boot_params import ZeroPage
from .memory import ACPI, BIOS_SEGMENT, FOUR_GIB, MIB, NVS, RAM, RESERVED, Range
from .report import Report

ROM_SIZE = 0x10000
FIXED = ("pvh", "multiboot")  # entries of images that are linked for one address


def _pieces(report: Report, *names: str) -> list[Range]:
    return [Range(p.address, p.end, name) for name in names for p in report.memory.get(name, [])
            if p.data]


def kernel_range(report: Report) -> Range:
    """The memory a kernel may use before it reads the memory map."""
    values = report.values["address"]
    if report.entry in FIXED:
        return Range(values["run"], values["run_end"], "kernel")
    return Range(values["run"], values["run"] + ZeroPage(report).init_size, "kernel")


def load_range(report: Report) -> Range:
    """Where the firmware copied the kernel's file to."""
    values = report.values["address"]
    size = values["run_end"] - values["run"] if report.entry in FIXED else (
        struct.unpack_from("<I", report.one("zero_page").data, 0x1F4)[0] * 16)
    return Range(values["load"], values["load"] + size, "loaded kernel")


def initrd_range(report: Report) -> Range | None:
    """Where the initrd is, None if there is none."""
    if report.initrd is None:
        return None
    address, size, *_ = report.initrd
    return Range(address, address + size, "initrd")


def module_ranges(report: Report) -> list[Range]:
    """Where the modules of a multiboot image are, without empty ones."""
    return [Range(address, address + size, "module")
            for address, size, *_ in report.modules if size]


def handed_over(report: Report) -> list[Range]:
    """What the kernel reads during its start and may reuse later."""
    result = _pieces(report, "zero_page", "setup_data", "command_line", "start_info",
                     "multiboot_info", "loader_name", "modules", "module_string", "memory_map")
    gdt = _pieces(report, "gdt")
    result += [g for g in gdt if g.end <= FOUR_GIB - ROM_SIZE]
    initrd = initrd_range(report)
    return result + module_ranges(report) + ([initrd] if initrd else [])


def lasting(report: Report) -> list[Range]:
    """What must stay after the kernel has started."""
    result = _pieces(report, "rsdp", "facs", "smbios2", "smbios2_table", "smbios3", "mp_pointer",
                     "mp_table")
    return result + [Range(t.address, t.address + len(t.data), t.signature)
                     for t in all_tables(report)]


def check_disjoint(report: Report) -> None:
    """No two pieces share a byte; only the loaded kernel may lie where the kernel will run."""
    pieces = [kernel_range(report), *handed_over(report), *lasting(report)]
    pieces.sort(key=lambda r: (r.begin, r.end))
    for a, b in zip(pieces, pieces[1:]):
        assert not a.overlaps(b), f"{a} overlaps {b}"
    loaded = load_range(report)
    for piece in pieces:
        if piece.what != "kernel":
            assert not loaded.overlaps(piece), f"{loaded} overlaps {piece}"


def check_in_ram(report: Report, ram: list[Range]) -> None:
    """Everything is in memory that exists, and kept or free as the firmware's own map says."""
    given = memory.firmware_map(report)
    free = memory.of_type(given, RAM)
    assert memory.within(free, kernel_range(report)), f"{kernel_range(report)} is not free RAM"
    assert memory.within(free, load_range(report)), f"{load_range(report)} is not free RAM"
    for piece in handed_over(report):
        assert memory.within(ram, piece), f"{piece} is not in RAM"
    kept = memory.of_type(given, RESERVED, ACPI, NVS)
    for piece in lasting(report):
        in_bios_segment = BIOS_SEGMENT <= piece.begin and piece.end <= MIB
        assert in_bios_segment or memory.within(ram, piece), f"{piece} is not in RAM"
        assert not any(piece.overlaps(f) for f in free), f"{piece} is free RAM in the map"
        assert in_bios_segment or memory.within(kept, piece), f"{piece} is not kept in the map"


def check(report: Report, ram: list[Range]) -> None:
    """The whole layout."""
    check_disjoint(report)
    check_in_ram(report, ram)
