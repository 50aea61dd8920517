# SPDX-License-Identifier: MIT
"""The hand-over to a PVH ELF: Xen docs/misc/pvh.pandoc, hvm_start_info version 1."""

import struct

import pytest

from harness import acpi, layout, memory, pci, pvh
from harness.failure import check_complaint
from harness.guest import boot, booted, pvh_kernel, write_kernel
from harness.memory import GIB, MIB

MACHINES = ["pc", "q35", "microvm"]

CR0_PE = 1 << 0
CR0_PG = 1 << 31
EFLAGS_VM, EFLAGS_IF, EFLAGS_TF = 1 << 17, 1 << 9, 1 << 8
MAGIC = 0x336EC578
MOST_ENTRIES = 126  # Linux adds two of its own to a table of 128

FLAT = (0, 0xFFFFF, 0xC)


def start_info(report) -> dict[str, int]:
    """The fields of hvm_start_info by their names."""
    names = ("magic", "version", "flags", "nr_modules", "modlist", "cmdline", "rsdp", "memmap",
             "memmap_entries", "reserved")
    return dict(zip(names, struct.unpack("<4I4Q2I", report.one("start_info").data)))


def segment(report, register: str) -> tuple[int, int, int, int]:
    """Base, limit, flags and access byte of a selector's descriptor."""
    gdt = report.one("gdt").data
    limit, base, base_high, access, high, base_top = struct.unpack_from(
        "<HHBBBB", gdt, report.register(register) & ~7)
    return base | base_high << 16 | base_top << 24, limit | (high & 15) << 16, high >> 4, access


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("bits", [32, 64])
def test_registers(tmp_path, machine, bits):
    """Protected mode, paging off, flat segments, EBX the start_info."""
    report = boot(tmp_path, machine, kernel=pvh_kernel(bits=bits))
    assert report.entry == "pvh"
    assert report.register("cr0") & (CR0_PE | CR0_PG) == CR0_PE
    assert report.register("cr4") == 0
    assert not report.register("eflags") & (EFLAGS_VM | EFLAGS_IF | EFLAGS_TF)
    assert report.register("ebx") == report.one("start_info").address
    assert segment(report, "cs")[:3] == FLAT and segment(report, "cs")[3] & 0x1A == 0x1A
    for selector in ("ds", "es", "ss"):
        assert segment(report, selector)[:3] == FLAT
        assert segment(report, selector)[3] & 0x1A == 0x12


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("initrd", [None, b"some initrd"])
def test_start_info(tmp_path, machine, initrd):
    """All fields, with and without a module."""
    report = boot(tmp_path, machine, kernel=pvh_kernel(), initrd=initrd, words="one two")
    info = start_info(report)
    assert (info["magic"], info["version"], info["flags"], info["reserved"]) == (MAGIC, 1, 0, 0)
    assert report.command_line == "wait one two"
    assert info["rsdp"] == report.one("rsdp").address
    assert info["nr_modules"] == (1 if initrd else 0)
    assert 2 < info["memmap_entries"] <= MOST_ENTRIES
    if initrd:
        address, size, _, reserved = struct.unpack("<4Q", report.one("modules").data)
        assert (address, size, reserved) == (report.initrd[0], len(initrd), 0)


@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
def test_without_acpi(tmp_path, machine):
    """No ACPI, no RSDP."""
    assert start_info(boot(tmp_path, f"{machine},acpi=off", kernel=pvh_kernel()))["rsdp"] == 0


@pytest.mark.parametrize("machine", MACHINES)
def test_structures_are_below_1_gib(tmp_path, machine):
    """Linux reads them through a map of the first GiB."""
    report = boot(tmp_path, machine, ["-m", "3G"], kernel=pvh_kernel(), initrd=b"initrd")
    for name in ("start_info", "memory_map", "modules", "command_line"):
        assert report.one(name).end <= GIB, name


@pytest.mark.parametrize("linux", [True, False])
@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("notes_at", [0, 5 * MIB])
def test_kinds_of_elf(tmp_path, linux, bits, notes_at):
    """Linux or not, notes at the beginning or megabytes into the file."""
    kernel = pvh_kernel(linux=linux, bits=bits, notes_at=notes_at)
    with booted(tmp_path, "pc", kernel=kernel) as guest:
        layout.check(guest.report, memory.qemu_ram(guest.vm))
        acpi.check(guest.report)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("address, size", [(MIB, 64 << 10), (127 * MIB, MIB), (64 * MIB, 60 * MIB)])
def test_nothing_the_elf_covers_is_touched(tmp_path, machine, address, size):
    """A second segment at 1 MiB, at the end of RAM, or nearly all of it, arrives unchanged."""
    filling = bytes(range(1, 252)) * (size // 251 + 1)
    kernel = pvh.build(extra=(address, filling[:size]))
    with booted(tmp_path, machine, kernel=kernel, initrd=b"initrd") as guest:
        assert guest.vm.read_memory(address, size) == filling[:size]
        acpi.check(guest.report)
        layout.check(guest.report, memory.qemu_ram(guest.vm))


def headers_at_the_end() -> bytes:
    """QEMU reads program headers wherever they are, and gives the firmware 8 KiB of the file."""
    image = bytearray(pvh.build())
    table, size = struct.unpack_from("<Q", image, 32)[0], 2 * 56
    image += bytes(-len(image) % 16) + image[table : table + size]
    struct.pack_into("<Q", image, 32, len(image) - size)
    assert len(image) > 8192
    return bytes(image)


@pytest.mark.parametrize("machine", MACHINES)
def test_program_headers_that_the_firmware_does_not_get(tmp_path, machine):
    """The extent that QEMU names is kept free instead; full, as nobody knows that it is Linux."""
    args = ["-m", "256M", *(["-device", "virtio-rng-pci"] if machine != "microvm" else [])]
    with booted(tmp_path, machine, args, kernel=headers_at_the_end(), words="buses",
                initrd=bytes(100_000)) as guest:
        layout.check(guest.report, memory.qemu_ram(guest.vm))
        assert guest.vm.debug == ""
        assert not pci.Tree(guest.report).missing()


@pytest.mark.parametrize("device", ["virtio-net-pci", "e1000"])
@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_network_device_without_a_backend(tmp_path, machine, device):
    """QEMU 7.2 overwrites the program headers with what it says of that."""
    with booted(tmp_path, machine, ["-device", device], kernel=pvh_kernel(linux=False),
                words="buses") as guest:
        layout.check(guest.report, memory.qemu_ram(guest.vm))
        assert guest.vm.debug == "" and not pci.Tree(guest.report).missing()


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("device", [[], ["-device", "e1000"],
                                    ["-netdev", "hubport,hubid=1,id=a", "-netdev",
                                     "hubport,hubid=1,id=b"]], ids=["whole", "e1000", "hub"])
def test_no_initrd_on_a_kernel_whose_headers_are_overwritten(tmp_path, bits, device):
    """Of 64 MiB the kernel has 16 to 42; 24 more for an initrd are only on top of it."""
    kernel = write_kernel(tmp_path, pvh.build(bits, extra=(18 * MIB, bytes(24 * MIB))))
    (tmp_path / "initrd").write_bytes(bytes(24 * MIB))
    check_complaint("pc", ["-m", "64M", "-kernel", kernel, "-initrd", tmp_path / "initrd",
                           *device],
                    "mayfly: initrd: does not fit into the RAM (25165824 bytes, RAM ends at "
                    "0x4000000)")
