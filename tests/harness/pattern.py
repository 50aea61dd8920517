# SPDX-License-Identifier: MIT
"""Large files whose checksum, see tests/payload/initrd.hpp, is known without reading them."""

import random
import struct
from pathlib import Path

BLOCK = 1 << 20
WORDS = BLOCK // 4
MASK = 0xFFFFFFFF


def sums(data: bytes, plain: int = 0, ordered: int = 0) -> tuple[int, int]:
    """Both sums over the bytes, beginning with given ones."""
    padded = data + bytes(-len(data) % 4)
    for (word,) in struct.iter_unpack("<I", padded):
        plain += word
        ordered += plain
    return plain & MASK, ordered & MASK


def _block() -> bytes:
    return random.Random(1).randbytes(BLOCK)


def write(path: Path, size: int) -> tuple[int, int]:
    """Writes `size` bytes, no two MiB alike, and returns their sums."""
    block = _block()
    rest = block[4:]
    rest_plain, rest_ordered = sums(rest)
    plain = ordered = 0
    with open(path, "wb") as file:
        for number in range(size // BLOCK):
            # The first word of each block is its number; the rest adds the same every time.
            file.write(struct.pack("<I", number) + rest)
            plain = plain + number
            ordered = ordered + plain
            ordered = (ordered + (WORDS - 1) * plain + rest_ordered) & MASK
            plain = (plain + rest_plain) & MASK
        tail = block[: size % BLOCK]
        file.write(tail)
        return sums(tail, plain, ordered)
