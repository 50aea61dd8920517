# SPDX-License-Identifier: MIT
"""The hand-over to a bzImage by the 32-bit boot protocol, boot.rst of Linux."""

import struct

import pytest

from harness import layout, memory
from harness.boot_params import HEADER_AT, ZeroPage
from harness.guest import boot, booted, linux_like

MACHINES = ["pc", "q35", "microvm"]

CR0_PE = 1 << 0
CR0_PG = 1 << 31
EFLAGS_IF = 1 << 9
EFLAGS_DF = 1 << 10
EFLAGS_VM = 1 << 17

BOOT_CS = 0x10
BOOT_DS = 0x18
FLAT_LIMIT = 0xFFFFF
GRANULAR_32_BIT = 0xC  # G and D/B set, L clear
CODE_READABLE = 0x9A
DATA_WRITABLE = 0x92
ACCESSED = 1

QEMU_LOADER = 0xB0
LOAD_ADDRESS = 0x100000
LOADED_HIGH = 1
CAN_USE_HEAP = 0x80

# Header fields that a boot loader writes (boot.rst, "Details of Header Fields", type "write").
WRITTEN_FIELDS = {0x1FA: 2, 0x210: 1, 0x211: 1, 0x214: 4, 0x218: 8, 0x224: 4, 0x228: 4, 0x250: 8}

# What the zero page may hold beside the header: acpi_rsdp_addr, ext_*, alt_mem_k, scratch (the
# payload's own stack), e820_entries.
FILLED_FIELDS = [(0x070, 8), (0x0C0, 12), (0x1E0, 4), (0x1E4, 4), (0x1E8, 1)]
E820_AT, E820_SIZE = 0x2D0, 128 * 20


def descriptor(gdt: bytes, selector: int) -> tuple[int, int, int, int]:
    """Base, limit, access byte and flags of a descriptor, Intel SDM volume 3A, 3.4.5."""
    limit, base, base_high, access, flags_limit, base_top = struct.unpack_from(
        "<HHBBBB", gdt, selector)
    return (base | base_high << 16 | base_top << 24, limit | (flags_limit & 15) << 16, access,
            flags_limit >> 4)


@pytest.mark.parametrize("machine", MACHINES)
def test_registers_at_the_32_bit_entry(tmp_path, machine):
    """CPU mode, selectors and registers are those of boot.rst, "32-bit Boot Protocol"."""
    report = boot(tmp_path, machine)
    assert report.entry == "bzimage32"
    assert report.register("cr0") & CR0_PE
    assert not report.register("cr0") & CR0_PG
    assert not report.register("eflags") & (EFLAGS_IF | EFLAGS_DF | EFLAGS_VM)
    assert report.register("cs") == BOOT_CS
    for selector in ("ds", "es", "ss"):
        assert report.register(selector) == BOOT_DS, selector
    for register in ("ebp", "edi", "ebx"):
        assert report.register(register) == 0, register
    assert report.register("esi") == report.one("zero_page").address


@pytest.mark.parametrize("machine", MACHINES)
def test_descriptors_at_the_32_bit_entry(tmp_path, machine):
    """Selector 10h is flat readable code, 18h flat writable data, both marked accessed."""
    gdt = boot(tmp_path, machine).one("gdt").data
    for selector, access in ((BOOT_CS, CODE_READABLE), (BOOT_DS, DATA_WRITABLE)):
        assert descriptor(gdt, selector) == (0, FLAT_LIMIT, access | ACCESSED, GRANULAR_32_BIT)


@pytest.mark.parametrize("machine", MACHINES)
def test_header_is_copied(tmp_path, machine):
    """The zero page holds the kernel's own header but for what a boot loader writes."""
    kernel = linux_like()
    report = boot(tmp_path, machine, kernel=kernel, initrd=b"initrd")
    page = ZeroPage(report)
    expected = bytearray(kernel[HEADER_AT : page.header_end])
    actual = bytearray(page.data[HEADER_AT : page.header_end])
    for offset, size in WRITTEN_FIELDS.items():
        for data in (expected, actual):
            data[offset - HEADER_AT : offset - HEADER_AT + size] = bytes(size)
    assert actual == expected


@pytest.mark.parametrize("machine", MACHINES)
def test_loader_fields(tmp_path, machine):
    """The fields a boot loader must write say where everything is."""
    report = boot(tmp_path, machine, initrd=b"initrd", words="one two")
    page = ZeroPage(report)
    assert page.sentinel == 0
    assert page.type_of_loader == QEMU_LOADER
    assert page.loadflags & ~CAN_USE_HEAP == LOADED_HIGH
    assert page.code32_start == report.values["address"]["load"]
    assert page.ramdisk_size == len(b"initrd")
    assert page.ramdisk_image != 0
    assert (page.ext_ramdisk_image, page.ext_ramdisk_size, page.ext_cmd_line_ptr) == (0, 0, 0)
    assert page.acpi_rsdp_addr == report.one("rsdp").address
    assert page.e820_entries > 0
    assert report.command_line == "wait one two"


def test_no_rsdp_without_acpi(tmp_path):
    """A machine without ACPI gives no RSDP address."""
    report = boot(tmp_path, "microvm,acpi=off")
    assert ZeroPage(report).acpi_rsdp_addr == 0
    assert report.values["rsdp"]["found"] == 0


def test_the_rest_of_the_zero_page_is_zero(tmp_path):
    """Nothing but the documented fields is set, so no kernel takes rubbish for information."""
    page = ZeroPage(boot(tmp_path, "q35", initrd=b"initrd"))
    rest = bytearray(page.data)
    for offset, size in (*FILLED_FIELDS, (E820_AT, E820_SIZE),
                         (HEADER_AT, page.header_end - HEADER_AT)):
        rest[offset : offset + size] = bytes(size)
    assert not any(rest), f"set bytes at {[hex(i) for i, b in enumerate(rest) if b]}"
    used = 20 * page.e820_entries
    assert not any(page.data[E820_AT + used : E820_AT + E820_SIZE])


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("size", [0, 5_000_000])
def test_nothing_overlaps(tmp_path, machine, size):
    """Kernel, initrd, command line, zero page and tables are apart and in RAM."""
    initrd = bytes(size) if size else None
    with booted(tmp_path, machine, initrd=initrd) as guest:
        layout.check(guest.report, memory.qemu_ram(guest.vm))


KERNELS = {
    "debian 6.1 init_size": {"init_size": 0x2D5E000},
    "i386 alignment": {"kernel_alignment": 0x1000000, "xloadflags": 0, "min_alignment": 13},
    "not relocatable": {"relocatable": 0, "xloadflags": 0},
    "preferred at 32 MiB": {"pref_address": 0x2000000},
    "preferred at 1 MiB": {"pref_address": 0x100000},
    "padded to 20 MiB": {"padding": 20 << 20, "init_size": 40 << 20},
    "padded beyond init_size": {"padding": 8 << 20, "init_size": 2 << 20},
    "protocol 2.10": {"protocol": 0x20A},
    "protocol 2.12": {"protocol": 0x20C},
    "one setup sector more": {"setup_sects": 40},
    "4 setup sectors": {"setup_sects": 4},
    "63 setup sectors": {"setup_sects": 63},
}


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_of_other_shapes(tmp_path, name):
    """Every placement the header can ask for is met, and the kernel gets its own header back."""
    with booted(tmp_path, "pc", ["-m", "256M"], kernel=linux_like(**KERNELS[name]),
                initrd=bytes(1_000_000)) as guest:
        report = guest.report
        assert report.entry == "bzimage32"
        layout.check(report, memory.qemu_ram(guest.vm))
        page = ZeroPage(report)
        load = report.values["address"]["load"]
        if page.relocatable_kernel:
            assert load >= LOAD_ADDRESS
        else:  # it moves itself from either place
            assert load in (LOAD_ADDRESS, page.pref_address)
        if page.version >= 0x20C:
            assert page.initrd_addr_max == 0x7FFFFFFF


def test_vga_word_reaches_vid_mode(tmp_path):
    """QEMU translates vga= into the header; the firmware passes the header on."""
    report = boot(tmp_path, "pc", words="vga=792")
    assert struct.unpack_from("<H", ZeroPage(report).data, 0x1FA)[0] == 792


def test_dtb_reaches_the_kernel(tmp_path):
    """-dtb arrives as setup_data of type 2 with the blob's own bytes."""
    blob = struct.pack(">10I", 0xD00DFEED, 72, 56, 64, 40, 17, 16, 0, 8, 0) + bytes(32)
    dtb = tmp_path / "dtb"
    dtb.write_bytes(blob)
    report = boot(tmp_path, "pc", ["-dtb", dtb])
    node = report.one("setup_data")
    kind, size = struct.unpack_from("<II", node.data, 8)
    assert (kind, node.data[16 : 16 + len(blob)]) == (2, blob)
    assert size >= len(blob)
    layout.check_disjoint(report)
