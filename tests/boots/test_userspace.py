# SPDX-License-Identifier: MIT
"""A booted Debian userspace shows the firmware's time: `systemd-analyze`, and where the kernel
reads the FPDT by itself, /sys/firmware/acpi/fpdt.

systemd takes the FPDT from /sys/firmware/acpi/tables and the record it points to from /dev/mem, and
counts the time up to the start of the loader's image as the firmware's, and from there to the
hand-over as the loader's: the reading of kernel and initrd.
"""

import re

import pytest

from harness import fpdt

from . import stalls, userspace

TIMELINE = ("-fw_cfg", "name=opt/org.mayfly/trace,string=timeline")
STARTUP = re.compile(r"^Startup finished in (.*) = .*$", re.MULTILINE)
PART = re.compile(r"(?P<time>[^+()]+) \((?P<name>\w+)\)")
SPAN = re.compile(r"(?P<count>[\d.]+)(?P<unit>us|ms|s|min)")
MICROSECONDS = {"us": 1, "ms": 1_000, "s": 1_000_000, "min": 60_000_000}
ANALYZE_ROUNDS_TO = 1_000
RAM_LINE = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) : System RAM$", re.MULTILINE)
PAGE = 4096
# By the names of the kernel's files, Documentation/ABI/testing/sysfs-firmware-acpi.
SYSFS = {
    "firmware_start_ns": "reset_end",
    "bootloader_load_ns": "load_image_start",
    "bootloader_launch_ns": "start_image_start",
    "exitbootservice_start_ns": "exit_boot_services_entry",
    "exitbootservice_end_ns": "exit_boot_services_exit",
}


def microseconds(text):
    """A time as systemd prints it: `1min 2.345s`, `12ms`."""
    spans = [SPAN.fullmatch(word) for word in text.split()]
    assert spans and all(spans), text
    return sum(float(s["count"]) * MICROSECONDS[s["unit"]] for s in spans)


def startup(report):
    """The parts of the boot that systemd-analyze shows, in microseconds by name."""
    line = STARTUP.search(report.text("analyze"))
    assert line, report.text("analyze") + report.text("analyze_errors")
    return {m["name"]: microseconds(m["time"].strip()) for m in PART.finditer(line[1])}


def manager(report, name):
    """A number among the properties of systemd itself."""
    values = [line.split("=")[1] for line in report.lines("manager") if line.startswith(f"{name}=")]
    assert len(values) == 1, f"{name}: {values}"
    return int(values[0])


def performance(report):
    """The FPDT as the guest read it."""
    block = report.data("fbpt")
    address = fpdt.boot_pointer(report.data("fpdt"))

    def memory(begin, size):
        assert address <= begin and begin + size <= address + len(block)
        return block[begin - address : begin - address + size]

    return fpdt.read(report.data("fpdt"), memory)


def check_place(report, found):
    """No page of the record has RAM for Linux: /dev/mem shows such a page as zeros."""
    first, end = found.address // PAGE * PAGE, -(-found.end // PAGE) * PAGE
    for ram in RAM_LINE.finditer(report.text("iomem")):
        ram_first, ram_last = int(ram[1], 16), int(ram[2], 16)
        assert ram_last < first or end <= ram_first, f"RAM {ram[0]} shares {first:#x}-{end:#x}"


def check_sysfs(report, boot):
    """A kernel that reads the FPDT shows the same times."""
    if int(report.text("kernel_reads_fpdt")) == 0:
        assert not report.data("fpdt_boot")
        return
    shown = dict(line.split() for line in report.lines("fpdt_boot"))
    assert {name: int(ns) for name, ns in shown.items()} == {
        name: getattr(boot, field) for name, field in SYSFS.items()
    }


def check_kernel_log(report):
    """Linux names the table and has nothing to say against it."""
    lines = [line for line in report.lines("dmesg") if "FPDT" in line or "FBPT" in line]
    assert lines and all(
        re.search(r"ACPI: FPDT 0x[0-9A-F]+ 000034 \(v01 |ACPI: Reserving FPDT table memory", line)
        for line in lines
    ), lines


def check_system(report):
    """The distribution's userspace, up to the end of its boot, without a unit that failed."""
    given = (userspace.packages() / "usr/lib/os-release").read_text()
    assert report.text("os-release") == given
    assert report.text("failed") == "", report.text("failed") + report.text("journal")


@pytest.mark.parametrize(
    "machine, pvh", [("pc", True), ("q35", False), ("microvm", True)],
    ids=["pc_pvh", "q35_bzimage", "microvm_pvh"],
)  # fmt: skip
def test_systemd_shows_the_time_of_the_firmware(tmp_path, record_property, machine, pvh):
    """To the microsecond what the firmware printed, and no more than the whole run took."""
    boot = userspace.boot(machine, tmp_path, pvh=pvh, arguments=TIMELINE)
    report, _ = stalls.run(boot, tmp_path)
    check_system(report)
    found = performance(report)
    fpdt.printed(report.debug).agrees_with(found.timeline)
    check_place(report, found)
    check_kernel_log(report)
    check_sysfs(report, found.boot)

    hand_over = found.boot.exit_boot_services_exit // 1000
    loading = found.boot.start_image_start // 1000
    assert 0 < loading < hand_over < report.seconds * 1_000_000
    assert manager(report, "FirmwareTimestampMonotonic") == hand_over
    assert manager(report, "LoaderTimestampMonotonic") == hand_over - loading
    shown = startup(report)
    assert list(shown) == ["firmware", "loader", "kernel", "userspace"], report.text("analyze")
    assert abs(shown["firmware"] - loading) <= ANALYZE_ROUNDS_TO
    assert abs(shown["loader"] - (hand_over - loading)) <= ANALYZE_ROUNDS_TO
    record_property("figures", f"{machine}, {report.seconds:.0f} s: {report.lines('analyze')[0]}")


def test_systemd_shows_none_where_it_was_not_asked_for(tmp_path):
    """Under TCG the frequency of the TSC is known only if it was measured: no FPDT, no time."""
    report, _ = stalls.run(userspace.boot("pc", tmp_path, pvh=True), tmp_path)
    check_system(report)
    assert "FACP" in report.lines("acpi_tables") and "FPDT" not in report.lines("acpi_tables")
    assert fpdt.said(report.debug) == []
    assert list(startup(report)) == ["kernel", "userspace"], report.text("analyze")
    assert manager(report, "FirmwareTimestampMonotonic") == 0
    assert manager(report, "LoaderTimestampMonotonic") == 0
