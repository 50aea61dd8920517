# SPDX-License-Identifier: MIT
"""Boots the distribution's Xen hypervisor by multiboot, its generic kernel as dom0 with guest.sh.

Unless told `no-real-mode`, Xen goes to real mode first and asks the BIOS for memory, disks and
video.
"""

import re
import subprocess

from harness.multiboot import module_option

from . import boot as boots
from . import complaints

COMMAND_LINE = "console=com1 com1=115200,8n1 loglvl=all dom0_mem=256M"
DOM0_COMMAND_LINE = "console=hvc0 panic=-1"
SAID = re.compile(r"^\(XEN\) (.*)$", re.MULTILINE)
USABLE = re.compile(r"^ \[([0-9a-f]{16}), ([0-9a-f]{16})\] \(usable\)$")


def image():
    """The hypervisor, unpacked."""
    script = boots.SETUP / "fetch_xen.sh"
    said = subprocess.run([script, boots.BUILD / "xen"], stdout=subprocess.PIPE, check=True)
    return said.stdout.decode().strip()


def run(boot, folder, firmware=None):
    """Boots and returns the Report of dom0's init; the boot's `append` is for Xen."""
    kernel = boots.kernel_file(boot), DOM0_COMMAND_LINE
    initrd = boots.make_initrd(boot, folder), ""
    arguments = ["-no-reboot", "-kernel", image(), "-append"]
    arguments.append(f"{COMMAND_LINE} {boot.append}".strip())
    arguments += [*module_option(kernel, initrd), *boots.hardware_arguments(boot, folder)]
    return boots.run_with(boot, arguments, firmware)


def said(report):
    """What Xen itself said, line by line."""
    return SAID.findall(report.serial)


def number(report, pattern):
    """The number in the one line of Xen's that matches."""
    found = [match for match in (re.fullmatch(pattern, line) for line in said(report)) if match]
    assert len(found) == 1, f"{len(found)} lines {pattern!r} in:\n" + "\n".join(said(report))
    return int(found[0][1])


def usable_ranges(report):
    """The RAM in the map that Xen was given, as (first, end)."""
    lines = (USABLE.match(line) for line in said(report))
    return [(int(line[1], 16), int(line[2], 16) + 1) for line in lines if line]


def acpi_tables(report):
    """The signatures of the ACPI tables that Xen found."""
    pattern = re.compile(r"ACPI: ([A-Z]{4}) [0-9A-F]{8,}, ")
    return sorted(match[1] for match in map(pattern.match, said(report)) if match)


def blame(report):
    """What Xen holds against the machine, normalised."""
    found = (line for line in said(report)
             if complaints.BLAME.search(line) and not complaints.BY_CHANCE.search(line))
    return {complaints.normalised(line) for line in found}
