# SPDX-License-Identifier: MIT
"""Runs one QEMU from its start to its end, and tells what became of it and how long it took.

Unlike harness.qemu it asks nothing of QEMU on the way: a process that polls would be in the times.
"""

import contextlib
import re
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from harness import paths
from harness.qemu import EXIT_PORT, FIRMWARE_PORT, PROGRAM, REPORT_PORT

MEMORY_MIB = 1024  # holds the largest initrd, and is the same in all cases
TCG = "tcg,thread=single"
EXIT_ROM = ("-bios", paths.PAYLOADS / "exit_rom.bin")
ACCELERATORS = ("tcg", "kvm")  # results.json knows no other
TRIAL_SECONDS = 20
LAST_WORDS_SECONDS = 20
LAST_WORDS_LENGTH = 200
FOLDERS = re.compile(r"(?<![^\s'\"=,(])(?:/[^\s/'\"]+)*/(?=[^\s/'\"])")
LAST_WORDS = "its last words: "


class NotReached(Exception):
    """The guest did not get to the end that the case asks for; the text says what is known."""


@dataclass(frozen=True)
class Guest:
    """All of a command line that is not the measuring."""

    machine: str
    firmware: tuple  # how QEMU is given it, with the options that go with it
    arguments: tuple = ()
    limit: float = 60  # seconds


def command(guest: Guest, accel: str = TCG, machine: str = "", extra=()) -> list[str]:
    """QEMU's command line; `machine` is added to the argument of -machine."""
    words = [PROGRAM, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
             "-machine", guest.machine + machine, "-accel", accel, "-m", f"{MEMORY_MIB}M",
             "-device", f"isa-debug-exit,iobase={EXIT_PORT:#x},iosize=4",
             *guest.firmware, *guest.arguments, *extra]
    return [str(word) for word in words]


@dataclass
class Ended:
    """How a QEMU ended."""

    status: int
    seconds: float
    errors: str
    in_time: bool


@dataclass
class Watchdog:
    """Ends a process at a time limit. It sleeps in a thread of its own, started before the process.
    """

    limit: float
    process: subprocess.Popen | None = None
    bitten: bool = False
    _timer: threading.Timer = field(init=False)

    def __enter__(self) -> "Watchdog":
        self._timer = threading.Timer(self.limit, self._bite)
        self._timer.daemon = True
        self._timer.start()
        return self

    def _bite(self) -> None:
        self.bitten = True
        if self.process is not None:
            self.process.kill()

    def __exit__(self, *_) -> None:
        self._timer.cancel()
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def run(words: list[str], limit: float) -> Ended:
    """Runs a command to its end. Between the two clock readings nothing is done but waiting."""
    with tempfile.TemporaryFile() as errors, Watchdog(limit) as watchdog:
        begin = time.perf_counter()
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)
        watchdog.process = process
        status = process.wait()
        seconds = time.perf_counter() - begin
        errors.seek(0)
        return Ended(status, seconds, errors.read().decode("latin-1"), not watchdog.bitten)


def check(ended: Ended, limit: float) -> None:
    """Raises NotReached unless the guest ended QEMU by isa-debug-exit, whose status is odd."""
    if not ended.in_time:
        raise NotReached(f"it did not end within {limit:g} s")
    if ended.status < 0:
        raise NotReached(f"QEMU died of signal {-ended.status}")
    complaints = [line for line in ended.errors.splitlines() if "warning:" not in line]
    if complaints:
        # Without folders: results are for others to read.
        raise NotReached(FOLDERS.sub("", complaints[-1]))
    if ended.status % 2 == 0:
        raise NotReached("the guest reset the machine or switched it off")


def finish(guest: Guest, words: list[str]) -> Ended:
    """Runs a guest to the end that it should have."""
    ended = run(words, guest.limit)
    check(ended, guest.limit)
    return ended


def why_not_accelerator(machine: str, accel: str) -> str:
    """Why a ROM that only exits does not run with it, or nothing."""
    if accel.split(",")[0] not in ACCELERATORS:
        return "it is neither tcg nor kvm"
    guest = Guest(machine, EXIT_ROM, limit=TRIAL_SECONDS)
    try:
        finish(guest, command(guest, accel))
    except NotReached as reason:
        return str(reason)
    return ""


def report_arguments(path: Path) -> list[str]:
    """A file for what a stub writes to its port."""
    return ["-chardev", f"file,id=report,path={path}",
            "-device", f"isa-debugcon,iobase={REPORT_PORT:#x},chardev=report"]


def debug_arguments(path: Path) -> list[str]:
    """A file for what a firmware writes to its debug port."""
    return ["-chardev", f"file,id=firmware,path={path}",
            "-device", f"isa-debugcon,iobase={FIRMWARE_PORT:#x},chardev=firmware"]


def last_words(guest: Guest) -> str:
    """What a run with a debug port and COM1 adds to a failure: the last line, or that it arrives."""
    limit = min(guest.limit, LAST_WORDS_SECONDS)
    with tempfile.TemporaryDirectory(prefix="mayfly-") as directory:
        debug, serial = Path(directory, "debug"), Path(directory, "serial")
        extra = [*debug_arguments(debug), "-serial", f"file:{serial}"]
        ended = run(command(guest, extra=extra), limit)
        with contextlib.suppress(NotReached):
            check(ended, limit)
            return "tried again with a serial port, it arrived"
        for path in (debug, serial):
            text = path.read_text(encoding="latin-1") if path.exists() else ""
            lines = [line.strip() for line in text.splitlines() if line.strip()]
            if lines:
                return f"{LAST_WORDS}{lines[-1][:LAST_WORDS_LENGTH]}"
    return ""
