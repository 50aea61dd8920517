# SPDX-License-Identifier: MIT
"""Boots the reporting payload and returns what it reports."""

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import bzimage, pvh, report
from .qemu import PAYLOAD_GOOD, Qemu


@dataclass
class Boot:
    """A guest whose payload has reported and waits; `report` is that of the last boot."""

    vm: Qemu
    reports: list[report.Report]

    @property
    def report(self) -> report.Report:
        """The last boot."""
        return self.reports[-1]


def write_kernel(vm_directory: Path, kernel: bytes | Path) -> Path:
    """A file with these bytes; a path is taken as it is."""
    if isinstance(kernel, Path):
        return kernel
    path = vm_directory / "kernel"
    path.write_bytes(kernel)
    return path


def linux_like(**fields) -> bytes:
    """The reporting payload as a bzImage; `fields` as in bzimage.build."""
    return bzimage.build(bzimage.Program.reporting(), **fields)


def pvh_kernel(**choices) -> bytes:
    """The reporting payload as a PVH ELF; `choices` as in pvh.build."""
    return pvh.build(**choices)


def kept_report(vm: Qemu) -> str:
    """The report of a payload with the word `keep`, read from guest memory."""
    line = vm.wait_until(lambda: vm.report.endswith(b"\n") and vm.report, "address of the report")
    keyword, address, size = line.decode().split()
    assert keyword == "kept"
    return vm.read_memory(int(address, 16), int(size, 16)).decode("latin-1")


def sent_reports(vm: Qemu, count: int) -> list[report.Report]:
    """The reports of `count` boots, as soon as the last has arrived."""
    marker = b"\nend\n"
    vm.wait_until(lambda: vm.report.count(marker) >= count or b"\nexception" in vm.report,
                  f"report of {count} boots")
    return report.parse(vm.report.decode("latin-1"))


@contextmanager
def booted(tmp_path: Path, machine, args=(), *, kernel: bytes | Path | None = None,
           words: str = "", initrd: bytes | Path | None = None, boots: int = 1, **options):
    """Boots the payload, waits for its report and leaves it halted for questions by QMP."""
    kernel_path = write_kernel(tmp_path, kernel or linux_like())
    command = ["-kernel", kernel_path, "-append", f"wait {words}".strip()]
    if initrd is not None:
        initrd_path = initrd
        if isinstance(initrd, bytes):
            initrd_path = tmp_path / "initrd"
            initrd_path.write_bytes(initrd)
        command += ["-initrd", initrd_path]
    with Qemu(machine, [*command, *args], **options) as vm:
        if "keep" in words.split():
            reports = report.parse(kept_report(vm))
        else:
            reports = sent_reports(vm, boots)
        yield Boot(vm, reports)


def boot(tmp_path: Path, machine, args=(), **options) -> report.Report:
    """Boots the payload once and returns its report."""
    with booted(tmp_path, machine, args, **options) as guest:
        return guest.report


def run_to_exit(tmp_path: Path, machine, args=(), *, kernel: bytes | Path | None = None,
                **options) -> report.Report:
    """Boots the payload without a word of ours on the command line; it exits by itself."""
    kernel_path = write_kernel(tmp_path, kernel or linux_like())
    with Qemu(machine, ["-kernel", kernel_path, *args], **options) as vm:
        status = vm.wait()
        if status != PAYLOAD_GOOD:
            raise vm.fail(f"QEMU exited with {status} instead of {PAYLOAD_GOOD}")
        return sent_reports(vm, 1)[-1]
