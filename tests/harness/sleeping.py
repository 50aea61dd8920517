# SPDX-License-Identifier: MIT
"""Puts the payload to sleep by ACPI S3, wakes it, and reads what it found before and after."""

import dataclasses
import re

from . import report
from .guest import linux_like, write_kernel
from .qemu import Qemu

PAGE = 4096
WOKEN = b"W\n"
ENDED = b"end\n"


@dataclasses.dataclass
class Nap:
    """One sleep: what a later report says, and the memory before it and at the waking vector."""

    report: report.Report
    before: bytes = b""
    after: bytes = b""

    def changed(self) -> list[int]:
        """The addresses that hold something else after the sleep."""
        pages = (a for a in range(0, len(self.before), PAGE)
                 if self.before[a:a + PAGE] != self.after[a:a + PAGE])
        return [a for page in pages for a in range(page, page + PAGE)
                if self.before[a] != self.after[a]]


def _memory_at(vm: Qemu, size: int) -> bytes:
    return vm.read_memory(0, size) if size else b""


def wake(vm: Qemu, cycle: int, size: int, change) -> tuple[bytes, bytes]:
    """Wakes a guest that falls asleep for the `cycle`th time; the first `size` bytes of memory as
    it fell asleep, and as it found them."""
    vm.wait_event("SUSPEND")
    before = _memory_at(vm, size)
    change(vm)
    vm.qmp("system_wakeup")
    vm.wait_until(lambda: vm.report.count(WOKEN) == cycle, "first instruction after the sleep")
    vm.qmp("stop")
    after = _memory_at(vm, size)
    vm.qmp("cont")
    vm.qmp("system_powerdown")  # which the payload waits for
    return before, after


def naps(tmp_path, machine, args=(), *, count: int = 1, size: int = 0, words: str = "",
         kernel: bytes | None = None, change=lambda vm: None,
         **options) -> tuple[report.Report, list[Nap]]:
    """The report of the boot, and one for each of `count` sleeps.

    The first `size` bytes of memory are compared; `change(vm)` is called in each sleep.
    """
    path = write_kernel(tmp_path, kernel or linux_like())
    line = f"wait sleeps={count:x} {words}".strip()
    memories = []
    with Qemu(machine, ["-S", "-kernel", path, "-append", line, *args], **options) as vm:
        vm.qmp("cont")  # an event from before the connection would be lost
        for cycle in range(1, count + 1):
            memories.append(wake(vm, cycle, size, change))
        vm.wait_until(lambda: vm.report.count(b"\n" + ENDED) == count + 1, "last report")
        said = re.sub(r"^W$\n", "", vm.report.decode("latin-1"), flags=re.MULTILINE)
        assert vm.debug == "", vm.debug
    first, *others = report.parse(said)
    return first, [Nap(r, *m) for r, m in zip(others, memories, strict=True)]
