# SPDX-License-Identifier: MIT
"""Compares what repeats exactly: one more is a fact, and worse (but for RAM left)."""

from .finding import Finding, Kind

COUNTS = {"instructions": "guest instructions", "msr_writes": "MSR writes", "cpuid": "CPUIDs",
          "pages_touched": "pages touched"}


def change(subject: str, what: str, was: int, is_now: int, more_is_better=False) -> list[Finding]:
    """A finding, if a figure has changed."""
    if was == is_now:
        return []
    kind = Kind.BETTER if (is_now > was) == more_is_better else Kind.WORSE
    return [Finding(kind, subject, f"{what} {was:,} -> {is_now:,}")]


def vanished(subject: str, what: str) -> Finding:
    """What is not measured any more may have grown."""
    return Finding(Kind.WORSE, subject, f"{what}: not measured any more")


def compare_accesses(subject: str, base: dict, new: dict) -> list[Finding]:
    """The sum, then each device on its own."""
    findings = change(subject, "device accesses", base["total"], new["total"])
    devices = sorted(base["by_device"].keys() | new["by_device"].keys())
    for device in devices:
        findings += change(subject, f"accesses to {device}", base["by_device"].get(device, 0),
                           new["by_device"].get(device, 0))
    return findings


def compare_counts(subject: str, base: dict, new: dict) -> list[Finding]:
    """Everything that repeats exactly."""
    findings = []
    if "accesses" in base and "accesses" in new:
        findings += compare_accesses(subject, base["accesses"], new["accesses"])
    elif "accesses" in base:
        findings.append(vanished(subject, "device accesses"))
    for field, what in {**COUNTS, "ram_left": "bytes of RAM left"}.items():
        if field in base and field in new:
            findings += change(subject, what, base[field], new[field], field == "ram_left")
        elif field in base:
            findings.append(vanished(subject, what))
    return findings
