# SPDX-License-Identifier: MIT
"""What all parts of the picture share: colours, style, axes and words."""

import textwrap

from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from .table import names

# Okabe and Ito's colours, which people with any colour vision can tell apart.
COLOURS = {"mayfly": "#0072B2", "mayfly-full": "#56B4E9", "qboot": "#E69F00",
           "seabios": "#009E73", "ovmf": "#CC79A7"}
MORE_COLOURS = ("#D55E00", "#999999", "#F0E442", "#000000")

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


def colours(data: dict) -> dict[str, str]:
    """One for each firmware."""
    more = iter(MORE_COLOURS * 10)
    return {one: COLOURS.get(one) or next(more) for one in names(data)}


def limits(figures: list[float]) -> tuple[float, float]:
    """The ends of a logarithmic axis: from below the smallest value to above the largest."""
    positive = [value for value in figures if value > 0] or [1, 10]
    return min(positive) / 2.5, max(positive) * 1.8


def _plain(value, _position) -> str:
    """Ticks as people write numbers."""
    for size, suffix in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:g}{suffix}"
    return f"{value:g}"


def log_axis(axis) -> None:
    """Powers of ten, written as people do."""
    axis.set_major_locator(LogLocator(base=10, numticks=12))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(_plain))
    axis.set_minor_formatter(NullFormatter())


def no_figures(ax, text="not measured") -> None:
    """An empty place that says so."""
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color=FAINT,
            fontsize=12)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(False)


def cut(name: str, width: int = 15) -> str:
    """A name short enough for its place."""
    return name if len(name) <= width else f"{name[:width - 1]}…"


def complaint(row: dict, width: int = 46) -> str:
    """What a row without figures has to say, as far as there is room."""
    return textwrap.shorten(f"{row['status']}: {row['reason']}", width, placeholder=" ...")
