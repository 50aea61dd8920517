# SPDX-License-Identifier: MIT
"""Boots a kernel that sleeps by ACPI S3 some times (sleep.sh), and wakes it each time."""

import functools
import re
import time

from harness.qemu import GuestFailure, Qemu

from . import boot as boots
from . import stalls

GUEST = boots.BOOTS / "sleep.sh"
MODULES = ("qemu_fw_cfg",)
PATTERN_KIB = 32 << 10
# Emulated, a sleep with its wake-up and the checks takes 2 to 5 seconds.
SECONDS_PER_SLEEP = 30
# What Linux says of its sleeps, as `dmesg -r` has it: errors and worse.
ERROR = re.compile(r"^<([0-9]+)>")
WORST_LEVEL = 3
TROUBLE = re.compile(r"BUG:|WARNING:|Call Trace|Firmware Bug|Hibernate inconsistent|failed to")


def _archive(boot, count, disk):
    """The guest's initramfs: it sleeps, and uses its devices only then."""
    tasks = ["load_modules", f"sleep_times {count} {disk} {PATTERN_KIB}",
             *(device.task() for device in boot.devices), "report", "leave"]
    init = (boots.BOOTS / "guest.sh").read_text() + GUEST.read_text() + "\n".join(tasks) + "\n"
    kernels = boots.kernel_folder(boot.kernel)
    busybox = kernels / "busybox"
    return boots.initramfs.build(init, busybox if busybox.exists() else None, kernels / "modules",
                                 [*boot.modules, *MODULES])


def _wake(vm, count):
    """Wakes the guest as often as it sleeps."""
    for _ in range(count):
        try:
            vm.wait_event("SUSPEND")
        except GuestFailure as failure:
            raise boots.Stall(f"{failure}\nthe whole serial output:\n{vm.serial}",
                              vm.serial) from None
        vm.qmp("system_wakeup")


def _once(boot, folder, firmware, count, disk):
    archive = folder / "sleep.cpio"
    archive.write_bytes(_archive(boot, count, disk))
    boot = boots.dataclasses.replace(boot, initrd=archive)
    started = time.monotonic()
    with Qemu(boot.machine, [*boots.qemu_arguments(boot, folder), "-S"], firmware=firmware,
              accel=boot.accel,
              timeout=boots.TIME_LIMIT_SECONDS + count * SECONDS_PER_SLEEP) as vm:
        vm.qmp("cont")
        _wake(vm, count)
        status = vm.wait()
        report = boots.read_report(vm.serial, time.monotonic() - started, vm.debug)
        if status != 0 or report is None:
            raise vm.fail(f"QEMU ended with status {status}, no whole report from the guest:\n"
                          f"{vm.serial}")
        return report


def _difference(name, before, after):
    lines = [(a, b) for a, b in zip(before, after) if a != b]
    return [f"{name}: {a!r} before, {b!r} after" for a, b in lines[:10]] + (
        [f"{name}: {len(before)} lines before, {len(after)} after"]
        if len(before) != len(after) else [])


def problems(count, report):
    """What is not after each sleep as it was before, as sentences."""
    found = []
    before = report.lines("state.0")
    if len(before) < 20:
        found.append(f"the guest noted little before its first sleep: {before}")
    for cycle in range(1, count + 1):
        found += _difference(f"sleep {cycle}", before, report.lines(f"state.{cycle}"))
    for name in ("refused_sleeps", "without_ticks", "refused_modules"):
        if report.text(name):
            found.append(f"{name}: {report.lines(name)}")
    said = report.lines("dmesg")[int(report.text("lines_before")):]
    entries = sum("PM: suspend entry (deep)" in line for line in said)
    if entries != count:
        found.append(f"Linux noted {entries} sleeps, expected {count}")
    for line in said:
        level = int(ERROR.match(line).group(1)) & 7 if ERROR.match(line) else 7
        if level <= WORST_LEVEL or TROUBLE.search(line):
            found.append(f"Linux complains: {line}")
    return found


def run(boot, folder, count, disk="vda"):
    """Boots, sleeps `count` times: (the guest's report, the folder with what devices left)."""
    return stalls.run(boot, folder, functools.partial(_once, count=count, disk=disk))
