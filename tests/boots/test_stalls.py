# SPDX-License-Identifier: MIT
"""Which boots get a second attempt, tried without a guest."""

import pathlib

import pytest

from harness.qemu import GuestFailure

from . import boot as boots
from . import stalls

BOOT = boots.Boot("cloud", "microvm")
CPUS_UP = "Linux version 6\nsmp: Brought up 1 node, 8 CPUs\n"
STALLED = CPUS_UP + "sched_clock: Marking stable\n"
FIRMWARE = pathlib.Path("seabios.bin")

NO_SECOND_ATTEMPT = {
    "silence": "",
    "a sentence of the firmware": "mayfly: no kernel\n",
    "a kernel before all CPUs run": "Linux version 6\nsmp: Bringing up secondary CPUs ...\n",
    "a panic": STALLED + "Kernel panic - not syncing: Attempted to kill init!\n",
    "a stack trace": STALLED + "Call Trace:\n",
    "an interrupt without a handler": STALLED + "irq 9: nobody cared\n",
    "an init that hangs": STALLED + "@@ init reached\n",
    "a firmware that hangs after a reboot": STALLED + "@@ init reached\nreboot: Restarting\n",
    "a second kernel before all CPUs run": STALLED + "@@ init reached\nLinux version 6\n",
}
STALL = boots.Stall("did not exit", STALLED)


@pytest.fixture(autouse=True)
def no_attempts_before(monkeypatch):
    """Leaves the count of this process as it was."""
    monkeypatch.setattr(stalls, "_second_attempts", [])


@pytest.fixture
def booted(monkeypatch):
    """Takes what the boots end with, one by one, and returns the list of the folders they got."""

    def use(*ends):
        folders, left = [], list(ends)

        def run(_boot, folder, _firmware=None):
            folders.append(folder)
            end = left.pop(0)
            if isinstance(end, Exception):
                raise end
            return end

        monkeypatch.setattr(boots, "run", run)
        return folders

    return use


def test_a_stall_gets_a_second_attempt_in_a_folder_of_its_own(booted, tmp_path):
    folders = booted(STALL, "report")
    with pytest.warns(stalls.BootStalled, match="sched_clock: Marking stable"):
        assert stalls.run(BOOT, tmp_path) == ("report", folders[1])
    assert len(set(folders)) == 2


def test_the_second_attempt_is_the_last(booted, tmp_path):
    folders = booted(STALL, STALL, "report")
    with pytest.warns(stalls.BootStalled), pytest.raises(boots.Stall):
        stalls.run(BOOT, tmp_path)
    assert len(folders) == 2


def test_the_next_boot_that_stalls_gets_none(booted, tmp_path):
    folders = booted(STALL, "report", STALL, "report")
    (tmp_path / "next").mkdir()
    with pytest.warns(stalls.BootStalled):
        stalls.run(BOOT, tmp_path)
    with pytest.raises(boots.Stall):
        stalls.run(BOOT, tmp_path / "next")
    assert len(folders) == 3


@pytest.mark.parametrize("serial", NO_SECOND_ATTEMPT.values(), ids=NO_SECOND_ATTEMPT.keys())
def test_no_second_attempt_after(booted, tmp_path, serial):
    folders = booted(boots.Stall("did not exit", serial), "report")
    with pytest.raises(boots.Stall):
        stalls.run(BOOT, tmp_path)
    assert len(folders) == 1


def test_no_second_attempt_where_qemu_ended(booted, tmp_path):
    folders = booted(GuestFailure("no whole report"), "report")
    with pytest.raises(GuestFailure):
        stalls.run(BOOT, tmp_path)
    assert len(folders) == 1


def test_the_boot_to_compare_with_may_stall_anywhere_but_the_last_time(booted, tmp_path):
    silent = boots.Stall("did not exit", "")
    folders = booted(silent, STALL, "report")
    with pytest.warns(stalls.BootStalled):
        assert stalls.run_reference(BOOT, tmp_path, FIRMWARE) == "report"
    assert len(folders) == stalls.REFERENCE_ATTEMPTS


def test_a_boot_to_compare_with_that_always_stalls_says_so(booted, tmp_path):
    booted(STALL, STALL, STALL, "report")
    with pytest.warns(stalls.BootStalled), pytest.raises(GuestFailure, match="not by the firmware"):
        stalls.run_reference(BOOT, tmp_path, FIRMWARE)


def test_the_boot_to_compare_with_fails_at_once_where_qemu_ended(booted, tmp_path):
    folders = booted(GuestFailure("no whole report"), "report")
    with pytest.raises(GuestFailure):
        stalls.run_reference(BOOT, tmp_path, FIRMWARE)
    assert len(folders) == 1
