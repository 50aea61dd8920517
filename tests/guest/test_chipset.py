# SPDX-License-Identifier: MIT
"""What the firmware programs into the chipset and the boot CPU.

Register names and bits: Intel 290549 and 290562 (82371SB, 82371AB), 316966 (Q35), 316972 (ICH9),
SDM volume 3A, 12.11.
"""

import struct

import pytest

from harness import memory
from harness.bzimage import round_up
from harness.guest import boot
from harness.memory import FOUR_GIB, GIB, MIB, RESERVED, Range

I440FX = (0, 0)
PIIX3 = (1, 0)
PIIX3_IDE = (1, 1)
PIIX4_PM = (1, 3)
MCH = (0, 0)
ICH9_LPC = (31, 0)

PMBASE = 0x40
PIIX4_PMREGMISC = 0x80
ICH9_ACPI_CNTL = 0x44
ICH9_ACPI_EN = 0x80
RCBA = 0xF0
PIRQ_DISABLED = 0x80
IDETIM_PRIMARY, IDETIM_SECONDARY = 0x40, 0x42
IDE_DECODE_ENABLE = 0x8000

ELCR = 0x4D0, 0x4D1
# IRQs 0, 1, 2, 8 and 13 must stay edge triggered: 82371AB, ELCR1 and ELCR2.
NEVER_LEVEL = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 8 | 1 << 13

PAM_READ = 1

UC, WB = 0, 6
MTRR_DEF_TYPE = 0x2FF
MTRR_ENABLE, MTRR_FIXED_ENABLE = 1 << 11, 1 << 10
MTRR_VALID = 1 << 11
MTRR_FIXED = {0x250: (0x00000, 0x10000), 0x258: (0x80000, 0x4000), 0x259: (0xA0000, 0x4000),
              **{0x268 + i: (0xC0000 + i * 0x8000, 0x1000) for i in range(8)}}
MTRR_CAP = 0xFE
MTRR_PHYSBASE0 = 0x200

UNCACHED = [0xFEC00000, 0xFED00000, 0xFEE00000, 0xE0000000, 0xFEB00000]


def word(config: bytes, offset: int) -> int:
    """A 16-bit register."""
    return struct.unpack_from("<H", config, offset)[0]


def dword(config: bytes, offset: int) -> int:
    """A 32-bit register."""
    return struct.unpack_from("<I", config, offset)[0]


def elcr(report) -> int:
    """Both edge/level registers as one mask of IRQs."""
    return report.port[ELCR[0]] | report.port[ELCR[1]] << 8


@pytest.mark.parametrize("machine, function", [("pc", PIIX4_PM), ("q35", ICH9_LPC)])
def test_pm_base(tmp_path, machine, function):
    """The PM block is placed, as I/O, clear of the fw_cfg ports."""
    base = dword(boot(tmp_path, machine).pci[function], PMBASE)
    assert base & 1 and base & 0xFF80
    assert not 0x500 <= base & 0xFF80 < 0x580


def test_piix4_pm_is_enabled(tmp_path):
    """PMREGMISC enables the PM block."""
    assert boot(tmp_path, "pc").pci[PIIX4_PM][PIIX4_PMREGMISC] & 1


def test_ich9_pm_is_enabled_with_irq_9(tmp_path):
    """ACPI_CNTL enables the PM block and selects IRQ 9 for the SCI."""
    control = boot(tmp_path, "q35").pci[ICH9_LPC][ICH9_ACPI_CNTL]
    assert control & ICH9_ACPI_EN and control & 7 == 0


@pytest.mark.parametrize("machine, function, registers", [
    ("pc", PIIX3, range(0x60, 0x64)),
    ("q35", ICH9_LPC, [*range(0x60, 0x64), *range(0x68, 0x6C)]),
])
def test_pirq_routes_are_level_triggered(tmp_path, machine, function, registers):
    """Each PIRQ goes to an IRQ, and exactly those IRQs are level triggered."""
    report = boot(tmp_path, machine)
    routes = [report.pci[function][r] for r in registers]
    assert not any(r & PIRQ_DISABLED for r in routes)
    assert all(r in (5, 10, 11) for r in routes), "the IRQs QEMU's link devices offer"
    level = elcr(report)
    assert level & NEVER_LEVEL == 0
    for route in routes:
        assert level & 1 << route


@pytest.mark.parametrize("timing", [IDETIM_PRIMARY, IDETIM_SECONDARY])
def test_ide_channels_are_enabled(tmp_path, timing):
    """Linux ignores a channel of the PIIX whose decode enable bit is off."""
    assert word(boot(tmp_path, "pc").pci[PIIX3_IDE], timing) & IDE_DECODE_ENABLE


@pytest.mark.parametrize("machine, register", [("pc", 0x59), ("q35", 0x90)])
def test_bios_segment_is_ram(tmp_path, machine, register):
    """PAM0 lets reads of F0000-FFFFF reach RAM, where the anchors are."""
    config = boot(tmp_path, machine).pci[MCH]
    assert config[register] >> 4 & PAM_READ


@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
def test_jump_at_the_legacy_reset_vector(tmp_path, machine):
    """F000:FFF0 holds a jump, near or far, in front of and behind the anchors' writing."""
    report = boot(tmp_path, machine)
    for name in ("legacy_reset", "reset"):
        assert report.one(name).data[0] in (0xE9, 0xEA, 0xEB), name


def test_pciexbar(tmp_path):
    """256 MiB of configuration space are decoded at an address outside RAM."""
    report = boot(tmp_path, "q35", ["-m", "4G"])
    base = struct.unpack_from("<Q", report.pci[MCH], 0x60)[0]
    assert base & 7 == 1, "enabled, 256 buses"
    window = Range(base & ~0xFFFFFFF, (base & ~0xFFFFFFF) + 256 * MIB)
    given = memory.firmware_map(report)
    assert not any(e.overlaps(window) for e in memory.of_type(given, memory.RAM))


def test_rcba(tmp_path):
    """RCBA is decoded, which iTCO_wdt needs, and reserved."""
    report = boot(tmp_path, "q35")
    base = dword(report.pci[ICH9_LPC], RCBA)
    assert base & 1
    window = Range(base & ~0x3FFF, (base & ~0x3FFF) + 0x4000)
    assert memory.within(memory.of_type(memory.firmware_map(report), RESERVED), window)


def fixed_type(report, address: int) -> int:
    """The type of an address below 1 MiB by the fixed-range MTRRs."""
    for msr, (base, unit) in MTRR_FIXED.items():
        if base <= address < base + 8 * unit:
            return report.msr[msr] >> (address - base) // unit * 8 & 0xFF
    raise AssertionError(hex(address))


def memory_type(report, address: int) -> int:
    """The effective MTRR type of an address, SDM volume 3A, 12.11.4.1."""
    default = report.msr[MTRR_DEF_TYPE]
    assert default & MTRR_ENABLE, "MTRRs are off"
    if address < MIB and default & MTRR_FIXED_ENABLE:
        return fixed_type(report, address)
    types = set()
    for i in range(report.msr[MTRR_CAP] & 0xFF):
        base, mask = (report.msr[MTRR_PHYSBASE0 + 2 * i + n] for n in (0, 1))
        if mask & MTRR_VALID and (address ^ base) & mask & ~0xFFF == 0:
            types.add(base & 0xFF)
    if not types:
        return default & 0xFF
    return UC if UC in types else min(types)


def edges(ranges: list[Range]) -> list[int]:
    """First and last page of each."""
    return [a for r in ranges for a in (r.begin, r.end - 0x1000)]


def inner_edges(where: Range) -> list[int]:
    """Pages at the ends of a range and around every power of two and half of one in it."""
    borders = [size * part // 2 for size in (1 << bit for bit in range(13, 34)) for part in (2, 3)]
    inside = [b + d for b in (*borders, *(where.end - b for b in borders)) for d in (-0x1000, 0)]
    return sorted({a for a in (*edges([where]), *inside) if where.begin <= a < where.end})


def low_ram_end(report) -> int:
    """Where the RAM below 4 GiB ends, as QEMU made it."""
    return max(e.end for e in memory.of_type(memory.firmware_map(report), memory.RAM)
               if e.end <= FOUR_GIB)


def hole(report, machine: str) -> Range:
    """Between the RAM and 4 GiB, as far as there are registers for its blocks.

    microvm has nothing below 3 GiB (QEMU include/hw/i386/microvm.h).
    """
    begin = round_up(low_ram_end(report), ROOM_FOR_TABLES)
    if machine.startswith("microvm"):
        begin = max(begin, 2 * GIB)
    for _ in range(bin(FOUR_GIB - begin).count("1") - (report.msr[MTRR_CAP] & 0xFF)):
        begin += begin & -begin
    return Range(begin, FOUR_GIB)


# What the firmware takes from the end of the RAM in these boots is less; every size below is whole.
ROOM_FOR_TABLES = MIB

MTRR_CASES = [
    ("pc", "24M"), ("pc", "128M"), ("pc", "129M"), ("pc", "192M"), ("pc", "333M"), ("pc", "1G"),
    ("pc", "1536M"), ("pc", "2G"), ("pc", "2049M"), ("pc", "3G"), ("pc", "3583M"), ("pc", "3584M"),
    ("pc", "4G"), ("pc", "6G"), ("pc", "9G"), ("pc,max-ram-below-4g=1G", "4G"),
    ("pc,max-ram-below-4g=3500M", "3400M"), ("pc,max-ram-below-4g=3840M", "4G"),
    ("q35", "64M"), ("q35", "128M"), ("q35", "1G"), ("q35", "2G"), ("q35", "2815M"),
    ("q35", "2816M"), ("q35", "6G"), ("q35,max-ram-below-4g=512M", "1G"),
    ("microvm", "32M"), ("microvm", "128M"), ("microvm", "1G"), ("microvm", "2G"),
    ("microvm", "3G"), ("microvm", "6G")]


def check_mtrrs(report, machine: str) -> None:
    """RAM is write-back, the hole below 4 GiB uncached, and fixed ranges are in use."""
    assert report.msr[MTRR_DEF_TYPE] == MTRR_ENABLE | MTRR_FIXED_ENABLE | WB
    for part in memory.of_type(memory.firmware_map(report), memory.RAM):
        for address in inner_edges(part):
            assert memory_type(report, address) == WB, hex(address)
    for address in [*UNCACHED, *inner_edges(hole(report, machine))]:
        assert memory_type(report, address) == UC, hex(address)
    for address in range(0, MIB, 0x1000):
        expected = UC if 0xA0000 <= address < 0xC0000 else WB
        assert fixed_type(report, address) == expected, hex(address)


@pytest.mark.parametrize("choice", ["lean", "full"])
@pytest.mark.parametrize("machine, size", MTRR_CASES)
def test_mtrrs(tmp_path, machine, size, choice):
    """The same for every payload, whatever the size of the RAM."""
    args = ["-m", size, "-fw_cfg", f"name=opt/org.mayfly/prepare,string={choice}"]
    check_mtrrs(boot(tmp_path, machine, args), machine)


@pytest.mark.parametrize("machine", ["pc", "microvm"])
def test_mtrrs_of_an_unknown_size(tmp_path, machine):
    """More blocks than registers: only the lowest part of the hole is left, and RAM is whole."""
    report = boot(tmp_path, machine, ["-m", "2731M"])
    check_mtrrs(report, machine)
    assert hole(report, machine).begin - low_ram_end(report) < 8 * MIB


@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
def test_variable_mtrrs_stay_within_the_physical_address(tmp_path, machine):
    """No mask has a bit beyond the CPU's physical address, which would raise #GP on hardware."""
    report = boot(tmp_path, machine)
    width = report.cpuid[0x80000008][0] & 0xFF
    for i in range(2 * (report.msr[MTRR_CAP] & 0xFF)):
        assert report.msr[MTRR_PHYSBASE0 + i] >> width == 0


def test_mtrrs_of_a_36_bit_cpu(tmp_path):
    """A CPU with 36 address bits gets masks of 36 bits."""
    report = boot(tmp_path, "pc", ["-cpu", "pentium3"])
    assert memory_type(report, 0) == WB
    assert memory_type(report, 0xFEE00000) == UC
    for i in range(2 * (report.msr[MTRR_CAP] & 0xFF)):
        assert report.msr[MTRR_PHYSBASE0 + i] >> 36 == 0


def test_local_apic_is_at_its_place(tmp_path):
    """APIC_BASE names FEE00000, the boot CPU, enabled."""
    assert boot(tmp_path, "q35").msr[0x1B] == 0xFEE00900
