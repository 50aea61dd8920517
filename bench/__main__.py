# SPDX-License-Identifier: MIT
"""`make bench`: measures our firmware and its peers, and writes results.json."""

import argparse
import datetime
import sys
from pathlib import Path

from harness import paths

from . import cases, firmwares, host, picture, results, run, table
from .kernels import Kernels, accelerator
from .measure import Bench
from .progress import Progress

BUILD = paths.ROOT / "build/bench"


def parse_arguments():
    """The choices of a run."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--cases", nargs="*", default=[], metavar="PATTERN",
                        help="shell patterns over case IDs; without any, all cases")
    parser.add_argument("--rounds", type=int, help="rounds of timed runs in each case")
    parser.add_argument("--peers", nargs="*", default=[], type=Path, metavar="FILE",
                        help="firmware images to add")
    parser.add_argument("--accel", default="", metavar="ACCEL",
                        help="for the times, in place of the one found by trial")
    parser.add_argument("--slow", action="store_true",
                        help="measure slow firmwares in all cases, not only the base cases")
    parser.add_argument("--output", type=Path, default=BUILD / "results.json")
    choice = parser.parse_args()
    for peer in choice.peers:
        if not peer.is_file():
            parser.error(f"{peer}: no such file")
    if choice.rounds is not None and choice.rounds < 1:
        parser.error("at least one round is needed")
    return choice


def main() -> int:
    """Runs the bench."""
    choice = parse_arguments()
    chosen = cases.select(choice.cases)
    if not chosen:
        print(f"bench: no case matches {' '.join(choice.cases)}", file=sys.stderr)
        return 2
    if choice.accel and (reason := run.why_not_accelerator(chosen[0].machine, choice.accel)):
        print(f"bench: times cannot be taken with ACCEL={choice.accel}: {reason}", file=sys.stderr)
        return 2
    when = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    progress = Progress()
    kernels = Kernels(BUILD / "kernels")
    accel = accelerator.Choice(choice.accel, "as asked for by ACCEL=")
    if not choice.accel:
        progress.say("looking for an accelerator")
        accel = accelerator.choose(kernels.distribution, paths.ROOT / "build")
    progress.say(f"times with {accel.option}: {accel.reason}")
    found = firmwares.find([peer.resolve() for peer in choice.peers])
    # Before the run: work that goes on meanwhile is not what was measured.
    data = {"schema": 1, "when": when, "host": host.facts(accel.option, accel.reason),
            "versions": host.versions(found, kernels.release),
            "firmwares": [firmware.describe() for firmware in found],
            "cases": [case.describe() for case in chosen]}
    if choice.cases:
        data["selection"] = choice.cases
    bench = Bench(chosen, found, kernels, accel.option, choice.rounds, choice.slow, progress)
    bench.measure()
    data |= bench.results()
    results.save(data, choice.output)
    pictures = [choice.output.with_suffix(suffix) for suffix in (".svg", ".png")]
    picture.draw(data, *pictures)
    progress.say(f"results are in {choice.output}, drawn in {pictures[0]}")
    print(table.as_text(data), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
