# SPDX-License-Identifier: MIT
"""Builds multiboot 1 kernels, as ELF or by the header's addresses, and reads what they are given.

Format: Multiboot Specification 0.6.96, 3.1 (header) and 3.3 (information structure).
"""

import struct
from dataclasses import dataclass, replace
from pathlib import Path

from . import pvh
from .bzimage import PAGE, PROGRAM_MAGIC, round_up
from .paths import PAYLOADS
from .report import Report

MAGIC = 0x1BADB002
ENTRY_MAGIC = 0x2BADB002  # EAX
LOADER = b"qemu\0"

BASES = {"payload-pvh.bin": pvh.BASE, "payload-low.bin": pvh.LOW_BASE}

HAS_ADDRESSES = 1 << 16  # the "a.out kludge"
HEADER_IN_PROGRAM = 0x40  # head.S has room there
HEADER_IN_ELF = 0x800  # behind the program headers

HAS_MEMORY, HAS_BOOT_DEVICE, HAS_COMMAND_LINE, HAS_MODULES, HAS_MAP, HAS_LOADER_NAME = (
    1 << bit for bit in (0, 1, 2, 3, 6, 9))

ENTRY_AT = 24  # e_entry of an ELF


@dataclass(frozen=True)
class Program:
    """A flat program for one address."""

    code: bytes
    base: int
    entry: int
    memory: int  # bytes it needs from its first byte on

    @staticmethod
    def reporting(low: bool = False) -> "Program":
        """The payload that reports what it was given, at 16 MiB or at 32 KiB."""
        name = "payload-low.bin" if low else "payload-pvh.bin"
        base = BASES[name]
        code = (PAYLOADS / name).read_bytes()
        magic, _, file_size, memory, entry_offset = struct.unpack_from("<5I", code, 16)
        assert magic == PROGRAM_MAGIC
        return Program(code.ljust(file_size, b"\0"), base, base + entry_offset, memory)

    def beginning_at(self, base: int) -> "Program":
        """The same with zeros in front, from a lower address on."""
        front = self.base - base
        return Program(bytes(front) + self.code, base, self.entry, front + self.memory)

    def entered_at(self, entry: int) -> "Program":
        """The same with another entry."""
        return replace(self, entry=entry)

    @staticmethod
    def halting(base: int, size: int = PAGE) -> "Program":
        """A program that must not be entered."""
        return Program(b"\xf4" * size, base, base, size)


def header(*addresses: int) -> bytes:
    """A multiboot header; five addresses say where everything of a file that is no ELF goes."""
    flags = HAS_ADDRESSES if addresses else 0
    return struct.pack(f"<{3 + len(addresses)}I", MAGIC, flags, -(MAGIC + flags) & 0xFFFFFFFF,
                       *addresses)


def _with(image: bytes, offset: int, piece: bytes) -> bytes:
    return image[:offset] + piece + image[offset + len(piece) :]


def flat(program: Program, bss: int = 0) -> bytes:
    """The bytes of a kernel that is no ELF; `bss` bytes more than it needs are its own."""
    base = program.base
    addresses = header(base + HEADER_IN_PROGRAM, base, base + len(program.code),
                       base + program.memory + bss, program.entry)
    return _with(program.code, HEADER_IN_PROGRAM, addresses)


def elf(program: Program, bss: int = 0) -> bytes:
    """The bytes of an ELF of 32 bits."""
    head = pvh.elf_header(32, program.entry, 1) + pvh.program_header(
        32, pvh.PT_LOAD, PAGE, program.base, len(program.code), program.memory + bss, PAGE)
    return _with(head.ljust(PAGE, b"\0"), HEADER_IN_ELF, header()) + program.code


def elf_with_note() -> bytes:
    """An ELF that has an entry for each protocol, its PVH entry in a note."""
    image = _with(pvh.build(bits=32), HEADER_IN_ELF, header())
    return _with(image, ENTRY_AT, struct.pack("<I", Program.reporting().entry))


KINDS = {"elf": elf, "flat": flat}


def block_size(program: Program) -> int:
    """What QEMU hands over of a program without modules whose strings fit into a page."""
    return round_up(program.memory, PAGE) + PAGE


def module_option(*modules: tuple[Path, str]) -> list[str]:
    """-initrd for these files with these strings."""
    return ["-initrd", ",".join(f"{path} {text}".strip().replace(",", ",,")
                                for path, text in modules)]


@dataclass(frozen=True)
class Info:
    """The information structure, as far as QEMU's has fields that may be set."""

    flags: int
    mem_lower: int
    mem_upper: int
    command_line: int
    module_count: int
    modules: int
    map_size: int
    map: int
    loader_name: int

    @staticmethod
    def of(report: Report) -> "Info":
        """What EBX led to."""
        return Info(*struct.unpack_from("<3I4x3I16x2I12xI", report.one("multiboot_info").data))


def modules(report: Report) -> list[tuple[int, int, int]]:
    """Begin, end and address of the string of every module; the reserved word is zero."""
    if "modules" not in report.memory:
        return []
    found = list(struct.iter_unpack("<4I", report.one("modules").data))
    assert all(reserved == 0 for *_, reserved in found)
    return [(begin, end, text) for begin, end, text, _ in found]


def module_strings(report: Report) -> list[str]:
    """The string of every module."""
    return [piece.data[:-1].decode() for piece in report.memory.get("module_string", [])]
