# SPDX-License-Identifier: MIT
"""What the PVH entries of kernels take for granted; docs/guests.md has it in words.

None of them but Linux is to be had as a package, so the payload stands for them, with NetBSD's
machine: a microvm without ACPI, with an MP table and virtio-mmio devices on the command line.
"""

import re
import struct

import pytest
from test_interrupts import ACCELERATORS, TIMER_PIN, VIRTIO_LINES, came
from test_mptable import apic_ids
from test_pvh import start_info

from harness import layout, memory, mptable
from harness.guest import boot, booted, pvh_kernel, run_to_exit
from harness.memory import GIB, KIB, MIB, RAM, Range

WIDE = pytest.mark.wide
PAGE = 4096
ENTRY_SIZE = 24
MOST_ENTRIES = 126
NETBSD = "microvm,acpi=off,pic=off,rtc=on"

# NetBSD, arch/amd64/amd64/locore.S: copies entries 16 times as far as they are long.
COPIED_TOO_FAR = 16
# NetBSD, arch/amd64/include/vmparam.h: pieces of RAM, in the oldest version that boots by PVH.
MOST_PIECES = 10
# OSv, arch/x64/pvh-boot.cc: writes here while it still reads.
OSV_COPY = Range(0x1000, 0x2000 + 128 * 24)
# Of MP pointers, in this order: the EBDA, the end of base memory, the BIOS.
BIOS = Range(0xF0000, 0x100000)

VIRTIO_WORD = re.compile(r"virtio_mmio\.device=512@(0x[0-9a-f]+):(\d+)")
LEVEL_HIGH = 0b1101


def own_pieces(report) -> list[Range]:
    """What a kernel reads before it has a memory map of its own."""
    pieces = [p for name in ("start_info", "memory_map", "modules", "command_line")
              for p in report.memory.get(name, [])]
    return [Range(p.address, p.end) for p in pieces]


def check_linux(report) -> None:
    """Everything below 1 GiB, and room for two entries more in a table of 128."""
    assert all(piece.end <= GIB for piece in own_pieces(report))
    assert 0 < start_info(report)["memmap_entries"] <= MOST_ENTRIES


def check_netbsd(report, qemu_ram) -> None:
    """A command line always, all in a page, few pieces of RAM of whole pages, the kernel in one."""
    info = start_info(report)
    assert info["version"] >= 1 and info["cmdline"] != 0
    size = info["memmap_entries"] * ENTRY_SIZE
    copied = len(report.one("start_info").data) + len(report.one("command_line").data) + size
    assert copied <= PAGE
    assert info["memmap"] + COPIED_TOO_FAR * size <= MIB, "it reads memory, no device"
    free = memory.of_type(memory.firmware_map(report), RAM)
    assert len(free) <= MOST_PIECES and all(entry.size >= PAGE for entry in free)
    assert free[0].begin == 0
    kernel = layout.kernel_range(report)
    behind = Range(kernel.begin, kernel.end + PAGE + COPIED_TOO_FAR * size)
    assert any(entry.contains(behind) for entry in free)
    assert not any(behind.overlaps(piece) for piece in own_pieces(report))
    initrd = layout.initrd_range(report)
    assert initrd is None or not behind.overlaps(initrd)
    assert memory.within(qemu_ram, behind)


def check_freebsd(report) -> None:
    """A list of modules only with a module, and all of the hand-over in its map of 1 GiB."""
    info = start_info(report)
    assert (info["modlist"] != 0) == (info["nr_modules"] != 0)
    # Early memory comes behind the last of these, and must not be at the end of RAM.
    last = max(piece.end for piece in own_pieces(report))
    assert last < MIB


def check_osv(report) -> None:
    """Nothing where it puts its copy."""
    assert not any(piece.overlaps(OSV_COPY) for piece in own_pieces(report))


def check_kernels(guest) -> None:
    """All of them."""
    report = guest.report
    check_linux(report)
    check_netbsd(report, memory.qemu_ram(guest.vm))
    check_freebsd(report)
    check_osv(report)


def check_mp_table(guest) -> mptable.MpTable:
    """NetBSD looks for it by the BIOS data area, and finds the firmware's."""
    bda = guest.report.one("bda").data
    segment, base_kib = (struct.unpack_from("<H", bda, at)[0] for at in (0x0E, 0x13))
    assert 0 < segment * 16 < 0xA0000 and 0 < base_kib * KIB <= 0xA0000
    pointer = guest.report.one("mp_pointer")
    assert BIOS.begin <= pointer.address < BIOS.end and pointer.address % 4 == 0
    table = mptable.read(guest.report)
    assert sorted(table.cpus) == apic_ids(guest.vm)
    assert table.boot_cpus == [min(table.cpus)]
    return table


def check_virtio(guest, count: int) -> None:
    """Each device is on the command line; its interrupt is in the MP table, level-triggered."""
    words = VIRTIO_WORD.findall(guest.report.command_line)
    assert len(words) == count
    table = check_mp_table(guest)
    isa = table.bus_number("ISA")
    for address, irq in words:
        assert guest.vm.read_memory(int(address, 16), 4) == b"virt"
        entry, = (i for i in table.interrupts if i.bus == isa and i.irq == int(irq))
        assert (entry.pin, entry.flags) == (int(irq), LEVEL_HIGH)


DEVICES = ["virtio-rng-device", "virtio-serial-device", "virtio-net-device", "virtio-tablet-device"]


@pytest.mark.parametrize("machine", [
    NETBSD, f"{NETBSD},pit=off", pytest.param(f"{NETBSD},isa-serial=off", marks=WIDE),
    pytest.param("microvm,acpi=off,rtc=on", marks=WIDE)])
@pytest.mark.parametrize("cpus", ["1", "6,cores=3,sockets=2", pytest.param("8", marks=WIDE),
                                  pytest.param("2,sockets=2", marks=WIDE)])
@pytest.mark.parametrize("count", [0, 4, pytest.param(8, marks=WIDE)])
def test_netbsd_on_microvm(tmp_path, machine, cpus, count):
    """Its own line, with CPUs and devices."""
    args = [word for i in range(count) for word in ("-device", DEVICES[i % len(DEVICES)])]
    with booted(tmp_path, machine, ["-smp", cpus, *args], kernel=pvh_kernel(linux=False)) as guest:
        assert start_info(guest.report)["rsdp"] == 0
        check_kernels(guest)
        check_virtio(guest, count)
        assert guest.vm.debug == ""


@pytest.mark.parametrize("accel", ACCELERATORS)
@pytest.mark.parametrize("cpus", ["1", "2"])
def test_interrupts_of_netbsd(tmp_path, cpus, accel):
    """There is no PIC: timer and devices come through the I/O APIC, where the MP table says."""
    args = ["-smp", cpus, *["-device", "virtio-rng-device"] * len(VIRTIO_LINES)]
    report = boot(tmp_path, NETBSD, args, kernel=pvh_kernel(linux=False), accel=accel,
                  words="timer virtio nopic")
    assert report.values["timer_pic"] == {"0": 0} and "virtio_pic" not in report.values
    (pin, count), = report.values["timer_apic"].items()
    assert int(pin, 16) == TIMER_PIN
    assert count in (1, 2), "two where a busy host lets a tick pass before the line is closed"
    assert [int(pin, 16) for pin in report.values["virtio_apic"]] == VIRTIO_LINES
    assert all(came(count, accel) for count in report.values["virtio_apic"].values())


@pytest.mark.parametrize("bits", [64, pytest.param(32, marks=WIDE)])
@pytest.mark.parametrize("machine", ["pc", "q35", "microvm", *[
    pytest.param(f"{m},acpi=off", marks=WIDE) for m in ("pc", "q35", "microvm")]])
@pytest.mark.parametrize("memory_size", ["128M", pytest.param("5G", marks=WIDE)])
def test_kernels_on_other_machines(tmp_path, machine, bits, memory_size):
    """With a module, more RAM, and ACPI."""
    with booted(tmp_path, machine, ["-m", memory_size, "-smp", "2"], initrd=bytes(100_000),
                kernel=pvh_kernel(linux=False, bits=bits)) as guest:
        check_kernels(guest)
        check_mp_table(guest)


@pytest.mark.parametrize("arguments", [[], ["-append", ""]])
def test_command_line_that_is_not_given(tmp_path, arguments):
    """It is there, and empty."""
    report = run_to_exit(tmp_path, NETBSD, arguments, kernel=pvh_kernel(linux=False))
    assert start_info(report)["cmdline"] != 0 and report.command_line == ""


@pytest.mark.parametrize("length", [3000, pytest.param(3800, marks=WIDE)])
def test_command_line_that_netbsd_can_copy(tmp_path, length):
    """A page holds so much beside start_info and map."""
    with booted(tmp_path, NETBSD, kernel=pvh_kernel(linux=False), words="x" * length) as guest:
        check_kernels(guest)
