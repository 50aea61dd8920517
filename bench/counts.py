# SPDX-License-Identifier: MIT
"""Counts what does not depend on the host: each figure repeats, or says something is wrong.

All of it under TCG. One run gives device accesses (QEMU's trace), MSR writes and CPUID (a plugin,
executions.cpp) and the RAM pages touched; a second one the guest instructions (-icount), a third
one the memory map that the kernel is told.
"""

import collections
import contextlib
import os
import shutil
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness import accesses, paths

from . import run
from .cases import Case
from .firmwares import Firmware
from .kernels import Kernels

PLUGIN = paths.ROOT / "build/bench/executions.so"
SHARED_MEMORY = Path("/dev/shm")
HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/shmem_enabled")
PAGE = 4096
BLOCK = 512  # the unit of st_blocks
MIB = 1 << 20
USABLE = 1  # type of an e820 entry
E820_ENTRY = struct.Struct("<QQI")


@dataclass(frozen=True)
class Exact:
    """What one run gives."""

    accesses: collections.Counter  # by place, the device last
    executions: dict
    pages: int | None


def why_no_pages() -> str:
    """Why RAM pages cannot be counted on this host, or nothing."""
    if not SHARED_MEMORY.is_dir():
        return f"there is no {SHARED_MEMORY}"
    if HUGE_PAGES.exists() and not {"[never]", "[deny]"} & set(HUGE_PAGES.read_text().split()):
        return f"{HUGE_PAGES} allows pages larger than 4 KiB"
    # Two runs at a time, each with the largest initrd twice: in the guest's RAM and, with a peer
    # that copies it, once more.
    if shutil.disk_usage(SHARED_MEMORY).free < 2 * run.MEMORY_MIB * MIB:
        return f"{SHARED_MEMORY} has less than {2 * run.MEMORY_MIB} MiB free"
    return ""


@contextlib.contextmanager
def _ram_file():
    """A sparse file for the guest's RAM: its blocks are the pages that somebody touched."""
    handle, name = tempfile.mkstemp(prefix="mayfly-", dir=SHARED_MEMORY)
    try:
        os.ftruncate(handle, run.MEMORY_MIB * MIB)
        yield name, lambda: os.fstat(handle).st_blocks * BLOCK // PAGE
    finally:
        os.close(handle)
        os.unlink(name)


def _read_executions(path: Path) -> dict:
    lines = path.read_text(encoding="ascii").splitlines()
    return {name: int(value) for name, value in (line.split() for line in lines)}


def exact(guest: run.Guest) -> Exact:
    """Accesses, MSR writes, CPUID and pages of a guest that ends QEMU."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mayfly-")))
        log, executions = directory / "trace", directory / "executions"
        extra = ["-trace", "memory_region_ops_*", "-D", log]
        machine, pages = "", None
        if PLUGIN.exists():
            extra += ["-plugin", f"{PLUGIN},out={executions}"]
        if not why_no_pages():
            ram, pages = stack.enter_context(_ram_file())
            machine = ",memory-backend=ram"
            extra += ["-object", f"memory-backend-file,id=ram,size={run.MEMORY_MIB}M,share=on,"
                                 f"mem-path={ram}"]
        run.finish(guest, run.command(guest, machine=machine, extra=extra))
        return Exact(accesses.count_places(log),
                     _read_executions(executions) if PLUGIN.exists() else {},
                     pages() if pages else None)


def _reported(guest: run.Guest, extra=()) -> bytes:
    with tempfile.TemporaryDirectory(prefix="mayfly-") as directory:
        report = Path(directory, "report")
        run.finish(guest, run.command(guest, extra=[*run.report_arguments(report), *extra]))
        return report.read_bytes()


def instructions(guest: run.Guest) -> int:
    """Guest instructions up to a kernel that reports the time stamp counter."""
    report = _reported(guest, ["-icount", "shift=0,sleep=off"])
    if len(report) != 8:
        raise run.NotReached("the kernel did not report its time stamp counter")
    return int.from_bytes(report, "little")


def ram_left(guest: run.Guest) -> int:
    """Usable bytes in the map that a kernel reports."""
    report = _reported(guest)
    if not report or len(report) % E820_ENTRY.size:
        raise run.NotReached(f"the kernel reported a memory map of {len(report)} bytes")
    return sum(size for _, size, kind in E820_ENTRY.iter_unpack(report) if kind == USABLE)


def guest_of(case: Case, firmware: Firmware, kernels: Kernels, end: str) -> run.Guest:
    """The guest of a case, whose kernel has this end."""
    return run.Guest(case.machine, firmware.arguments(case.machine), kernels.arguments(case, end),
                     firmware.limit)


def floor(case: Case, kernels: Kernels) -> Exact:
    """What the exiting ROM costs in a case."""
    return exact(run.Guest(case.machine, run.EXIT_ROM, kernels.arguments(case)))


def _above_floor(places: collections.Counter, floor: collections.Counter) -> collections.Counter:
    """Accesses by device, less those of the exiting ROM at the same places."""
    by_device = collections.Counter()
    for place, number in places.items():
        by_device[place[-1]] += number - floor[place]
    assert floor <= places, f"the exiting ROM did more: {floor - places}"
    return +by_device


def measure(case: Case, firmware: Firmware, kernels: Kernels, nothing: Exact) -> dict:
    """All counts of a row, less those of the exiting ROM."""
    ours = exact(guest_of(case, firmware, kernels, "exit"))
    by_device = _above_floor(ours.accesses, nothing.accesses)
    row = {"accesses": {"total": by_device.total(), "by_device": dict(by_device.most_common())},
           "instructions": instructions(guest_of(case, firmware, kernels, "tsc"))}
    row |= {name: ours.executions[name] for name in ("msr_writes", "cpuid")
            if name in ours.executions}
    # Room in shared memory may come and go between the two runs.
    if ours.pages is not None and nothing.pages is not None:
        row["pages_touched"] = ours.pages - nothing.pages
    row["ram_left"] = ram_left(guest_of(case, firmware, kernels, "map"))
    return row
