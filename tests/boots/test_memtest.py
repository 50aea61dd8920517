# SPDX-License-Identifier: MIT
"""Memtest86+, in the format of a Linux kernel but none: it trusts the firmware as a PC's BIOS."""

import subprocess

import pytest

from harness.qemu import Qemu

from . import boot as boots

COMMAND_LINE = "console=ttyS0,115200 nosm"
CPUS = 2


def images():
    """The folder with its programs, unpacked."""
    script = boots.SETUP / "fetch_memtest.sh"
    said = subprocess.run([script, boots.BUILD / "memtest"], stdout=subprocess.PIPE, check=True)
    return said.stdout.decode().strip()


@pytest.mark.parametrize("machine, bits", [("pc", "ia32"), ("q35", "x64")])
def test_memtest(machine, bits):
    """All CPUs test the memory; F1 on the keyboard brings the menu."""
    kernel = f"{images()}/memtest86+{bits}.bin"
    with Qemu(machine, ["-kernel", kernel, "-append", COMMAND_LINE, "-m", "64M",
                        "-smp", CPUS]) as vm:
        vm.wait_until(lambda: "Using: All Cores" in vm.serial, "test by all CPUs")
        assert f"SMP: {CPUS}T (PAR)" in vm.serial
        vm.qmp("send-key", keys=[{"type": "qcode", "data": "f1"}])
        vm.wait_until(lambda: "Test selection" in vm.serial, "menu")
        assert vm.debug == ""
