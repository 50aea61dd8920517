# SPDX-License-Identifier: MIT
"""Initrds of every size arrive whole and where the kernel can use them."""

import pytest

from harness import layout, memory, pattern
from harness.guest import boot, booted, linux_like, pvh_kernel
from harness.memory import GIB, MIB

WIDE = pytest.mark.wide
PAGE = 4096
XLF_CAN_BE_LOADED_ABOVE_4G = 2

SIZES = [1, 3, 4, 4095, 4096, 4097, 1_000_001, 16 * MIB]


def boot_with(tmp_path, machine, size, args=(), **options):
    """Boots with an initrd of this size and checks what arrived and where; returns the report."""
    path = tmp_path / "pattern"
    plain, ordered = pattern.write(path, size)
    with booted(tmp_path, machine, args, initrd=path, **options) as guest:
        report = guest.report
        layout.check(report, memory.qemu_ram(guest.vm))
    address, arrived, *found = report.initrd
    assert (arrived, *found) == (size, plain, ordered)
    assert address % PAGE == 0
    return report


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
@pytest.mark.parametrize("protocol", ["bzimage", "pvh"])
def test_sizes(tmp_path, machine, protocol, size):
    """Odd sizes, page borders, some MiB."""
    boot_with(tmp_path, machine, size, kernel=pvh_kernel() if protocol == "pvh" else None)


@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
@pytest.mark.parametrize("protocol", ["bzimage", "pvh"])
def test_none(tmp_path, machine, protocol):
    """Without -initrd there is none."""
    report = boot(tmp_path, machine, kernel=pvh_kernel() if protocol == "pvh" else None)
    assert report.initrd is None


def test_empty_file(tmp_path):
    """An empty file is no initrd."""
    (tmp_path / "empty").touch()
    report = boot(tmp_path, "pc", initrd=tmp_path / "empty")
    assert report.initrd is None


@pytest.mark.parametrize("machine", [
    "q35", pytest.param("pc", marks=WIDE), pytest.param("microvm", marks=WIDE)])
def test_600_mib(tmp_path, machine):
    """600 MiB, verified to the last byte."""
    boot_with(tmp_path, machine, 600 * MIB, ["-m", "1G"], timeout=180)


@pytest.mark.wide
@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
def test_600_mib_by_pvh(tmp_path, machine):
    """The same by PVH."""
    boot_with(tmp_path, machine, 600 * MIB, ["-m", "1G"], timeout=180, kernel=pvh_kernel())


@pytest.mark.wide
@pytest.mark.parametrize("machine, low", [("pc", 3 * GIB), ("microvm", 3 * GIB), ("q35", 2 * GIB)])
def test_the_largest_that_fits(tmp_path, machine, low):
    """All low RAM but 32 MiB for the kernel and 1 MiB for tables; beyond 2 GiB on pc, microvm."""
    boot_with(tmp_path, machine, low - 33 * MIB, ["-m", "4G"], timeout=400)


@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
@pytest.mark.parametrize("protocol", ["bzimage", "pvh"])
def test_tight_fit(tmp_path, machine, protocol):
    """Between kernel and tables hardly a page is left."""
    end = 18 * MIB  # run_end of the payload is below
    size = 64 * MIB - end - MIB // 2
    boot_with(tmp_path, machine, size, ["-m", "64M"],
              kernel=pvh_kernel() if protocol == "pvh" else None)


@pytest.mark.parametrize("limit, xloadflags", [(0x37FFFFFF, 0), (0x3FFFFFFF, 1), (0x7FFFFFFF, 0)])
@pytest.mark.parametrize("machine", ["pc", "microvm"])
def test_below_the_kernels_limit(tmp_path, machine, limit, xloadflags):
    """A kernel that cannot use high addresses names the last byte it can."""
    kernel = linux_like(initrd_addr_max=limit, xloadflags=xloadflags)
    report = boot_with(tmp_path, machine, 5_000_000, ["-m", "2500M"], kernel=kernel)
    assert report.initrd[0] + report.initrd[1] - 1 <= limit


def test_next_to_a_debian_kernel(tmp_path):
    """96 MiB of RAM, 45 MiB of kernel, 20 MiB of initrd."""
    boot_with(tmp_path, "microvm", 20 * MIB, ["-m", "96M"], kernel=linux_like(init_size=0x2D5E000))


def test_a_kernel_in_the_middle(tmp_path):
    """The only room is below the kernel."""
    kernel = linux_like(relocatable=0, xloadflags=0, pref_address=32 * MIB, init_size=30 * MIB)
    boot_with(tmp_path, "pc", 20 * MIB, ["-m", "64M"], kernel=kernel)
