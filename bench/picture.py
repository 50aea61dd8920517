# SPDX-License-Identifier: MIT
"""The results as a picture: build/bench/results.svg, and .png for whatever cannot show that.

    python3 -m bench.picture [FILE] [--output PICTURE ...]

At the top the base cases, with figures; below them Mayfly's own steps; then every case of each
machine. Bars are on logarithmic scales, because peers differ by factors of ten.
"""

import argparse
import sys
import textwrap
from pathlib import Path
from typing import Callable

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402  (the backend is chosen first)
from matplotlib.lines import Line2D  # noqa: E402
from matplotlib.patches import Patch  # noqa: E402

from . import results, wording  # noqa: E402
from .base_bars import draw_base  # noqa: E402
from .case_bars import MARKERS, draw_factors  # noqa: E402
from .drawing import INK, LEFT, STYLE, WIDTH, colours  # noqa: E402
from .measures import MEASURES, measured_nothing  # noqa: E402
from .step_bars import draw_timeline  # noqa: E402
from .table import DEFAULT, base_cases, machines, names, rows_of  # noqa: E402


def _is_marked(data: dict, row: dict) -> bool:
    """Whether there is a mark in place of one of its bars, below the base cases."""
    machine = next(case["machine"] for case in data["cases"] if case["id"] == row["case"])
    return (row["status"] in MARKERS and _has_factors(data, machine)
            and any(measure.of(row) is None for measure in MEASURES))


def _legend(data: dict) -> list:
    """What has a colour or a mark in the picture, and nothing else."""
    marked = [row for row in data["results"] if _is_marked(data, row)]
    shown = {row["firmware"] for row in data["results"] if not measured_nothing(row)}
    shown |= {row["firmware"] for row in marked}
    handles = [Patch(color=colours(data)[one], label=name) for one, name in names(data).items()
               if one in shown]
    statuses = {row["status"] for row in marked}
    handles += [Line2D([], [], marker=marker, color=INK, linestyle="", fillstyle="none",
                       label=status)
                for status, marker in MARKERS.items() if status in statuses]
    return handles


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
