# SPDX-License-Identifier: MIT
"""Takes the times of one case: all firmwares and the floor in turn, in rounds.

Each round runs everything once, in an order of its own, so that whatever slows the host down for a
while meets all of them. The orders are the same in each run of the bench.
"""

import random

from . import run
from .firmwares import SLOW_ROUNDS, Firmware

FLOOR = "floor"
MS = 1000
DIGITS = 4  # of a millisecond


def rounds_of(firmware: Firmware, rounds: int) -> int:
    """In how many of the rounds a firmware takes part: the first ones."""
    return min(rounds, SLOW_ROUNDS) if firmware.slow else rounds


def take(case, firmwares: list[Firmware], arguments: tuple, accel: str, rounds: int, seen=None):
    """Wall times in milliseconds by firmware and FLOOR, and what failed with its reason.

    One that fails once is out; what it had until then is dropped. `seen` is called for each run.
    What takes seconds is not run once before the first round: it would not show.
    """
    guests = {FLOOR: run.Guest(case.machine, run.EXIT_ROM, arguments)}
    guests |= {f.id: run.Guest(case.machine, f.arguments(case.machine), arguments, f.limit)
               for f in firmwares}
    parts = {f.id: rounds_of(f, rounds) for f in firmwares}
    order = random.Random(case.id)
    samples = {name: [] for name in guests}
    failed = {}
    for name, guest in guests.items():  # one run to warm up the caches of the host
        if not case.to_init and parts.get(name, rounds) == rounds:
            _once(name, guest, accel, samples, failed, seen)
    for values in samples.values():
        values.clear()
    for number in range(rounds):
        names = [name for name in guests if number < parts.get(name, rounds)]
        order.shuffle(names)
        for name in names:
            if name not in failed:
                _once(name, guests[name], accel, samples, failed, seen)
    return {name: values for name, values in samples.items() if name not in failed}, failed


def _once(name, guest, accel, samples, failed, seen) -> None:
    try:
        ended = run.finish(guest, run.command(guest, accel))
        samples[name].append(round(ended.seconds * MS, DIGITS))
    except run.NotReached as reason:
        failed[name] = str(reason)
    if seen:
        seen(name)
