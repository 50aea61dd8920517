# SPDX-License-Identifier: MIT
"""Statistics against known cases, and against many runs whose truth is known."""

import math
import random

import pytest

from bench import statistics

FLOOR = [10.0, 10.2, 9.9, 10.1, 10.0, 10.3, 9.8, 10.0]


def shifted(samples, by: float) -> list[float]:
    """The same with as much more in each round."""
    return [sample + by for sample in samples]


@pytest.mark.parametrize("samples, median, quartiles", [
    ([3], 3, (3, 3)),
    ([1, 2], 1.5, (1.25, 1.75)),
    ([5, 1, 3], 3, (2, 4)),
    ([4, 1, 3, 2], 2.5, (1.75, 3.25)),
    ([1, 2, 3, 4, 1000], 3, (2, 4)),
    ([7, 7, 7, 7], 7, (7, 7))])
def test_median_and_quartiles(samples, median, quartiles):
    assert statistics.median(samples) == median
    assert statistics.quartiles(samples) == quartiles


def test_quantile_of_what_is_without_bound():
    assert statistics.quantile([1, math.inf, math.inf], 0.75) == math.inf
    assert statistics.quantile([1, 2, math.inf], 0.5) == 2


def test_ratio_without_noise():
    """What differs in each round by the same is known exactly."""
    told = statistics.compare(shifted(FLOOR, 4), shifted(FLOOR, 8), FLOOR)
    assert told["verdict"] == "faster"
    assert [told[key] for key in ("ratio", "low", "high")] == pytest.approx([0.5, 0.5, 0.5])
    told = statistics.compare(shifted(FLOOR, 8), shifted(FLOOR, 4), FLOOR)
    assert told["verdict"] == "slower"
    assert [told[key] for key in ("ratio", "low", "high")] == pytest.approx([2, 2, 2])


def test_equal_times():
    told = statistics.compare(shifted(FLOOR, 4), shifted(FLOOR, 4), FLOOR)
    assert told["verdict"] == "no difference seen"


def test_interrupted_runs_change_little():
    """One run of eight that takes a second has no influence to speak of."""
    ours = shifted(FLOOR, 4)
    ours[3] += 1000
    assert statistics.compare(ours, shifted(FLOOR, 8), FLOOR)["ratio"] < 0.52


def test_too_few_rounds():
    """A tenth of the time, but five rounds prove nothing."""
    floor = FLOOR[:5]
    told = statistics.compare(shifted(floor, 1), shifted(floor, 10), floor)
    assert told == {"ratio": pytest.approx(0.1), "verdict": "no difference seen"}
    enough = FLOOR[:6]
    told = statistics.compare(shifted(enough, 1), shifted(enough, 10), enough)
    assert told["verdict"] == "faster"


def test_reference_in_the_noise_of_the_floor():
    """No ratio to nothing; what is far above it is slower all the same."""
    generator = random.Random(2)
    floor = [10 + generator.random() for _ in range(20)]
    reference = [10 + generator.random() for _ in range(20)]
    assert statistics.compare(shifted(reference, 50), reference, floor) == {"verdict": "slower"}
    same = [10 + generator.random() for _ in range(20)]
    assert statistics.compare(same, reference, floor) == {"verdict": "no difference seen"}


def test_uncertain_floor_makes_an_uncertain_ratio():
    """The same two firmwares above a noisy floor."""
    generator = random.Random(3)
    calm = [10 + 0.01 * generator.random() for _ in range(20)]
    noisy = [10 + 3 * generator.random() for _ in range(20)]
    ours, theirs = shifted(calm, 5), shifted(calm, 6)
    exact = statistics.compare(ours, theirs, calm)
    vague = statistics.compare(ours, theirs, noisy)
    assert vague["high"] - vague["low"] > 10 * (exact["high"] - exact["low"])


def test_whole_rounds():
    """What slows down whole rounds is no difference between firmwares."""
    generator = random.Random(4)
    floor = [10 + 20 * generator.random() for _ in range(20)]
    told = statistics.compare(shifted(floor, 4), shifted(floor, 5), floor)
    assert told["verdict"] == "faster"
    assert (told["low"], told["high"]) == (pytest.approx(0.8), pytest.approx(0.8))


def test_repeats():
    generator = random.Random(5)
    columns = [[10 + by + generator.random() for _ in range(12)] for by in (4, 8, 0)]
    assert statistics.compare(*columns) == statistics.compare(*columns)


def test_rounds_must_be_whole():
    with pytest.raises(ValueError):
        statistics.resampled_times([[1, 2]], [1, 2, 3])


def test_time_figures():
    figures = statistics.time_figures(shifted(FLOOR, 4), FLOOR, shifted(FLOOR, 8))
    assert figures["above_floor_ms"] == pytest.approx(4)
    assert figures["spread_ms"] == pytest.approx([3.975, 4.125])
    assert figures["samples_ms"] == shifted(FLOOR, 4)
    assert figures["to_qboot"]["ratio"] == pytest.approx(0.5)
    assert "to_qboot" not in statistics.time_figures(FLOOR, FLOOR)


def test_time_figures_of_the_first_rounds():
    """One that took part in six rounds of eight is compared within these."""
    part = statistics.time_figures(shifted(FLOOR, 4)[:6], FLOOR, shifted(FLOOR, 8))
    assert part == statistics.time_figures(shifted(FLOOR, 4)[:6], FLOOR[:6],
                                           shifted(FLOOR, 8)[:6])


def measured(generator, rounds: int, above: tuple, spread: float = 0.5) -> list[list[float]]:
    """One run of the bench: a host that drifts and interrupts, columns this far above the floor."""
    drift = [generator.gauss(0, 2) for _ in range(rounds)]
    return [[80 + by + slow + generator.lognormvariate(0, spread) +
             (generator.random() < 0.08) * generator.expovariate(1 / 30) for slow in drift]
            for by in (*above, 0)]


@pytest.mark.parametrize("rounds", [6, 10, 20, 40])
def test_interval_holds_the_truth_as_often_as_it_says(rounds):
    """Of 300 intervals of 95 %, 285 should; with 276 and more the chance of a false alarm is 2 %.

    They hold it somewhat more often, as those of medians do.
    """
    generator = random.Random(6)
    held = 0
    for _ in range(300):
        ours, theirs, floor = measured(generator, rounds, (8, 20))
        times = statistics.resampled_times((ours, theirs), floor, 400)
        low, high = statistics.interval([statistics.ratio_of(*pair) for pair in times])
        held += low <= 8 / 20 <= high
    assert 276 <= held


def test_no_difference_where_there_is_none():
    """Of 100 pairs of equal firmwares, about 5 may be told apart by chance."""
    generator = random.Random(7)
    verdicts = [statistics.compare(*measured(generator, 12, (10, 10)))["verdict"]
                for _ in range(100)]
    assert verdicts.count("no difference seen") >= 90


def test_a_difference_is_found():
    """Half of the time is seen with 12 rounds."""
    generator = random.Random(8)
    verdicts = [statistics.compare(*measured(generator, 12, (5, 10)))["verdict"]
                for _ in range(50)]
    assert verdicts.count("faster") >= 48
