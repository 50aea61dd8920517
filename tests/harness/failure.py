# SPDX-License-Identifier: MIT
"""Boots that must end in one sentence."""

from .qemu import Qemu
from .sentences import expect_sentence


def complaint(vm: Qemu) -> str:
    """What the firmware says on port 0x402 once a whole line has come and the CPU has halted."""
    vm.wait_until(lambda: vm.debug.endswith("\n"), "sentence on port 0x402")
    vm.wait_until(lambda: "HLT=1" in vm.hmp("info registers"), "halted CPU")
    return vm.debug


def check_complaint(machine, args, sentence: str, **options) -> None:
    """The firmware says exactly this sentence on port 0x402 and on COM1 and halts."""
    with Qemu(machine, args, **options) as vm:
        said = complaint(vm)
        assert vm.report == b"", "the payload was entered"
        expect_sentence(said, sentence)
        assert vm.serial.strip() == sentence, vm.serial
