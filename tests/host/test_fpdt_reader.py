# SPDX-License-Identifier: MIT
"""The reader of harness/fpdt.py takes what is right and refuses what is not."""

import re
import struct

import pytest

from harness import fpdt
from harness.acpi import byte_sum

AT = 0x9FC40
KHZ, TSC = 2_500_000, 0x1234567890
TIMES = (0, 1_000, 20_000, 300_000, 300_500, 4_000_000, 4_000_100)


def table(address: int = AT, *, revision: int = 1, record: bytes | None = None) -> bytes:
    """An FPDT with a right checksum."""
    body = struct.pack("<HBBIQ", 0, 16, 1, 0, address) if record is None else record
    head = struct.pack("<4sIBB6s8sI4sI", b"FPDT", 36 + len(body), revision, 0, b"MAYFLY",
                       b"TIMELINE", 1, b"TEST", 1)
    whole = bytearray(head + body)
    whole[9] = -byte_sum(whole) & 0xFF
    return bytes(whole)


def basic_boot(*times: int) -> bytes:
    """The basic boot record; without times, those of the marks."""
    chosen = times or (TIMES[0], 0, TIMES[4], TIMES[6], TIMES[6])
    return struct.pack("<HBBI5Q", 2, 48, 2, 0, *chosen)


def marks(*times: int, khz: int = KHZ, kind: int = 0x3000) -> bytes:
    """The record of the marks."""
    return struct.pack("<HBBIQ7Q", kind, 72, 1, khz, TSC, *(times or TIMES))


def block(*records: bytes) -> bytes:
    """A boot performance table."""
    body = b"".join(records)
    return struct.pack("<4sI", b"FBPT", 8 + len(body)) + body


GOOD = block(basic_boot(), marks())


def read(fpdt_table: bytes, content: bytes) -> fpdt.Performance:
    """As `fpdt.read` from a memory that holds the block at its place and nothing else."""
    def memory(address: int, size: int) -> bytes:
        assert AT <= address and address + size <= AT + len(content)
        return content[address - AT : address - AT + size]
    return fpdt.read(fpdt_table, memory)


def test_what_is_right():
    """Every field arrives under its name."""
    found = read(table(), GOOD)
    assert found.boot == fpdt.BasicBoot(0, 0, 300_500, 4_000_100, 4_000_100)
    assert found.timeline == fpdt.Timeline(KHZ, TSC, dict(zip(fpdt.MARKS, TIMES)))
    assert (found.address, found.end) == (AT, AT + 128)


@pytest.mark.parametrize("at", range(52))
def test_any_changed_byte_of_the_table(at):
    """The checksum, at least, finds it."""
    damaged = bytearray(table())
    damaged[at] ^= 0x40
    with pytest.raises(AssertionError):
        read(bytes(damaged), GOOD)


WRONG_TABLES = {
    "revision": table(revision=2),
    "no record": table(record=b""),
    "two records": table(record=struct.pack("<HBBIQ", 0, 16, 1, 0, AT) * 2),
    "S3 pointer": table(record=struct.pack("<HBBIQ", 1, 16, 1, 0, AT)),
    "revision of the record": table(record=struct.pack("<HBBIQ", 0, 16, 2, 0, AT)),
    "reserved field": table(record=struct.pack("<HBBIQ", 0, 16, 1, 1, AT)),
    "no address": table(0),
    "record too long": table(record=struct.pack("<HBBIQ", 0, 17, 1, 0, AT)),
    "record of no bytes": table(record=struct.pack("<HBBIQ", 0, 0, 1, 0, AT)),
    "rest": table(record=struct.pack("<HBBIQ", 0, 16, 1, 0, AT) + b"\0\0"),
}


@pytest.mark.parametrize("name", WRONG_TABLES)
def test_wrong_table(name):
    """Right checksum, wrong content."""
    with pytest.raises(AssertionError):
        read(WRONG_TABLES[name], GOOD)


WRONG_BLOCKS = {
    "signature": b"S3PT" + GOOD[4:],
    "length": GOOD[:4] + b"\x7f" + GOOD[5:],
    "basic record is not the first": block(marks(), basic_boot()),
    "no record of the marks": block(basic_boot()),
    "type outside the vendors' range": block(basic_boot(), marks(kind=0x4000)),
    "another vendor's record": block(basic_boot(), marks(kind=0x3001)),
    "frequency 0": block(basic_boot(), marks(khz=0)),
    "reset is not 0": block(basic_boot(), marks(1, *TIMES[1:])),
    "marks go back": block(basic_boot(), marks(*TIMES[:5], 299_999, 4_000_100)),
    "exit is zero": block(basic_boot(0, 0, 300_500, 0, 0), marks()),
    "an image is loaded": block(basic_boot(0, 300_500, 300_500, 4_000_100, 4_000_100), marks()),
    "another time than the mark": block(basic_boot(0, 0, 4_000_000, 4_000_100, 4_000_100),
                                        marks()),
    "too long": struct.pack("<4sI", b"FBPT", 1 << 20) + GOOD[8:],
}


@pytest.mark.parametrize("name", WRONG_BLOCKS)
def test_wrong_block(name):
    """One thing wrong at a time."""
    with pytest.raises(AssertionError):
        read(table(), WRONG_BLOCKS[name])


def lines(khz: int | None = KHZ) -> list[str]:
    """What is printed to port 0x402, or without a frequency."""
    first = f"TSC runs at {khz} kHz (kvmclock)" if khz else "TSC frequency is unknown"
    result = [first]
    for name, ns in zip(fpdt.MARKS, TIMES):
        time = f"{ns} ns, " if khz else ""
        result.append(f"{name} {time}TSC {TSC + ns * KHZ // 1_000_000:#x}")
    return [f"mayfly: timeline: {line}" for line in result]


def test_lines():
    """Among other lines, and equal to the table."""
    debug = "\n".join(["mayfly: log: something", *lines(), "mayfly: log: more", ""])
    found = fpdt.printed(debug)
    assert (found.source, found.tsc_khz, found.ticks["reset"]) == ("kvmclock", KHZ, TSC)
    found.agrees_with(read(table(), GOOD).timeline)


def test_lines_without_a_frequency():
    """Ticks and no times."""
    found = fpdt.printed("\n".join(lines(None)))
    assert (found.source, found.tsc_khz, found.times) == ("", 0, {})
    assert list(found.ticks) == list(fpdt.MARKS)


def swapped(text: list[str]) -> list[str]:
    """Two marks in the wrong order."""
    return [*text[:3], text[4], text[3], *text[5:]]


def edited(pattern: str, replacement: str) -> list[str]:
    """The lines with something replaced."""
    return [re.sub(pattern, replacement, line) for line in lines()]


WRONG_LINES = {
    "none": [],
    "one missing": lines()[:-1],
    "one more": [*lines(), lines()[-1]],
    "order": swapped(lines()),
    "unknown source": edited("kvmclock", "a guess"),
    "a time is not what the TSC says": edited("300500 ns", "300503 ns"),
    "TSC goes back": edited("(entry .*)TSC .*", r"\1TSC 0x1"),
    "a time without a frequency": [lines(None)[0], *lines()[1:]],
    "no times with a frequency": [lines()[0], *lines(None)[1:]],
    "not a mark": edited("tables", "table"),
}


@pytest.mark.parametrize("name", WRONG_LINES)
def test_wrong_lines(name):
    """Whatever is not the promised form."""
    with pytest.raises(AssertionError):
        fpdt.printed("\n".join(WRONG_LINES[name]))
