# SPDX-License-Identifier: MIT
"""What CPUs wrote to model-specific registers, by QEMU's log of executed code (TCG).

QEMU ends a translated block behind a WRMSR (target/i386/tcg/translate.c) and logs the registers at
the beginning of the next.
"""

import re
import subprocess
from pathlib import Path

from .paths import ROOT

BEGIN = re.compile(r"Trace (?P<cpu>\d+): \S+ \[[0-9a-f]+/(?P<pc>[0-9a-f]+)/")
REGISTER = re.compile(r"\b(E[ACD]X)=([0-9a-f]{8})")
ACCEL = "tcg,thread=single"  # several threads break into each other's blocks
WRMSR = b"\x0f\x30"
IMAGE = 0xFFFF0000


def function(name: str) -> tuple[int, int]:
    """Address and size of a function of the firmware that the compiler kept as one."""
    lines = subprocess.run(["nm", "--print-size", str(ROOT / "build/fw.elf")], check=True,
                           capture_output=True, text=True).stdout.splitlines()
    found = [line.split() for line in lines if name in line]
    assert len(found) == 1 and len(found[0]) == 4, f"{name}: {found}"
    return int(found[0][0], 16), int(found[0][1], 16)


def arguments(log: Path, ranges) -> list[str]:
    """What has QEMU log the code in these ranges (address, size)."""
    return ["-d", "exec,cpu,nochain", "-D", str(log), "-dfilter",
            ",".join(f"{address:#x}+{size:#x}" for address, size in ranges)]


def written(log: Path, code: dict[int, bytes]) -> dict[int, dict[int, int]]:
    """Value by register by CPU; `code` is what the ranges hold, by address."""
    result: dict[int, dict[int, int]] = {}
    text = log.read_text(encoding="latin-1")
    for begin in BEGIN.finditer(text):
        pc = int(begin["pc"], 16)
        behind = any(content[pc - base - 2 : pc - base] == WRMSR for base, content in code.items()
                     if 2 <= pc - base <= len(content))
        if behind:
            state = dict(REGISTER.findall(text, begin.end(), begin.end() + 200))
            eax, ecx, edx = (int(state[name], 16) for name in ("EAX", "ECX", "EDX"))
            result.setdefault(int(begin["cpu"]), {})[ecx] = edx << 32 | eax
    return result
