# SPDX-License-Identifier: MIT
"""What may be said of times that were measured in rounds.

A round runs the floor (a ROM that exits at reset) and every firmware of a case, one right after the
other. A firmware's time is the median of its runs less the median of the floor's; two firmwares
are compared by the ratio of these times.

How sure a ratio is: by the percentile bootstrap over whole rounds. Rounds are drawn with
replacement, as many as there were; the ratio is computed anew from what was drawn; the interval is
the middle 95 % of 4000 such ratios. Reasons:

- Run times are not normally distributed (a host's interruptions only ever lengthen a run), so
  nothing is assumed of their distribution, and medians let a few interrupted runs pass.
- Whole rounds, because what slows the host down for a while slows down all of a round: it cancels
  in the comparison, as it should.
- The floor is drawn with the rounds, so its own uncertainty is in the interval.
- The generator starts from a fixed seed: the same samples always give the same interval.

Two things are not said. With fewer than 6 rounds there is no interval: even the whole range of 5
samples misses the median once in 16 times. And where the reference's own time is not clear of the
floor, a ratio to it has no meaning; then only the difference of the two decides the verdict.
"""

import math
import random

CONFIDENCE = 0.95
RESAMPLES = 4000
MIN_ROUNDS = 6
SEED = 20

FASTER = "faster"
SLOWER = "slower"
NO_DIFFERENCE = "no difference seen"


def quantile(samples, share: float) -> float:
    """The value below which this share of the samples lies, between samples by interpolation."""
    values = sorted(samples)
    place = share * (len(values) - 1)
    below = math.floor(place)
    part = place - below
    if part == 0 or values[below] == values[below + 1]:
        return values[below]  # values may be infinite, whose differences are not numbers
    return values[below] + part * (values[below + 1] - values[below])


def median(samples) -> float:
    """The middle value, or the mean of the middle two."""
    values = sorted(samples)  # not by quantile(): this is called a million times
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def quartiles(samples) -> tuple[float, float]:
    """The spread: half of the samples lie between these."""
    return quantile(samples, 0.25), quantile(samples, 0.75)


def interval(resampled, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The middle part of resampled values."""
    tail = (1 - confidence) / 2
    return quantile(resampled, tail), quantile(resampled, 1 - tail)


def resampled_times(columns, floor, resamples: int = RESAMPLES, seed: int = SEED) -> list[tuple]:
    """Times above the floor, one for each column of samples, from rounds drawn anew.

    Columns and floor have one sample a round, in the same order.
    """
    rounds = range(len(floor))
    if any(len(column) != len(rounds) for column in columns):
        raise ValueError("each round has one sample of everything")
    generator = random.Random(seed)
    result = []
    for _ in range(resamples):
        drawn = generator.choices(rounds, k=len(rounds))
        nothing = median([floor[i] for i in drawn])
        result.append(tuple(median([column[i] for i in drawn]) - nothing for column in columns))
    return result


def ratio_of(ours: float, theirs: float) -> float:
    """A ratio of times above the floor; without bound where the divisor is not above it."""
    return ours / theirs if theirs > 0 else math.inf


def is_clear_of_floor(times, confidence: float = CONFIDENCE) -> bool:
    """True if resampled times above the floor leave no doubt that there is something above it."""
    return interval(times, confidence)[0] > 0


def verdict(low: float, high: float, equal: float) -> str:
    """In words, for an interval of times or of ratios."""
    if high < equal:
        return FASTER
    if low > equal:
        return SLOWER
    return NO_DIFFERENCE


def compare(ours, theirs, floor) -> dict:
    """`to_qboot` of results.json: one firmware's time above the floor as a share of another's."""
    reference = median(theirs) - median(floor)
    ratio = {"ratio": (median(ours) - median(floor)) / reference} if reference > 0 else {}
    if len(floor) < MIN_ROUNDS:
        return {**ratio, "verdict": NO_DIFFERENCE}
    times = resampled_times((ours, theirs), floor)
    if not is_clear_of_floor([time for _, time in times]):
        low, high = interval([our_time - time for our_time, time in times])
        return {"verdict": verdict(low, high, 0)}
    low, high = interval([ratio_of(our_time, time) for our_time, time in times])
    return {**ratio, "low": low, "high": high, "verdict": verdict(low, high, 1)}


def time_figures(samples, floor, reference=None) -> dict:
    """`time` of a row of results.json; `reference` are qboot's samples where there are any.

    One that took part in the first rounds only is compared with what the others did in these.
    """
    rounds = len(samples) if reference is None else min(len(samples), len(reference))
    samples, floor = samples[:rounds], floor[:rounds]
    reference = None if reference is None else reference[:rounds]
    nothing = median(floor)
    figures = {"samples_ms": list(samples), "above_floor_ms": median(samples) - nothing,
               "spread_ms": [quartile - nothing for quartile in quartiles(samples)]}
    if reference is not None:
        figures["to_qboot"] = compare(samples, reference, floor)
    return figures
