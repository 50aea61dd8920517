# SPDX-License-Identifier: MIT
"""Runs the host tests (tests/unit), suite by suite, as 32-bit and as 64-bit programs."""

import os
import subprocess

import pytest

from harness.paths import ROOT, SEEN

BITS = (32, 64)


def program(bits: int):
    """The test program that `make test` builds."""
    return ROOT / f"build/tests/unit/{bits}/host_tests"


def suites() -> list[str]:
    """The suites in the 64-bit program; the other one has the same."""
    if not program(64).exists():
        return ["(not built)"]
    listing = subprocess.run([program(64), "--gtest_list_tests"], capture_output=True, text=True,
                             check=True).stdout
    return [line.rstrip(".") for line in listing.splitlines()
            if not line.startswith((" ", "Running"))]


@pytest.mark.parametrize("suite", suites())
@pytest.mark.parametrize("bits", BITS)
def test_host(bits, suite):
    """Every test of the suite passes, and there is one."""
    result = subprocess.run([program(bits), f"--gtest_filter={suite}.*"], capture_output=True,
                            text=True, check=False, cwd=ROOT,
                            env={**os.environ, "MAYFLY_SEEN": str(SEEN / f"host-{bits}-{suite}"),
                                 "UBSAN_OPTIONS": "print_stacktrace=1"})
    assert result.returncode == 0, result.stdout + result.stderr
    assert "[  PASSED  ] 0 tests" not in result.stdout
