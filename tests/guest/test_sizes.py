# SPDX-License-Identifier: MIT
"""Machines from 8 MiB to 2 TiB of RAM and from 1 CPU to QEMU's limit, by every protocol."""

import functools

import pytest
from test_memory import AMD_HOLE, check_map, sparse, to_bytes
from test_multiboot import NOT_IN_RAM
from test_mptable import apic_ids
from test_pci import FULL, LEAN, check_as_qemu_has_it, shared

from harness import acpi, layout, memory, mptable, multiboot, pci, pvh
from harness.failure import check_complaint
from harness.guest import booted, linux_like, pvh_kernel, write_kernel
from harness.memory import FOUR_GIB, GIB, MIB, Range
from harness.multiboot import Program

WIDE = pytest.mark.wide
MACHINES = ["pc", "q35", "microvm"]

# Kernels that are linked for 32 KiB, or run from 1 MiB on: no RAM is too small for them.
SMALL_KERNELS = {
    "bzimage": functools.partial(linux_like, pref_address=MIB, kernel_alignment=0x1000),
    "pvh": functools.partial(pvh_kernel, linux=False, low=True),
    "pvh of Linux": functools.partial(pvh_kernel, low=True),
    "multiboot": lambda: multiboot.flat(Program.reporting(low=True)),
}
# Kernels at 16 MiB.
KERNELS = {
    "bzimage": linux_like,
    "pvh": functools.partial(pvh_kernel, linux=False),
    "multiboot": lambda: multiboot.elf(Program.reporting()),
}


@pytest.mark.parametrize("size, machine, protocol, prepare", [
    pytest.param(size, machine, protocol, prepare,
                 id=f"{size}-{machine}-{protocol}-{prepare[1][-4:]}",
                 marks=() if size == 8 and (prepare is FULL) == (protocol == "bzimage") else WIDE)
    for size in (8, 9, 12, 16, 24, 32, 64) for machine in MACHINES
    for protocol in SMALL_KERNELS for prepare in (LEAN, FULL)])
def test_little_memory(tmp_path, size, machine, protocol, prepare):
    """Everything has its place, and little is lost."""
    with booted(tmp_path, machine, ["-m", f"{size}M", "-smp", "2", *prepare],
                kernel=SMALL_KERNELS[protocol](), initrd=bytes(100_000)) as guest:
        check_map(guest, size * MIB)
        layout.check(guest.report, memory.qemu_ram(guest.vm))
        acpi.check(guest.report)
        assert len(mptable.read(guest.report).cpus) == 2
        assert guest.vm.debug == ""


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("size", [8, pytest.param(9, marks=WIDE), pytest.param(12, marks=WIDE), 16,
                                  17])
@pytest.mark.parametrize("protocol", KERNELS)
def test_kernel_that_does_not_fit(tmp_path, machine, size, protocol):
    """A kernel at 16 MiB is named, with its place and size and the end of the RAM."""
    image = KERNELS[protocol]()
    kernel = write_kernel(tmp_path, image)
    if protocol == "bzimage":
        memory_size = int.from_bytes(image[0x260:0x264], "little")  # init_size
        sentence = (f"mayfly: kernel: does not fit into the RAM ({memory_size} bytes from "
                    f"{pvh.BASE:#x}, RAM ends at {size * MIB:#x})")
    else:
        block = (multiboot.block_size(Program.reporting()) if protocol == "multiboot" else
                 len(image) - pvh.PAGE - -len(pvh.notes(0, 64, linux=False)) % pvh.PAGE)
        sentence = NOT_IN_RAM.format(pvh.BASE, block, size * MIB)
    check_complaint(machine, ["-m", f"{size}M", "-kernel", kernel], sentence)


BARS = shared("4G", "", "")


def check_large(guest, machine: str, total: int, begin: int) -> Range:
    """The map is QEMU's RAM, and all of it is cached; returns the RAM above 4 GiB."""
    given = check_map(guest, total, slack=MIB)  # SMBIOS has a structure for every 16 GiB
    layout.check(guest.report, memory.qemu_ram(guest.vm))
    hole = 2 * GIB if machine == "q35" else 3 * GIB
    above = Range(begin, begin + total - hole, memory.RAM)
    assert [e for e in memory.of_type(given, memory.RAM) if e.begin >= FOUR_GIB] == [above]
    msr, width = guest.report.msr, guest.report.cpuid[0x80000008][0] & 0xFF
    assert msr[0x2FF] == 0xC06, "write-back where nothing else is said"
    assert (msr[0x200], msr[0x201]) == (hole, (1 << width) - (FOUR_GIB - hole) | 0x800)
    assert not any(msr[number] & 0x800 for number in range(0x203, 0x210, 2))
    return above


def check_bars(guest, machine: str, above: Range) -> None:
    """BARs of 4 GiB lie above all RAM, where QEMU has them."""
    tree = pci.Tree(guest.report)
    width = guest.report.cpuid[0x80000008][0] & 0xFF
    low = max(e.end for e in memory.qemu_ram(guest.vm) if e.end < FOUR_GIB)
    pci.check_places(tree, pci.host_windows(machine, low, above.end, address_bits=width))
    check_as_qemu_has_it(tree, guest.vm)
    large = [bar for _, bar in tree.bars().values() if bar.size >= 4 * GIB]
    assert len(large) == 2 and all(bar.address >= above.end for bar in large)


# QEMU moves RAM that would lie on AMD's HyperTransport range, or end behind it, to 1 TiB.
AMD, INTEL = "vendor=AuthenticAMD", "vendor=GenuineIntel"
LARGE = [(size, vendor, machine) for size in ("1000G", "1100G", "2048G", "8192G")
         for vendor in (AMD, INTEL) for machine in MACHINES]
CHOSEN = [("1100G", AMD, "pc"), ("1100G", INTEL, "q35"), ("2048G", AMD, "q35"),
          ("2048G", INTEL, "microvm"), ("8192G", AMD, "pc")]


def check_boot_with_much_memory(tmp_path, machine, size, vendor, cpu, protocol, **options):
    """Map, MTRRs and BARs, all above RAM that may have moved."""
    is_moved = vendor == AMD and machine != "microvm" and (size != "1000G" or machine == "q35")
    begin = AMD_HOLE.end if is_moved else FOUR_GIB
    bars = BARS if machine != "microvm" else []
    words = f"buses {options.pop('words', '')}"
    with booted(tmp_path, f"{machine},memory-backend=main",
                [*sparse(size), *FULL, *bars, "-cpu", f"{cpu},{vendor}"],
                kernel=KERNELS[protocol](), words=words, **options) as guest:
        above = check_large(guest, machine, to_bytes(size), begin)
        if bars:
            check_bars(guest, machine, above)
        acpi.check(guest.report)
        assert guest.vm.debug == ""


@pytest.mark.parametrize("size, vendor, machine", [
    pytest.param(*case, marks=() if case in CHOSEN else WIDE) for case in LARGE])
def test_much_memory(tmp_path, size, vendor, machine):
    """Past 1 TiB, under TCG with a CPU that has the address bits."""
    protocol = list(KERNELS)[len(size + vendor + machine) % len(KERNELS)]
    check_boot_with_much_memory(tmp_path, machine, size, vendor, "qemu64,phys-bits=46", protocol)


# A software KVM takes long for 8 TiB.
@pytest.mark.kvm
@pytest.mark.parametrize("size, vendor, machine, protocol", [
    ("1100G", AMD, "pc", "multiboot"),
    *[pytest.param(size, vendor, machine, protocol, marks=WIDE)
      for size, protocol in (("1000G", "multiboot"), ("1100G", "pvh"), ("2048G", "bzimage"))
      for vendor in (AMD, INTEL) for machine in MACHINES]])
def test_much_memory_under_kvm(tmp_path, size, vendor, machine, protocol):
    """With the host's own address bits."""
    check_boot_with_much_memory(tmp_path, machine, size, vendor, "host", protocol, accel="kvm",
                                words="keep")


def check_cpus(guest, count: int) -> None:
    """The MP table has all CPUs whose APIC ID it can hold, the MADT has all."""
    expected = apic_ids(guest.vm)
    assert len(expected) == count
    assert sorted(mptable.read(guest.report).cpus) == [i for i in expected if i < 0xFF]
    assert sorted(madt_ids(guest.report)) == expected
    layout.check(guest.report, memory.qemu_ram(guest.vm))


def madt_ids(report) -> list[int]:
    """The APIC IDs of enabled CPUs: entries of type 0 and 9 (ACPI specification 5.2.12)."""
    madt, = acpi.tables(report, "APIC")
    found, at = [], 44
    while at < len(madt.data):
        kind, size = madt.data[at : at + 2]
        entry = madt.data[at : at + size]
        if kind == 0 and entry[4] & 1:
            found.append(entry[3])
        if kind == 9 and entry[8] & 1:
            found.append(int.from_bytes(entry[4:8], "little"))
        at += size
    return found


@pytest.mark.wide
@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("protocol", ["pvh", "multiboot"])
@pytest.mark.parametrize("count", [1, 2, 17, 100, 254, 255])
def test_cpus(tmp_path, machine, protocol, count):
    """Every number of CPUs that TCG can have, by the protocols that get everything prepared."""
    with booted(tmp_path, machine, ["-smp", f"{count}"], kernel=KERNELS[protocol]()) as guest:
        check_cpus(guest, count)
        acpi.check(guest.report)


IOMMU = ["-device", "intel-iommu,intremap=on,eim=on"]


@pytest.mark.kvm
@pytest.mark.parametrize("machine, args", [
    ("q35,kernel-irqchip=split", IOMMU), ("microvm", []),
    pytest.param("q35", [], marks=WIDE),
    pytest.param("microvm,kernel-irqchip=split", [], marks=WIDE)])
@pytest.mark.parametrize("protocol", ["multiboot", *[pytest.param(name, marks=WIDE)
                                                     for name in ("bzimage", "pvh")]])
@pytest.mark.parametrize("topology", ["288", pytest.param("256", marks=WIDE), pytest.param(
    "288,sockets=2,cores=48,threads=3", marks=WIDE)])
def test_as_many_cpus_as_qemu_has(tmp_path, machine, args, protocol, topology):
    """IDs that need an x2APIC."""
    with booted(tmp_path, machine, ["-smp", topology, "-cpu", "host", *args],
                kernel=KERNELS[protocol](), words="keep", accel="kvm") as guest:
        check_cpus(guest, int(topology.split(",")[0]))
        acpi.check(guest.report)
