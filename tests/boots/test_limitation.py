# SPDX-License-Identifier: MIT
"""The README's first limitation: Linux, booted lean, says the lines that it quotes; full none."""

import dataclasses
import re

import pytest

from harness import paths

from . import hotplug, places, stalls
from .boot import Boot
from .devices import PCI, Random
from .expectations import problems
from .hotplug import SharedMemory
from .test_hotplug import BRIDGE, OBJECTION, ROOM, WINDOW_MOVED, behind_bridge, matching
from .test_pci import FULL, WIDE, devices, memory, objections

LIMITATION = re.search(r"- \*\*PCI is Linux's\*\*.*?(?=\n- )",
                       (paths.ROOT / "README.md").read_text(), re.DOTALL)[0]
# What is in backticks and has a space is a line of the kernel log, "..." any part of one.
QUOTES = [" ".join(text.split()) for text in re.findall(r"`([^`]*)`", LIMITATION)
          if re.search(r"\s", text)]
BAR_SIZE_GIB = 4  # of the quoted line
# By machine, in GiB.
WINDOWS = {machine: int(size) for size, machine in
           re.findall(r"(\d+) GiB\s+on\s+`(pc|q35)`", LIMITATION)}
PORT = devices("pcie-root-port,id=port1,chassis=1,pref64-reserve=4G")
LEAN_AND_FULL = ("lean", "full")


def too_large(machine):
    """A machine with BARs that are larger together than its window, by one at most."""
    return Boot("cloud", machine,
                arguments=memory("4G", count=WINDOWS[machine] // BAR_SIZE_GIB + 1))


# By how a quote begins: boots with what is there from the start.
THERE = {
    "pc_with_large_bars": ("BAR 2 ", too_large("pc")),
    "q35_with_large_bars": ("BAR 2 ", too_large("q35")),
    "i386_with_modern_virtio": ("device uses ", Boot("i386", "q35", devices=(Random(PCI),))),
}
# Boots, what comes, and whether it stays away from a guest that was booted lean; else it comes and
# cannot be used.
COMES = {
    "reservation": ("bridge window ", Boot("cloud", "q35", arguments=(*ROOM, *PORT)),
                    lambda: [SharedMemory("port1")], False),
    "empty_bridge": ("BAR 4 ", Boot("cloud", "pc", arguments=(*ROOM, *BRIDGE)), behind_bridge,
                     True),
}
NOT_ALWAYS = {("q35_with_large_bars", "lean"), ("q35_with_large_bars", "full"),
              ("pc_with_large_bars", "full")}  # in test_pci.py too


def cases(names):
    """Each lean and full."""
    return [pytest.param(name, how, marks=WIDE if (name, how) in NOT_ALWAYS else ())
            for name in names for how in LEAN_AND_FULL]


def quoted(beginning):
    """The quote that begins so, as an expression."""
    quote, = (quote for quote in QUOTES if quote.startswith(beginning))
    return re.compile(".*".join(map(re.escape, quote.split("..."))))


def prepared(boot, preparation):
    """The boot with this preparation."""
    asked = FULL if preparation == "full" else ()
    return dataclasses.replace(boot, arguments=(*asked, *boot.arguments))


def test_every_quote_has_a_boot():
    """A line that is quoted and not looked for may be wrong."""
    beginnings = {case[0] for case in (*THERE.values(), *COMES.values())}
    assert len(QUOTES) == len(beginnings)
    assert all(quoted(beginning) for beginning in beginnings)


@pytest.mark.parametrize("name, preparation", cases(THERE))
def test_what_is_there(tmp_path, name, preparation):
    """Lean, Linux says the line, and places are its own; full, all works where it was put."""
    beginning, boot = THERE[name]
    boot = prepared(boot, preparation)
    report, folder = stalls.run(boot, tmp_path)
    moved = places.moved(places.left_by_firmware(boot, folder), report)
    if preparation == "lean":
        assert matching(quoted(beginning), report)
        assert moved and objections(report)
        return
    assert not matching(quoted(beginning), report)
    found = [*moved, *objections(report), *problems(boot, report, folder)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name, preparation", cases(COMES))
def test_what_comes(tmp_path, name, preparation):
    """Lean, Linux says the line, and has no room; full, what comes has its room and is used."""
    beginning, boot, make, stays_away = COMES[name]
    is_lean = preparation == "lean"
    parts = make()
    tenths = 30 if is_lean and stays_away else hotplug.GUEST_TENTHS
    report, failure, folder = hotplug.run(prepared(boot, preparation), parts, tmp_path, tenths)
    assert bool(failure) == (is_lean and stays_away), failure + report.text("dmesg")
    assert bool(matching(quoted(beginning), report)) == is_lean
    assert bool(matching(OBJECTION, report)) == is_lean
    assert bool(matching(WINDOW_MOVED, report)) == (is_lean and not stays_away)
    if not is_lean:
        found = [problem for part in parts for problem in part.problems(folder, report)]
        assert not found, "\n".join(found)


@pytest.mark.wide
@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_the_window_is_as_large_as_said(tmp_path, machine):
    """BARs that fill it are all placed by Linux."""
    count = WINDOWS[machine] // 2
    report, _ = stalls.run(Boot("cloud", machine, arguments=memory("2G", count=count)), tmp_path)
    assert not matching(OBJECTION, report)
