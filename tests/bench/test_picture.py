# SPDX-License-Identifier: MIT
"""The picture is made, also of incomplete results, and says what it shows."""

import copy
import re
import subprocess
import sys

import pytest

import made_up
from bench import picture, results
from harness.paths import ROOT

DATA = made_up.results(factors=made_up.FACTORS[:4])
PNG = b"\x89PNG\r\n\x1a\n"


def words(data: dict, directory) -> set[str]:
    """Every text in the picture; matplotlib names them in comments beside their outlines."""
    path = directory / "results.svg"
    picture.draw(data, path)
    return set(re.findall(r"<!-- (.*?) -->", path.read_text()))


def count_of(found: set[str], part: str) -> int:
    """How many texts have this in them."""
    return sum(part in text for text in found)


def test_names_and_figures(tmp_path):
    found = words(DATA, tmp_path)
    for text in ("What a firmware costs before the kernel runs", "Device accesses",
                 "Guest instructions", "Time", "Where Mayfly's time goes", "Mayfly", "Mayfly, full",
                 "qboot", "SeaBIOS", "OVMF", "pc", "q35", "microvm", "24", "227", "27,599",
                 "tables", "hand over", "3.50 ms", "debian-entry", "0 MiB", "failed",
                 "milliseconds above a ROM that exits at reset",
                 "until the kernel's first instruction"):
        assert text in found, text
    head = " ".join(found)
    for fact in ("2026-01-02 03:04 UTC", "Times under TCG", "v1.0-3-gabcdef0", "QEMU 7.2.22",
                 "Time on KVM hardware: not yet measured", "Made-up CPU"):
        assert fact in head, fact
    ratio = results.find_row(DATA, "q35", "mayfly")["time"]["to_qboot"]["ratio"]
    assert count_of(found, f", {ratio:.2f} × qboot's")


def test_reasons(tmp_path):
    assert "refused: OVMF has no build for microvm" in words(DATA, tmp_path)


def legend(data: dict) -> list[str]:
    """The words of the legend."""
    return [handle.get_label() for handle in picture._legend(data)]


def test_the_legend_has_what_is_drawn():
    """A firmware without a bar has no place there, nor has a mark that is nowhere."""
    everything = made_up.results(factors=made_up.FACTORS[:3])
    assert legend(everything) == ["Mayfly", "Mayfly, full", "qboot", "SeaBIOS", "OVMF", "failed",
                                  "refused"]
    # OVMF has no row with a figure on microvm, and base cases have words in place of marks.
    assert legend(made_up.results(machines=("microvm",), factors=made_up.FACTORS[:1])) == [
        "Mayfly", "Mayfly, full", "qboot", "SeaBIOS"]
    skipped = made_up.results(machines=("microvm",), factors=made_up.FACTORS[:2])
    for row in skipped["results"]:
        if row["firmware"] == "ovmf":
            row["status"] = "skipped"
    assert legend(skipped) == ["Mayfly", "Mayfly, full", "qboot", "SeaBIOS"]


def test_a_time_that_failed_has_its_mark_in_the_legend():
    """Its counts are drawn as bars all the same."""
    data = made_up.results(machines=("q35",), factors=made_up.FACTORS[:2], firmwares=("mayfly",))
    assert legend(data) == ["Mayfly"]
    row = results.find_row(data, "q35-kernel-debian-entry", "mayfly")
    del row["time"]
    row.update(status="failed", reason="no exit")
    assert legend(data) == ["Mayfly", "failed"]


def test_no_difference(tmp_path):
    data = copy.deepcopy(DATA)
    results.find_row(data, "q35", "mayfly")["time"]["to_qboot"] = {
        "verdict": "no difference seen", "ratio": 0.123, "low": 0.1, "high": 2.0}
    found = words(data, tmp_path)
    assert count_of(found, "ms, no difference seen") and not count_of(found, "0.12 ×")


def only(data: dict, *fields) -> dict:
    """Without these figures."""
    data = copy.deepcopy(data)
    for row in data["results"]:
        for field in fields:
            row.pop(field, None)
    return data


ALL = ("accesses", "instructions", "time", "timeline")


@pytest.mark.parametrize("missing", [*((field,) for field in ALL), ALL])
def test_missing_figures(tmp_path, missing):
    found = words(only(DATA, *missing), tmp_path)
    assert "not measured" in found
    assert ("3.50 ms" in found) == ("timeline" not in missing)


def test_nothing_at_all(tmp_path):
    data = {**copy.deepcopy(DATA), "cases": [], "floor": [], "results": []}
    assert "not measured" in words(data, tmp_path)


def test_times_within_the_noise(tmp_path):
    """A time of 0 or less has no place on a logarithmic scale, but its figure is told."""
    data = copy.deepcopy(DATA)
    time = results.find_row(data, "q35", "mayfly")["time"]
    time.update(above_floor_ms=-0.25, spread_ms=[-1.0, 0.5], to_qboot={"verdict": "faster"})
    assert "-0.25 ms" in words(data, tmp_path)


def test_peers_have_colours_of_their_own(tmp_path):
    data = copy.deepcopy(DATA)
    for name in ("one", "two"):
        data["firmwares"].append({**data["firmwares"][0], "id": name, "name": f"{name}.bin"})
        data["results"].append({**results.find_row(data, "q35", "qboot"), "firmware": name})
    colours = picture.colours(data)
    assert len(set(colours.values())) == len(data["firmwares"])
    assert {"one.bin", "two.bin"} <= words(data, tmp_path)


def test_same_results_same_picture(tmp_path):
    paths = [tmp_path / "a.svg", tmp_path / "b.svg"]
    for path in paths:
        picture.draw(DATA, path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_command(tmp_path):
    path = tmp_path / "results.json"
    results.save(DATA, path)
    ended = subprocess.run([sys.executable, "-B", "-m", "bench.picture", path], cwd=ROOT,
                           capture_output=True, text=True, check=True)
    assert str(tmp_path / "results.svg") in ended.stdout
    assert (tmp_path / "results.png").read_bytes().startswith(PNG)
    assert (tmp_path / "results.svg").read_text().startswith("<?xml")
