# SPDX-License-Identifier: MIT
"""A whole run of the bench, small: what it writes is what results.json has to be."""

import io
import os
import subprocess
import sys

import pytest

from bench import cases, counts, firmwares, kernels, measure, progress, results, run, times
from harness import bzimage, paths

WHEN = "2026-01-02T03:04:05Z"
CASE = {case.id: case for case in cases.all_cases()}["microvm"]


class OldKernels(kernels.Kernels):
    """Kernels that Mayfly refuses and qboot boots: their boot protocol is an old one."""

    def _kernel(self, kind, end):
        return self._file(f"old-{end}", lambda: bzimage.build(bzimage.Program.stub(end),
                                                              protocol=0x209))


def bench_of(folder, chosen, made=kernels.Kernels, limit=None, monkeypatch=None):
    """The results of one case in 6 rounds, and what was said on the way."""
    if limit:
        monkeypatch.setattr(firmwares, "LIMIT_SECONDS", limit)
    told = io.StringIO()
    bench = measure.Bench([CASE], chosen, made(folder), run.TCG, 6, False,
                          progress.Progress(told))
    bench.measure()
    data = {"schema": 1, "when": WHEN,
            "host": {"cpu": "x", "cores": 1, "kernel": "x", "accelerator": "tcg", "why": "x"},
            "versions": {"mayfly": "x", "qemu": "x"},
            "firmwares": [firmware.describe() for firmware in chosen],
            "cases": [CASE.describe()], **bench.results()}
    results.validate(data)
    return data, told.getvalue()


def chosen_firmwares(*names):
    """Some of those that are here."""
    return [firmware for firmware in firmwares.find([]) if firmware.id in names]


def test_a_run_fills_every_figure(tmp_path):
    """All of a row, from counts to the comparison with qboot."""
    data, told = bench_of(tmp_path, chosen_firmwares("mayfly", "qboot"))
    ours, theirs = (results.find_row(data, "microvm", name) for name in ("mayfly", "qboot"))
    assert ours["status"] == theirs["status"] == "ok"
    figures = {"accesses", "instructions", "msr_writes", "cpuid", "ram_left", "time"}
    if counts.why_no_pages():
        assert f"RAM pages are not counted: {counts.why_no_pages()}" in told
    else:
        figures.add("pages_touched")
    assert figures <= set(ours) and figures <= set(theirs)
    assert len(results.find_floor(data, "microvm")["samples_ms"]) == 6
    assert "verdict" in ours["time"]["to_qboot"] and "to_qboot" not in theirs["time"]
    assert "case 1 of 1: microvm" in told


def test_a_firmware_that_fails_keeps_its_row(tmp_path, monkeypatch):
    """One refuses with its own words, one is no firmware, one has no image: all is told."""
    chosen = [*chosen_firmwares("mayfly", "qboot"),
              firmwares.Firmware("broken", "broken", {"": paths.PAYLOADS / "setup.bin"}),
              firmwares.Firmware("other", "other", {"pc": paths.QBOOT})]
    data, told = bench_of(tmp_path, chosen, OldKernels, 3, monkeypatch)
    rows = {row["firmware"]: row for row in data["results"]}
    assert {name: row["status"] for name, row in rows.items()} == {
        "mayfly": "refused", "qboot": "ok", "broken": "failed", "other": "skipped"}
    assert "its last words: mayfly: " in rows["mayfly"]["reason"]
    assert "setup.bin" in rows["broken"]["reason"]
    assert "microvm, broken: failed" in told


@pytest.mark.parametrize("failed", ["mayfly", times.FLOOR])
def test_counts_outlive_times_that_fail(tmp_path, monkeypatch, failed):
    """They are exact, whatever happens later; the row is not ok, and has no time."""
    def fail(_case, chosen, *_):
        samples = {name: [1.0] * 6 for name in (times.FLOOR, *(one.id for one in chosen))}
        del samples[failed]
        return samples, {failed: "it did not end within 60 s"}
    monkeypatch.setattr(times, "take", fail)
    data, _ = bench_of(tmp_path, chosen_firmwares("mayfly", "qboot"))
    row = results.find_row(data, "microvm", "mayfly")
    assert row["status"] == "failed" and "did not end within 60 s" in row["reason"]
    assert {"accesses", "instructions", "ram_left"} <= set(row)
    assert not {"time", "timeline"} & set(row)
    qboot = results.find_row(data, "microvm", "qboot")
    assert ("time" in qboot) == (qboot["status"] == "ok") == (failed == "mayfly")


def test_an_unknown_accelerator_is_refused():
    """At once, before anything is measured or written."""
    python = [sys.executable, "-B", "-m", "bench"]
    ended = subprocess.run([*python, "--accel", "kvmm", "--output", "/nonexistent/results.json"],
                           cwd=paths.ROOT, env={**os.environ, "PYTHONPATH": "tests:."},
                           capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 2 and ended.stdout == ""
    assert ended.stderr == ("bench: times cannot be taken with ACCEL=kvmm: "
                            "it is neither tcg nor kvm\n")


@pytest.mark.parametrize("chosen", [[], ["microvm", "q35*"]])
def test_a_selection_keeps_the_order(chosen):
    """Cases come as in the whole run."""
    whole = [case.id for case in cases.all_cases()]
    some = [case.id for case in cases.select(chosen)]
    assert some == [name for name in whole if name in some]
