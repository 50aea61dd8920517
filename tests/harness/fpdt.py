# SPDX-License-Identifier: MIT
"""The boot timeline as ACPI publishes it, and as it is printed to port 0x402.

Layouts: ACPI specification 6.5, section 5.2.24, "Firmware Performance Data Table (FPDT)"; the
firmware's own record is of a type that the specification leaves to platform firmware vendors.
Written from those alone, so that it shares no mistake with the firmware. What is wrong raises an
AssertionError that names it.
"""

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

from .acpi import byte_sum

# The moments of a boot, in order.
MARKS = ("reset", "chipset", "platform", "tables", "loading", "loaded", "entry")

ACPI_HEADER = 36
FPDT_REVISION = 1
RECORD_HEADER = 4  # u16 type, u8 length, u8 revision
BOOT_POINTER_TYPE, BOOT_POINTER_SIZE, BOOT_POINTER_REVISION = 0, 16, 1
BOOT_BLOCK_HEADER = 8  # "FBPT", u32 length
BOOT_RECORD_TYPE, BOOT_RECORD_SIZE, BOOT_RECORD_REVISION = 2, 48, 2
VENDOR_TYPES = range(0x3000, 0x4000)
MARKS_TYPE, MARKS_SIZE, MARKS_REVISION = 0x3000, 72, 1
LARGEST_BLOCK = 4096  # ours has 128 bytes

Reader = Callable[[int, int], bytes]  # address, size


@dataclass(frozen=True)
class Record:
    """One performance record: its header, and the bytes behind it."""

    kind: int
    revision: int
    data: bytes

    @property
    def size(self) -> int:
        """With the header."""
        return RECORD_HEADER + len(self.data)


@dataclass(frozen=True)
class BasicBoot:
    """The basic boot performance data record; nanoseconds."""

    reset_end: int
    load_image_start: int
    start_image_start: int
    exit_boot_services_entry: int
    exit_boot_services_exit: int


@dataclass(frozen=True)
class Timeline:
    """The firmware's marks: nanoseconds since reset by name, and the clock they were taken with."""

    tsc_khz: int
    tsc_at_reset: int
    times: dict[str, int]


@dataclass(frozen=True)
class Performance:
    """A whole FPDT with what it points to."""

    table: bytes
    address: int  # of the boot performance table
    block: bytes
    boot: BasicBoot
    timeline: Timeline

    @property
    def end(self) -> int:
        """The first address behind the boot performance table."""
        return self.address + len(self.block)


def records(data: bytes) -> list[Record]:
    """Performance records, each as long as it says, without a rest."""
    result = []
    at = 0
    while at < len(data):
        assert len(data) - at >= RECORD_HEADER, f"{len(data) - at} bytes behind the last record"
        kind, size, revision = struct.unpack_from("<HBB", data, at)
        assert RECORD_HEADER < size <= len(data) - at, f"record of {size} bytes at {at}"
        result.append(Record(kind, revision, data[at + RECORD_HEADER : at + size]))
        at += size
    return result


def _check_form(record: Record, what: str, *form: int) -> None:
    """`form` is the type, the size and the revision that the record must have."""
    found = record.kind, record.size, record.revision
    assert found == form, f"{what}: type, length, revision {found} instead of {form}"


def check_table(table: bytes) -> None:
    """The common header of ACPI tables, as it must be for an FPDT."""
    assert len(table) >= ACPI_HEADER, f"FPDT of {len(table)} bytes"
    signature, length, revision = struct.unpack_from("<4sIB", table)
    assert signature == b"FPDT", f"signature {signature}"
    assert length == len(table), f"FPDT length {length}, but {len(table)} bytes"
    assert revision == FPDT_REVISION, f"FPDT revision {revision}"
    assert byte_sum(table) == 0, "FPDT checksum"
    for first, last, name in ((10, 16, "OEM ID"), (16, 24, "OEM table ID"), (28, 32, "creator ID")):
        text = table[first:last].rstrip(b"\0 ")
        assert text and text.isascii() and text.decode().isprintable(), f"{name} {text}"


def boot_pointer(table: bytes) -> int:
    """The address in the only record of an FPDT, the basic boot performance pointer."""
    check_table(table)
    found = records(table[ACPI_HEADER:])
    assert len(found) == 1, f"{len(found)} records in the FPDT instead of one"
    _check_form(found[0], "basic boot performance pointer", BOOT_POINTER_TYPE, BOOT_POINTER_SIZE,
                BOOT_POINTER_REVISION)
    reserved, address = struct.unpack("<IQ", found[0].data)
    assert reserved == 0, f"basic boot performance pointer: reserved field {reserved:#x}"
    assert address != 0, "basic boot performance pointer: 0"
    return address


def _basic_boot(record: Record) -> BasicBoot:
    _check_form(record, "basic boot record", BOOT_RECORD_TYPE, BOOT_RECORD_SIZE,
                BOOT_RECORD_REVISION)
    reserved, *times = struct.unpack("<I5Q", record.data)
    assert reserved == 0, f"basic boot record: reserved field {reserved:#x}"
    assert times == sorted(times), f"basic boot record: times are not ascending: {times}"
    return BasicBoot(*times)


def _timeline(record: Record) -> Timeline:
    assert record.kind in VENDOR_TYPES, f"record of type {record.kind:#x}, no vendor's"
    _check_form(record, "record of the marks", MARKS_TYPE, MARKS_SIZE, MARKS_REVISION)
    khz, tsc, *times = struct.unpack("<IQ7Q", record.data)
    assert khz != 0, "TSC frequency 0"
    assert times[0] == 0, f"time of the reset {times[0]}"
    assert times == sorted(times), f"times of the marks are not ascending: {times}"
    return Timeline(khz, tsc, dict(zip(MARKS, times)))


def boot_block(block: bytes) -> tuple[BasicBoot, Timeline]:
    """The records of a boot performance table, and that they agree."""
    signature, length = struct.unpack_from("<4sI", block)
    assert signature == b"FBPT", f"signature {signature}"
    assert length == len(block), f"FBPT length {length}, but {len(block)} bytes"
    found = records(block[BOOT_BLOCK_HEADER:])
    assert len(found) == 2, f"{len(found)} records in the FBPT instead of two"
    # systemd takes the first record for the basic one without looking for it.
    boot, timeline = _basic_boot(found[0]), _timeline(found[1])
    times = timeline.times
    # The firmware is the loader: it starts to read, and it leaves. Where the boot is not UEFI's,
    # the specification has 0 for the load of the loader, and also for both ends of
    # ExitBootServices; but without those systemd takes no time at all.
    same = BasicBoot(times["reset"], 0, times["loading"], times["entry"], times["entry"])
    assert boot == same, f"{boot}, but by the marks it is {same}"
    return boot, timeline


def read(table: bytes, memory: Reader) -> Performance:
    """Follows an FPDT through guest memory."""
    address = boot_pointer(table)
    length = struct.unpack("<4sI", memory(address, BOOT_BLOCK_HEADER))[1]
    assert length <= LARGEST_BLOCK, f"FBPT of {length} bytes at {address:#x}"
    block = memory(address, length)
    return Performance(table, address, block, *boot_block(block))


# --- Port 0x402

SOURCES = ("kvmclock", "hypervisor", "CPUID 0x15", "CPUID 0x16", "PM timer", "PIT")
PREFIX = "mayfly: timeline: "
FREQUENCY = re.compile(r"TSC runs at (?P<khz>[1-9]\d*) kHz \((?P<source>.*)\)")
UNKNOWN = "TSC frequency is unknown"
LINE = re.compile(r"(?P<mark>\w+) (?:(?P<ns>\d+) ns, )?TSC (?P<tsc>0x[0-9a-f]+)")


@dataclass(frozen=True)
class Printed:
    """The timeline of port 0x402; without a frequency, `source` is empty and `times` too."""

    source: str
    tsc_khz: int
    ticks: dict[str, int]  # TSC by mark
    times: dict[str, int]  # nanoseconds by mark

    def lines(self) -> list[str]:
        """The lines as the firmware has to say them."""
        first = f"TSC runs at {self.tsc_khz} kHz ({self.source})" if self.source else UNKNOWN
        times = {mark: f"{ns} ns, " for mark, ns in self.times.items()}
        return [PREFIX + first] + [f"{PREFIX}{mark} {times.get(mark, '')}TSC {tsc:#x}"
                                   for mark, tsc in self.ticks.items()]

    def agrees_with(self, timeline: Timeline) -> None:
        """The lines say what the FPDT says."""
        assert self.tsc_khz == timeline.tsc_khz
        assert self.ticks["reset"] == timeline.tsc_at_reset
        assert self.times == timeline.times


def said(debug: str) -> list[str]:
    """The lines about the timeline, without their beginning."""
    return [line.removeprefix(PREFIX) for line in debug.splitlines() if line.startswith(PREFIX)]


def printed(debug: str) -> Printed:
    """The timeline that the firmware printed: the frequency, then one line a mark, in order."""
    lines = said(debug)
    assert len(lines) == 1 + len(MARKS), f"{len(lines)} lines of timeline:\n{debug}"
    first, *rest = lines
    frequency = FREQUENCY.fullmatch(first)
    assert frequency or first == UNKNOWN, first
    matches = [LINE.fullmatch(line) for line in rest]
    assert all(matches), rest
    assert tuple(m["mark"] for m in matches) == MARKS, rest
    ticks = {m["mark"]: int(m["tsc"], 16) for m in matches}
    assert list(ticks.values()) == sorted(ticks.values()), f"the TSC goes back: {ticks}"
    if not frequency:
        assert not any(m["ns"] for m in matches), rest
        return Printed("", 0, ticks, {})
    assert frequency["source"] in SOURCES, first
    assert all(m["ns"] for m in matches), rest
    times = {m["mark"]: int(m["ns"]) for m in matches}
    result = Printed(frequency["source"], int(frequency["khz"]), ticks, times)
    _check_arithmetic(result)
    return result


def _check_arithmetic(timeline: Printed) -> None:
    """Nanoseconds are what the TSC and its frequency give, but for the rounding of the last."""
    for mark, ns in timeline.times.items():
        exact = (timeline.ticks[mark] - timeline.ticks["reset"]) * 1_000_000 / timeline.tsc_khz
        assert abs(ns - exact) <= 1 + exact / 1e6, f"{mark}: {ns} ns, by the TSC {exact:.1f} ns"
