# SPDX-License-Identifier: MIT
"""Makes the kernels and initrds of the cases, as files in a folder.

Every kernel but those that boot to init stops at its first instruction; what it does there is its
end: "exit" (QEMU ends), "tsc" (the time stamp counter is reported first), "map" (the memory map
is), "fault" (the machine stops by a triple fault).
"""

import struct
import subprocess
import sys
from pathlib import Path

from harness import bzimage, paths, pvh
from harness.accesses import COMMAND_LINE

from . import cases

sys.path += [str(paths.ROOT / "tests/run"), str(paths.ROOT / "tests/setup")]

import accelerator  # noqa: E402  (found by the line above)
import extract_vmlinux  # noqa: E402
import initramfs  # noqa: E402

FLAVOUR = "cloud"
ENTRY_64 = 0x200  # behind the 32-bit entry, boot.rst: "64-bit Boot Protocol"
SETUP_SECTS_AT = 0x1F1
PE_OFFSET_AT = 0x3C
PE_ENTRY_AT = 0x28  # AddressOfEntryPoint in the PE header
PE_SIGNATURE = b"PE\0\0"


def _stub(end: str) -> bytes:
    return (paths.PAYLOADS / f"stub_{end}32.bin").read_bytes()


def _entries(image: bytes) -> list[int]:
    """Where in the file a bzImage is entered: 32-bit, 64-bit, and as an EFI application."""
    code = ((image[SETUP_SECTS_AT] or 4) + 1) * bzimage.SECTOR
    entries = [code, code + ENTRY_64]
    header = struct.unpack_from("<I", image, PE_OFFSET_AT)[0]
    if image[header : header + 4] == PE_SIGNATURE:
        # Linux lays its sections out in the file as in memory.
        entries.append(struct.unpack_from("<I", image, header + PE_ENTRY_AT)[0])
    return entries


def ending_at_entry(image: bytes, stub: bytes) -> bytes:
    """A distribution's bzImage, all of it, whose first instructions are a stub's."""
    result = bytearray(image)
    for entry in _entries(image):
        result[entry : entry + len(stub)] = stub
    return bytes(result)


class Kernels:
    """Files for the cases, each made once."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True)
        self._made: dict[str, Path] = {}

    def _file(self, name: str, content) -> Path:
        if name not in self._made:
            path = self._folder / name
            initramfs.write_whole(path, content())
            self._made[name] = path
        return self._made[name]

    @property
    def distribution(self) -> Path:
        """Debian's bzImage."""
        script = paths.ROOT / "tests/setup/fetch_kernel.sh"
        result = subprocess.run([script, FLAVOUR, paths.ROOT / "build/kernels"],
                                stdout=subprocess.PIPE, check=True)
        return Path(result.stdout.decode().strip())

    @property
    def release(self) -> str:
        """What `uname -r` says in it."""
        return self.distribution.with_name("release").read_text().strip()

    def _kernel(self, kind: str, end: str) -> Path:
        if kind == cases.STUB:
            return self._file(f"stub-{end}",
                              lambda: bzimage.build(bzimage.Program.stub(end)))
        if kind == cases.PVH:
            stub = paths.PAYLOADS / ("stub_mappvh.bin" if end == "map" else f"stub_{end}32.bin")
            return self._file(f"pvh-{end}", lambda: pvh.build(stub=stub.read_bytes()))
        if kind == cases.ENTRY:
            return self._file(f"debian-{end}", lambda: ending_at_entry(
                self.distribution.read_bytes(), _stub(end)))
        if kind == cases.PVH_INIT:
            return self._file("vmlinux", lambda: extract_vmlinux.extract(
                self.distribution.read_bytes()))
        return self.distribution

    def _sparse(self, size: int) -> Path:
        path = self._folder / f"initrd-{size}"
        with path.open("ab") as file:
            file.truncate(size)
        return path

    def _init(self) -> Path:
        archive = initramfs.Archive()
        archive.folder("dev")
        archive.character_device("dev/console", 5, 1)
        archive.file("init", (paths.ROOT / "build/bench/init").read_bytes(), 0o755)
        return self._file("initrd-init", archive.bytes)

    def arguments(self, case: cases.Case, end: str = "exit", accel: str = accelerator.TCG) -> tuple:
        """QEMU's arguments for what a case boots."""
        words = [COMMAND_LINE]
        if case.to_init:
            words += accelerator.needed_parameters(accel)
        result = ["-kernel", self._kernel(case.kernel, end), "-append", " ".join(words)]
        if case.to_init:
            result += ["-initrd", self._init()]
        elif case.initrd:
            result += ["-initrd", self._sparse(case.initrd)]
        return (*result, *case.arguments)
