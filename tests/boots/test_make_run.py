# SPDX-License-Identifier: MIT
"""`make run` as a newcomer and as a user of its variables calls it."""

import os
import subprocess

import pytest

from harness.paths import ROOT

from . import boot as boots

TIME_LIMIT_SECONDS = 240


def make_run(*variables: str) -> str:
    """What it prints without a terminal; it must power the machine off and end well."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    result = subprocess.run(["make", "-C", str(ROOT), "run", *variables], capture_output=True,
                            text=True, check=False, stdin=subprocess.DEVNULL, env=environment,
                            timeout=TIME_LIMIT_SECONDS)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_newcomer():
    """No variable at all."""
    said = make_run()
    for part in ("booted.", "Q35", "Mayfly 0.1 (by the guest's SMBIOS)", "65536 bytes",
                 "from there to init"):
        assert part in said


@pytest.mark.parametrize("machine, words", [("microvm", "microvm"), ("pc", "i440FX")])
def test_variables(machine, words):
    """Each one reaches QEMU."""
    kernel = boots.kernel_folder("cloud") / "vmlinuz"
    said = make_run(f"MACHINE={machine}", "ACCEL=tcg", f"KERNEL={kernel}", "APPEND=a_word_of_mine",
                    "QEMU_ARGS=-m 300 -name a_name_of_mine")
    command = next(line for line in said.splitlines() if line.startswith("run: qemu-system"))
    for part in (f"-machine {machine}", "-accel tcg", str(kernel), "a_word_of_mine",
                 "a_name_of_mine"):
        assert part in command
    assert "booted." in said and (machine == "microvm" or words in said)
