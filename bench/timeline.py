# SPDX-License-Identifier: MIT
"""Reads Mayfly's own timeline, in runs for that."""

import re
import statistics
import tempfile
from pathlib import Path

from . import run
from .results import MARKS

OPTION = ("-fw_cfg", "name=opt/org.mayfly/trace,string=timeline")
BOOTS = 5
LINE = re.compile(r"^mayfly: timeline: (\w+) (\d+) ns\b", re.MULTILINE)


def parse(text: str) -> dict[str, int]:
    """Nanoseconds by mark; nothing, unless all marks are there in nanoseconds."""
    found = {mark: int(value) for mark, value in LINE.findall(text)}
    return {mark: found[mark] for mark in MARKS} if set(MARKS) <= set(found) else {}


def _once(guest: run.Guest, accel: str) -> dict[str, int]:
    with tempfile.TemporaryDirectory(prefix="mayfly-") as directory:
        debug = Path(directory, "debug")
        run.finish(guest, run.command(guest, accel, extra=[*run.debug_arguments(debug), *OPTION]))
        return parse(debug.read_text(encoding="latin-1"))


def measure(guest: run.Guest, accel: str) -> dict[str, int]:
    """The median of each mark over some boots; nothing, if the firmware tells no timeline."""
    boots = [_once(guest, accel)]
    if not boots[0]:
        return {}
    boots += [_once(guest, accel) for _ in range(BOOTS - 1)]
    return {mark: int(statistics.median(boot[mark] for boot in boots)) for mark in MARKS}
