# SPDX-License-Identifier: MIT
"""What all tests share: the choice of tests and the check that their parts were built."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from harness import paths  # noqa: E402  (needs the path above)


def pytest_addoption(parser):
    parser.addoption("--wide", choices=("without", "with", "only"),
                     default=os.environ.get("MAYFLY_WIDE", "without"),
                     help="run the tests marked wide too, or only them")


def pytest_collection_modifyitems(config, items):
    choice = config.getoption("--wide")
    chosen = [i for i in items
              if choice == "with" or (choice == "only") == (i.get_closest_marker("wide") is not None)]
    dropped = [i for i in items if i not in chosen]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = chosen


@pytest.fixture(scope="session", autouse=True)
def built_parts():
    """Fails at once, in one line, where something was not built."""
    for path in (paths.firmware(), paths.PAYLOADS / "payload.bin", paths.QBOOT):
        assert path.exists(), f"{path} is missing: run make first"
