# SPDX-License-Identifier: MIT
"""Asks for the boot timeline and finds it in a guest that booted with it."""

from . import acpi, fpdt, layout, memory
from .guest import Boot
from .memory import MIB, RAM, RESERVED, Range
from .sentences import expect_sentence

PAGE = 4096


def trace(words: str) -> list[str]:
    """QEMU's arguments for this list of things to trace; QEMU wants a value's commas twice."""
    return ["-fw_cfg", f"name=opt/org.mayfly/trace,string={words.replace(',', ',,')}"]


def published(guest: Boot) -> fpdt.Performance:
    """The FPDT as an operating system finds it."""
    return fpdt.read(acpi.table(guest.report, "FPDT").data, guest.vm.read_memory)


def printed(debug: str) -> fpdt.Printed:
    """The lines of port 0x402, where there is nothing else, word by word."""
    found = fpdt.printed(debug)
    for said, expected in zip(debug.splitlines(), found.lines(), strict=True):
        expect_sentence(said, expected)
    return found


def check_place(guest: Boot, found: fpdt.Performance) -> None:
    """The record is reserved RAM below 1 MiB, on top of nothing, in pages without free RAM.

    Linux shows a page in which it has RAM as zeros in /dev/mem, where systemd reads the record.
    """
    record = Range(found.address, found.end)
    given = memory.firmware_map(guest.report)
    assert record.end <= MIB
    assert memory.within(memory.qemu_ram(guest.vm), record)
    assert memory.within(memory.of_type(given, RESERVED), record)
    pages = Range(record.begin // PAGE * PAGE, -(-record.end // PAGE) * PAGE)
    assert not any(pages.overlaps(free) for free in memory.of_type(given, RAM))
    for piece in [*layout.lasting(guest.report), *layout.handed_over(guest.report)]:
        assert not record.overlaps(piece), f"the record lies on {piece}"
