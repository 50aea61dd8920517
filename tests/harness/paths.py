# SPDX-License-Identifier: MIT
"""Where the things under test and their parts are."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAYLOADS = ROOT / "build/tests/payload"
SEEN = ROOT / "build/tests/seen"
SEABIOS = Path("/usr/share/seabios/bios-256k.bin")
SEABIOS_MICROVM = Path("/usr/share/seabios/bios-microvm.bin")


def seabios(machine: str) -> Path:
    """The image that QEMU has for a machine type."""
    return SEABIOS_MICROVM if machine == "microvm" else SEABIOS


QBOOT = Path("/usr/share/qemu/qboot.rom")


def firmware() -> Path:
    """The ROM image under test."""
    return Path(os.environ.get("MAYFLY_FIRMWARE", ROOT / "build/fw.bin"))
