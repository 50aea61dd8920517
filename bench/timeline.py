# SPDX-License-Identifier: MIT
"""Reads Mayfly's own timeline, in a run for that."""

import re
import tempfile
from pathlib import Path

from . import run

OPTION = ("-fw_cfg", "name=opt/org.mayfly/trace,string=timeline")
MARKS = ("reset", "chipset", "platform", "tables", "loading", "loaded", "entry")
LINE = re.compile(r"^mayfly: timeline: (\w+) (\d+) ns\b", re.MULTILINE)


def parse(text: str) -> dict[str, int]:
    """Nanoseconds by mark; nothing, unless all marks are there in nanoseconds."""
    found = {mark: int(value) for mark, value in LINE.findall(text)}
    return {mark: found[mark] for mark in MARKS} if set(MARKS) <= set(found) else {}


def measure(guest: run.Guest, accel: str) -> dict[str, int]:
    """The timeline of one boot."""
    with tempfile.TemporaryDirectory(prefix="mayfly-") as directory:
        debug = Path(directory, "debug")
        run.finish(guest, run.command(guest, accel, extra=[*run.debug_arguments(debug), *OPTION]))
        return parse(debug.read_text(encoding="latin-1"))
