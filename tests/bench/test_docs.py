# SPDX-License-Identifier: MIT
"""docs/benchmarking.md agrees with itself, with the README and with what bench.table needs."""

import re

from bench import table
from harness.paths import ROOT

PAGE = (ROOT / "docs/benchmarking.md").read_text()
MACHINES = ["pc", "q35", "microvm"]


def access_rows() -> list[list[str]]:
    """The table of device accesses, without its heading."""
    lines = PAGE[PAGE.index("| accesses | pc | q35 | microvm | reason |"):].split("\n\n")[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines.splitlines()[2:]]


def test_accesses_add_up():
    """Each row is explained, and the sums are those of the README."""
    *rows, sums = access_rows()
    readme = (ROOT / "README.md").read_text()
    told = re.search(r"(\d+) times on `pc`, (\d+) on `q35`,\s+(\d+) on `microvm`", readme)
    assert len(rows) > 10
    for column, machine in enumerate(MACHINES, 1):
        total = sum(int(row[column]) for row in rows)
        assert sums[column] == f"**{total}**", machine
        assert int(told[column]) == total, machine


def test_place_for_tables():
    begin, end = table.MARKERS
    assert PAGE.count(begin) == PAGE.count(end) == 1
    assert PAGE.index(begin) < PAGE.index(end)


def test_links_within_the_page():
    headings = {re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).replace(" ", "-")
                for line in PAGE.splitlines() if line.startswith("#")}
    links = re.findall(r"\]\(#([^)]+)\)", PAGE)
    assert len(links) > 10
    assert set(links) <= headings


def test_files_that_are_named_exist():
    for name in re.findall(r"`((?:bench|tests|docs|\.github)/[\w./-]+)`", PAGE):
        assert (ROOT / name).exists() or name.startswith("docs/debug-port"), name
