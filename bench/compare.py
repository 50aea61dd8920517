# SPDX-License-Identifier: MIT
"""A verdict for CI from two result files: is Mayfly worse than it was?

    python3 -m bench.compare [--markdown] BASE [NEW]

Exit status 0: not worse. 1: worse. 2: the two cannot be compared.

Exact counts may not grow and RAM left may not shrink: each repeats exactly, so one more is a fact.
Times are from two days, and only what was compared with qboot in the same run can be compared
between them: Mayfly's time as a share of qboot's. It is worse when the share has grown by more than
5 %, a difference that runs of the same image on one host may have, and more than the rounds of
both runs leave to chance. All rows together are given a chance of 5 % to be called slower or
faster by mistake, not each of them (Bonferroni). On another CPU or with another qboot the shares
mean something else, and are only told. What peers do is told and never fails.
"""

import argparse
import fnmatch
import math
import sys
from dataclasses import dataclass
from enum import Enum

from . import results, statistics, wording
from .table import DEFAULT, names

TOLERANCE = 0.05
RESAMPLES = 10_000  # the tails are small
NOT_WORSE, WORSE, NOT_COMPARABLE = 0, 1, 2

COUNTS = {"instructions": "guest instructions", "msr_writes": "MSR writes", "cpuid": "CPUIDs",
          "pages_touched": "pages touched"}


class Kind(Enum):
    """What a finding means for the verdict; only the first fails."""

    WORSE = "worse"
    BETTER = "better"
    TOLD = "note"


@dataclass(frozen=True)
class Finding:
    """One line of the verdict."""

    kind: Kind
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind.value}: {self.subject}: {self.text}"


def reasons_not_to_compare(base: dict, new: dict) -> list[str]:
    """Why the counts of two runs are about different things."""
    reasons = []
    if base["versions"]["qemu"] != new["versions"]["qemu"]:
        reasons.append(f"QEMU was {base['versions']['qemu']}, is {new['versions']['qemu']}: "
                       "versions differ in what a firmware has to do")
    if base["host"]["accelerator"] != new["host"]["accelerator"]:
        reasons.append(f"the accelerator was {base['host']['accelerator']}, is "
                       f"{new['host']['accelerator']}")
    return reasons


def reasons_to_only_tell_times(base: dict, new: dict) -> list[str]:
    """Why a share of qboot's time means something else than it did."""
    def hashes(data):
        return {one["id"]: one["sha256"] for one in data["firmwares"]}.get(results.REFERENCE)
    reasons = []
    if base["host"]["cpu"] != new["host"]["cpu"]:
        reasons.append(f"the CPU was {base['host']['cpu']}, is {new['host']['cpu']}")
    if base["host"]["cores"] != new["host"]["cores"]:
        reasons.append(f"CPUs were {base['host']['cores']}, are {new['host']['cores']}")
    if hashes(base) != hashes(new):
        reasons.append("qboot is another image")
    return reasons


# --- Exact figures.

def _change(subject: str, what: str, was: int, is_now: int, more_is_better=False) -> list[Finding]:
    if was == is_now:
        return []
    kind = Kind.BETTER if (is_now > was) == more_is_better else Kind.WORSE
    return [Finding(kind, subject, f"{what} {was:,} -> {is_now:,}")]


def _vanished(subject: str, what: str) -> Finding:
    return Finding(Kind.WORSE, subject, f"{what}: not measured any more")


def compare_accesses(subject: str, base: dict, new: dict) -> list[Finding]:
    """The sum, then each device on its own."""
    findings = _change(subject, "device accesses", base["total"], new["total"])
    devices = sorted(base["by_device"].keys() | new["by_device"].keys())
    for device in devices:
        findings += _change(subject, f"accesses to {device}", base["by_device"].get(device, 0),
                            new["by_device"].get(device, 0))
    return findings


def compare_counts(subject: str, base: dict, new: dict) -> list[Finding]:
    """Everything that repeats exactly."""
    findings = []
    if "accesses" in base and "accesses" in new:
        findings += compare_accesses(subject, base["accesses"], new["accesses"])
    elif "accesses" in base:
        findings.append(_vanished(subject, "device accesses"))
    for field, what in {**COUNTS, "ram_left": "bytes of RAM left"}.items():
        if field in base and field in new:
            findings += _change(subject, what, base[field], new[field], field == "ram_left")
        elif field in base:
            findings.append(_vanished(subject, what))
    return findings


# --- Times.

@dataclass(frozen=True)
class Timed:
    """The samples of one case in one run."""

    ours: list
    qboot: list
    floor: list


def timed(data: dict, case: str, firmware: str) -> Timed | None:
    """The samples, if all three parts were measured in enough rounds."""
    rows = [results.find_row(data, case, one) for one in (firmware, results.REFERENCE)]
    if any(row is None or "time" not in row for row in rows):
        return None
    columns = [*(row["time"]["samples_ms"] for row in rows),
               results.find_floor(data, case)["samples_ms"]]
    rounds = min(map(len, columns))
    if rounds < statistics.MIN_ROUNDS:
        return None
    return Timed(*(column[:rounds] for column in columns))


def _shares(samples: Timed, seed: int, confidence: float) -> list[float] | None:
    """Resampled shares of qboot's time; None where that is not clear of the floor."""
    times = statistics.resampled_times((samples.ours, samples.qboot), samples.floor, RESAMPLES,
                                       seed)
    if not statistics.is_clear_of_floor([qboot for _, qboot in times], confidence):
        return None
    return [statistics.ratio_of(ours, qboot) for ours, qboot in times]


def _growth(was: float, is_now: float, tolerated: float) -> float:
    """How far a share has grown beyond what is tolerated; defined for shares of 0 and less too."""
    if math.isinf(was) and math.isinf(is_now):
        return 0.0
    return is_now - (1 + tolerated) * was


def _share(samples: Timed) -> float:
    """As measured."""
    ours, qboot, floor = map(statistics.median, (samples.ours, samples.qboot, samples.floor))
    return statistics.ratio_of(ours - floor, qboot - floor)


def time_verdict(base: Timed, new: Timed, tolerance: float, confidence: float) -> str | None:
    """faster, slower or no difference seen; None where qboot's time is not clear of the floor."""
    if (_growth(_share(base), _share(new), tolerance) <= 0
            and _growth(_share(new), _share(base), tolerance) <= 0):
        return statistics.NO_DIFFERENCE  # what was measured itself lies in every interval
    was = _shares(base, statistics.SEED, confidence)
    is_now = _shares(new, statistics.SEED + 1, confidence)
    if was is None or is_now is None:
        return None
    grown = [_growth(a, b, tolerance) for a, b in zip(was, is_now)]
    shrunk = [_growth(b, a, tolerance) for a, b in zip(was, is_now)]
    if statistics.interval(grown, confidence)[0] > 0:
        return statistics.SLOWER
    if statistics.interval(shrunk, confidence)[0] > 0:
        return statistics.FASTER
    return statistics.NO_DIFFERENCE


def _told_share(samples: Timed) -> str:
    told = statistics.compare(samples.ours, samples.qboot, samples.floor)
    if "low" not in told:
        return told["verdict"]
    return wording.interval(told["ratio"], told["low"], told["high"])


def compare_times(base: dict, new: dict, rows: list[tuple], tolerance: float) -> list[Finding]:
    """Mayfly's shares of qboot's time, of rows that are ok in both runs."""
    pairs = [(case, firmware, timed(base, case, firmware), timed(new, case, firmware))
             for case, firmware in rows]
    pairs = [pair for pair in pairs if pair[2] and pair[3]]
    reasons = reasons_to_only_tell_times(base, new)
    findings = [Finding(Kind.TOLD, "times", f"told, not judged: {reason}") for reason in reasons]
    for case, firmware, was, is_now in pairs:
        confidence = 1 - (1 - statistics.CONFIDENCE) / len(pairs)
        verdict = time_verdict(was, is_now, tolerance, confidence)
        if verdict in (None, statistics.NO_DIFFERENCE):
            continue
        kind = Kind.WORSE if verdict == statistics.SLOWER else Kind.BETTER
        findings.append(Finding(Kind.TOLD if reasons else kind, f"{case}, {names(new)[firmware]}",
                                f"{verdict}: time / qboot's {_told_share(was)} -> "
                                f"{_told_share(is_now)}"))
    lost = [f"{case}, {names(new)[firmware]}" for case, firmware in rows
            if timed(base, case, firmware) and not timed(new, case, firmware)]
    return findings + [Finding(Kind.TOLD, one, "time is not measured any more") for one in lost]


# --- Rows.

def was_chosen(data: dict, case: str) -> bool:
    """False for a case that the person who ran it left out."""
    return any(fnmatch.fnmatchcase(case, pattern) for pattern in data.get("selection", ["*"]))


def compare_cases(base: dict, new: dict) -> list[Finding]:
    """What there is to compare at all."""
    before = [case["id"] for case in base["cases"]]
    after = [case["id"] for case in new["cases"]]
    gone = [case for case in before if case not in after]
    findings = [Finding(Kind.WORSE, case, "the case has vanished")
                for case in gone if was_chosen(new, case)]
    left_out = [case for case in gone if not was_chosen(new, case)]
    added = [case for case in after if case not in before]
    if left_out:
        findings.append(Finding(Kind.TOLD, "cases", f"left out by choice: {', '.join(left_out)}"))
    if added:
        findings.append(Finding(Kind.TOLD, "cases", f"new, with nothing to compare: "
                                                    f"{', '.join(added)}"))
    return findings


def compare_status(subject: str, base: dict, new: dict) -> list[Finding]:
    """A row that was ok has to stay ok."""
    if base["status"] == new["status"]:
        return []
    kind = {"ok": Kind.BETTER}.get(new["status"],
                                   Kind.WORSE if base["status"] == "ok" else Kind.TOLD)
    reason = f" ({new['reason']})" if "reason" in new else ""
    return [Finding(kind, subject, f"{base['status']} -> {new['status']}{reason}")]


def _row_pairs(base: dict, new: dict, ours: bool) -> list[tuple]:
    """Rows of cases that are in both, as (case, row before, row now or None)."""
    after = {case["id"]: case for case in new["cases"]}
    return [(after[row["case"]], row, results.find_row(new, row["case"], row["firmware"]))
            for row in base["results"]
            if (row["firmware"] in results.OURS) == ours and row["case"] in after]


def compare_ours(base: dict, new: dict, tolerance: float) -> list[Finding]:
    """All that may fail."""
    findings, in_both = [], []
    other_kernel = base["versions"].get("kernel") != new["versions"].get("kernel")
    for case, was, is_now in _row_pairs(base, new, ours=True):
        subject = f"{case['id']}, {names(base)[was['firmware']]}"
        if is_now is None:
            if was["status"] == "ok":
                findings.append(_vanished(subject, "the row"))
            continue
        findings += compare_status(subject, was, is_now)
        if was["status"] == is_now["status"] == "ok":
            changes = compare_counts(subject, was, is_now)
            if other_kernel and case["factor"] == "kernel":
                changes = [Finding(Kind.TOLD, one.subject, f"{one.text} (another kernel)")
                           for one in changes]
            else:
                in_both.append((case["id"], was["firmware"]))
            findings += changes
    return findings + compare_times(base, new, in_both, tolerance)


def compare_peers(base: dict, new: dict) -> list[Finding]:
    """What others do, told only."""
    findings = []
    for case, was, is_now in _row_pairs(base, new, ours=False):
        if is_now is None:
            continue
        subject = f"{case['id']}, {names(base)[was['firmware']]}"
        changes = compare_status(subject, was, is_now) or compare_counts(subject, was, is_now)
        findings += [Finding(Kind.TOLD, one.subject, one.text) for one in changes]
    gone = [name for one, name in names(base).items()
            if one not in names(new) and one not in results.OURS]
    return findings + [Finding(Kind.TOLD, name, "not measured any more") for name in gone]


def compare(base: dict, new: dict, tolerance: float = TOLERANCE) -> list[Finding]:
    """All findings, what is worse first."""
    findings = [*compare_cases(base, new), *compare_ours(base, new, tolerance),
                *compare_peers(base, new)]
    compilers = [data["versions"].get("compiler") for data in (base, new)]
    if compilers[0] != compilers[1]:
        findings.append(Finding(Kind.TOLD, "compiler", f"{compilers[0]} -> {compilers[1]}: guest "
                                                       "instructions may differ by it alone"))
    order = list(Kind)
    return sorted(findings, key=lambda finding: order.index(finding.kind))


# --- The verdict.

def exit_status(findings: list[Finding]) -> int:
    """For CI."""
    return WORSE if any(one.kind is Kind.WORSE for one in findings) else NOT_WORSE


def conclusion(findings: list[Finding]) -> str:
    """In a line."""
    numbers = {kind: sum(one.kind is kind for one in findings) for kind in Kind}
    verdict = "Mayfly is worse" if numbers[Kind.WORSE] else "Mayfly is not worse"
    return (f"{verdict}: {numbers[Kind.WORSE]} worse, {numbers[Kind.BETTER]} better, "
            f"{numbers[Kind.TOLD]} notes")


def report(title: str, verdict: str, lines: list[str], markdown: bool) -> str:
    """One line a finding, the verdict where it is seen first."""
    if markdown:
        return "\n".join([f"### {verdict}", "", title, "", *(f"- {line}" for line in lines)])
    return "\n".join([title, *lines, verdict])


def main() -> int:
    """Compares two files."""
    parser = argparse.ArgumentParser(prog="bench.compare", description="is Mayfly worse?")
    parser.add_argument("--markdown", action="store_true", help="for the summary of a CI job")
    parser.add_argument("--tolerance", type=float, default=100 * TOLERANCE, metavar="PERCENT",
                        help="growth of a time that never fails (%(default)s)")
    parser.add_argument("base")
    parser.add_argument("new", nargs="?", default=DEFAULT)
    choice = parser.parse_args()
    try:
        base, new = results.load(choice.base), results.load(choice.new)
    except results.Invalid as error:
        print(error, file=sys.stderr)
        return NOT_COMPARABLE
    title = (f"{base['versions']['mayfly']} of {wording.date(base)} -> "
             f"{new['versions']['mayfly']} of {wording.date(new)}")
    obstacles = reasons_not_to_compare(base, new)
    if obstacles:
        print(report(title, "The runs cannot be compared", obstacles, choice.markdown))
        return NOT_COMPARABLE
    findings = compare(base, new, choice.tolerance / 100)
    print(report(title, conclusion(findings), [str(one) for one in findings], choice.markdown))
    return exit_status(findings)


if __name__ == "__main__":
    sys.exit(main())
