# SPDX-License-Identifier: MIT
"""Boots a Linux kernel with the firmware and shows what booted, and how long it took.

On a terminal it ends in a shell inside the virtual machine. Elsewhere the machine switches itself
off, and the exit status says whether the guest reached its init.
"""

import argparse
import contextlib
import os
import pathlib
import select
import shlex
import subprocess
import sys
import termios
import time

import accelerator
import initramfs

HERE = pathlib.Path(__file__).resolve().parent
MEMORY_MIB = 512
CPUS = 2
TIME_LIMIT_SECONDS = 90
# The early console makes the kernel's first line appear when it is written, not when the serial
# driver is ready.
COMMAND_LINE = "console=ttyS0 earlyprintk=ttyS0"
SHELL_WORD = "run.shell"
FIRST_KERNEL_LINE = b"Linux version "
# The kernel's own word, for an init that is not ours; `quiet` hides it.
INIT_STARTED = b"as init process"
REPORT_PREFIX = "run.py: "
REPORT_START = b"run.py: init"
REPORT_END = b"run.py: end"
PIECE_BYTES = 65536


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--firmware", required=True)
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--build", required=True, help="folder for what is made on the way")
    parser.add_argument("--machine", default="q35")
    parser.add_argument("--initrd", default="", help="in place of the one made here")
    parser.add_argument("--append", default="", help="added to the kernel's command line")
    parser.add_argument("--accel", default="", help="in place of the one found by trial")
    parser.add_argument("--qemu-args", default="", help="added to QEMU's command line")
    options = parser.parse_args()
    for path in filter(None, (options.firmware, options.kernel, options.initrd)):
        if not pathlib.Path(path).is_file():
            parser.error(f"{path}: no such file")
    return options


def own_busybox(kernel):
    """The busybox that lies beside a kernel of another architecture, or None."""
    path = pathlib.Path(kernel).resolve().with_name("busybox")
    return path if path.is_file() else None


def make_initrd(options):
    if options.initrd:
        return options.initrd
    path = pathlib.Path(options.build, "run", "initrd.cpio")
    init = (HERE / "init.sh").read_text()
    initramfs.write_whole(path, initramfs.build(init, own_busybox(options.kernel)))
    return str(path)


def choose_accelerator(options):
    if options.accel:
        return accelerator.Choice(options.accel, "as asked for by ACCEL=")
    return accelerator.choose(options.kernel, options.build, own_busybox(options.kernel))


def command_line(options, accel, interactive):
    words = [COMMAND_LINE, *accelerator.needed_parameters(accel)]
    if interactive:
        words.append(SHELL_WORD)
    return " ".join([*words, options.append]).strip()


def qemu_command(options, accel, initrd, interactive):
    command = [accelerator.QEMU, "-machine", options.machine, "-accel", accel]
    command += ["-m", str(MEMORY_MIB), "-smp", str(CPUS)]
    command += ["-nodefaults", "-display", "none", "-no-reboot"]
    command += ["-serial", "mon:stdio" if interactive else "stdio"]
    command += ["-bios", options.firmware, "-kernel", options.kernel, "-initrd", initrd]
    command += ["-append", command_line(options, accel, interactive)]
    return command + shlex.split(options.qemu_args)


class Guest:
    """A running QEMU: everything its serial port said, and when some of it appeared."""

    def __init__(self, command, interactive):
        self.output = b""
        self.started = time.monotonic()
        self.seen = {}
        self._process = subprocess.Popen(
            command, stdin=None if interactive else subprocess.DEVNULL, stdout=subprocess.PIPE
        )

    def read(self, deadline):
        """Returns the next output; b"" at the end or at the deadline (None: no deadline)."""
        wait = None if deadline is None else max(0.0, deadline - time.monotonic())
        stream = self._process.stdout.fileno()
        if not select.select([stream], [], [], wait)[0]:
            return b""
        return os.read(stream, PIECE_BYTES)

    def follow_until(self, mark, deadline):
        """Collects output until `mark` was written. False at QEMU's end or at the deadline."""
        while mark not in self.output:
            piece = self.read(deadline)
            self.output += piece
            self._note_times()
            if not piece:
                break
        return mark in self.output

    def follow_to_end(self, deadline=None, copy_to=None):
        while piece := self.read(deadline):
            self.output += piece
            self._note_times()
            if copy_to is not None:
                copy_to.write(piece)
                copy_to.flush()

    def _note_times(self):
        for mark in (FIRST_KERNEL_LINE, INIT_STARTED, REPORT_START):
            if mark in self.output:
                self.seen.setdefault(mark, time.monotonic())

    def end(self):
        """Waits a moment for QEMU's own end, then ends it. Returns whether it ended by itself."""
        try:
            self._process.wait(timeout=2)
            return True
        except subprocess.TimeoutExpired:
            self._process.terminate()
            self._process.wait()
            return False


@contextlib.contextmanager
def terminal_kept():
    """Gives the terminal back as it was: QEMU changes it, and may not end in good order."""
    before = termios.tcgetattr(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def guest_report(output):
    """What init.sh said, as a dictionary."""
    report = {}
    for line in output.decode(errors="replace").splitlines():
        if line.startswith(REPORT_PREFIX):
            key, _, value = line.removeprefix(REPORT_PREFIX).partition(" ")
            report[key] = value.strip()
    return report


def describe_machine(report, options):
    name = report["machine"] or options.machine
    memory = int(report["memory"].split()[0]) // 1024
    return f"{name}; {report['cpus']} CPUs, {memory} MiB for Linux"


def describe_firmware(report):
    if report["firmware"]:
        return f"{report['firmware']} (by the guest's SMBIOS)"
    acpi = f"; it passed on ACPI tables by {report['acpi']}" if report["acpi"] else ""
    return f"not named: this machine has no SMBIOS{acpi}"


def print_times(guest, init_mark):
    steps = (
        (FIRST_KERNEL_LINE, "from the start of QEMU to the kernel's first line"),
        (init_mark, "from there to init"),
    )
    since = guest.started
    label = "time"
    for mark, what in steps:
        if mark in guest.seen:
            print(f"  {label:<12}{guest.seen[mark] - since:6.2f} s  {what}")
            since = guest.seen[mark]
            label = ""
    print(f"  {'':<12}(host's clock, serial console; the first holds QEMU's own start, the")
    print(f"  {'':<12}firmware, and the kernel's unpacking of itself)")


def print_report(guest, options, choice):
    report = guest_report(guest.output)
    size = pathlib.Path(options.firmware).stat().st_size
    print(f"\n{report['kernel']} booted.\n")
    print(f"  machine     {describe_machine(report, options)}")
    print(f"  firmware    {describe_firmware(report)}")
    print(f"  image       {options.firmware}, {size} bytes")
    print(f"  accelerator {choice.option}: {choice.reason}")
    print_times(guest, REPORT_START)
    print(flush=True)


def give_up(guest, reason):
    sys.stdout.flush()
    sys.stdout.buffer.write(guest.output)
    print(f"\nrun: {reason}", flush=True)
    return 1


def run_shell(guest):
    print("A shell inside the virtual machine follows. To leave: `exit`, or Ctrl-A then X.\n")
    sys.stdout.flush()
    # What came with the report's last line belongs to the shell.
    sys.stdout.buffer.write(guest.output.split(REPORT_END, 1)[1].lstrip())
    sys.stdout.flush()
    guest.follow_to_end(copy_to=sys.stdout.buffer)
    return 0


def finish_own_init(guest, options, choice, interactive, deadline):
    """The rest of a run with our own initramfs. Returns the exit status."""
    if not guest.follow_until(REPORT_END, deadline):
        passed = time.monotonic() - guest.started
        return give_up(guest, f"the guest did not reach its init ({passed:.1f} s passed)")
    print_report(guest, options, choice)
    if interactive:
        return run_shell(guest)
    guest.follow_to_end(deadline)
    if not guest.end():
        return give_up(guest, "the guest did not switch itself off")
    return 0


def finish_foreign_init(guest, interactive, deadline):
    """The rest of a run with INITRD=, whose init reports nothing to us."""
    guest.follow_to_end(None if interactive else deadline, copy_to=sys.stdout.buffer)
    if INIT_STARTED not in guest.output:
        print("\nrun: the kernel did not say that it started an init (quiet?)", flush=True)
        return 1
    print_times(guest, INIT_STARTED)
    return 0


def run(options, interactive):
    choice = choose_accelerator(options)
    print(f"run: accelerator {choice.option}: {choice.reason}", flush=True)
    command = qemu_command(options, choice.option, make_initrd(options), interactive)
    print(f"run: {shlex.join(command)}", flush=True)
    guest = Guest(command, interactive)
    deadline = time.monotonic() + TIME_LIMIT_SECONDS
    try:
        if options.initrd:
            return finish_foreign_init(guest, interactive, deadline)
        return finish_own_init(guest, options, choice, interactive, deadline)
    finally:
        guest.end()


def main():
    options = parse_arguments()
    if sys.stdin.isatty() and sys.stdout.isatty():
        with terminal_kept():
            return run(options, True)
    return run(options, False)


if __name__ == "__main__":
    sys.exit(main())
