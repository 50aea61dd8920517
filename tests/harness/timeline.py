# SPDX-License-Identifier: MIT
"""Asks for the boot timeline and finds it in a guest that booted with it.

Also tells from a trace of QEMU's what a boot did between two marks.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from . import acpi, fpdt, layout, memory
from .accesses import LINE, Access
from .guest import Boot
from .memory import MIB, RAM, RESERVED, Range
from .sentences import expect_sentence

PAGE = 4096

POST, FIRMWARE_MARKS, LOADER_MARKS = 0x80, 0xF5, 0xF4
MARK_PORTS = (POST, FIRMWARE_MARKS, LOADER_MARKS)
FW_CFG_DMA = 0x518

# What QEMU has to log for `between_marks`.
STEPS_TRACE = ["-trace", "memory_region_ops_*", "-trace", "fw_cfg_select",
               "-trace", "fw_cfg_add_file"]
SELECT = re.compile(r"fw_cfg_select \S+ key (?P<key>0x[0-9a-f]+) ")
ADD_FILE = re.compile(r"fw_cfg_add_file \S+ #(?P<index>\d+): (?P<name>.*) \(\d+ bytes\)$")
# QEMU include/standard-headers/linux/qemu_fw_cfg.h; the files follow in their directory's order.
ITEMS = {0x05: "number of CPUs", 0x07: "kernel address", 0x08: "kernel size",
         0x0B: "initrd size", 0x10: "kernel entry", 0x11: "kernel", 0x12: "initrd", 0x14: "command line size", 0x15: "command line",
         0x17: "setup size", 0x18: "setup", 0x19: "directory"}
FIRST_FILE = 0x20


def trace(words: str) -> list[str]:
    """QEMU's arguments for this list of things to trace; QEMU wants a value's commas twice."""
    return ["-fw_cfg", f"name=opt/org.mayfly/trace,string={words.replace(',', ',,')}"]


@dataclass
class Step:
    """What happened up to a code on port 0x80 since the last: `code` None is what follows all."""

    code: int | None = None
    read: list[str] = field(default_factory=list)  # items of fw_cfg, each DMA access in order
    others: list[Access] = field(default_factory=list)  # neither fw_cfg's DMA nor a mark


def between_marks(log: Path, ignored: tuple[int, ...]) -> list[Step]:
    """A trace of one boot, cut at each code on port 0x80; without accesses to `ignored` ports."""
    files: list[str] = []
    keys: list[list[int]] = [[]]
    steps = [Step()]
    selected = -1
    for line in log.read_text(encoding="latin-1").splitlines():
        if added := ADD_FILE.match(line):
            files.insert(int(added["index"]), added["name"])
        elif chosen := SELECT.match(line):
            # A DMA access selects while it is carried out, or goes on where the last one stopped.
            selected = int(chosen["key"], 16)
            keys[-1][-1:] = [selected] if keys[-1] else []
        elif found := LINE.match(line):
            access = Access(found["kind"], int(found["address"], 16), int(found["value"], 16),
                            int(found["size"]), found["device"])
            if access.address == POST:
                steps[-1].code = access.value
                steps.append(Step())
                keys.append([])
            elif access.address == FW_CFG_DMA:
                keys[-1].append(selected)
            elif access.address not in (*MARK_PORTS, *ignored):
                steps[-1].others.append(access)
        else:
            raise AssertionError(f"trace line of an unknown form: {line}")
    for step, chosen in zip(steps, keys):
        step.read = [ITEMS[key] if key in ITEMS else files[key - FIRST_FILE] for key in chosen]
    return steps


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
