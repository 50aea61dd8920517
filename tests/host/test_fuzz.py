# SPDX-License-Identifier: MIT
"""Replays every fuzz target's corpus (tests/fuzz); `make fuzz` searches for more."""

import subprocess

import pytest

from harness.paths import ROOT

TARGETS = sorted(path.stem.removeprefix("fuzz_") for path in (ROOT / "tests/fuzz").glob("fuzz_*.cpp"))


@pytest.mark.parametrize("target", TARGETS)
def test_corpus(target):
    """No input of the corpus makes a sanitizer complain."""
    corpus = ROOT / "tests/fuzz/corpus" / target
    assert any(corpus.iterdir()), f"{corpus} is empty"
    result = subprocess.run([ROOT / "build/tests/fuzz" / target, "-runs=0", corpus],
                            capture_output=True, text=True, check=False, cwd=ROOT / "build")
    assert result.returncode == 0, result.stderr
