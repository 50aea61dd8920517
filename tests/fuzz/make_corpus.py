#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the seeds in tests/fuzz/corpus from the captured bytes in tests/data."""

import pathlib
import random
import struct

HERE = pathlib.Path(__file__).parent
DATA = HERE.parent / "data"
MACHINES = ["pc", "pc-smp", "q35", "q35-smbios3", "q35-5g", "microvm"]


def seed(target: str, name: str, content: bytes) -> None:
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def elf(wide: bool) -> bytes:
    """An ELF with one segment at 1 MiB, which is its notes too."""
    if wide:
        header = struct.pack("<4sB11xHHIQQQIHHHHHH", b"\x7fELF", 2, 2, 62, 1, 1 << 20, 64, 0, 0, 64,
                             56, 2, 0, 0, 0)
        headers = [struct.pack("<IIQQQQQQ", kind, 0, 0, 0, 1 << 20, 0x100, 0x100, 4)
                   for kind in (1, 4)]
    else:
        header = struct.pack("<4sB11xHHIIIIIHHHHHH", b"\x7fELF", 1, 2, 3, 1, 1 << 20, 52, 0, 0, 52,
                             32, 2, 0, 0, 0)
        headers = [struct.pack("<IIIIIIII", kind, 0, 0, 1 << 20, 0x100, 0x100, 0, 4)
                   for kind in (1, 4)]
    notes = struct.pack("<III4s8s", 4, 6, 6, b"Xen", b"linux")
    notes += struct.pack("<III8s", 6, 0, 0, b"Linux")
    return (header + b"".join(headers)).ljust(8192, b"\0") + notes


def map_steps() -> bytes:
    """Steps of fuzz_memory_map: RAM, parts of other types in it, and every kind of search."""
    steps = [(0, 0, 255, 1), (0, 16, 32, 2), (0, 40, 41, 3), (3, 1, 10, 12), (3, 3, 200, 14),
             (1, 255, 20, 13), (2, 8, 100, 12), (4, 0, 16, 0), (0, 20, 100, 0), (4, 100, 200, 0)]
    return b"".join(bytes(step) for step in steps)


def pci_choices() -> dict[str, bytes]:
    """Choices of fakes::grow(): nothing, one BAR of each kind, and trees of any shape."""
    chance = random.Random(1)
    bars = struct.pack("<10H", 0, 1, 3, 0, 5, 1, 20, 2, 4, 0)
    return {"nothing": b"", "bars": bars,
            **{f"tree{i}": chance.randbytes(1500) for i in range(6)}}


def main() -> None:
    for name in MACHINES:
        read = lambda file: (DATA / name / f"{file}.bin").read_bytes()
        seed("directory", name, read("directory"))
        seed("e820", name, read("e820"))
        script = read("table-loader").rstrip(b"\0")
        script = script.ljust((len(script) + 127) // 128 * 128, b"\0")
        seed("table_loader", name, struct.pack("<4I", 0x20000, 36, 0x1000, 0x1000) + script)
        seed("madt", name, read("tables"))
        if (DATA / name / "smbios-anchor.bin").exists():
            anchor = read("smbios-anchor")
            seed("smbios", name, bytes([len(anchor)]) + anchor + read("smbios-tables"))
    for path in sorted((DATA / "kernels").iterdir()):
        head = path.read_bytes()
        seed("linux", path.stem, struct.pack("<II", 1 << 23, 0x7FFF0000) + head)
        with_trailer = bytearray(head)
        struct.pack_into("<Q", with_trailer, 0x250, 0x300000)
        struct.pack_into("<I", with_trailer, 0x21C, 12345)
        seed("linux", path.stem + "-dtb", struct.pack("<II", 1 << 23, 0x7FFF0000) + with_trailer)
    seed("memory_map", "steps", map_steps())
    for name, choices in pci_choices().items():
        seed("pci_plan", name, choices)
    seed("pvh", "elf32", elf(False))
    seed("pvh", "elf64", elf(True))


if __name__ == "__main__":
    main()
