# SPDX-License-Identifier: MIT
"""What the results have to say of where they come from: the host, and the version of everything."""

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

from harness import paths
from harness.qemu import PROGRAM

from .firmwares import Firmware

CPU_INFO = Path("/proc/cpuinfo")


def _output(*command) -> str:
    """What a command prints; nothing, if it fails or is not there."""
    try:
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                check=False)
    except OSError:
        return ""
    return result.stdout.decode(errors="replace").strip() if result.returncode == 0 else ""


def _first_line(text: str) -> str:
    return text.splitlines()[0] if text else ""


def _cpu(info: str) -> str:
    match = re.search(r"^model name\s*: (.*)$", info, re.MULTILINE)
    return match[1] if match else platform.machine()


def _hypervisor(info: str) -> dict:
    """Whether this host is itself a virtual machine, where its CPU tells (x86)."""
    flags = re.search(r"^flags\s*:(.*)$", info, re.MULTILINE)
    return {"hypervisor": "hypervisor" in flags[1].split()} if flags else {}


def facts(accelerator: str, why: str, info: str | None = None) -> dict:
    """The host; `info` in place of its /proc/cpuinfo."""
    info = CPU_INFO.read_text() if info is None else info
    return {"cpu": _cpu(info), "cores": len(os.sched_getaffinity(0)),
            "kernel": f"{platform.system()} {platform.release()}",
            "accelerator": "kvm" if accelerator.startswith("kvm") else "tcg", "why": why,
            **_hypervisor(info)}


def _package(path: Path) -> str:
    """Package and version that a file is from, by dpkg or rpm; else that it is not known."""
    # Debian's merged /usr: the database may know a file by the path without links, or with them.
    for name in (path, path.resolve()):
        owner = _output("dpkg-query", "-S", str(name)).split(":")[0]
        if owner:
            return _output("dpkg-query", "-W", "-f", "${Package} ${Version}", owner)
        packed = _output("rpm", "-qf", str(name))
        if packed:
            return packed
    return f"{path.name} of no package"


def _compiler() -> str:
    prefix = os.environ.get("CROSS_COMPILE", "")
    return _first_line(_output(f"{prefix}g++", "--version"))


def versions(firmwares: list[Firmware], kernel: str) -> dict:
    """The versions of all that took part."""
    qemu = shutil.which(PROGRAM)
    found = {
        "mayfly": _output("git", "-C", paths.ROOT, "describe", "--always", "--dirty")
        or "not from a git repository",
        "qemu": _first_line(_output(qemu, "--version")),
        "kernel": kernel,
        "compiler": _compiler(),
    }
    found |= {f.id: _package(next(iter(f.files.values()))) for f in firmwares
              if f.id in ("qboot", "seabios", "ovmf")}
    return {name: value for name, value in found.items() if value}
