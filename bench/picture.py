# SPDX-License-Identifier: MIT
"""The results as a picture: build/bench/results.svg, and .png for whatever cannot show that.

    python3 -m bench.picture [FILE] [--output PICTURE ...]

At the top the base cases, with figures; below them Mayfly's own steps; then every case of each
machine. Bars are on logarithmic scales, because peers differ by factors of ten.
"""

import argparse
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402  (the backend is chosen first)
from matplotlib.lines import Line2D  # noqa: E402
from matplotlib.patches import Patch  # noqa: E402
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator  # noqa: E402

from . import results, statistics, wording  # noqa: E402
from .table import DEFAULT, base_cases, machines, names, rows_of  # noqa: E402

# Okabe and Ito's colours, which people with any colour vision can tell apart.
COLOURS = {"mayfly": "#0072B2", "mayfly-full": "#56B4E9", "qboot": "#E69F00",
           "seabios": "#009E73", "ovmf": "#CC79A7"}
MORE_COLOURS = ("#D55E00", "#999999", "#F0E442", "#000000")
STEP_COLOURS = ("#00204D", "#31446B", "#666970", "#958F78", "#CAB969", "#FFEA46")  # cividis
LIGHT_STEPS = ("plan", "load", "hand over")  # dark words on these

INK = "#222222"
FAINT = "#8A8A8A"
BAND = "#F3F3F3"
WIDTH = 16  # inches
LEFT = 0.1  # share of the width
STYLE = {"font.family": "DejaVu Sans", "font.size": 10, "text.color": INK,
         "axes.edgecolor": FAINT, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK,
         "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True,
         "axes.grid": True, "grid.color": "#DDDDDD", "grid.linewidth": 0.6,
         "svg.hashsalt": "mayfly", "figure.facecolor": "white"}

FACTOR_LABELS = {"base": "{value}", "kernel": "{value}", "initrd": "{value} MiB",
                 "devices": "{value}", "cpus": "{value}"}
FACTOR_TITLES = {"base": "", "kernel": "kernel", "initrd": "initrd", "devices": "devices",
                 "cpus": "CPUs"}


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
    Measure("Guest instructions", "until the kernel's first", lambda row: row.get("instructions"),
            lambda row: wording.count(row["instructions"])),
    Measure("Time", "milliseconds above a ROM that exits at reset", _time, _time_label,
            _time_spread, room=0.55),
)


def colours(data: dict) -> dict[str, str]:
    """One for each firmware."""
    more = iter(MORE_COLOURS * 10)
    return {one: COLOURS.get(one) or next(more) for one in names(data)}


def _limits(values: list[float]) -> tuple[float, float]:
    """Of a logarithmic axis: from below the smallest value to above the largest."""
    positive = [value for value in values if value > 0] or [1, 10]
    return min(positive) / 2.5, max(positive) * 1.8


def _values(data: dict, measure: Measure, cases: list[dict]) -> list[float]:
    chosen = {case["id"] for case in cases}
    found = [measure.of(row) for row in data["results"] if row["case"] in chosen]
    return [value for value in found if value is not None]


def _plain(value, _position) -> str:
    """Ticks as people write numbers."""
    for size, suffix in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:g}{suffix}"
    return f"{value:g}"


def _log_axis(axis) -> None:
    axis.set_major_locator(LogLocator(base=10, numticks=12))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(_plain))
    axis.set_minor_formatter(NullFormatter())


def _no_figures(ax, text="not measured") -> None:
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color=FAINT,
            fontsize=12)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(False)


def _cut(name: str, width: int = 15) -> str:
    return name if len(name) <= width else f"{name[:width - 1]}…"


def _complaint(row: dict, width: int = 46) -> str:
    return textwrap.shorten(f"{row['status']}: {row['reason']}", width, placeholder=" ...")


# --- Base cases: horizontal bars with figures.

def draw_base(ax, data: dict, measure: Measure, with_names: bool) -> None:
    """One measure, grouped by machine."""
    cases = base_cases(data)
    values = _values(data, measure, cases)
    ax.set_title(f"{measure.title}\n", loc="left", fontweight="bold", fontsize=13)
    ax.text(0, 1.015, measure.unit, transform=ax.transAxes, color=FAINT, fontsize=9.5)
    if not values:
        _no_figures(ax)
        return
    low, high = _limits(values)
    ax.set_xscale("log")
    ax.set_xlim(low, high * (high / low) ** measure.room)
    _log_axis(ax.xaxis)
    ax.grid(axis="y", visible=False)
    place, ticks = 0.0, []
    for case in cases:
        begin = place
        for row in rows_of(data, case):
            _base_bar(ax, place, row, measure, colours(data)[row["firmware"]], low)
            ticks.append((place, _cut(names(data)[row["firmware"]])))
            place += 1
        ax.text(-0.3 if with_names else -0.03, (begin + place - 1) / 2, case["machine"],
                transform=ax.get_yaxis_transform(), rotation=90, ha="center", va="center",
                fontweight="bold", fontsize=11)
        place += 0.8
    ax.set_ylim(place - 1.2, -0.7)
    ax.set_yticks([place for place, _ in ticks], [name if with_names else "" for _, name in ticks])
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)


def _base_bar(ax, place, row, measure, colour, low) -> None:
    value = measure.of(row)
    if value is None:
        text = "not measured" if row["status"] == "ok" else _complaint(row)
        ax.text(low * 1.1, place, text, va="center", color=FAINT, fontsize=8.5, style="italic")
        return
    ours = row["firmware"] in results.OURS
    ax.barh(place, max(value, low), height=0.82, color=colour, left=0)
    end = value
    spread = measure.spread(row)
    if spread:
        ends = [max(end, low) for end in spread]
        ax.plot(ends, [place, place], color=INK, linewidth=1.2)
        end = max(value, spread[1])
    ax.annotate(measure.label(row), (max(end, low), place), xytext=(4, 0), va="center",
                textcoords="offset points", fontsize=9, fontweight="bold" if ours else "normal")


# --- Mayfly's steps.

def draw_timeline(ax, data: dict) -> None:
    """One bar a machine."""
    rows = [(case["machine"] + (", full" if one == "mayfly-full" else ""), row["timeline"])
            for case in base_cases(data) for one in results.OURS
            for row in [results.find_row(data, case["id"], one)] if row and "timeline" in row]
    ax.set_title("Where Mayfly's time goes\n", loc="left", fontweight="bold", fontsize=13)
    ax.text(0, 1.03, "base cases, milliseconds since reset by Mayfly's own marks",
            transform=ax.transAxes, color=FAINT, fontsize=9.5)
    if not rows:
        _no_figures(ax)
        return
    longest = max(timeline["entry"] for _, timeline in rows) / 1e6
    for place, (_, timeline) in enumerate(rows):
        begin = 0.0
        for (mark, step), colour in zip(wording.STEPS.items(), STEP_COLOURS):
            length = wording.step_times(timeline)[mark] / 1e6
            ax.barh(place, length, left=begin, height=0.7, color=colour, edgecolor="white",
                    linewidth=0.6)
            if length > 0.06 * longest:
                ax.text(begin + length / 2, place, wording.number(length), ha="center",
                        va="center", color=INK if step in LIGHT_STEPS else "white", fontsize=9)
            begin += length
        ax.annotate(f"{wording.number(begin)} ms", (begin, place), xytext=(5, 0), va="center",
                    textcoords="offset points", fontweight="bold")
    ax.set_yticks(range(len(rows)), [name for name, _ in rows], fontweight="bold")
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlim(0, longest * 1.12)
    ax.grid(axis="y", visible=False)
    ax.tick_params(axis="y", length=0)
    ax.legend(handles=[Patch(color=colour, label=step)
                       for step, colour in zip(wording.STEPS.values(), STEP_COLOURS)],
              loc="lower right", bbox_to_anchor=(1, 1.0), ncol=len(STEP_COLOURS), frameon=False,
              fontsize=9.5, handlelength=1.2, columnspacing=1.4)


# --- All cases of a machine: thin vertical bars.

def draw_cases(ax, data: dict, measure: Measure, machine: str, limits, with_labels: bool) -> None:
    """One measure of one machine; a case is a group of bars."""
    cases = [case for case in data["cases"] if case["machine"] == machine]
    if not _values(data, measure, cases):
        _no_figures(ax)
        return
    ax.set_yscale("log")
    ax.set_ylim(*limits)
    _log_axis(ax.yaxis)
    for place, case in enumerate(cases):
        rows = [row for row in rows_of(data, case) if row["status"] != "skipped"]
        breadth = 0.86 / max(len(rows), 3)
        for number, row in enumerate(rows):
            _case_bar(ax, place + (number - (len(rows) - 1) / 2) * breadth, breadth, row, measure,
                      colours(data)[row["firmware"]], limits[0])
    ax.set_xlim(-0.6, max(len(cases), 8) - 0.4)
    ax.grid(axis="x", visible=False)
    ax.tick_params(axis="x", length=0)
    labels = [FACTOR_LABELS[case["factor"]].format(value=case["value"] or "base")
              for case in cases] if with_labels else []
    ax.set_xticks(range(len(cases)) if with_labels else [], labels, rotation=60, ha="right",
                  rotation_mode="anchor", fontsize=9)
    _shade_factors(ax, cases)


def _case_bar(ax, place, breadth, row, measure, colour, low) -> None:
    value = measure.of(row)
    if value is None:
        marker = {"failed": "x", "refused": "o"}.get(row["status"])
        if marker:
            ax.plot(place, low * 1.25, marker=marker, color=colour, markersize=4.5,
                    fillstyle="none", markeredgewidth=1.4)
        return
    ax.bar(place, max(value, low), width=breadth * 0.92, color=colour)
    spread = measure.spread(row)
    if spread:
        ax.plot([place, place], [max(end, low) for end in spread], color=INK, linewidth=0.8)


def _shade_factors(ax, cases: list[dict]) -> None:
    """Every other factor's cases stand on a band."""
    factors = list(dict.fromkeys(case["factor"] for case in cases))
    for number, factor in enumerate(factors):
        places = [place for place, case in enumerate(cases) if case["factor"] == factor]
        if number % 2:
            ax.axvspan(places[0] - 0.5, places[-1] + 0.5, color=BAND, zorder=0, linewidth=0)
        ax.text((places[0] + places[-1]) / 2, 1.01, FACTOR_TITLES[factor], ha="center",
                va="bottom", transform=ax.get_xaxis_transform(), fontsize=8.5, color=FAINT)


# --- The whole.

def _legend(data: dict) -> list:
    handles = [Patch(color=colours(data)[one], label=name) for one, name in names(data).items()]
    seen = {row["status"] for row in data["results"] if measured_nothing(row)}
    for status, marker in (("failed", "x"), ("refused", "o")):
        if status in seen:
            handles.append(Line2D([], [], marker=marker, color=INK, linestyle="", fillstyle="none",
                                  label=status))
    return handles


def measured_nothing(row: dict) -> bool:
    """True for a row without any figure that is drawn."""
    return all(measure.of(row) is None for measure in MEASURES)


def _head(figure, data: dict) -> float:
    """The title and the facts; returns the height that is left, as a share."""
    inches = figure.get_figheight()
    figure.text(0.02, 1 - 0.35 / inches, "What a firmware costs before the kernel runs",
                fontsize=21, fontweight="bold", va="center")
    facts = [f"{wording.date(data)}   {wording.accelerator(data)}   "
             f"{wording.not_yet_measured(data) or ''}", wording.versions(data),
             f"Host: {wording.host(data)}. Scales are logarithmic but for Mayfly's steps; shorter "
             "bars are better; whiskers are quartiles."]
    lines = [line for fact in facts for line in textwrap.wrap(fact, 185)]
    for number, line in enumerate(lines):
        figure.text(0.02, 1 - (0.75 + 0.22 * number) / inches, line, fontsize=10, va="center")
    used = 0.75 + 0.22 * len(lines)
    figure.legend(handles=_legend(data), loc="upper left", ncol=8, frameon=False, fontsize=11,
                  bbox_to_anchor=(0.013, 1 - (used - 0.02) / inches), handlelength=1.3)
    return 1 - (used + 0.95) / inches


def _place(figure, top: float) -> Callable[[float, float], dict]:
    """Makes inches below the head into what a gridspec takes."""
    def place(begin: float, height: float) -> dict:
        inches = figure.get_figheight()
        return {"left": LEFT, "right": 0.985, "top": top - begin / inches,
                "bottom": top - (begin + height) / inches}
    return place


def _has_factors(data: dict, machine: str) -> bool:
    return any(case["machine"] == machine and case["factor"] != "base" for case in data["cases"])


def draw_factors(figure, data: dict, present: list[str], place: dict) -> None:
    """A column a machine, a line a measure."""
    grid = figure.add_gridspec(len(MEASURES), len(present), wspace=0.1, hspace=0.16, **place)
    for line, measure in enumerate(MEASURES):
        limits = _limits(_values(data, measure, data["cases"]))
        for column, machine in enumerate(present):
            ax = figure.add_subplot(grid[line, column])
            draw_cases(ax, data, measure, machine, limits, line == len(MEASURES) - 1)
            if line == 0:
                ax.set_title(f"{machine}, one factor at a time\n", loc="left", fontweight="bold",
                             fontsize=13)
            if column == 0:
                ax.set_ylabel(measure.title + (", ms" if measure.title == "Time" else ""))
            else:
                ax.tick_params(axis="y", labelleft=False)


def draw(data: dict, *paths) -> None:
    """Draws the picture into each file; the suffix says what kind it is."""
    bars = sum(len(rows_of(data, case)) for case in base_cases(data))
    lines = sum("timeline" in row for case in base_cases(data) for row in rows_of(data, case))
    with_factors = [machine for machine in machines(data) if _has_factors(data, machine)]
    heights = (max(2.0, 0.27 * bars + 0.5), 0.42 * max(lines, 1) + 0.3,
               8.0 if with_factors else 0.0)
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(WIDTH, sum(heights) + (6.0 if with_factors else 4.6)))
        place = _place(figure, _head(figure, data))
        upper = figure.add_gridspec(1, len(MEASURES), wspace=0.12, **place(0, heights[0]))
        for number, measure in enumerate(MEASURES):
            draw_base(figure.add_subplot(upper[number]), data, measure, number == 0)
        begin = heights[0] + 1.15
        middle = figure.add_gridspec(1, 1, **place(begin, heights[1]))
        draw_timeline(figure.add_subplot(middle[0]), data)
        begin += heights[1] + 1.25
        if with_factors:
            draw_factors(figure, data, with_factors, place(begin, heights[2]))
        for path in paths:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            metadata = {"Date": None} if str(path).endswith(".svg") else {}
            figure.savefig(path, dpi=100, metadata=metadata)
        plt.close(figure)


def main() -> int:
    """Draws a file."""
    parser = argparse.ArgumentParser(prog="bench.picture", description="draws results")
    parser.add_argument("file", nargs="?", type=Path, default=Path(DEFAULT))
    parser.add_argument("--output", nargs="+", type=Path, metavar="PICTURE",
                        help="files to draw into (FILE with .svg and .png)")
    choice = parser.parse_args()
    try:
        data = results.load(choice.file)
    except results.Invalid as error:
        print(error, file=sys.stderr)
        return 2
    pictures = choice.output or [choice.file.with_suffix(suffix) for suffix in (".svg", ".png")]
    draw(data, *pictures)
    print(f"the picture is {', '.join(map(str, pictures))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
