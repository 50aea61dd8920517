# SPDX-License-Identifier: MIT
"""The zero page of the Linux boot protocol. Offsets: boot.rst and zero-page.rst of Linux."""

import struct

from .report import Report

HEADER_AT = 0x1F1
HEADER_END_AT = 0x201  # the header ends at 0x202 plus this byte


class ZeroPage:
    """Reads fields by the names the kernel gives them."""

    _FIELDS = {
        "acpi_rsdp_addr": ("<Q", 0x070),
        "ext_ramdisk_image": ("<I", 0x0C0),
        "ext_ramdisk_size": ("<I", 0x0C4),
        "ext_cmd_line_ptr": ("<I", 0x0C8),
        "e820_entries": ("<B", 0x1E8),
        "sentinel": ("<B", 0x1EF),
        "version": ("<H", 0x206),
        "type_of_loader": ("<B", 0x210),
        "loadflags": ("<B", 0x211),
        "code32_start": ("<I", 0x214),
        "ramdisk_image": ("<I", 0x218),
        "ramdisk_size": ("<I", 0x21C),
        "cmd_line_ptr": ("<I", 0x228),
        "initrd_addr_max": ("<I", 0x22C),
        "kernel_alignment": ("<I", 0x230),
        "relocatable_kernel": ("<B", 0x234),
        "setup_data": ("<Q", 0x250),
        "pref_address": ("<Q", 0x258),
        "init_size": ("<I", 0x260),
    }

    def __init__(self, report: Report):
        piece = report.one("zero_page")
        self.address = piece.address
        self.data = piece.data

    def __getattr__(self, name: str) -> int:
        layout, offset = self._FIELDS[name]
        return struct.unpack_from(layout, self.data, offset)[0]

    @property
    def header_end(self) -> int:
        """The first offset behind the setup header."""
        return 0x202 + self.data[HEADER_END_AT]
