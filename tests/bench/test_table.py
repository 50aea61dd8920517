# SPDX-License-Identifier: MIT
"""What the table says, on a terminal and as Markdown."""

import copy
import json
import re
import subprocess
import sys

import pytest

import made_up
from bench import results, table
from harness.paths import ROOT

DATA = made_up.results()
TEXT = table.as_text(DATA)
MARKDOWN = table.as_markdown(DATA)


def bare() -> dict:
    """One case and one row without a figure."""
    data = made_up.results(machines=("q35",), factors=made_up.FACTORS[:1], firmwares=("mayfly",))
    data["floor"] = []
    data["results"] = [{"case": "q35", "firmware": "mayfly", "status": "ok"}]
    return data


def line_of(text: str, after: str, begin: str) -> str:
    """The first line that begins so, after one that begins otherwise."""
    lines = text.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(after))
    return next(line for line in lines[start:] if line.startswith(begin))


def test_width():
    assert max(map(len, TEXT.splitlines())) <= 100


def test_long_names_are_cut():
    data = made_up.results(machines=("q35",))
    data["firmwares"][0]["name"] = "a-firmware-with-a-name-that-nobody-could-ever-remember.bin"
    text = table.as_text(data)
    assert max(map(len, text.splitlines())) <= 100
    assert len(re.findall("^a-firm.*~ ", text, re.MULTILINE)) == 10


def test_preamble():
    for text in (TEXT, MARKDOWN):
        for fact in ("2026-01-02 03:04 UTC", "v1.0-3-gabcdef0", "QEMU 7.2.22", "Made-up CPU",
                     "Times under TCG (/dev/kvm is not there), 12 interleaved rounds a case.",
                     "Time on KVM hardware: not yet measured."):
            assert fact in " ".join(text.split()), fact


def test_kvm_is_not_called_unmeasured():
    data = made_up.results(machines=("q35",))
    data["host"].update(accelerator="kvm", why="a kernel runs", hypervisor=False)
    assert "Times under KVM (a kernel runs)" in table.as_text(data)
    assert "not yet measured" not in table.as_text(data)


@pytest.mark.parametrize("flag, name", [({"hypervisor": True}, "nested KVM"),
                                        ({}, "KVM, perhaps a nested one")])
def test_nested_kvm_is_no_hardware(flag, name):
    data = made_up.results(machines=("q35",))
    data["host"].update(accelerator="kvm", why="a kernel runs", **flag)
    results.validate(data)
    for text in (table.as_text(data), table.as_markdown(data)):
        assert f"Times under {name} (a kernel runs)" in text
        assert "Time on KVM hardware: not yet measured." in text


def test_figures_of_a_row():
    cells = line_of(TEXT, "q35: ", "Mayfly ").split()
    row = results.find_row(DATA, "q35", "mayfly")
    assert cells[:7] == ["Mayfly", "24", "27,599", "12", "3", "2,100", "523,437"]
    told = row["time"]["to_qboot"]
    assert cells[7] == f"{row['time']['above_floor_ms']:.2f}"
    assert cells[9] == f"{told['ratio']:.2f}"
    assert cells[10] == f"({told['low']:.2f}-{told['high']:.2f})"
    assert line_of(TEXT, "q35: ", "qboot ").endswith(" reference")
    markdown = [cell.strip() for cell in line_of(MARKDOWN, "| **q35**", "| Mayfly |").split("|")]
    assert markdown[1:4] == ["Mayfly", "24", "27,599"]
    assert markdown[9] == f"{told['ratio']:.2f} ({told['low']:.2f}-{told['high']:.2f})"


@pytest.mark.parametrize("told, cell", [
    ({"verdict": "no difference seen", "ratio": 0.9, "low": 0.7, "high": 1.1},
     "no difference seen"),
    ({"verdict": "no difference seen", "ratio": 0.1}, "no difference seen"),
    ({"verdict": "slower"}, "slower"),
    ({"verdict": "faster", "ratio": 0.1, "low": -0.2, "high": 0.4}, "0.10 (-0.20 to 0.40)"),
    ({"verdict": "slower", "ratio": 12.34, "low": 9.996, "high": 123.4}, "12.3 (10.0-123)")])
def test_ratio(told, cell):
    """A ratio that the spread does not support is not printed."""
    row = {**results.find_row(DATA, "q35", "mayfly")}
    row["time"] = {**row["time"], "to_qboot": told}
    assert table.figures(row)[-1] == cell


def test_nothing_measured():
    data = bare()
    results.validate(data)
    assert line_of(table.as_text(data), "q35: ", "Mayfly ").split() == ["Mayfly"] + 8 * ["-"]
    assert "| Mayfly | - | - | - | - | - | - | - | - |" in table.as_markdown(data)
    assert "no times were measured" in table.as_text(data)


def test_case_without_rows():
    data = bare()
    data["results"] = []
    assert "not measured" in line_of(table.as_text(data), "q35: ", "not")
    assert "| not measured |" in table.as_markdown(data)


def one_line(text: str) -> str:
    """Without the breaks of lines."""
    return " ".join(text.split())


REPEATED = ("OVMF: refused: OVMF has no build for microvm (10 cases)",
            "OVMF: skipped: would take more than 2 GiB of RAM on this host (pc-cpus-64, "
            "q35-cpus-64)",
            "SeaBIOS: failed: no exit within 60 s; the last line on the serial port was: Booting "
            "from ROM (pc-kernel-pvh, q35-kernel-pvh, microvm-kernel-pvh)")


@pytest.mark.parametrize("sentence", REPEATED)
def test_repeated_reasons(sentence):
    """Once for all cases, at the end."""
    reason = sentence.rpartition(" (")[0]
    for text in (TEXT, MARKDOWN):
        assert one_line(text).count(reason) == 1
        assert sentence in one_line(text[text.index("Not measured:"):])
    assert f"\n- {sentence}\n" in MARKDOWN


def test_a_reason_of_its_own_stays_at_its_case():
    data = copy.deepcopy(DATA)
    own = results.find_row(data, "q35-initrd-100", "seabios")
    for field in own.keys() - {"case", "firmware", "status"}:
        del own[field]
    own.update(status="failed", reason="no exit")
    assert line_of(table.as_text(data), "q35-initrd-100: ", "SeaBIOS") == "SeaBIOS: failed: no exit"
    assert line_of(table.as_markdown(data), "| **q35-initrd-100**", "| SeaBIOS").startswith(
        "| SeaBIOS | failed: no exit |")


def test_the_same_reason_of_rows_with_figures_stays_with_them():
    data = copy.deepcopy(DATA)
    for case in ("pc", "q35"):
        results.find_row(data, case, "seabios").update(status="failed", reason="no exit")
    text = table.as_text(data)
    assert text.count("SeaBIOS: failed: no exit\n") == 2
    assert table.as_markdown(data).count("| SeaBIOS | failed: no exit |") == 2


def test_no_reasons():
    text = table.as_text(bare()) + table.as_markdown(bare())
    assert "Not measured:" not in text


def test_case_whose_rows_are_told_elsewhere():
    """A case with nothing under its title would look forgotten."""
    data = copy.deepcopy(DATA)
    data["results"] = [row for row in data["results"] if row["firmware"] == "ovmf"]
    told = "not measured, for the reasons below"
    assert line_of(table.as_text(data), "microvm: ", "not") == told
    assert line_of(table.as_markdown(data), "| **microvm**", "| not").startswith(f"| {told} |")


def test_figures_of_a_row_that_failed_later():
    data = bare()
    data["results"][0].update(status="failed", reason="no exit", instructions=77)
    text = table.as_text(data)
    assert "77" in line_of(text, "q35: ", "Mayfly ")
    assert "Mayfly: failed: no exit" in text


def test_accesses_by_device():
    lines = TEXT[TEXT.index("Device accesses, q35"):].splitlines()
    assert lines[1].split() == ["Mayfly", "Mayfly,", "full", "qboot", "SeaBIOS", "OVMF"]
    assert lines[2].split() == ["fwcfg.dma", "11", "11", "0", "0", "0"]
    assert "<summary>Device accesses, q35: " in MARKDOWN


def test_exits_by_reason():
    data = bare()
    assert "Exits" not in table.as_text(data)
    data["results"][0]["exits"] = {"io_exits": 24, "mmio_exits": 3}
    lines = table.as_text(data).splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("Exits, q35"))
    assert [line.split() for line in lines[start + 2:start + 4]] == [["io_exits", "24"],
                                                                     ["mmio_exits", "3"]]


def test_timeline():
    """Steps are the differences of marks, in microseconds."""
    start = TEXT.index("Mayfly's steps in microseconds")
    assert line_of(TEXT[start:], "Mayfly's", "pc ").split() == [
        "pc", "21.0", "109", "770", "80.0", "2420", "100", "3500"]
    assert "Mayfly's steps" not in table.as_text(bare())


def test_summary():
    row = results.find_row(DATA, "pc", "mayfly")
    assert table.summary(DATA)[0].startswith(
        "pc: 24 device accesses (qboot 227), 24,000 instructions (qboot 74,000), "
        f"{row['time']['to_qboot']['ratio']:.2f} (")
    assert table.summary(DATA)[0].endswith(") of its time")
    assert table.summary(bare()) == ["q35: not measured"]
    data = bare()
    data["results"][0].update(status="failed", reason="no exit")
    assert table.summary(data) == ["q35: failed: no exit"]


def test_summary_without_a_difference():
    data = made_up.results(machines=("q35",), rounds=5)
    assert table.summary(data)[0].endswith(", time: no difference seen")


def test_machine_is_said_once():
    data = bare()
    data["cases"][0]["title"] = "q35, bzImage stub"
    assert "\nq35: bzImage stub\n" in table.as_text(data)
    assert "| **q35**: bzImage stub |" in table.as_markdown(data)


def test_chosen_cases_are_named():
    data = bare()
    assert "chosen" not in table.as_text(data)
    data["selection"] = ["q35", "pc-*"]
    assert "Only the chosen cases: q35, pc-*" in table.as_text(data)


def test_markdown_is_not_broken_by_text():
    data = bare()
    data["results"][0].update(status="failed", reason="a | b <c>")
    assert "| Mayfly | failed: a \\| b &lt;c> |" in table.as_markdown(data)


def test_markdown_tables_have_equal_rows():
    lengths = {line.replace("\\|", "").count("|") for line in MARKDOWN.splitlines()
               if line.startswith("|") and "**" in line}
    assert lengths == {len(table.HEADINGS) + 2}


def run(*args) -> subprocess.CompletedProcess:
    """The command, as people and CI call it."""
    return subprocess.run([sys.executable, "-B", "-m", "bench.table", *map(str, args)], cwd=ROOT,
                          capture_output=True, text=True, check=False)


def test_command(tmp_path):
    path = tmp_path / "results.json"
    results.save(DATA, path)
    assert run(path).stdout == TEXT
    assert run("--markdown", path).stdout == MARKDOWN


def test_command_refuses(tmp_path):
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"schema": 1}))
    ended = run(path)
    assert ended.returncode == 2 and "'when' is a required property" in ended.stderr


def test_put_into(tmp_path):
    """Twice gives the same, and nothing else of the file changes."""
    path, page = tmp_path / "results.json", tmp_path / "page.md"
    results.save(DATA, path)
    page.write_text("\n".join(["before", table.MARKERS[0], "old \\1", table.MARKERS[1], "after"]))
    for _ in range(2):
        assert run("--into", page, path).returncode == 0
        assert page.read_text() == "\n".join(
            ["before", table.MARKERS[0], "", MARKDOWN, table.MARKERS[1], "after"])


@pytest.mark.parametrize("text", ["", table.MARKERS[0], "\n".join(reversed(table.MARKERS)),
                                  "\n".join(table.MARKERS * 2)])
def test_put_into_needs_a_place(tmp_path, text):
    path, page = tmp_path / "results.json", tmp_path / "page.md"
    results.save(bare(), path)
    page.write_text(text)
    ended = run("--into", page, path)
    assert ended.returncode == 2 and "needs the line" in ended.stderr
    assert page.read_text() == text
