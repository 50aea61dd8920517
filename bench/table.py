# SPDX-License-Identifier: MIT
"""The results as a table, for a terminal of 100 columns or as Markdown.

    python3 -m bench.table [--markdown] [FILE]          prints it
    python3 -m bench.table --into docs/x.md [FILE]      puts it between that file's two marker lines
"""

import argparse
import re
import sys
import textwrap
from pathlib import Path

from . import results, wording
from .reasons import Repeated, complaint, has_figures
from .wording import count

WIDTH = 100
DEFAULT = "build/bench/results.json"
MARKERS = ("<!-- begin of `python3 -m bench.table --into` -->", "<!-- end -->")

# Two lines of heading for each column of figures.
HEADINGS = (("device", "accesses"), ("guest", "instr."), ("MSR", "writes"), ("CPU-", "IDs"),
            ("pages", "touched"), ("RAM left", "KiB"), ("ms above floor", "(quartiles)"),
            ("time / qboot's", "(95 % interval)"))
EXPLANATION = (
    "Until the kernel's first instruction: device accesses, guest instructions, MSR writes and "
    "CPUIDs are exact counts; pages of 4 KiB are RAM that was touched; RAM left is what the "
    "firmware's e820 gives to the kernel. Time is wall time of QEMU above that of a ROM that exits "
    "at reset. A ratio below 1 is faster than qboot.")
ELSEWHERE = "not measured, for the reasons below"
REASONS = "Not measured"


class Invalid(Exception):
    """A file to put the table into that has no place for it."""


def figures(row: dict) -> list[str]:
    """The cells of a row, without its name."""
    accesses = row.get("accesses")
    ram = row.get("ram_left")
    ratio = "reference" if row["firmware"] == results.REFERENCE and "time" in row \
        else wording.ratio(row.get("time"))
    return [count(accesses["total"] if accesses else None), count(row.get("instructions")),
            count(row.get("msr_writes")), count(row.get("cpuid")), count(row.get("pages_touched")),
            count(None if ram is None else ram // 1024),
            wording.time_above_floor(row.get("time")), ratio]


def names(data: dict) -> dict[str, str]:
    """Firmwares for people, by ID, in order."""
    return {firmware["id"]: firmware["name"] for firmware in data["firmwares"]}


def rows_of(data: dict, case: dict) -> list[dict]:
    """What there is of a case, in the order of the firmwares."""
    found = (results.find_row(data, case["id"], firmware) for firmware in names(data))
    return [row for row in found if row is not None]


def machines(data: dict) -> list[str]:
    """In the order of the cases."""
    return list(dict.fromkeys(case["machine"] for case in data["cases"]))


def base_cases(data: dict) -> list[dict]:
    """One a machine."""
    return [case for case in data["cases"] if case["factor"] == "base"]


def _beside(what: str, ours: int, theirs: int | None) -> str:
    return f"{count(ours)} {what}" + (f" (qboot {count(theirs)})" if theirs is not None else "")


def summary(data: dict) -> list[str]:
    """What Mayfly costs in each base case, in a line."""
    lines = []
    for case in base_cases(data):
        ours = results.find_row(data, case["id"], results.OURS[0]) or {}
        theirs = results.find_row(data, case["id"], results.REFERENCE) or {}
        told = []
        if "accesses" in ours:
            reference = theirs.get("accesses", {}).get("total")
            told.append(_beside("device accesses", ours["accesses"]["total"], reference))
        if "instructions" in ours:
            told.append(_beside("instructions", ours["instructions"], theirs.get("instructions")))
        if "to_qboot" in ours.get("time", {}):
            ratio = wording.ratio(ours["time"])
            told.append(f"{ratio} of its time" if ratio[0].isdigit() else f"time: {ratio}")
        lines.append(f"{case['machine']}: {', '.join(told) or complaint(ours) or 'not measured'}")
    return lines


# --- Tables of equal shape for both forms: a title, a heading and rows, all of them text.

def counts_by_name(data: dict, title: str, counts) -> list[tuple]:
    """One table a base case: names down, firmwares across. `counts` takes them from a row."""
    tables = []
    for case in base_cases(data):
        columns = {row["firmware"]: counts(row) for row in rows_of(data, case)}
        columns = {firmware: column for firmware, column in columns.items() if column is not None}
        ours = columns.get(results.OURS[0], {})
        found = {name for column in columns.values() for name in column}
        order = sorted(found, key=lambda name: (-ours.get(name, 0), name))
        if columns:
            tables.append((f"{title}, {case['machine']}: {wording.short_title(case)}",
                           ["", *(names(data)[firmware] for firmware in columns)],
                           [[name, *(count(column.get(name, 0)) for column in columns.values())]
                            for name in order]))
    return tables


def timeline_table(data: dict) -> list[tuple]:
    """Mayfly's own steps in every case that has them, in microseconds."""
    rows = []
    for case in data["cases"]:
        row = results.find_row(data, case["id"], results.OURS[0]) or {}
        if "timeline" in row:
            times = [*wording.step_times(row["timeline"]).values(), row["timeline"]["entry"]]
            rows.append([case["id"], *(wording.number(time / 1000) for time in times)])
    heading = ["", *wording.STEPS.values(), "sum"]
    return [("Mayfly's steps in microseconds, by its own clock", heading, rows)] if rows else []


def details(data: dict) -> list[tuple]:
    """All that is beside the table of figures."""
    return [*counts_by_name(data, "Device accesses", lambda row: row.get("accesses", {})
                            .get("by_device")),
            *counts_by_name(data, "Exits", lambda row: row.get("exits")),
            *timeline_table(data)]


# --- For a terminal.

def _fits(widths: list[int], gap: int) -> bool:
    return sum(widths) + gap * (len(widths) - 1) <= WIDTH


def _cut(name: str, width: int) -> str:
    return name if len(name) <= width else f"{name[:width - 1]}~"


def _cut_all(names_of_columns: list[str]) -> list[str]:
    """So that the columns of many firmwares stay narrow."""
    width = max(8, 72 // len(names_of_columns))
    return [_cut(name, width) for name in names_of_columns]


def _align(rows: list[list[str]]) -> list[str]:
    """Names to the left, figures to the right; long names are cut where the width is short."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    gap = 2 if _fits(widths, 2) else 1
    while not _fits(widths, gap) and widths[0] > 8:
        widths[0] -= 1
    space = " " * gap
    return [space.join([_cut(row[0], widths[0]).ljust(widths[0]),
                        *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]).rstrip()
            for row in rows]


def _wrap(text: str, indent: str = "") -> list[str]:
    # IDs have hyphens, and are to be found whole.
    return textwrap.wrap(text, WIDTH, subsequent_indent=indent, break_on_hyphens=False)


def _has_line(row: dict) -> bool:
    """A row that is ok has a line, also if nothing could be measured."""
    return row["status"] == "ok" or has_figures(row)


def _figures_as_text(data: dict) -> list[str]:
    """The rows are aligned all at once, so that columns stand under each other in all cases."""
    measured = [row for row in data["results"] if _has_line(row)]
    repeated = Repeated(data)
    cells = [[names(data)[row["firmware"]], *figures(row)] for row in measured]
    heads = [["", *(heading[line] for heading in HEADINGS)] for line in (0, 1)]
    aligned = _align(heads + cells)
    lines = {(row["case"], row["firmware"]): line for row, line in zip(measured, aligned[2:])}
    text = []
    for machine in machines(data):
        text += ["", f" {machine} ".center(WIDTH, "="), *aligned[:2]]
        for case in data["cases"]:
            if case["machine"] == machine:
                text += ["", *_wrap(f"{case['id']}: {wording.short_title(case)}", "  ")]
                rows = rows_of(data, case)
                shown = [row for row in rows if not repeated.has(row)]
                text += [] if shown else [ELSEWHERE if rows else "not measured"]
                for row in shown:
                    text += [lines[row["case"], row["firmware"]]] if _has_line(row) else []
                    if complaint(row):
                        text += _wrap(f"{names(data)[row['firmware']]}: {complaint(row)}", "    ")
    return text


def as_text(data: dict) -> str:
    """For a terminal."""
    lines = [piece for line in wording.preamble(data) for piece in _wrap(line, "  ")]
    lines += _figures_as_text(data)
    if reasons := Repeated(data).sentences():
        lines += ["", f"{REASONS}:"]
        lines += [piece for line in reasons for piece in _wrap(f"  {line}", "    ")]
    for title, heading, rows in details(data):
        lines += ["", *_wrap(title), *_align([_cut_all(heading), *rows])]
    lines += ["", *_wrap(EXPLANATION), "", "Mayfly in short:"]
    lines += [piece for line in summary(data) for piece in _wrap(line, "  ")]
    return "\n".join(lines) + "\n"


# --- Markdown.

def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _markdown_table(heading: list[str], rows: list[list[str]]) -> list[str]:
    def line(cells):
        return f"| {' | '.join(map(_cell, cells))} |"
    return [line(heading), line(["---", *["---:"] * (len(heading) - 1)]), *map(line, rows)]


def _markdown_rows(data: dict, case: dict) -> list[list[str]]:
    rows = []
    repeated = Repeated(data)
    for row in rows_of(data, case):
        if repeated.has(row):
            continue
        name = names(data)[row["firmware"]]
        if _has_line(row):
            rows.append([name, *figures(row)])
        if complaint(row):
            rows.append([name, complaint(row), *[""] * (len(HEADINGS) - 1)])
    nothing = ELSEWHERE if rows_of(data, case) else "not measured"
    return rows or [[nothing, *[""] * len(HEADINGS)]]


def as_markdown(data: dict) -> str:
    """For the summary of a CI job and for docs."""
    title, *facts = wording.preamble(data)
    heading = ["", *(f"{first} {second}" for first, second in HEADINGS)]
    lines = [f"### {title}", "", *(f"- **{_cell(fact)}**" for fact in summary(data)),
             *(f"- {_cell(fact)}" for fact in facts)]
    for machine in machines(data):
        rows = []
        for case in data["cases"]:
            if case["machine"] == machine:
                rows.append([f"**{case['id']}**: {wording.short_title(case)}",
                             *[""] * len(HEADINGS)])
                rows += _markdown_rows(data, case)
        lines += ["", f"#### {machine}", "", *_markdown_table(heading, rows)]
    if reasons := Repeated(data).sentences():
        lines += ["", f"{REASONS}:", "", *(f"- {_cell(line)}" for line in reasons)]
    lines += ["", EXPLANATION]
    for title, heading, rows in details(data):
        lines += ["", "<details>", f"<summary>{_cell(title)}</summary>", "",
                  *_markdown_table(heading, rows), "", "</details>"]
    return "\n".join(lines) + "\n"


def put_into(path: Path, markdown: str) -> None:
    """Replaces what is between the markers in a file."""
    text = path.read_text(encoding="utf-8")
    begin, end = MARKERS
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise Invalid(f"{path}: needs the line '{begin}', and after it the line '{end}'")
    place = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    whole = place.sub(lambda _: f"{begin}\n\n{markdown}\n{end}", text)
    path.write_text(whole, encoding="utf-8")


def main() -> int:
    """Prints the table of a file, or puts it into another."""
    parser = argparse.ArgumentParser(prog="bench.table", description="shows results of make bench")
    parser.add_argument("--markdown", action="store_true", help="as Markdown")
    parser.add_argument("--into", type=Path, metavar="FILE", help="write it there, as Markdown")
    parser.add_argument("file", nargs="?", default=DEFAULT)
    choice = parser.parse_args()
    try:
        data = results.load(choice.file)
        if choice.into:
            put_into(choice.into, as_markdown(data))
        else:
            print(as_markdown(data) if choice.markdown else as_text(data), end="")
    except (results.Invalid, Invalid) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
