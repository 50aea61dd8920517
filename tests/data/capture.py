#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Captures what QEMU gives to firmware, through the qtest protocol: the CPU stays stopped.

usage: tests/data/capture.py [qemu-system-x86_64 [kernel image ...]]
"""

import pathlib
import struct
import subprocess
import sys

DATA = pathlib.Path(__file__).parent
DIRECTORY = 0x19
READ, SELECT = 2, 8
DESCRIPTOR, BUFFER = 0x1000, 0x10000

# What firmware programs before it reads the tables: QEMU makes them from it.
PC = [(0x80000B40, 0x601), (0x80000B80, 0x01)]
Q35 = [(0x80000060, 0xB0000001), (0x8000F840, 0x601), (0x8000F844, 0x80)]

MACHINES = {
    "pc": (["-machine", "pc", "-m", "32"], PC),
    "pc-smp": (["-machine", "pc", "-m", "32", "-smp", "3,maxcpus=8,sockets=2,cores=2,threads=2"],
               PC),
    "q35": (["-machine", "q35", "-m", "32"], Q35),
    "q35-smbios3": (["-machine", "q35,smbios-entry-point-type=64", "-m", "32"], Q35),
    "q35-5g": (["-machine", "q35", "-m", "5G"], Q35),
    "microvm": (["-machine", "microvm,acpi=on", "-m", "32"], []),
}
FILES = ["etc/e820", "etc/table-loader", "etc/acpi/tables", "etc/acpi/rsdp",
         "etc/smbios/smbios-anchor", "etc/smbios/smbios-tables"]


class Machine:
    """One QEMU that executes nothing."""

    def __init__(self, qemu: str, options: list[str]) -> None:
        self.process = subprocess.Popen(
            [qemu, *options, "-nodefaults", "-display", "none", "-accel", "tcg", "-S", "-qtest",
             "stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True)

    def ask(self, command: str) -> str:
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        while True:
            answer = self.process.stdout.readline().split()
            if not answer:
                raise SystemExit(f"QEMU gave no answer to {command}")
            if answer[0] == "OK":
                return answer[-1]

    def write_pci(self, address: int, value: int) -> None:
        self.ask(f"outl 0xcf8 {address:#x}")
        self.ask(f"outl 0xcfc {value:#x}")

    def read(self, key: int, size: int) -> bytes:
        """The first `size` bytes of an item, by DMA."""
        descriptor = struct.pack(">IIQ", key << 16 | SELECT | READ, size, BUFFER)
        self.ask(f"write {DESCRIPTOR:#x} {len(descriptor)} 0x{descriptor.hex()}")
        self.ask(f"outl 0x518 {int.from_bytes(struct.pack('>I', DESCRIPTOR), 'little'):#x}")
        return bytes.fromhex(self.ask(f"read {BUFFER:#x} {size:#x}")[2:])

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def capture(qemu: str, name: str, options: list[str], registers: list[tuple[int, int]]) -> None:
    folder = DATA / name
    folder.mkdir(exist_ok=True)
    machine = Machine(qemu, options)
    for address, value in registers:
        machine.write_pci(address, value)
    count = struct.unpack(">I", machine.read(DIRECTORY, 4))[0]
    directory = machine.read(DIRECTORY, 4 + 64 * count)
    (folder / "directory.bin").write_bytes(directory)
    for index in range(count):
        size, key, _, raw = struct.unpack_from(">IHH56s", directory, 4 + 64 * index)
        file = raw.split(b"\0")[0].decode()
        if file in FILES:
            content = machine.read(key, size)
            # The directory has the size; what is cut off here are zeros.
            if file == "etc/acpi/tables":
                content = content.rstrip(b"\0")
            (folder / (file.split("/")[-1] + ".bin")).write_bytes(content)
    machine.end()


def main() -> None:
    qemu = sys.argv[1] if len(sys.argv) > 1 else "qemu-system-x86_64"
    for name, (options, registers) in MACHINES.items():
        capture(qemu, name, options, registers)
    for image in sys.argv[2:]:
        path = pathlib.Path(image)
        (DATA / "kernels").mkdir(exist_ok=True)
        head = path.read_bytes()[:1024]
        (DATA / "kernels" / f"{path.parent.name}.bin").write_bytes(head)


if __name__ == "__main__":
    main()
