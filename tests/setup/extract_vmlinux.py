# SPDX-License-Identifier: MIT
"""Takes the uncompressed kernel out of a packaged bzImage.

    extract_vmlinux.py BZIMAGE OUTPUT

The result is the ELF that the kernel's own decompressor would unpack, for booting by PVH. It must
carry the Xen note with the PVH entry point; a bzImage whose kernel has none is refused.
"""

import bz2
import gzip
import lzma
import pathlib
import struct
import subprocess
import sys

# Fields of the setup header (Documentation/arch/x86/boot.rst).
SETUP_SECTORS = 0x1F1
MAGIC = 0x202
VERSION = 0x206
PAYLOAD_OFFSET = 0x248
PAYLOAD_LENGTH = 0x24C
FIRST_VERSION_WITH_PAYLOAD = 0x0208
SECTOR_BYTES = 512

# ELF, 64-bit little-endian and 32-bit little-endian.
ELF_MAGIC = b"\x7fELF"
PT_NOTE = 4
# xen/include/public/elfnote.h
XEN_NAME = b"Xen\0"
XEN_ELFNOTE_PHYS32_ENTRY = 18


class NotUsable(Exception):
    """The image is not what is asked for; the text says why."""


def _u16(data, offset):
    return struct.unpack_from("<H", data, offset)[0]


def _u32(data, offset):
    return struct.unpack_from("<I", data, offset)[0]


def compressed_payload(image):
    """The compressed kernel inside a bzImage, without the size that the build appends to it."""
    if image[MAGIC : MAGIC + 4] != b"HdrS" or _u16(image, VERSION) < FIRST_VERSION_WITH_PAYLOAD:
        raise NotUsable("not a bzImage of boot protocol 2.08 or newer")
    # A zero means four: the oldest boot loaders' rule.
    setup_bytes = ((image[SETUP_SECTORS] or 4) + 1) * SECTOR_BYTES
    start = setup_bytes + _u32(image, PAYLOAD_OFFSET)
    return image[start : start + _u32(image, PAYLOAD_LENGTH)]


def _xz(data):
    # The appended size follows the stream; a decompressor object stops before it.
    return lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(data)


def _lzma(data):
    return lzma.LZMADecompressor(lzma.FORMAT_ALONE).decompress(data)


def _bzip2(data):
    return bz2.BZ2Decompressor().decompress(data)


def _by_program(*command):
    def unpack(data):
        # These programs complain about the appended size after writing all of the kernel.
        result = subprocess.run(
            command, input=data[:-4], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False
        )
        if result.returncode != 0:
            raise NotUsable(f"{command[0]}: {result.stderr.decode(errors='replace').strip()}")
        return result.stdout

    return unpack


UNPACKERS = (
    (b"\x1f\x8b", "gzip", gzip.decompress),
    (b"\xfd7zXZ\0", "xz", _xz),
    (b"\x5d\0\0", "lzma", _lzma),
    (b"BZh", "bzip2", _bzip2),
    (b"\x28\xb5\x2f\xfd", "zstd", _by_program("zstd", "-dc")),
    (b"\x02\x21\x4c\x18", "lz4", _by_program("lz4", "-dc")),
)


def decompress(payload):
    for magic, _, unpack in UNPACKERS:
        if payload.startswith(magic):
            return unpack(payload)
    raise NotUsable(f"unknown compression, first bytes {payload[:6].hex()}")


def note_segments(elf):
    """Yields the bytes of each PT_NOTE segment of an ELF file."""
    wide = elf[4] == 2
    table, size, count = (
        (struct.unpack_from("<Q", elf, 0x20)[0], _u16(elf, 0x36), _u16(elf, 0x38))
        if wide
        else (_u32(elf, 0x1C), _u16(elf, 0x2A), _u16(elf, 0x2C))
    )
    for header in range(table, table + size * count, size):
        if _u32(elf, header) != PT_NOTE:
            continue
        if wide:
            offset, length = (struct.unpack_from("<Q", elf, header + at)[0] for at in (0x08, 0x20))
        else:
            offset, length = (_u32(elf, header + at) for at in (0x04, 0x10))
        yield elf[offset : offset + length]


def _aligned(size):
    return (size + 3) & ~3


def has_pvh_entry(elf):
    for notes in note_segments(elf):
        at = 0
        while at + 12 <= len(notes):
            name_bytes, value_bytes, kind = struct.unpack_from("<III", notes, at)
            at += 12
            name = notes[at : at + name_bytes]
            if name == XEN_NAME and kind == XEN_ELFNOTE_PHYS32_ENTRY:
                return True
            at += _aligned(name_bytes) + _aligned(value_bytes)
    return False


def extract(image):
    """Returns the PVH-capable ELF inside a bzImage, or raises NotUsable."""
    elf = decompress(compressed_payload(image))
    if not elf.startswith(ELF_MAGIC):
        raise NotUsable("the unpacked kernel is not an ELF file")
    if not has_pvh_entry(elf):
        raise NotUsable("the unpacked kernel has no PVH entry note")
    return elf


def main():
    if len(sys.argv) != 3:
        raise SystemExit("usage: extract_vmlinux.py BZIMAGE OUTPUT")
    source, output = map(pathlib.Path, sys.argv[1:])
    try:
        elf = extract(source.read_bytes())
    except NotUsable as reason:
        raise SystemExit(f"extract_vmlinux: {source}: {reason}") from None
    temporary = output.with_name(output.name + ".part")
    temporary.write_bytes(elf)
    temporary.rename(output)


if __name__ == "__main__":
    main()
