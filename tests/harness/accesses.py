# SPDX-License-Identifier: MIT
"""Counts what a firmware costs until the kernel's first instruction.

A device access is one line that `-trace 'memory_region_ops_*'` prints between reset and that
instruction, less those of a ROM that only exits. The count repeats exactly.

As a command, lists the accesses of one command line in order and then by device:

    PYTHONPATH=tests python3 -m harness.accesses [--firmware fw.bin] MACHINE [QEMU ARGUMENT ...]
"""

import argparse
import collections
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from . import bzimage, multiboot, paths, pvh
from .qemu import PROGRAM, Qemu

LINE = re.compile(r"memory_region_ops_(?P<kind>read|write) cpu -?\d+ mr \S+ addr (?P<address>\S+) "
                  r"value (?P<value>\S+) size (?P<size>\d+) name '(?P<device>.*)'")
COMMAND_LINE = "console=ttyS0 reboot=t panic=-1"
INITRD = bytes(100_000)


@dataclass(frozen=True)
class Access:
    """One access of the guest to a device."""

    kind: str
    address: int
    value: int
    size: int
    device: str

    @property
    def place(self) -> tuple:
        """All but the value, which the exiting ROM does not share with a stub."""
        return self.kind, self.address, self.size, self.device

    def __str__(self) -> str:
        return f"{self.kind:5} {self.address:#010x} {self.size} {self.value:#x} {self.device}"


def read_trace(path: Path) -> list[Access]:
    """The accesses in a file that QEMU's option -D named."""
    accesses = []
    for line in path.read_text(encoding="latin-1").splitlines():
        if not line.startswith(("memory_region_ops_read", "memory_region_ops_write")):
            continue
        m = LINE.match(line)
        assert m, f"trace line of an unknown form: {line}"
        accesses.append(Access(m["kind"], int(m["address"], 16), int(m["value"], 16),
                               int(m["size"]), m["device"]))
    return accesses


def count_places(path: Path) -> collections.Counter:
    """How often each place was accessed, for traces of millions of lines; see Access.place."""
    text = path.read_text(encoding="latin-1")
    counts = collections.Counter(m.group("kind", "address", "size", "device")
                                 for m in LINE.finditer(text))
    lines = text.count("memory_region_ops_read cpu") + text.count("memory_region_ops_write cpu")
    assert counts.total() == lines, f"{lines} trace lines, {counts.total()} of a known form"
    return counts


def trace(machine, args, firmware: Path, accel: str = "tcg",
          program: str | Path = PROGRAM) -> list[Access]:
    """All accesses of a run that ends by isa-debug-exit."""
    with tempfile.TemporaryDirectory(prefix="mayfly-") as directory:
        log = Path(directory) / "trace"
        with Qemu(machine, ["-trace", "memory_region_ops_*", "-D", log, *args],
                  firmware=firmware, accel=accel, program=program) as vm:
            vm.wait()
            return read_trace(log)


def _multiboot_stub(kind: str) -> bytes:
    code = (paths.PAYLOADS / f"stub_{kind}32.bin").read_bytes().ljust(bzimage.PAGE, b"\0")
    return multiboot.flat(multiboot.Program(code, pvh.BASE, pvh.BASE, len(code)))


def _pvh_stub(kind: str) -> bytes:
    return pvh.build(stub=(paths.PAYLOADS / f"stub_{kind}32.bin").read_bytes(), linux=False)


STUBS = {"bzimage": lambda kind: bzimage.build(bzimage.Program.stub(kind)),
         "multiboot": _multiboot_stub, "pvh": _pvh_stub}


def _boot_arguments(directory: Path, kind: str, protocol: str) -> list:
    kernel = directory / "stub"
    kernel.write_bytes(STUBS[protocol](kind))
    initrd = directory / "initrd"
    initrd.write_bytes(INITRD)
    return ["-kernel", kernel, "-initrd", initrd, "-append", COMMAND_LINE]


def above_floor(accesses: list[Access], floor: list[Access]) -> list[Access]:
    """Accesses of a firmware, less those of the exiting ROM on the same command line."""
    left = collections.Counter(a.place for a in floor)
    result = []
    for access in accesses:
        if left[access.place] > 0:
            left[access.place] -= 1
        else:
            result.append(access)
    assert len(result) == len(accesses) - len(floor), f"the exiting ROM did more: {left}"
    return result


def device_accesses(machine, args=(), firmware: Path | None = None, accel: str = "tcg",
                    protocol: str = "bzimage", program: str | Path = PROGRAM) -> list[Access]:
    """The accesses of the firmware in front of a kernel whose first instruction exits."""
    with tempfile.TemporaryDirectory(prefix="mayfly-") as directory:
        boot = _boot_arguments(Path(directory), "exit", protocol)
        ours = trace(machine, [*boot, *args], firmware or paths.firmware(), accel, program)
        nothing = trace(machine, [*boot, *args], paths.PAYLOADS / "exit_rom.bin", accel, program)
    return above_floor(ours, nothing)


def guest_instructions(machine, args=(), firmware: Path | None = None,
                       protocol: str = "bzimage", program: str | Path = PROGRAM) -> int:
    """Instructions from reset to the kernel's first, by the time stamp counter under -icount."""
    with tempfile.TemporaryDirectory(prefix="mayfly-") as directory:
        boot = _boot_arguments(Path(directory), "tsc", protocol)
        with Qemu(machine, ["-icount", "shift=0,sleep=off", *boot, *args], firmware=firmware,
                  program=program) as vm:
            vm.wait()
            if len(vm.report) != 8:
                raise vm.fail("the stub did not report its time stamp counter")
            return int.from_bytes(vm.report, "little")


def by_device(accesses: list[Access]) -> str:
    """Counts by device, the most frequent first."""
    counts = collections.Counter(a.device for a in accesses)
    return "\n".join(f"{n:6} {device}" for device, n in counts.most_common())


def main() -> None:
    """Lists the accesses of one command line."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--firmware", type=Path, default=paths.firmware())
    parser.add_argument("machine")
    parser.add_argument("args", nargs=argparse.REMAINDER)
    choice = parser.parse_args()
    accesses = device_accesses(choice.machine, choice.args, choice.firmware)
    for number, access in enumerate(accesses, 1):
        print(f"{number:5} {access}")
    print(f"{by_device(accesses)}\n{len(accesses):6} in all")
    print(f"{guest_instructions(choice.machine, choice.args, choice.firmware):6} instructions")


if __name__ == "__main__":
    main()
