# SPDX-License-Identifier: MIT
"""The bottom of the picture: all cases of each machine, as thin vertical bars."""

from .drawing import BAND, FAINT, INK, colours, limits, log_axis, no_figures
from .measures import MEASURES, Measure, values
from .table import rows_of

FACTOR_LABELS = {"base": "{value}", "kernel": "{value}", "initrd": "{value} MiB",
                 "devices": "{value}", "cpus": "{value}"}
FACTOR_TITLES = {"base": "", "kernel": "kernel", "initrd": "initrd", "devices": "devices",
                 "cpus": "CPUs"}
MARKERS = {"failed": "x", "refused": "o"}  # in place of a bar


def draw_cases(ax, data: dict, measure: Measure, machine: str, span, with_labels: bool) -> None:
    """One measure of one machine; a case is a group of bars."""
    cases = [case for case in data["cases"] if case["machine"] == machine]
    if not values(data, measure, cases):
        no_figures(ax)
        return
    ax.set_yscale("log")
    ax.set_ylim(*span)
    log_axis(ax.yaxis)
    for place, case in enumerate(cases):
        rows = [row for row in rows_of(data, case) if row["status"] != "skipped"]
        breadth = 0.86 / max(len(rows), 3)
        for number, row in enumerate(rows):
            _case_bar(ax, place + (number - (len(rows) - 1) / 2) * breadth, breadth, row, measure,
                      colours(data)[row["firmware"]], span[0])
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
        marker = MARKERS.get(row["status"])
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


def draw_factors(figure, data: dict, present: list[str], place: dict) -> None:
    """A column a machine, a line a measure."""
    grid = figure.add_gridspec(len(MEASURES), len(present), wspace=0.1, hspace=0.16, **place)
    for line, measure in enumerate(MEASURES):
        span = limits(values(data, measure, data["cases"]))
        for column, machine in enumerate(present):
            ax = figure.add_subplot(grid[line, column])
            draw_cases(ax, data, measure, machine, span, line == len(MEASURES) - 1)
            if line == 0:
                ax.set_title(f"{machine}, one factor at a time\n", loc="left", fontweight="bold",
                             fontsize=13)
            if column == 0:
                ax.set_ylabel(measure.title + (", ms" if measure.title == "Time" else ""))
            else:
                ax.tick_params(axis="y", labelleft=False)
