# SPDX-License-Identifier: MIT
"""Measures all cases with all firmwares, and makes rows of results of it."""

import concurrent.futures
import itertools

from . import counts, exits, run, statistics, timeline, times
from .cases import Case
from .firmwares import Firmware
from .results import OURS, REFERENCE

COUNTING_JOBS = 2  # counts do not depend on the host's load


class Bench:
    """One run: `rounds` in place of each case's own, `all_slow` as --slow."""

    def __init__(self, cases: list[Case], firmwares: list[Firmware], kernels, accel: str,
                 rounds: int | None, all_slow: bool, progress):
        self._cases = cases
        self._firmwares = firmwares
        self._kernels = kernels
        self._accel = accel
        self._rounds = rounds
        self._all_slow = all_slow
        self._progress = progress
        self._rows = {}
        self._floors = {}
        self._said = set()

    def measure(self) -> None:
        """Counts first, two at a time; then times, alone on the machine."""
        for case in self._cases:
            for firmware in self._firmwares:
                reason = firmware.why_not(case, self._all_slow)
                status = {"status": "skipped", "reason": reason} if reason else {"status": "ok"}
                self._rows[case.id, firmware.id] = {"case": case.id, "firmware": firmware.id,
                                                    **status}
        self._say_limits()
        self._count_all()
        self._time_all()

    def results(self) -> dict:
        """The parts of results.json that this run has filled."""
        return {"floor": list(self._floors.values()), "results": list(self._rows.values())}

    def _say_limits(self) -> None:
        if reason := counts.why_no_pages():
            self._progress.say(f"RAM pages are not counted: {reason}")
        if not counts.PLUGIN.exists():
            self._progress.say("MSR writes and CPUID are not counted: "
                               "there is no compiler for the plugin")

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._progress.say(text)

    def _of(self, case: Case) -> list[Firmware]:
        """The firmwares that are, so far, fit for a case."""
        return [f for f in self._firmwares if self._rows[case.id, f.id]["status"] == "ok"]

    def _fail(self, case: Case, firmware: Firmware, reason: str) -> None:
        """Takes a row out of what is measured. The firmware's own words say more than ours."""
        words = run.last_words(counts.guest_of(case, firmware, self._kernels, "exit"))
        refused = firmware.id in OURS and words.startswith(f"{run.LAST_WORDS}mayfly:")
        row = self._rows[case.id, firmware.id]  # with what was counted before: that is exact
        row |= {"status": "refused" if refused else "failed",
                "reason": f"{reason}; {words}" if words else reason}
        self._progress.say(f"{case.id}, {firmware.name}: {row['status']}: {row['reason']}")

    def _count_all(self) -> None:
        counted = [case for case in self._cases if not case.to_init]
        for case in counted:  # made here, so that no two threads make the same file
            for end in ("exit", "tsc", "map", "fault"):
                self._kernels.arguments(case, end)
        # The slowest first: they would else be what the end waits for.
        jobs = sorted(((case, firmware) for case in counted for firmware in self._of(case)),
                      key=lambda job: not job[1].slow)
        with concurrent.futures.ThreadPoolExecutor(COUNTING_JOBS) as pool:
            floors = {case.id: pool.submit(counts.floor, case, self._kernels) for case in counted}
            rows = {pool.submit(self._count, *job, floors[job[0].id]): job for job in jobs}
            for number, done in enumerate(concurrent.futures.as_completed(rows), 1):
                case, firmware = rows[done]
                self._progress.passing(f"counts {number} of {len(jobs)}: "
                                       f"{case.id}, {firmware.name}")
                try:
                    self._rows[case.id, firmware.id] |= done.result()
                except run.NotReached as reason:
                    self._fail(case, firmware, str(reason))
        self._progress.say(f"counts of {len(jobs)} rows are done")

    def _count(self, case: Case, firmware: Firmware, floor) -> dict:
        row = counts.measure(case, firmware, self._kernels, floor.result())
        if self._accel.startswith("kvm"):
            row |= self._exits(case, firmware)
        return row

    def _exits(self, case: Case, firmware: Firmware) -> dict:
        """Exits by reason; nothing where this host cannot tell, which is said."""
        nothing = run.Guest(case.machine, exits.FAULT_ROM, self._kernels.arguments(case, "fault"),
                            firmware.limit)
        try:
            return {"exits": exits.count(counts.guest_of(case, firmware, self._kernels, "fault"),
                                         nothing)}
        except exits.NotOffered as reason:
            self._say_once(f"exits by reason are not counted in all rows: {reason}")
            return {}

    def _time_all(self) -> None:
        for number, case in enumerate(self._cases, 1):
            where = f"times, case {number} of {len(self._cases)}: {case.id}"
            if ready := self._of(case):
                self._time(case, ready, where)
            self._progress.say(where)

    def _time(self, case: Case, firmwares: list[Firmware], where: str) -> None:
        runs = itertools.count(1)
        arguments = self._kernels.arguments(case, "exit", self._accel)
        samples, failed = times.take(
            case, firmwares, arguments, self._accel, self._rounds or case.rounds,
            lambda name: self._progress.passing(f"{where}, run {next(runs)}, {name}"))
        if times.FLOOR in failed:
            failed = {f.id: f"QEMU alone: {failed[times.FLOOR]}" for f in firmwares}
        else:
            self._add_times(case, samples)
        for firmware in firmwares:
            if firmware.id in failed:
                self._fail(case, firmware, failed[firmware.id])
            elif firmware.id in OURS and not case.to_init:
                self._add_timeline(case, firmware)

    def _add_timeline(self, case: Case, firmware: Firmware) -> None:
        guest = counts.guest_of(case, firmware, self._kernels, "exit")
        try:
            marks = timeline.measure(guest, self._accel)
        except run.NotReached as reason:
            self._progress.say(f"{case.id}, {firmware.name}: no timeline: {reason}")
            return
        if marks:
            self._rows[case.id, firmware.id]["timeline"] = marks

    def _add_times(self, case: Case, samples: dict) -> None:
        floor = samples[times.FLOOR]
        self._floors[case.id] = {"case": case.id, "samples_ms": floor,
                                 "median_ms": statistics.median(floor)}
        reference = samples.get(REFERENCE)
        for firmware in self._of(case):
            own = samples.get(firmware.id)
            if own is None:
                continue
            compared = reference[:len(own)] if reference and firmware.id != REFERENCE else None
            self._rows[case.id, firmware.id]["time"] = statistics.time_figures(
                own, floor[:len(own)], compared)
