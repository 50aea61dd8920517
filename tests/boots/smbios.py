# SPDX-License-Identifier: MIT
"""Lets the host's dmidecode read the SMBIOS tables that a guest saw."""

import os
import struct
import subprocess

# Where dmidecode expects the tables in a dump; the entry point comes first.
TABLES_AT = 0x20
# Offsets in the two forms of the entry point.
SM_CHECKSUM, SM_LENGTH, SM_INTERMEDIATE, SM_TABLES = 0x04, 0x05, 0x10, 0x18
SM_INTERMEDIATE_CHECKSUM = 0x15
SM3_CHECKSUM, SM3_LENGTH, SM3_TABLES = 0x05, 0x06, 0x10


class BadEntryPoint(Exception):
    """The entry point is not one that SMBIOS knows."""


def _seal(data, start, end, checksum):
    data[checksum] = 0
    data[checksum] = -sum(data[start:end]) & 0xFF


def _moved(entry_point):
    """The entry point with the tables' address in a dump."""
    moved = bytearray(entry_point)
    if moved.startswith(b"_SM3_"):
        struct.pack_into("<Q", moved, SM3_TABLES, TABLES_AT)
        _seal(moved, 0, moved[SM3_LENGTH], SM3_CHECKSUM)
    elif moved.startswith(b"_SM_"):
        struct.pack_into("<I", moved, SM_TABLES, TABLES_AT)
        _seal(moved, SM_INTERMEDIATE, moved[SM_LENGTH], SM_INTERMEDIATE_CHECKSUM)
        _seal(moved, 0, moved[SM_LENGTH], SM_CHECKSUM)
    else:
        raise BadEntryPoint(f"the SMBIOS entry point begins with {bytes(moved[:5])!r}")
    return bytes(moved)


def decode(entry_point, tables, folder):
    """What dmidecode says about them, as text."""
    dump = folder / "dmi.dump"
    dump.write_bytes(_moved(entry_point).ljust(TABLES_AT, b"\0") + tables)
    # Debian keeps dmidecode where an ordinary user's PATH does not reach.
    places = os.environ["PATH"] + ":/usr/sbin"
    result = subprocess.run(
        ["dmidecode", "--from-dump", dump],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PATH": places},
        check=True,
    )
    return result.stdout.decode(errors="replace")
