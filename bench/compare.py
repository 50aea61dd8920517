# SPDX-License-Identifier: MIT
"""A verdict for CI from two result files: is Mayfly worse than it was?

    python3 -m bench.compare [--markdown] BASE [NEW]

Exit status 0: not worse. 1: worse. 2: the two cannot be compared, or have nothing in common.

Exact counts may not grow and RAM left may not shrink (exact.py); times are judged as shares of
qboot's (shares.py). What peers do is told and never fails.
"""

import argparse
import fnmatch
import sys

from . import exact, results, shares, wording
from .finding import Finding, Kind
from .table import DEFAULT, names

NOT_WORSE, WORSE, NOT_COMPARABLE = 0, 1, 2


def reasons_not_to_compare(base: dict, new: dict) -> list[str]:
    """Why the counts of two runs are about different things.

    The accelerator is no such reason: counts are TCG's always.
    """
    if base["versions"]["qemu"] != new["versions"]["qemu"]:
        return [f"QEMU was {base['versions']['qemu']}, is {new['versions']['qemu']}: "
                "versions differ in what a firmware has to do"]
    return []


# --- Rows.

def was_chosen(data: dict, case: str) -> bool:
    """False for a case that the person who ran it left out."""
    return any(fnmatch.fnmatchcase(case, pattern) for pattern in data.get("selection", ["*"]))


def _row_pairs(base: dict, new: dict, ours: bool) -> list[tuple]:
    """Rows of cases that are in both, as (case, row before, row now or None)."""
    after = {case["id"]: case for case in new["cases"]}
    return [(after[row["case"]], row, results.find_row(new, row["case"], row["firmware"]))
            for row in base["results"]
            if (row["firmware"] in results.OURS) == ours and row["case"] in after]


def nothing_to_compare(base: dict, new: dict) -> bool:
    """False if a row of ours is in both files and says something: two failures say nothing."""
    return not any(is_now is not None and "ok" in (was["status"], is_now["status"])
                   for _, was, is_now in _row_pairs(base, new, ours=True))


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


def compare_ours(base: dict, new: dict, tolerance: float) -> list[Finding]:
    """All that may fail."""
    findings, in_both = [], []
    other_kernel = base["versions"].get("kernel") != new["versions"].get("kernel")
    for case, was, is_now in _row_pairs(base, new, ours=True):
        subject = f"{case['id']}, {names(base)[was['firmware']]}"
        if is_now is None:
            if was["status"] == "ok":
                findings.append(exact.vanished(subject, "the row"))
            continue
        findings += compare_status(subject, was, is_now)
        if was["status"] == is_now["status"] == "ok":
            changes = exact.compare_counts(subject, was, is_now)
            if other_kernel and case["factor"] == "kernel":
                changes = [Finding(Kind.TOLD, one.subject, f"{one.text} (another kernel)")
                           for one in changes]
            else:
                in_both.append((case["id"], was["firmware"]))
            findings += changes
    return findings + shares.compare_times(base, new, in_both, tolerance)


def compare_peers(base: dict, new: dict) -> list[Finding]:
    """What others do, told only."""
    findings = []
    for case, was, is_now in _row_pairs(base, new, ours=False):
        if is_now is None:
            continue
        subject = f"{case['id']}, {names(base)[was['firmware']]}"
        changes = compare_status(subject, was, is_now) or exact.compare_counts(subject, was, is_now)
        findings += [Finding(Kind.TOLD, one.subject, one.text) for one in changes]
    gone = [name for one, name in names(base).items()
            if one not in names(new) and one not in results.OURS]
    return findings + [Finding(Kind.TOLD, name, "not measured any more") for name in gone]


def compare(base: dict, new: dict, tolerance: float = shares.TOLERANCE) -> list[Finding]:
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
    parser.add_argument("--tolerance", type=float, default=100 * shares.TOLERANCE,
                        metavar="PERCENT", help="growth of a time that never fails (%(default)s)")
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
    # Rows that should be there and are not have been found worse by now.
    if exit_status(findings) == NOT_WORSE and nothing_to_compare(base, new):
        print(report(title, "There is nothing to compare: no row of Mayfly was measured in both",
                     [str(one) for one in findings], choice.markdown))
        return NOT_COMPARABLE
    print(report(title, conclusion(findings), [str(one) for one in findings], choice.markdown))
    return exit_status(findings)


if __name__ == "__main__":
    sys.exit(main())
