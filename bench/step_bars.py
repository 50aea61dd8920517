# SPDX-License-Identifier: MIT
"""The middle of the picture: one bar a machine, made of Mayfly's own steps."""

from matplotlib.patches import Patch

from . import results, wording
from .drawing import FAINT, INK, no_figures
from .table import base_cases

STEP_COLOURS = ("#00204D", "#31446B", "#666970", "#958F78", "#CAB969", "#FFEA46")  # cividis
LIGHT_STEPS = ("plan", "load", "hand over")  # dark words on these


def draw_timeline(ax, data: dict) -> None:
    """One bar a machine."""
    rows = [(case["machine"] + (", full" if one == "mayfly-full" else ""), row["timeline"])
            for case in base_cases(data) for one in results.OURS
            for row in [results.find_row(data, case["id"], one)] if row and "timeline" in row]
    ax.set_title("Where Mayfly's time goes\n", loc="left", fontweight="bold", fontsize=13)
    ax.text(0, 1.03, "base cases, milliseconds since reset by Mayfly's own marks",
            transform=ax.transAxes, color=FAINT, fontsize=9.5)
    if not rows:
        no_figures(ax)
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
