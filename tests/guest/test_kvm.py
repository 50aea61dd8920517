# SPDX-License-Identifier: MIT
"""A chosen part of the matrix under KVM, where a payload runs under it: see conftest.py."""

import pytest

from harness import acpi, layout, memory, mptable, pattern
from harness.guest import booted, pvh_kernel
from harness.memory import MIB

pytestmark = pytest.mark.kvm

MACHINES = ["pc", "q35", "microvm"]
WIDE = pytest.mark.wide


def check(guest) -> None:
    """Layout and tables."""
    layout.check(guest.report, memory.qemu_ram(guest.vm))
    assert len(mptable.read(guest.report).cpus) == len(guest.vm.qmp("query-cpus-fast"))


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("protocol", ["bzimage", "pvh"])
def test_hand_over(tmp_path, machine, protocol):
    """The same hand-over as under TCG."""
    kernel = pvh_kernel() if protocol == "pvh" else None
    with booted(tmp_path, machine, ["-smp", "2", "-cpu", "host"], kernel=kernel, words="keep",
                accel="kvm", initrd=bytes(10_000)) as guest:
        check(guest)
        acpi.check(guest.report)


@pytest.mark.parametrize("irqchip", ["on", "split", pytest.param("off", marks=WIDE)])
@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
def test_irqchip_variants(tmp_path, machine, irqchip):
    """Interrupt controllers in the kernel, in QEMU, or divided."""
    with booted(tmp_path, f"{machine},kernel-irqchip={irqchip}", words="keep",
                accel="kvm") as guest:
        check(guest)


@pytest.mark.parametrize("machine", MACHINES)
def test_mtrrs(tmp_path, machine):
    """KVM keeps what the firmware wrote: write-back default, fixed ranges in use."""
    with booted(tmp_path, machine, words="keep", accel="kvm") as guest:
        assert guest.report.msr[0x2FF] == 0xC06


def test_initrd(tmp_path):
    """4 MiB arrive whole; a software KVM takes most of a second for each."""
    path = tmp_path / "pattern"
    expected = pattern.write(path, 4 * MIB)
    with booted(tmp_path, "q35", ["-m", "512M"], words="keep", accel="kvm",
                initrd=path) as guest:
        assert guest.report.initrd[2:] == expected


# Not by triple fault: KVM implementations differ in whether QEMU hears of it.
@pytest.mark.parametrize("machine, kind", [
    ("pc", "cf9"), ("q35", "init"), ("microvm", "init"), ("q35", "fff0"),
    *[pytest.param(m, k, marks=WIDE) for m, k in (
        ("pc", "kbd"), ("pc", "port92"), ("pc", "init"), ("pc", "fff0"), ("pc", "fff0-pam"),
        ("q35", "cf9"), ("q35", "kbd"), ("q35", "port92"), ("q35", "fff0-pam"),
        ("microvm", "fff0"))]])
def test_reboots(tmp_path, machine, kind):
    """Three boots by this way, reported through the port."""
    with booted(tmp_path, machine, words=f"brief boots=3 reboot={kind}", accel="kvm",
                boots=3) as guest:
        assert [r.values["boot"]["number"] for r in guest.reports] == [1, 2, 3]


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_pflash(tmp_path, machine):
    """The image in flash, executed from a read-only slot."""
    with booted(tmp_path, machine, words="keep", accel="kvm", firmware_as="pflash") as guest:
        check(guest)
