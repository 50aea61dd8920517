# SPDX-License-Identifier: MIT
"""Boots again what stalled inside Linux, for which an emulator on a busy host may be the reason.

The one such stall that was met and understood is kept away (TCG in tests/run/accelerator.py).
Another must not make the tests fail at random, and a hang that is the firmware's must not pass as one. So a
second attempt is for the time between Linux's start of all CPUs and init only; it is told; it is
the last; and one process of pytest makes one only. A hang that is there each time still fails, and
so does one that is there in more than a few of all boots.
"""

import warnings

from harness.qemu import GuestFailure

from . import boot as boots

# SeaBIOS is not what is tested: all that its boot has to do is to end once.
REFERENCE_ATTEMPTS = 3
SECOND_ATTEMPTS = 1
KERNEL_STARTED = "Linux version "
CPUS_STARTED = "smp: Brought up "
INIT_REACHED = "@@ init reached"
# What no stall is: a kernel that gave up, or that says what it waits for.
TROUBLE = ("Kernel panic", "BUG: ", "Oops", "Call Trace", "nobody cared", "[Firmware Bug]")

_second_attempts = []


class BootStalled(UserWarning):
    """A boot that did not end, and was made again."""


def last_line(serial):
    """The last that the guest said."""
    return (serial.split("\n@@", 1)[0].strip().splitlines() or ["nothing"])[-1]


def is_linux_at_work(serial):
    """Whether the last of the kernels in this output runs on all its CPUs, not yet in its init."""
    _, started, output = serial.rpartition(KERNEL_STARTED)
    if not started or CPUS_STARTED not in output or INIT_REACHED in output:
        return False
    return not any(word in output for word in TROUBLE)


def _attempt(boot, folder, number, firmware=None, how=None):
    """One boot with a folder of its own: (report, folder)."""
    folder = folder / f"attempt-{number}"
    folder.mkdir()
    return (how or boots.run)(boot, folder, firmware), folder


def run(boot, folder, how=None):
    """Boots the firmware under test: (report, the folder with what the devices left).

    `how` is called in place of boot.run.
    """
    try:
        return _attempt(boot, folder, 1, how=how)
    except boots.Stall as stall:
        if not is_linux_at_work(stall.serial) or len(_second_attempts) >= SECOND_ATTEMPTS:
            raise
        _second_attempts.append(boot)
        said = f"Linux stalled, a second attempt is made; its last line: {last_line(stall.serial)}"
        warnings.warn(said, BootStalled, stacklevel=2)
    return _attempt(boot, folder, 2, how=how)


def run_reference(boot, folder, firmware, how=None):
    """The Report of a boot with another firmware, which may stall anywhere, but not each time.

    `how` is called in place of boot.run.
    """
    said = []
    for number in range(1, REFERENCE_ATTEMPTS + 1):
        try:
            return _attempt(boot, folder, number, firmware, how)[0]
        except boots.Stall as stall:
            said.append(last_line(stall.serial))
            told = f"a boot to compare with stalled ({firmware.name}); its last line: {said[-1]}"
            warnings.warn(told, BootStalled, stacklevel=2)
            last = stall
    raise GuestFailure(
        f"the boot to compare with, by {firmware}, not by the firmware under test, did not end in "
        f"any of {REFERENCE_ATTEMPTS} attempts; their last lines: {said}; the last attempt: {last}"
    )
