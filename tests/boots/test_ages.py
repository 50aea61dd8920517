# SPDX-License-Identifier: MIT
"""Kernels and QEMUs older and newer than this system's."""

import pytest

from . import stalls
from .boot import Boot
from .devices import MMIO, PCI, virtio_disk, virtio_network
from .expectations import problems

MACHINES = ("pc", "q35", "microvm")
WITH_PCIE, WITHOUT_ACPI = "microvm,pcie=on", "microvm,acpi=off"
# Linux 5.10, this system's, and two newer ones.
CLOUD_KERNELS = ("cloud@bullseye", "cloud", "cloud@trixie", "cloud@sid")
OTHER_KERNELS = ("generic@bullseye", "generic@trixie", "generic@sid", "i386@bullseye")
QEMUS = ("", "trixie", "sid")
# By QEMU 7.2, an interrupt that comes right after a CMPXCHG16B without LOCK and the jump behind it
# finds a piece of an address in place of the flags, and brings it back with it: with the trap flag
# or nested task, at times. Linux 6.12 and newer have these instructions in their memory allocator,
# and die of it now and then, with SeaBIOS too. Without the instruction in the CPU they take a lock.
NO_CMPXCHG16B = ("-cpu", "qemu64,cx16=off")
USES_CMPXCHG16B = ("@trixie", "@sid")
# A 32-bit Linux maps registers above 4 GiB at the wrong place, where it would put virtio's itself.
FULL = ("-fw_cfg", "name=opt/org.mayfly/prepare,string=full")


def boot_of(kernel, machine, qemu="", pvh=False):
    """A machine with two CPUs, and a disk and a network card where the kernel can find them."""
    transport = MMIO if machine == "microvm" else PCI
    devices = (virtio_disk(transport), virtio_network(transport))
    arguments = FULL if kernel.startswith("i386") else ()
    if not qemu and kernel.endswith(USES_CMPXCHG16B):
        arguments += NO_CMPXCHG16B
    return Boot(kernel, machine, 256, "2", pvh=pvh, arguments=arguments, suite=qemu,
                devices=() if machine == WITHOUT_ACPI else devices)


CHOSEN = (
    boot_of("cloud@bullseye", "microvm"),
    boot_of("cloud@trixie", "q35"),
    boot_of("cloud", "pc", "trixie"),
)


def boots():
    """Each kernel by each QEMU, without those that test_boots.py has."""
    for qemu in QEMUS:
        for kernel in CLOUD_KERNELS:
            if qemu or "@" in kernel:
                for machine in (*MACHINES, WITH_PCIE, WITHOUT_ACPI):
                    yield boot_of(kernel, machine, qemu)
                for machine in MACHINES:
                    yield boot_of(kernel, machine, qemu, pvh=True)
    for kernel in OTHER_KERNELS:
        for machine in ("pc", "q35", WITHOUT_ACPI):
            yield boot_of(kernel, machine)


def name(boot):
    """The name of a test: `cloud@bullseye on microvm by trixie's QEMU`."""
    return (f"{boot.kernel} on {boot.machine}" + (" by PVH" if boot.pvh else "")
            + (f" by {boot.suite}'s QEMU" if boot.suite else ""))


@pytest.mark.parametrize("boot", [
    pytest.param(boot, marks=() if boot in CHOSEN else pytest.mark.wide, id=name(boot))
    for boot in boots()])
def test_linux_boots_to_init(boot, tmp_path):
    """The kernel reaches init, and its report holds all of the machine."""
    report, folder = stalls.run(boot, tmp_path)
    found = problems(boot, report, folder)
    assert not found, "\n".join(found)
