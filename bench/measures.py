# SPDX-License-Identifier: MIT
"""The measures that are drawn, and their figures in a row of the results."""

from dataclasses import dataclass
from typing import Callable

from . import statistics, wording


@dataclass(frozen=True)
class Measure:
    """One kind of figure."""

    title: str
    unit: str
    of: Callable[[dict], float | None]
    label: Callable[[dict], str]
    spread: Callable[[dict], tuple | None] = lambda row: None
    room: float = 0.35  # behind the longest bar for its label, as a share of the axis


def _accesses(row: dict) -> int | None:
    return row["accesses"]["total"] if "accesses" in row else None


def _time(row: dict) -> float | None:
    return row["time"]["above_floor_ms"] if "time" in row else None


def _time_spread(row: dict) -> tuple | None:
    return tuple(row["time"]["spread_ms"]) if "time" in row else None


def _time_label(row: dict) -> str:
    text = f"{wording.number(row['time']['above_floor_ms'])} ms"
    told = row["time"].get("to_qboot", {})
    if told.get("verdict") == statistics.NO_DIFFERENCE:
        return f"{text}, no difference seen"
    return f"{text}, {wording.number(told['ratio'])} × qboot's" if "low" in told else text


MEASURES = (
    Measure("Device accesses", "until the kernel's first instruction", _accesses,
            lambda row: wording.count(_accesses(row)), room=0.25),
    Measure("Guest instructions", "until the kernel's first instruction",
            lambda row: row.get("instructions"), lambda row: wording.count(row["instructions"])),
    Measure("Time", "milliseconds above a ROM that exits at reset", _time, _time_label,
            _time_spread, room=0.55),
)


def values(data: dict, measure: Measure, cases: list[dict]) -> list[float]:
    """All figures of some cases."""
    chosen = {case["id"] for case in cases}
    found = [measure.of(row) for row in data["results"] if row["case"] in chosen]
    return [value for value in found if value is not None]


def measured_nothing(row: dict) -> bool:
    """True for a row without any figure that is drawn."""
    return all(measure.of(row) is None for measure in MEASURES)
