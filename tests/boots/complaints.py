# SPDX-License-Identifier: MIT
"""What a kernel log holds against the machine, and what of it SeaBIOS's machine gets as well.

A complaint is a message of level warning or worse, or one whose words blame the firmware or one of
its tables. A complaint that the same machine with SeaBIOS does not draw is the firmware's fault.
"""

import dataclasses
import hashlib
import json
import re
import subprocess
import tempfile
from pathlib import Path

from harness import paths

from . import boot as boots
from . import stalls

WARNING = 4
RAW_LINE = re.compile(r"<(\d+)>\[ *\d+\.\d+\] ?(.*)")
# Blame at any level, in the words of Linux 4.19 to 7.2.
BLAME = re.compile(
    r"\[Firmware (Bug|Warn|Info)\]"
    r"|ACPI.*(BIOS|\bbug\b|error|warning|fail|invalid|corrupt|broken|not found|unable|bad)"
    r"|MTRR.*(disabled|fail|invalid|not|bad|overlap|mismatch|strange|wrong)"
    r"|PAT.*(disabled|skipping|not supported)"
    r"|\b(BIOS|firmware|DMI|SMBIOS)\b.*(bug|broken|error|invalid|not present|fail|missing|update)"
    r"|MP ?TABLE.*(fail|invalid|error|bad)|(bad|buggy|no).*MP ?table|SMP mptable"
    r"|PCI.*(not reserved|can't|no compatible|conflict|bogus)"
    r"|IO-?APIC.*(bug|fail|invalid|error|mismatch)|APIC.*(mismatch|bogus|delivery error)"
    r"|irq \d+: nobody cared|no space for|failed to assign|can't claim",
    re.IGNORECASE,
)
# Nothing fails for the reason that a host was slow, or that two runs are never the same.
BY_CHANCE = re.compile(
    r"clocksource|hrtimer|^tsc:|TSC|workqueue|rcu|random:|sched_clock|perf:|audit|soft lockup"
    r"|Timeout|NOHZ|watchdog|APIC timer disabled due to verification failure"
    r"|Could not switch to high resolution mode|lapic is not functional"
    r"|APIC calibration not consistent|Lost \d+ RTC interrupts"
    # An advice of several lines after the trace clock found the TSC unstable.
    r"|Unstable clock|keep using the local clock|trace_clock=|^on the kernel command line"
    # The numbers of the CPUs that come up, printed one by one.
    r"|^\s*#\d+( +#\d+)*\s*$"
    # What follows the first line of a warning with a stack trace; that line counts.
    r"|^\s*$|^Hardware name: |^Code: |^RIP: ",
)
NUMBER = re.compile(r"0x[0-9a-f]+|\b[0-9a-f]{8,}\b|\d+", re.IGNORECASE)


def normalised(line):
    """A message without what differs between equal machines: addresses, sizes, numbers."""
    return NUMBER.sub("N", line).strip()


def complaints(report):
    """The complaints in a report's kernel log, in order, as they stand there."""
    found = []
    for line in report.lines("dmesg"):
        match = RAW_LINE.match(line)
        if match is None:
            continue
        level, text = int(match.group(1)) & 7, match.group(2)
        if (level <= WARNING or BLAME.search(text)) and not BY_CHANCE.search(text):
            found.append(text)
    return found


# QEMU has no SMBIOS tables for a microvm, so there are none for Linux to find. (SeaBIOS shows it
# tables with SeaBIOS's own name and nothing else.) The second is how newer kernels say it.
ABSENT_BY_DESIGN = {"microvm": {"DMI not present or invalid.", "DMI: not present or invalid."}}


def _reference_boot(boot):
    """The boot to compare with: the same, but quicker, and with all CPUs where there is no ACPI.

    Booting by PVH saves the kernel's slow unpacking of itself, but on a microvm the initrd then
    lands on top of SeaBIOS's tables. SeaBIOS's MP table lists one CPU of each socket only, and a
    machine of which Linux does not know all CPUs is no measure, so without ACPI each CPU has a
    socket.
    """
    boot = dataclasses.replace(boot, pvh=boot.machine_type != "microvm")
    if "acpi=off" in boot.machine or "acpi=off" in boot.append:
        return dataclasses.replace(boot, cpus=f"{boot.cpu_count},sockets={boot.cpu_count}")
    return boot


def _reference_firmware(boot):
    return paths.seabios(boot.machine_type)


def _file_digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _identity(boot):
    """A name for all that SeaBIOS's complaints depend on."""
    program = boots.qemu_program(boot)
    version = subprocess.run([program, "--version"], stdout=subprocess.PIPE, check=True)
    parts = [
        repr(boot),
        version.stdout.decode(),
        _file_digest(boots.kernel_file(boot)),
        _file_digest(_reference_firmware(boot)),
        # What decides on the command lines, on the guest's doing, and on what counts.
        *(_file_digest(boots.BOOTS / name) for name in ("guest.sh", "boot.py", "complaints.py")),
        _file_digest(boots.BOOTS / "devices.py"),
        _file_digest(boots.accelerator.__file__),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def seabios_finding(boot):
    """What the same boot with SeaBIOS draws and shows; booted once and kept below build/.

    A dictionary: `complaints`, normalised, and the names of the `acpi_tables`.
    """
    boot = _reference_boot(boot)
    answer = boots.BUILD / "boots-seabios" / f"{_identity(boot)}.json"
    if not answer.exists():
        with tempfile.TemporaryDirectory(prefix="mayfly-seabios-") as folder:
            report = stalls.run_reference(boot, Path(folder), _reference_firmware(boot))
        finding = {
            "complaints": sorted({normalised(line) for line in complaints(report)}),
            "acpi_tables": report.lines("acpi_tables"),
        }
        boots.initramfs.write_whole(answer, json.dumps(finding, indent=1).encode())
    return json.loads(answer.read_text())


def of_our_own(boot, report):
    """The complaints that SeaBIOS's machine does not draw."""
    known = set(seabios_finding(boot)["complaints"])
    known |= {normalised(line) for line in ABSENT_BY_DESIGN.get(boot.machine_type, ())}
    return [line for line in complaints(report) if normalised(line) not in known]
