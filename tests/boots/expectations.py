# SPDX-License-Identifier: MIT
"""What has to be true of every boot's report. Each check lists, as sentences, what is not."""

import hashlib
import re

from . import boot as boots
from . import complaints, smbios

MIB = 1 << 20
KIB = 1 << 10
# Memory that no guest gets: the 384 KiB between 640 KiB and 1 MiB, and what the tables need, but
# not the 128 KiB to which QEMU pads them.
LOST_AT_MOST = 384 * KIB + 64 * KIB
FIRMWARE_VENDOR = "Mayfly"
SETUP_DTB = 2
IOMEM_LINE = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) : (.*)$")
MTRR_LINE = re.compile(r"base=(0x[0-9a-f]+) .*size= *(\d+)([KMG])B,.*: (.*)$")
UNITS = {"K": KIB, "M": MIB, "G": MIB * KIB}
# Not tables: the folders in which Linux keeps other things.
NOT_TABLES = {"data", "dynamic"}


def has_acpi(boot):
    """Whether Linux is to use ACPI: neither the machine nor the command line has it off."""
    return "acpi=off" not in boot.machine and "acpi=off" not in boot.append


def kernel(boot, report):
    """The kernel that was meant, with the command line that was given."""
    release = (boots.kernel_folder(boot.kernel) / "release").read_text().strip()
    found = []
    if report.text("uname").strip() != f"Linux {release}":
        found.append(f"kernel: {report.text('uname')!r}, expected {release}")
    given = boots.command_line(boot)
    # QEMU itself adds words on a microvm without ACPI.
    if not report.text("cmdline").strip().startswith(given):
        found.append(f"command line: {report.text('cmdline')!r}, expected {given!r}")
    if report.text("refused_modules"):
        found.append(f"modules: {report.lines('refused_modules')} do not load")
    return found


def cpus(boot, report):
    """All CPUs, by the number of processors that Linux brought up."""
    count = len(re.findall(r"^processor\s*:", report.text("cpuinfo"), re.MULTILINE))
    expected = 1 if boot.flavour == "cloud" and not has_acpi(boot) else boot.cpu_count
    return [] if count == expected else [f"CPUs: {count}, expected {expected}"]


def system_ram(report):
    """The ranges of RAM that Linux uses, as (first, end)."""
    lines = (IOMEM_LINE.match(line) for line in report.lines("iomem"))
    return [
        (int(line.group(1), 16), int(line.group(2), 16) + 1)
        for line in lines
        if line and line.group(3) == "System RAM"
    ]


def memory(boot, report):
    """All RAM of -m, less a little; never more."""
    usable = sum(end - first for first, end in system_ram(report))
    lost = boot.memory_mib * MIB - usable
    if 0 <= lost <= LOST_AT_MOST:
        return []
    return [f"RAM: {lost} bytes of {boot.memory_mib} MiB lost, allowed {LOST_AT_MOST}"]


def nodes(boot, report):
    """All NUMA nodes, by the numbers of those that are online."""
    expected = f"0-{boot.node_count - 1}" if boot.node_count > 1 else "0"
    # The 32-bit kernel knows no nodes.
    online = report.text("nodes").strip() or "0"
    return [] if online == expected else [f"NUMA nodes: {online}, expected {expected}"]


def uncached_ranges(report):
    """The ranges that the MTRRs make uncachable, as (first, end)."""
    for line in report.lines("mtrr"):
        match = MTRR_LINE.search(line)
        if match and match.group(4) == "uncachable":
            first = int(match.group(1), 16)
            yield first, first + int(match.group(2)) * UNITS[match.group(3)]


def caching(boot, report):
    """MTRRs that are on, leave PAT on, cover the device hole, and leave all RAM cachable."""
    del boot
    found = []
    if not re.search(r"x86/PAT: Configuration \[0-7\]: WB", report.text("dmesg")):
        found.append("PAT: Linux did not turn it on")
    uncached = list(uncached_ranges(report))
    if not uncached:
        found.append(f"MTRRs: no range is uncachable: {report.text('mtrr')!r}")
    for first, end in uncached:
        for ram_first, ram_end in system_ram(report):
            if first < ram_end and ram_first < end:
                found.append(f"MTRRs: RAM {ram_first:#x}-{ram_end:#x} is uncachable")
    return found


def acpi(boot, report):
    """Every ACPI table that SeaBIOS passes on too, and none where ACPI is off."""
    tables = set(report.lines("acpi_tables")) - NOT_TABLES
    if not has_acpi(boot):
        return [f"ACPI: tables without ACPI: {sorted(tables)}"] if tables else []
    expected = set(complaints.seabios_finding(boot)["acpi_tables"]) - NOT_TABLES
    missing = sorted(expected - tables)
    return [f"ACPI: no table {', '.join(missing)}"] if missing or not expected else []


def identity(boot, report, folder):
    """The firmware's name and the user's text, as dmidecode reads the guest's SMBIOS tables."""
    if boot.machine_type == "microvm":
        return []
    if not report.data("smbios_entry_point"):
        return ["SMBIOS: Linux found no tables"]
    said = smbios.decode(report.data("smbios_entry_point"), report.data("smbios_tables"), folder)
    found = []
    if f"Vendor: {FIRMWARE_VENDOR}" not in said:
        found.append(f"SMBIOS: the firmware is not named {FIRMWARE_VENDOR}:\n{said}")
    if boot.smbios_value and f"String 1: {boot.smbios_value}" not in said:
        found.append(f"SMBIOS: no string {boot.smbios_value!r}:\n{said}")
    return found


def device_tree(boot, report, folder):
    """The device tree of -dtb, byte by byte, and none without it."""
    nodes = [line.split()[:2] for line in report.lines("setup_data")]
    passed = [checksum for kind, checksum in nodes if int(kind, 0) == SETUP_DTB]
    if not boot.device_tree:
        return [f"setup_data: a device tree that nobody gave: {nodes}"] if passed else []
    expected = hashlib.sha256((folder / "given.dtb").read_bytes()).hexdigest()
    return [] if passed == [expected] else [f"setup_data: {nodes}, expected {expected}"]


def _interrupts(report, name):
    """For a device's lines in /proc/interrupts: (how often, what controller)."""
    for line in report.lines("interrupts"):
        number, _, rest = line.partition(":")
        if number.strip().isdigit() and re.search(rf"\s{name}\b", rest):
            counts = [int(word) for word in rest.split() if word.isdigit()]
            yield sum(counts), rest


def timer(boot, report):
    """Timer interrupts that arrived through the IO-APIC, where Linux knows it and uses the timer."""
    hardware_reduced = boot.machine_type == "microvm" and has_acpi(boot)
    # Debian's cloud kernel reads no MP table.
    unknown = boot.flavour == "cloud" and not has_acpi(boot)
    if hardware_reduced or unknown:
        return []
    lines = list(_interrupts(report, "timer"))
    if any(count > 0 and "IO-APIC" in rest for count, rest in lines):
        return []
    return ["timer: no interrupt by the IO-APIC:\n" + report.text("interrupts")]


def interrupts(boot, report):
    """Interrupts that arrived for each device, through the controller that is meant."""
    found = []
    for device in boot.devices:
        lines = list(_interrupts(report, device.interrupt))
        if not any(count > 0 and re.search(boot.controller, rest) for count, rest in lines):
            found.append(
                f"interrupts: none for {device.interrupt} by {boot.controller or 'any'}:\n"
                + report.text("interrupts")
            )
    return found


def complaint_free(boot, report):
    """No blame for the firmware that SeaBIOS does not get on the same machine, and no bug."""
    found = [f"Linux complains: {line}" for line in complaints.of_our_own(boot, report)]
    bugs = [line for line in report.lines("dmesg") if "[Firmware Bug]" in line]
    return found + [f"Linux names a firmware bug: {line}" for line in bugs]


def problems(boot, report, folder):
    """Everything that is not as it has to be."""
    found = []
    checks = (kernel, cpus, memory, nodes, caching, acpi, timer, interrupts, complaint_free)
    for check in checks:
        found += check(boot, report)
    for check in (identity, device_tree):
        found += check(boot, report, folder)
    for device in boot.devices:
        found += device.problems(folder, report)
    return found
