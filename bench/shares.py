# SPDX-License-Identifier: MIT
"""Compares times of two runs: Mayfly's, as shares of qboot's in the same run.

Times are from two days, and only what was compared with qboot in the same run can be compared
between them. A share is worse when it has grown by more than 5 %, a difference that runs of the
same image on one host may have, and by more than the rounds of both runs leave to chance. All rows
together are given a chance of 5 % to be called slower or faster by mistake, not each of them
(Bonferroni). On another CPU, under another accelerator or with another qboot the shares mean
something else, and are only told.
"""

import math
from dataclasses import dataclass

from . import results, statistics, wording
from .finding import Finding, Kind
from .table import names

TOLERANCE = 0.05
RESAMPLES = 10_000  # the tails are small


def reasons_to_only_tell(base: dict, new: dict) -> list[str]:
    """Why a share of qboot's time means something else than it did."""
    def hashes(data):
        return {one["id"]: one["sha256"] for one in data["firmwares"]}.get(results.REFERENCE)
    reasons = []
    if base["host"]["accelerator"] != new["host"]["accelerator"]:
        reasons.append(f"the accelerator was {base['host']['accelerator']}, is "
                       f"{new['host']['accelerator']}")
    if base["host"].get("hypervisor") != new["host"].get("hypervisor"):
        reasons.append("one of the hosts is a virtual machine, or may be")
    if base["host"]["cpu"] != new["host"]["cpu"]:
        reasons.append(f"the CPU was {base['host']['cpu']}, is {new['host']['cpu']}")
    if base["host"]["cores"] != new["host"]["cores"]:
        reasons.append(f"CPUs were {base['host']['cores']}, are {new['host']['cores']}")
    if hashes(new) is None:
        reasons.append("qboot was not measured")
    elif hashes(base) != hashes(new):
        reasons.append("qboot is another image")
    return reasons


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


def verdict_on(base: Timed, new: Timed, tolerance: float, confidence: float) -> str | None:
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


def _lost(new: dict, case: str, firmware: str, only_told: bool) -> Finding:
    """A share that was there and is not: worse, unless something else than Mayfly explains it."""
    subject = f"{case}, {names(new)[firmware]}"
    row, reference = (results.find_row(new, case, one) for one in (firmware, results.REFERENCE))
    if "time" not in row:
        return Finding(Kind.TOLD if only_told else Kind.WORSE, subject,
                       "time is not measured any more")
    if reference is None or "time" not in reference:
        return Finding(Kind.TOLD, subject, "time is not compared: qboot has none here any more")
    return Finding(Kind.TOLD, subject, "time is not compared: fewer than "
                                       f"{statistics.MIN_ROUNDS} rounds")


def compare_times(base: dict, new: dict, rows: list[tuple], tolerance: float) -> list[Finding]:
    """Mayfly's shares of qboot's time, of rows that are ok in both runs."""
    pairs = [(case, firmware, timed(base, case, firmware), timed(new, case, firmware))
             for case, firmware in rows]
    pairs = [pair for pair in pairs if pair[2] and pair[3]]
    reasons = reasons_to_only_tell(base, new)
    findings = [Finding(Kind.TOLD, "times", f"told, not judged: {reason}") for reason in reasons]
    for case, firmware, was, is_now in pairs:
        confidence = 1 - (1 - statistics.CONFIDENCE) / len(pairs)
        verdict = verdict_on(was, is_now, tolerance, confidence)
        if verdict in (None, statistics.NO_DIFFERENCE):
            continue
        kind = Kind.WORSE if verdict == statistics.SLOWER else Kind.BETTER
        findings.append(Finding(Kind.TOLD if reasons else kind, f"{case}, {names(new)[firmware]}",
                                f"{verdict}: time / qboot's {_told_share(was)} -> "
                                f"{_told_share(is_now)}"))
    for case, firmware in rows:
        if timed(base, case, firmware) and not timed(new, case, firmware):
            findings.append(_lost(new, case, firmware, bool(reasons)))
    return findings
