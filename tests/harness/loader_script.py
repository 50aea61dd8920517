# SPDX-License-Identifier: MIT
"""Builds scripts of QEMU's linker/loader, etc/table-loader. Layout: hw/acpi/bios-linker-loader.c of
QEMU.
"""

import struct


def loader_script(*commands: bytes) -> bytes:
    """A table-loader script of 128-byte commands."""
    return b"".join(c.ljust(128, b"\0") for c in commands)


def allocate(name: str, align: int, zone: int) -> bytes:
    """ALLOCATE of the linker/loader."""
    return struct.pack("<I56sIB", 1, name.encode(), align, zone)


def add_pointer(target: str, source: str, offset: int, size: int) -> bytes:
    """ADD_POINTER of the linker/loader."""
    return struct.pack("<I56s56sIB", 2, target.encode(), source.encode(), offset, size)


def add_checksum(name: str, offset: int, start: int, length: int) -> bytes:
    """ADD_CHECKSUM of the linker/loader."""
    return struct.pack("<I56s3I", 3, name.encode(), offset, start, length)


def write_pointer(target: str, source: str, target_offset: int, source_offset: int,
                  size: int) -> bytes:
    """WRITE_POINTER of the linker/loader."""
    return struct.pack("<I56s56s2IB", 4, target.encode(), source.encode(), target_offset,
                       source_offset, size)
