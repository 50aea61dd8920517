# SPDX-License-Identifier: MIT
"""The QEMU of another suite of Debian, which is unpacked below build/, never installed."""

import subprocess
from pathlib import Path

from . import paths
from .qemu import PROGRAM

FETCH = paths.ROOT / "tests/setup/fetch_qemu.sh"


def program(suite: str) -> Path:
    """A suite's qemu-system-x86_64, fetched if it is not there yet."""
    said = subprocess.run([FETCH, suite, paths.ROOT / "build/qemu"], stdout=subprocess.PIPE,
                          text=True, check=True)
    return Path(said.stdout.strip())


def version(qemu: str | Path = PROGRAM) -> tuple[int, int]:
    """A QEMU's version, without its last number."""
    said = subprocess.run([qemu, "--version"], stdout=subprocess.PIPE, text=True, check=True)
    major, minor = said.stdout.split()[3].split(".")[:2]
    return int(major), int(minor)


def machines(qemu: str | Path = PROGRAM) -> list[str]:
    """The machine types that a QEMU lists."""
    said = subprocess.run([qemu, "-machine", "help"], stdout=subprocess.PIPE, text=True, check=True)
    return [line.split()[0] for line in said.stdout.splitlines()[1:]]
