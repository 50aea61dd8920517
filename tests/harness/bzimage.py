# SPDX-License-Identifier: MIT
"""Builds bzImages: a setup header like that of a distribution kernel around a small program.

Field offsets and meanings: Documentation/arch/x86/boot.rst of Linux, "Details of Header Fields".
"""

import struct
from dataclasses import dataclass

from .paths import PAYLOADS

SECTOR = 512
HEADER_AT = 0x1F1
JUMP_AT = 0x200
CODE_AT = 0x300  # setup.S is linked for it
PROGRAM_MAGIC = 0x4D46504C

XLF_KERNEL_64 = 1 << 0
XLF_CAN_BE_LOADED_ABOVE_4G = 1 << 1
DEBIAN_XLOADFLAGS = 0x3F

PAGE = 4096

# Protocol version to the end of its header, as far as later versions left it distinguishable.
HEADER_ENDS = {
    0x200: 0x224, 0x201: 0x226, 0x202: 0x22C, 0x203: 0x230, 0x204: 0x230, 0x205: 0x236,
    0x206: 0x23C, 0x207: 0x248, 0x208: 0x250, 0x209: 0x258, 0x20A: 0x264, 0x20B: 0x268,
    0x20C: 0x268, 0x20D: 0x268, 0x20E: 0x268, 0x20F: 0x26C,
}


@dataclass(frozen=True)
class Program:
    """A flat program and the real-mode code in front of it."""

    code: bytes
    real_mode: bytes
    memory: int  # bytes it needs from its first byte on

    @staticmethod
    def reporting() -> "Program":
        """The payload that reports what it was given."""
        code = (PAYLOADS / "payload.bin").read_bytes()
        magic, _, file_size, memory = struct.unpack_from("<4I", code, 16)
        assert magic == PROGRAM_MAGIC
        return Program(code.ljust(file_size, b"\0"), (PAYLOADS / "setup.bin").read_bytes(), memory)

    @staticmethod
    def stub(kind: str) -> "Program":
        """A stub: "exit", "tsc" (stub.S), "map" (map.S) or "fault" (fault.S)."""
        code = (PAYLOADS / f"stub_{kind}32.bin").read_bytes()
        return Program(code, (PAYLOADS / f"stub_{kind}16.bin").read_bytes(), PAGE)


def round_up(value: int, unit: int) -> int:
    """The next multiple of `unit`."""
    return -(-value // unit) * unit


@dataclass
class Header:
    """The fields a test may choose; the rest follows from the program."""

    protocol: int = 0x20F
    setup_sects: int = 39
    loadflags: int = 0x01  # LOADED_HIGH
    code32_start: int = 0x100000
    initrd_addr_max: int = 0x7FFFFFFF
    kernel_alignment: int = 0x200000
    relocatable: int = 1
    min_alignment: int = 21
    xloadflags: int = DEBIAN_XLOADFLAGS
    cmdline_size: int = 2047
    pref_address: int = 0x1000000
    payload_length: int = 1000  # of the compressed kernel; what is not Linux has 0
    init_size: int | None = None  # None: what the program needs
    syssize: int | None = None  # None: what the file holds
    boot_flag: int = 0xAA55
    magic: bytes = b"HdrS"


def _fields(header: Header, program_size: int, memory: int) -> list[tuple[int, str, int]]:
    syssize = header.syssize if header.syssize is not None else round_up(program_size, 16) // 16
    init_size = header.init_size if header.init_size is not None else round_up(memory, PAGE)
    return [
        (0x1EF, "<B", 0xFF),  # sentinel of boot_params, set in every distribution kernel
        (0x1F1, "<B", header.setup_sects),
        (0x1F2, "<H", 1),  # root_flags
        (0x1F4, "<I", syssize),
        (0x1FA, "<H", 0xFFFF),  # vid_mode: normal
        (0x1FE, "<H", header.boot_flag),
        (0x206, "<H", header.protocol),
        (0x211, "<B", header.loadflags),
        (0x214, "<I", header.code32_start),
        (0x22C, "<I", header.initrd_addr_max),
        (0x230, "<I", header.kernel_alignment),
        (0x234, "<B", header.relocatable),
        (0x235, "<B", header.min_alignment),
        (0x236, "<H", header.xloadflags),
        (0x238, "<I", header.cmdline_size),
        (0x24C, "<I", header.payload_length),
        (0x258, "<Q", header.pref_address),
        (0x260, "<I", init_size),
    ]


def build(program: Program, padding: int = 0, **fields) -> bytes:
    """The bytes of a bzImage; `fields` are those of Header, `padding` bytes follow the program."""
    header = Header(**fields)
    image = bytearray((header.setup_sects + 1) * SECTOR)
    code = program.code + bytes(padding)
    end = HEADER_ENDS[header.protocol]
    for offset, layout, value in _fields(header, len(code), program.memory):
        if offset < end:
            struct.pack_into(layout, image, offset, value)
    image[0x202:0x206] = header.magic
    image[JUMP_AT : JUMP_AT + 2] = bytes([0xEB, end - (JUMP_AT + 2)])
    struct.pack_into("<BH", image, end, 0xE9, CODE_AT - (end + 3))
    image[CODE_AT : CODE_AT + len(program.real_mode)] = program.real_mode
    return bytes(image) + code.ljust(round_up(len(code), 16), b"\0")
