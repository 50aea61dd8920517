# SPDX-License-Identifier: MIT
"""The memory map, against QEMU's own view of main memory."""

import pytest

from harness import memory
from harness.guest import booted, linux_like, pvh_kernel
from harness.memory import (ACPI, FOUR_GIB, GIB, KIB, LEGACY_HOLE, MIB, NVS, RAM, RESERVED, Range)

# What a firmware may take of the RAM: 384 KiB below 1 MiB, and the tables.
LEGACY_LOSS = 384 * KIB
TABLE_LOSS = 96 * KIB

ECAM = Range(0xB0000000, 0xC0000000)
AMD_HOLE = Range(0xFD00000000, 0x10000000000)


def sparse(size: str) -> list[str]:
    """Main memory of which only what is touched exists."""
    return ["-m", size, "-object", f"memory-backend-ram,id=main,size={size},reserve=off"]


def check_map(guest, total: int, slack: int = TABLE_LOSS) -> list[Range]:
    """The map is sorted, disjoint, no larger than QEMU's RAM and hardly smaller; returns it."""
    given = memory.firmware_map(guest.report)
    ram = memory.qemu_ram(guest.vm)
    for a, b in zip(given, given[1:]):
        assert a.end <= b.begin, f"{a} is not in front of {b}"
    for entry in given:
        assert entry.size > 0, f"{entry} is empty"
        assert entry.what in (RAM, RESERVED, ACPI, NVS), f"{entry} has an unknown type"
    free = memory.of_type(given, RAM)
    for entry in free:
        assert memory.within(ram, entry), f"{entry} is not RAM"
        assert not entry.overlaps(Range(LEGACY_HOLE, MIB)), f"{entry} is in the legacy hole"
    assert (free[0].begin, free[1].begin) == (0, MIB), "iPXE needs exactly these beginnings"
    loss = total - sum(entry.size for entry in free)
    assert LEGACY_LOSS <= loss <= LEGACY_LOSS + slack, f"{loss} bytes lost"
    return given


def boot_and_check(tmp_path, machine, args, total, **options):
    """Boots and checks; returns the map."""
    with booted(tmp_path, machine, args, **options) as guest:
        return check_map(guest, total)


WIDE = pytest.mark.wide

SIZES = [
    *[pytest.param(m, s, marks=() if s in ("96M", "2G", "3G", "5G") else WIDE)
      for m in ("pc", "q35", "microvm")
      for s in ("33M", "48M", "64M", "96M", "127M", "128M", "511M", "1G", "2047M", "2G", "2049M",
                "2815M", "2816M", "2817M", "3G", "3071M", "3073M", "3583M", "3584M", "3585M", "4G",
                "5G")],
]


def to_bytes(size: str) -> int:
    """A size as QEMU writes it."""
    return int(size[:-1]) * {"M": MIB, "G": GIB}[size[-1]]


@pytest.mark.parametrize("machine, size", SIZES)
def test_memory_map(tmp_path, machine, size):
    """RAM of this size is all in the map, on the right side of 4 GiB."""
    boot_and_check(tmp_path, f"{machine},memory-backend=main", sparse(size), to_bytes(size))


@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
def test_32_mib(tmp_path, machine):
    """The smallest machine."""
    boot_and_check(tmp_path, machine, ["-m", "32M"], 32 * MIB)


@pytest.mark.parametrize("machine, extra", [
    ("pc", []),
    # With the default 32 GiB hole the end would pass the 40 address bits that TCG has.
    ("q35", ["-global", "q35-pcihost.pci-hole64-size=1G"]),
    ("microvm", []),
])
def test_1000_gib(tmp_path, machine, extra):
    """Close to the 1 TiB that TCG can address."""
    boot_and_check(tmp_path, f"{machine},memory-backend=main", [*sparse("1000G"), *extra],
                   1000 * GIB)


@pytest.mark.wide
@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
@pytest.mark.parametrize("size", ["8G", "64G", "255G", "512G", "900G"])
def test_large_memory(tmp_path, machine, size):
    """Sizes in between."""
    boot_and_check(tmp_path, f"{machine},memory-backend=main", sparse(size), to_bytes(size))


@pytest.mark.parametrize("machine", [
    "pc,max-ram-below-4g=1G",
    pytest.param("pc,max-ram-below-4g=512M", marks=WIDE),
    pytest.param("pc,max-ram-below-4g=3G", marks=WIDE),
    pytest.param("pc,max-ram-below-4g=3500M", marks=WIDE),
    "q35,max-ram-below-4g=1G",
    pytest.param("q35,max-ram-below-4g=2G", marks=WIDE),
    pytest.param("q35,max-ram-below-4g=600M", marks=WIDE),
])
def test_max_ram_below_4g(tmp_path, machine):
    """The user moves RAM above 4 GiB."""
    given = boot_and_check(tmp_path, machine, ["-m", "4G"], 4 * GIB)
    assert any(entry.begin >= FOUR_GIB for entry in memory.of_type(given, RAM))


@pytest.mark.parametrize("size", ["128M", "4G"])
def test_ecam_is_reserved_on_q35(tmp_path, size):
    """Linux uses MMCONFIG only where the map reserves it."""
    given = boot_and_check(tmp_path, "q35", ["-m", size], to_bytes(size))
    assert memory.within(memory.of_type(given, RESERVED), ECAM)


@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
def test_the_rom_is_reserved(tmp_path, machine):
    """The image below 4 GiB and its copy below 1 MiB are reserved."""
    given = boot_and_check(tmp_path, machine, [], 128 * MIB)
    kept = memory.of_type(given, RESERVED)
    assert memory.within(kept, Range(FOUR_GIB - 64 * KIB, FOUR_GIB))
    assert memory.within(kept, Range(0xF0000, MIB))


def test_reserved_entries_of_qemu_are_kept(tmp_path):
    """QEMU reserves the hole of AMD's HyperTransport where the CPU can address it."""
    given = boot_and_check(tmp_path, "q35", [], 128 * MIB)
    assert memory.within(memory.of_type(given, RESERVED), AMD_HOLE)


NUMA = ["-m", "4G", "-smp", "4",
        "-object", "memory-backend-ram,id=m0,size=1G",
        "-object", "memory-backend-ram,id=m1,size=3G",
        "-numa", "node,nodeid=0,cpus=0-1,memdev=m0", "-numa", "node,nodeid=1,cpus=2-3,memdev=m1"]


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_numa(tmp_path, machine):
    """Two nodes of different size."""
    boot_and_check(tmp_path, machine, NUMA, 4 * GIB)


HOTPLUG = ["-m", "512M,slots=4,maxmem=8G", "-object", "memory-backend-ram,id=d0,size=1G",
           "-device", "pc-dimm,id=dimm0,memdev=d0"]


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_hotplug_memory_is_not_in_the_map(tmp_path, machine):
    """Plugged DIMMs are the ACPI's to tell: the map holds the main memory only."""
    with booted(tmp_path, machine, HOTPLUG) as guest:
        (dimm,) = guest.vm.qmp("query-memory-devices")
        given = check_map(guest, 512 * MIB)
        place = Range(dimm["data"]["addr"], dimm["data"]["addr"] + dimm["data"]["size"])
        assert not any(entry.overlaps(place) for entry in memory.of_type(given, RAM))


@pytest.mark.wide
@pytest.mark.parametrize("slots", [1, 16, 255])
@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_empty_hotplug_slots(tmp_path, machine, slots):
    """Slots make the DSDT larger, not the RAM smaller by more than that."""
    with booted(tmp_path, machine, ["-m", f"512M,slots={slots},maxmem=64G"]) as guest:
        check_map(guest, 512 * MIB, slack=256 * KIB)


@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
@pytest.mark.parametrize("size", ["128M", "5G"])
def test_memory_map_by_pvh(tmp_path, machine, size):
    """PVH kernels get the same quality of map."""
    boot_and_check(tmp_path, f"{machine},memory-backend=main", sparse(size), to_bytes(size),
                   kernel=pvh_kernel())


def test_kernel_that_needs_nearly_all_ram(tmp_path):
    """A kernel whose init_size leaves 4 MiB is still placed."""
    kernel = linux_like(init_size=108 * MIB)
    boot_and_check(tmp_path, "pc", ["-m", "128M"], 128 * MIB, kernel=kernel)
