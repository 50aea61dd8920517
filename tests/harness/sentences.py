# SPDX-License-Identifier: MIT
"""The register of the error sentences that tests have seen.

tests/conftest.py compares it with the sentences in the image: one that no test has seen fails
the tests.
"""

import os

from .paths import SEEN


def expect_sentence(actual: str, expected: str) -> None:
    """Compares a firmware's complaint with the exact sentence and registers that it was seen."""
    assert actual.strip() == expected, f"the firmware said:\n{actual}\ninstead of:\n{expected}"
    SEEN.mkdir(parents=True, exist_ok=True)
    with open(SEEN / f"{os.getpid()}.txt", "a", encoding="utf-8") as seen:
        seen.write(expected + "\n")
