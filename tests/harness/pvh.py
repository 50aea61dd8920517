# SPDX-License-Identifier: MIT
"""Builds ELF kernels with a PVH entry point, 32-bit and 64-bit.

Formats: System V ABI (ELF), Xen docs/misc/pvh.pandoc (the note), Linux' own notes as in vmlinux.
"""

import struct

from .bzimage import PROGRAM_MAGIC, round_up
from .paths import PAYLOADS

BASE = 0x1000000  # payload.mk links the PVH payload there
LOW_BASE = 0x8000  # and the low payload there

PT_LOAD = 1
PT_NOTE = 4
EM_386 = 3
EM_X86_64 = 62
PAGE = 4096

XEN_ELFNOTE_GUEST_OS = 6
XEN_ELFNOTE_PHYS32_ENTRY = 18
LINUX_ELFNOTE_BUILD_SALT = 0x100

MIB = 1 << 20


def _note(name: str, kind: int, content: bytes) -> bytes:
    owner = name.encode() + b"\0"
    head = struct.pack("<3I", len(owner), len(content), kind)
    return head + owner.ljust(round_up(len(owner), 4), b"\0") + content.ljust(
        round_up(len(content), 4), b"\0")


def notes(entry: int, bits: int, linux: bool) -> bytes:
    """The note section: the PVH entry, the guest's name, for Linux its own note."""
    result = _note("Xen", XEN_ELFNOTE_GUEST_OS, b"linux\0" if linux else b"mayfly-test\0")
    if linux:
        result += _note("Linux", LINUX_ELFNOTE_BUILD_SALT, b"salt\0")
    return result + _note("Xen", XEN_ELFNOTE_PHYS32_ENTRY,
                          struct.pack("<Q" if bits == 64 else "<I", entry))


def program_header(bits: int, kind: int, offset: int, address: int, size: int, memory: int,
                   align: int) -> bytes:
    """An entry of the program header table."""
    if bits == 64:
        return struct.pack("<2I6Q", kind, 7, offset, address, address, size, memory, align)
    return struct.pack("<8I", kind, offset, address, address, size, memory, 7, align)


def elf_header(bits: int, entry: int, count: int) -> bytes:
    """The header of an ELF with `count` program headers right behind it."""
    ident = b"\x7fELF" + bytes([2 if bits == 64 else 1, 1, 1]) + bytes(9)
    layout, machine, size, entry_size = (
        ("<2HI3QI6H", EM_X86_64, 64, 56) if bits == 64 else ("<2HI3II6H", EM_386, 52, 32))
    return ident + struct.pack(layout, 2, machine, 1, entry, size, 0, 0, size, entry_size, count,
                               0, 0, 0)


def _reporting(name: str) -> tuple[bytes, int, int]:
    """A reporting payload: bytes, offset of the entry, bytes of memory it needs."""
    code = (PAYLOADS / name).read_bytes()
    magic, entry_offset, file_size, memory = struct.unpack_from("<4I", code, 16)
    assert magic == PROGRAM_MAGIC
    return code.ljust(file_size, b"\0"), entry_offset, memory


def build(bits: int = 64, linux: bool = True, notes_at: int = 0,
          extra: tuple[int, bytes] | None = None, stub: bytes | None = None,
          entry: int | None = None, low: bool = False) -> bytes:
    """The bytes of an ELF with the reporting payload, or with a stub that begins at its entry.

    The notes are loaded like Linux' own, inside the loaded segment, behind the program; `notes_at`
    moves them at least so many bytes into it. `extra` is a second segment: address and content.
    `entry` is told in place of the program's own. A `low` payload is at 32 KiB.
    """
    name, base = ("payload-low.bin", LOW_BASE) if low else ("payload-pvh.bin", BASE)
    code, entry_offset, memory = (stub, 0, len(stub)) if stub else _reporting(name)
    entry = base + entry_offset if entry is None else entry
    note_bytes = notes(entry, bits, linux)
    # .bss is cleared at entry, so the notes must lie behind it to be still there for a reboot.
    note_offset = round_up(max(memory, notes_at), 16)
    segment = code.ljust(note_offset, b"\0") + note_bytes
    headers = [
        program_header(bits, PT_LOAD, PAGE, base, len(segment), len(segment), PAGE),
        program_header(bits, PT_NOTE, PAGE + note_offset, base + note_offset, len(note_bytes),
                        len(note_bytes), 4)]
    body = segment.ljust(round_up(len(segment), PAGE), b"\0")
    if extra:
        address, content = extra
        headers.append(program_header(bits, PT_LOAD, PAGE + len(body), address, len(content),
                                      len(content), PAGE))
        body += content
    head = elf_header(bits, entry, len(headers)) + b"".join(headers)
    return head.ljust(PAGE, b"\0") + body
