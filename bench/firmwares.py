# SPDX-License-Identifier: MIT
"""The firmwares that are measured: ours, and the peers that are installed."""

import hashlib
import itertools
import re
from dataclasses import dataclass
from pathlib import Path

from harness import paths

from .cases import Case

PREPARE_OPTION = b"opt/org.mayfly/prepare"
FULL = ("-fw_cfg", f"name={PREPARE_OPTION.decode()},string=full")
OVMF = (Path("/usr/share/ovmf/OVMF.fd"), Path("/usr/share/qemu/OVMF.fd"),
        Path("/usr/share/edk2/x64/OVMF.4m.fd"))
QEMU_SEABIOS = Path("/usr/share/qemu/bios-256k.bin")

LIMIT_SECONDS = 60
SLOW_LIMIT_SECONDS = 240
SLOW_ROUNDS = 6


@dataclass(frozen=True)
class Firmware:
    """One column of the table. `files` by machine; "" stands for all that are not named.

    One that is `slow` takes seconds to boot: it is measured in the base cases, in few rounds.
    """

    id: str
    name: str
    files: dict
    options: tuple = ()
    slow: bool = False

    def file(self, machine: str) -> Path | None:
        """The image for a machine, None where there is none."""
        return self.files.get(machine, self.files.get(""))

    def arguments(self, machine: str) -> tuple:
        """What QEMU is told."""
        return ("-bios", self.file(machine), *self.options)

    @property
    def limit(self) -> float:
        """Seconds after which a run counts as hung."""
        return SLOW_LIMIT_SECONDS if self.slow else LIMIT_SECONDS

    def why_not(self, case: Case, all_slow: bool) -> str:
        """Why a case is not tried with it, or nothing."""
        if self.file(case.machine) is None:
            return f"there is no image of {self.name} for {case.machine}"
        if self.slow and case.factor != "base" and not all_slow:
            return f"{self.name} takes seconds to boot and is measured in the base cases only"
        return ""

    def describe(self) -> dict:
        """Its entry in the results."""
        files = sorted(set(self.files.values()), key=lambda path: path.name)
        content = b"".join(path.read_bytes() for path in files)
        return {"id": self.id, "name": self.name, "file": ", ".join(f.name for f in files),
                "sha256": hashlib.sha256(content).hexdigest(), "options": list(self.options)}


def _first(candidates) -> Path | None:
    return next((path for path in candidates if path.exists()), None)


def _ours() -> list[Firmware]:
    image = paths.firmware()
    firmwares = [Firmware("mayfly", "Mayfly", {"": image})]
    if PREPARE_OPTION in image.read_bytes():
        firmwares.append(Firmware("mayfly-full", "Mayfly, full", {"": image}, FULL))
    return firmwares


def _seabios() -> dict:
    files = {}
    usual = _first((paths.SEABIOS, QEMU_SEABIOS))
    if usual:
        files |= {"pc": usual, "q35": usual}
    if paths.SEABIOS_MICROVM.exists():
        files["microvm"] = paths.SEABIOS_MICROVM
    return files


def _new_id(path: Path, taken: list[str]) -> str:
    """The file's stem as an ID of results.json, with a number if there is one like it."""
    stem = re.sub(r"[^A-Za-z0-9._+-]", "-", path.stem).lstrip("._+-") or "peer"
    names = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
    return next(name for name in names if name not in taken)


def find(peers: list[Path]) -> list[Firmware]:
    """Ours and all peers here, in the order of the tables; `peers` are files to add."""
    firmwares = _ours()
    if paths.QBOOT.exists():
        firmwares.append(Firmware("qboot", "qboot", {"": paths.QBOOT}))
    if seabios := _seabios():
        firmwares.append(Firmware("seabios", "SeaBIOS", seabios))
    if ovmf := _first(OVMF):
        firmwares.append(Firmware("ovmf", "OVMF", {"pc": ovmf, "q35": ovmf}, slow=True))
    for path in peers:
        taken = [firmware.id for firmware in firmwares]
        firmwares.append(Firmware(_new_id(path, taken), path.name, {"": path}))
    return firmwares
