# SPDX-License-Identifier: MIT
"""The top of the picture: the base cases, as horizontal bars with figures."""

from . import results
from .drawing import FAINT, INK, colours, complaint, cut, limits, log_axis, no_figures
from .measures import Measure, values
from .table import base_cases, names, rows_of


def draw_base(ax, data: dict, measure: Measure, with_names: bool) -> None:
    """One measure, grouped by machine."""
    cases = base_cases(data)
    found = values(data, measure, cases)
    ax.set_title(f"{measure.title}\n", loc="left", fontweight="bold", fontsize=13)
    ax.text(0, 1.015, measure.unit, transform=ax.transAxes, color=FAINT, fontsize=9.5)
    if not found:
        no_figures(ax)
        return
    low, high = limits(found)
    ax.set_xscale("log")
    ax.set_xlim(low, high * (high / low) ** measure.room)
    log_axis(ax.xaxis)
    ax.grid(axis="y", visible=False)
    place, ticks = 0.0, []
    for case in cases:
        begin = place
        for row in rows_of(data, case):
            _base_bar(ax, place, row, measure, colours(data)[row["firmware"]], low)
            ticks.append((place, cut(names(data)[row["firmware"]])))
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
        text = "not measured" if row["status"] == "ok" else complaint(row)
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
