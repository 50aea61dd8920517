# SPDX-License-Identifier: MIT
"""Chooses KVM or TCG for one kernel, by trying.

A /dev/kvm that opens proves nothing: it may be emulated, or too restricted for a whole kernel. So
the very kernel is booted to init once under KVM, with QEMU's own firmware (the host is on trial
here, not Mayfly), within a time limit. The answer is kept per kernel, QEMU and boot of the host.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import platform
import subprocess

import initramfs

QEMU = "qemu-system-x86_64"
KVM = "kvm"
# One thread for all virtual CPUs. With a thread for each, a QEMU before 8.1 may keep a translation
# of what another CPU overwrites meanwhile: on a busy host, at times, the breakpoint that Linux puts
# for a moment into code that it patches. All CPUs then meet it for ever, in their timer ticks.
TCG = "tcg,thread=single"
TRIAL_SECONDS = 15
TRIAL_WORD = "accelerator-trial-reached-init"
TRIAL_INIT = f"""#!/bin/busybox sh
/bin/busybox echo {TRIAL_WORD}
/bin/busybox reboot -f
"""
TRIAL_COMMAND_LINE = "console=ttyS0 reboot=t panic=-1"
# QEMU's TSC under TCG: the host's on x86, a nanosecond clock elsewhere.
NANOSECOND_CLOCK_KHZ = 1_000_000
BASE_FREQUENCY = pathlib.Path("/sys/devices/system/cpu/cpu0/cpufreq/base_frequency")
# CONFIG_HZ of the distributions' kernels; with another one a delay is only longer or shorter.
KERNEL_HZ = 250


@dataclasses.dataclass(frozen=True)
class Choice:
    """An argument for -accel, and why it was chosen (one line)."""

    option: str
    reason: str


def _identity(kernel):
    """What the trial's answer depends on."""
    parts = [
        pathlib.Path(kernel).read_bytes(),
        subprocess.run([QEMU, "--version"], stdout=subprocess.PIPE, check=True).stdout,
        pathlib.Path("/proc/sys/kernel/random/boot_id").read_bytes(),
    ]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def _reaches_init(kernel, busybox, archive):
    initramfs.write_whole(archive, initramfs.build(TRIAL_INIT, busybox))
    command = [QEMU, "-accel", KVM, "-machine", "q35", "-m", "512", "-nodefaults"]
    command += ["-display", "none", "-no-reboot", "-serial", "stdio"]
    command += ["-kernel", kernel, "-initrd", archive, "-append", TRIAL_COMMAND_LINE]
    try:
        result = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TRIAL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return TRIAL_WORD.encode() in result.stdout


def choose(kernel, build_folder, busybox=None):
    """Returns the Choice for `kernel`, from a trial or from what an earlier one found."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return Choice(TCG, "/dev/kvm is not there or may not be opened")
    folder = pathlib.Path(build_folder, "kvm-trial")
    answer = folder / f"{_identity(kernel)}.json"
    if not answer.exists():
        works = _reaches_init(kernel, busybox, folder / f"trial-{os.getpid()}.cpio")
        initramfs.write_whole(answer, json.dumps({"kvm": works}).encode())
    if json.loads(answer.read_text())["kvm"]:
        return Choice(KVM, "a trial boot of this kernel reached init with it")
    return Choice(
        TCG, f"a trial boot of this kernel with KVM did not reach init in {TRIAL_SECONDS} s"
    )


def machine_type(machine):
    """The type in an argument for -machine: `microvm` in `microvm,acpi=off`."""
    first = machine.split(",")[0]
    return first.removeprefix("type=")


def tsc_khz():
    """The frequency of a guest's TSC under TCG, near enough for the guest's clock."""
    if platform.machine() not in ("x86_64", "i686"):
        return NANOSECOND_CLOCK_KHZ
    # The TSC runs at the base frequency; `cpu MHz` is the present one where that may change.
    if BASE_FREQUENCY.exists():
        return int(BASE_FREQUENCY.read_text())
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("cpu MHz"):
            return int(float(line.split(":")[1]) * 1000)
    return NANOSECOND_CLOCK_KHZ


def needed_parameters(accelerator):
    """Kernel parameters without which Linux does not run well under TCG, with any firmware.

    Linux measures its clocks against each other, and on a busy host TCG's are not steady enough for
    that: a guest then waits by a wrong clock, or for ever. A microvm with ACPI (hardware-reduced)
    has nothing to measure against at all. So the frequencies are told, and that all CPUs share one
    TSC (the host's), which the CPU shown by QEMU does not promise. `no_timer_check` leaves out a
    trial of the timer interrupt that fails when the host is late; under KVM Linux does so by itself.
    """
    if not accelerator.startswith("tcg"):
        return []
    khz = tsc_khz()
    lpj = khz * 1000 // KERNEL_HZ
    return ["tsc=reliable", f"tsc_early_khz={khz}", f"lpj={lpj}", "no_timer_check"]
