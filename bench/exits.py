# SPDX-License-Identifier: MIT
"""Counts the exits of a guest by reason, where KVM keeps statistics: QMP's query-stats."""

import subprocess
import tempfile
import time
from pathlib import Path

from harness import paths
from harness.qemu import GuestFailure, Qmp

from . import run

FAULT_ROM = ("-bios", paths.PAYLOADS / "fault_rom.bin")
WANTED = "exits"  # KVM's names: exits, io_exits, mmio_exits, halt_exits, ...


class NotOffered(Exception):
    """This QEMU or this KVM cannot tell; the text says what is missing."""


def _statistics(qmp: Qmp) -> dict[str, int]:
    """Sums over all CPUs, of what is a count of exits."""
    try:
        answer = qmp.command("query-stats", target="vcpu")
    except GuestFailure as error:
        raise NotOffered(str(error)) from error
    sums: dict[str, int] = {}
    for cpu in answer:
        for one in cpu["stats"]:
            if one["name"].endswith(WANTED) and isinstance(one["value"], int):
                sums[one["name"]] = sums.get(one["name"], 0) + one["value"]
    if not sums:
        raise NotOffered("query-stats names no exits")
    return sums


def _until_fault(guest: run.Guest) -> dict[str, int]:
    """The exits up to the triple fault that ends the guest."""
    with tempfile.TemporaryDirectory(prefix="mayfly-") as directory:
        address = Path(directory, "qmp")
        words = run.command(guest, "kvm", extra=[
            "-no-shutdown", "-S", "-qmp", f"unix:{address},server=on,wait=off"])
        with (open(Path(directory, "errors"), "wb") as errors,
              run.Watchdog(guest.limit) as watchdog):
            watchdog.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=errors,
                                                stderr=errors)
            qmp = None
            try:
                qmp = Qmp(address, time.monotonic() + guest.limit)
                qmp.command("cont")
                qmp.wait_event("STOP")
                state = qmp.command("query-status")["status"]
                # A KVM that emulates real mode knows no undefined instruction there.
                if state == "internal-error":
                    raise NotOffered("KVM could not emulate the fault that ends the guest")
                if state != "shutdown":
                    raise run.NotReached(f"the guest stopped in the state {state}")
                return _statistics(qmp)
            except (OSError, ValueError) as error:
                raise run.NotReached(f"it did not stop within {guest.limit:g} s ({error})") from error
            finally:
                if qmp is not None:
                    qmp.close()


def count(guest: run.Guest, floor: run.Guest) -> dict[str, int]:
    """Exits by reason of a guest whose kernel faults, less those of a ROM that does so at once."""
    ours, nothing = _until_fault(guest), _until_fault(floor)
    above = {name: value - nothing.get(name, 0) for name, value in ours.items()}
    return {name: value for name, value in above.items() if value > 0}
