# SPDX-License-Identifier: MIT
"""Boots a stock kernel to the init of guest.sh and reads that init's report."""

import base64
import binascii
import dataclasses
import fcntl
import gzip
import io
import pathlib
import re
import subprocess
import sys
import tarfile
import time

from harness import debian_qemu, paths
from harness.qemu import PROGRAM, GuestFailure, Qemu

BOOTS = paths.ROOT / "tests/boots"
SETUP = paths.ROOT / "tests/setup"
BUILD = paths.ROOT / "build"
KERNELS = BUILD / "kernels"
sys.path += [str(paths.ROOT / "tests/run"), str(SETUP)]

import accelerator  # noqa: E402  (found by the line above)
import extract_vmlinux  # noqa: E402
import initramfs  # noqa: E402

# Idle, a boot takes 2 to 10 seconds; the limit is for a machine with other work.
TIME_LIMIT_SECONDS = 100
MIB = 1 << 20
REPORT = re.compile(r"@@ report begins\n(.*?)@@ report ends", re.DOTALL)
# A panic ends QEMU (-no-reboot) at once, not at the time limit.
COMMAND_LINE = "console=ttyS0 panic=-1"
# A triple fault ends a machine without ACPI at once; Linux's other ways take seconds to fail.
QUICK_END = "reboot=t"


@dataclasses.dataclass(frozen=True)
class Boot:
    """One virtual machine, the kernel it boots, and what its init is to use."""

    # As fetch_kernel.sh takes it: a flavour, with `@` and a suite if not of this system's.
    kernel: str
    machine: str
    memory_mib: int = 256
    cpus: str = "1"
    # Boot the uncompressed kernel by PVH, not the bzImage.
    pvh: bool = False
    devices: tuple = ()
    append: str = ""
    arguments: tuple = ()
    # A regular expression: what has to serve the devices' interrupts (from /proc/interrupts).
    controller: str = ""
    smbios_value: str = ""
    device_tree: bool = False
    pflash: bool = False
    reboots: bool = False
    # An initramfs with another init than guest.sh, which reports in the same form.
    initrd: pathlib.Path | None = None
    # The suite of Debian whose QEMU runs it, if not the installed one.
    suite: str = ""

    @property
    def flavour(self):
        """The kernel's kind, whatever its age."""
        return self.kernel.partition("@")[0]

    @property
    def cpu_count(self):
        """The number at the front of the argument for -smp."""
        return int(self.cpus.split(",")[0])

    @property
    def accel(self):
        """The argument for -accel."""
        return accelerator.TCG

    @property
    def node_count(self):
        """The NUMA nodes; a machine without any counts as one."""
        return self.arguments.count("-numa") or 1

    @property
    def machine_type(self):
        return accelerator.machine_type(self.machine)

    @property
    def modules(self):
        """Every device's modules, each once, in the order given."""
        return list(dict.fromkeys(name for device in self.devices for name in device.modules))


class Stall(GuestFailure):
    """A boot that had not ended at the time limit; `serial` is all that the guest wrote."""

    def __init__(self, reason, serial):
        super().__init__(reason)
        self.serial = serial


class Report:
    """What the guest's init found, by file name, what the firmware said on port 0x402, and all that
    came over the serial line."""

    def __init__(self, files, seconds, debug="", serial=""):
        self.files = files
        self.seconds = seconds
        self.debug = debug
        self.serial = serial

    def data(self, name):
        return self.files.get(name, b"")

    def text(self, name):
        return self.data(name).decode(errors="replace")

    def lines(self, name):
        return self.text(name).splitlines()


def kernel_folder(flavour):
    script = SETUP / "fetch_kernel.sh"
    subprocess.run([script, flavour, KERNELS], stdout=subprocess.DEVNULL, check=True)
    return KERNELS / flavour


def pvh_kernel(folder):
    """The uncompressed kernel of a flavour, unpacked once."""
    path = folder / "vmlinux"
    with (folder / ".vmlinux.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            elf = extract_vmlinux.extract((folder / "vmlinuz").read_bytes())
            initramfs.write_whole(path, elf)
    return path


def qemu_program(boot):
    return debian_qemu.program(boot.suite) if boot.suite else PROGRAM


def make_initrd(boot, folder):
    if boot.initrd is not None:
        return boot.initrd
    kernels = kernel_folder(boot.kernel)
    tasks = ["load_modules", *(device.task() for device in boot.devices), "report", "leave"]
    init = (BOOTS / "guest.sh").read_text() + "\n".join(tasks) + "\n"
    busybox = kernels / "busybox"
    if busybox.exists():
        # Whatever the kernel's age: an old one lacks what guest.sh calls.
        busybox = kernel_folder(boot.flavour) / "busybox"
    archive = initramfs.build(
        init, busybox if busybox.exists() else None, kernels / "modules", boot.modules
    )
    path = folder / "initrd.cpio"
    path.write_bytes(archive)
    return path


def device_tree(folder):
    """A small device tree; Linux on a PC only keeps and shows it."""
    path = folder / "given.dtb"
    source = '/dts-v1/; / { compatible = "mayfly,test"; model = "boot test"; };'
    subprocess.run(["dtc", "-q", "-O", "dtb", "-o", path], input=source.encode(), check=True)
    return path


def kernel_file(boot):
    folder = kernel_folder(boot.kernel)
    return pvh_kernel(folder) if boot.pvh else folder / "vmlinuz"


def command_line(boot):
    needed = accelerator.needed_parameters(boot.accel)
    end = "" if boot.reboots else QUICK_END
    return " ".join(filter(None, [COMMAND_LINE, end, *needed, boot.append]))


def hardware_arguments(boot, folder):
    """QEMU's arguments for memory, CPUs and devices."""
    # `arguments` before the devices, which may sit behind what these add.
    arguments = ["-m", boot.memory_mib, "-smp", boot.cpus, *boot.arguments]
    for device in boot.devices:
        arguments += device.arguments(folder)
    return arguments


def qemu_arguments(boot, folder):
    """QEMU's arguments for all but the machine, the accelerator and the firmware."""
    arguments = [] if boot.reboots else ["-no-reboot"]
    arguments += ["-kernel", kernel_file(boot), "-initrd", make_initrd(boot, folder)]
    arguments += ["-append", command_line(boot)]
    if boot.smbios_value:
        arguments += ["-smbios", f"type=11,value={boot.smbios_value}"]
    if boot.device_tree:
        arguments += ["-dtb", device_tree(folder)]
    return arguments + hardware_arguments(boot, folder)


def read_report(serial, seconds, debug=""):
    """The guest's report, or None when its output holds none that is whole."""
    found = REPORT.search(serial)
    if found is None:
        return None
    try:
        archive = gzip.decompress(base64.b64decode(found.group(1)))
    except (binascii.Error, OSError, EOFError):
        return None
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        return Report(
            {
                pathlib.PurePath(member.name).name: files.extractfile(member).read()
                for member in files
                if member.isfile()
            },
            seconds,
            debug,
            serial,
        )


def _with_whole_output(vm, reason):
    """A reason with the whole output, of which the harness shows the end only."""
    return f"{reason}\nthe whole serial output:\n{vm.serial}"


def run(boot, folder, firmware=None):
    """Boots and returns the Report; fails when there is none, or the guest does not end itself.

    `firmware` is an image to use in place of the one under test.
    """
    return run_with(boot, qemu_arguments(boot, folder), firmware)


def run_with(boot, arguments, firmware=None):
    """The same with other arguments for QEMU."""
    started = time.monotonic()
    with Qemu(
        boot.machine,
        arguments,
        firmware=firmware,
        accel=boot.accel,
        timeout=TIME_LIMIT_SECONDS,
        firmware_as="pflash" if boot.pflash else "bios",
        program=qemu_program(boot),
    ) as vm:
        try:
            status = vm.wait()
        except GuestFailure as failure:
            cpus = "\n".join(vm.instruction_pointers())
            reason = f"{failure}\nthe CPUs:\n{cpus}"
            raise Stall(_with_whole_output(vm, reason), vm.serial) from None
        # Read as text, in which a serial line's CR LF is one line end.
        report = read_report(vm.serial, time.monotonic() - started, vm.debug)
        if status != 0 or report is None:
            reason = vm.fail(f"QEMU ended with status {status}, no whole report from the guest")
            raise GuestFailure(_with_whole_output(vm, reason))
        return report
