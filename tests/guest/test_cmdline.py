# SPDX-License-Identifier: MIT
"""Command lines up to the kernel's own limit."""

import pytest

from harness.boot_params import ZeroPage
from harness.failure import check_complaint
from harness.guest import boot, linux_like, pvh_kernel, run_to_exit, write_kernel

MACHINES = ["pc", "q35", "microvm"]
PREFIX = len("wait ")
DEBIAN_LIMIT = 2047  # cmdline_size of every distribution kernel, without the terminator


def words_of_length(length: int) -> str:
    """A command line that is `length` characters long with the harness's own word."""
    text = "0123456789 abcdef=" * (length // 18 + 1)
    return text[: length - PREFIX - 1] + "$"


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("protocol", ["bzimage", "pvh"])
@pytest.mark.parametrize("length", [6, 100, 255, 256, 1024, 2046, DEBIAN_LIMIT])
def test_lengths(tmp_path, machine, protocol, length):
    """What -append says arrives, to the last character."""
    words = words_of_length(length)
    kernel = pvh_kernel() if protocol == "pvh" else None
    report = boot(tmp_path, machine, words=words, kernel=kernel)
    assert report.command_line == f"wait {words}"
    assert len(report.command_line) == length


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("protocol", ["bzimage", "pvh"])
@pytest.mark.parametrize("arguments", [[], ["-append", ""]])
def test_empty(tmp_path, machine, protocol, arguments):
    """No command line is an empty one, not none."""
    kernel = pvh_kernel() if protocol == "pvh" else None
    report = run_to_exit(tmp_path, machine, arguments, kernel=kernel)
    assert report.command_line == ""


LIMIT = 16_383  # the firmware's own, whatever the kernel takes


@pytest.mark.parametrize("length", [4095, LIMIT])
def test_a_kernel_that_takes_more(tmp_path, length):
    """The limit is the kernel's, up to the firmware's own."""
    report = boot(tmp_path, "pc", words=words_of_length(length),
                  kernel=linux_like(cmdline_size=length))
    assert len(report.command_line) == length


@pytest.mark.parametrize("length", [4095, LIMIT])
def test_pvh_names_no_limit(tmp_path, length):
    """Only the firmware's own is left."""
    report = boot(tmp_path, "pc", words=words_of_length(length), kernel=pvh_kernel())
    assert len(report.command_line) == length


@pytest.mark.parametrize("protocol", ["bzimage", "pvh"])
def test_longer_than_the_firmware_takes(tmp_path, protocol):
    """Said, not cut."""
    kernel = pvh_kernel() if protocol == "pvh" else linux_like(cmdline_size=65_536)
    check_complaint("pc", ["-kernel", write_kernel(tmp_path, kernel), "-append", "x" * (LIMIT + 1)],
                    f"mayfly: command line: too long ({LIMIT + 1} characters, limit {LIMIT})")


def test_every_byte(tmp_path):
    """Bytes are not interpreted, UTF-8 passes."""
    report = boot(tmp_path, "q35", words="äöü € \"quoted\" 'single' \\ \t tab")
    expected = "wait äöü € \"quoted\" 'single' \\ \t tab"
    assert report.command_line.encode("latin-1").decode() == expected


def test_virtio_mmio_devices_of_microvm(tmp_path):
    """QEMU appends the transports in use at reset; the firmware reads what it says then."""
    report = boot(tmp_path, "microvm,acpi=off", ["-device", "virtio-rng-device"])
    assert report.command_line.startswith("wait ")
    assert "virtio_mmio.device=512@0xfeb0" in report.command_line


def test_pointer_and_size_fields(tmp_path):
    """The kernel finds the line below 4 GiB and its own limit unchanged."""
    report = boot(tmp_path, "pc")
    page = ZeroPage(report)
    assert page.cmd_line_ptr == report.one("command_line").address
