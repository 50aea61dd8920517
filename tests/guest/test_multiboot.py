# SPDX-License-Identifier: MIT
"""The hand-over to multiboot 1 kernels: Multiboot Specification 0.6.96, 3.2 and 3.3."""

import struct

import pytest
from test_interrupts import VIRTIO_LINES, check_timer
from test_machines import MICROVMS
from test_machines import check as check_machine
from test_memory import MIB, TABLE_LOSS, check_map, sparse, to_bytes
from test_pci import VIRTIO, check, check_as_qemu_has_it, devices, windows_of
from test_pci_bios import check_pci_bios
from test_processors import check_complete
from test_pvh import CR0_PE, CR0_PG, EFLAGS_IF, EFLAGS_TF, EFLAGS_VM, FLAT, segment
from test_reboot import check_same

from harness import (acpi, layout, memory, mptable, mtree, multiboot, paths, pattern, pci,
                     pci_tables)
from harness.failure import check_complaint
from harness.guest import boot, booted, run_to_exit, write_kernel
from harness.memory import KIB, Range
from harness.multiboot import Info, Program, module_option
from harness.qemu import Qemu

WIDE = pytest.mark.wide
MACHINES = ["pc", "q35", "microvm"]
KINDS = ["elf", "flat"]
BASES = ["16 MiB", "32 KiB"]

LOW_END = 0x9FC00  # the EBDA begins there
FLAGS = (multiboot.HAS_MEMORY | multiboot.HAS_COMMAND_LINE | multiboot.HAS_MODULES
         | multiboot.HAS_MAP | multiboot.HAS_LOADER_NAME)
MAP_ENTRY = 20  # bytes, without its own size

NOT_IN_RAM = ("mayfly: kernel: image is not in RAM, or in the firmware's "
              "(address {:#x}, {:#x} bytes, RAM ends at {:#x})")
OUTSIDE_OF_IMAGE = ("mayfly: kernel: entry is outside of the image "
                    "(entry {:#x}, image {:#x} of {} bytes)")


def kernel_of(kind: str = "flat", base: str = "16 MiB", bss: int = 0) -> bytes:
    """The reporting payload as a multiboot kernel."""
    return multiboot.KINDS[kind](Program.reporting(low=base == "32 KiB"), bss)


def filling(size: int, seed: int) -> bytes:
    """Bytes of no pattern that a page or a word repeats."""
    return bytes((i * 7 + seed) % 251 for i in range(min(size, 251))) * (size // 251 + 1)


def write_modules(tmp_path, *sizes: int) -> list:
    """Files of these sizes, each with a string."""
    result = []
    for number, size in enumerate(sizes):
        path = tmp_path / f"module{number}"
        path.write_bytes(filling(size, number)[:size])
        result.append((path, f"string {number}, with a comma"))
    return result


def check_modules(guest, modules) -> None:
    """Every module is there in order, byte by byte, on a page of its own, with its string."""
    report = guest.report
    found = multiboot.modules(report)
    assert Info.of(report).module_count == len(found) == len(modules) == len(report.modules)
    assert multiboot.module_strings(report) == [f"{path} {text}" for path, text in modules]
    for (path, _), (begin, end, _), seen in zip(modules, found, report.modules):
        content = path.read_bytes()
        assert end - begin == len(content) and begin % 4096 == 0
        assert seen == (begin, len(content), *pattern.sums(content))
        assert not content or guest.vm.read_memory(begin, len(content)) == content


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("base", BASES)
def test_registers(tmp_path, machine, kind, base):
    """The two magic values, protected mode, paging off, flat segments, no interrupts."""
    report = boot(tmp_path, machine, kernel=kernel_of(kind, base))
    assert report.entry == "multiboot"
    assert report.register("eax") == multiboot.ENTRY_MAGIC
    assert report.register("ebx") == report.one("multiboot_info").address
    assert report.register("cr0") & (CR0_PE | CR0_PG) == CR0_PE
    assert not report.register("eflags") & (EFLAGS_VM | EFLAGS_IF | EFLAGS_TF)
    assert segment(report, "cs")[:3] == FLAT and segment(report, "cs")[3] & 0x1A == 0x1A
    for selector in ("ds", "es", "fs", "gs", "ss"):
        assert segment(report, selector)[:3] == FLAT
        assert segment(report, selector)[3] & 0x1A == 0x12


@pytest.mark.parametrize("machine", MACHINES)
def test_a20(tmp_path, machine):
    """Bit 20 of an address counts."""
    with booted(tmp_path, machine, kernel=kernel_of()) as guest:
        assert "A20=1" in guest.vm.hmp("info registers")


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("kind", KINDS)
def test_info(tmp_path, machine, kind):
    """The fields that are there, and no others."""
    report = boot(tmp_path, machine, kernel=kernel_of(kind), words="one two")
    info = Info.of(report)
    assert info.flags == FLAGS
    assert report.command_line == f"{tmp_path / 'kernel'} wait one two"
    assert report.one("loader_name").data == multiboot.LOADER
    assert info.module_count == 0


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("kind", KINDS)
def test_layout_and_tables(tmp_path, machine, kind, base):
    """Nothing lies on anything, and what a scan must find is found."""
    modules = write_modules(tmp_path, 10_000)
    with booted(tmp_path, machine, ["-smp", "2", *module_option(*modules)],
                kernel=kernel_of(kind, base)) as guest:
        layout.check(guest.report, memory.qemu_ram(guest.vm))
        acpi.check(guest.report)
        assert guest.report.values["rsdp"]["found"] == guest.report.one("rsdp").address
        assert len(mptable.read(guest.report).cpus) == 2
        assert ("smbios2" in guest.report.memory) == (machine != "microvm")
        check_modules(guest, modules)


@pytest.mark.parametrize("machine", [
    *MICROVMS, "pc-i440fx-2.5", "pc-i440fx-3.1", "pc-q35-2.12", "pc,acpi=off", "q35,acpi=off"])
def test_other_machines(tmp_path, machine):
    """Every switch of microvm, and machine types for which QEMU loads no PVH image."""
    modules = write_modules(tmp_path, 10_000)
    with booted(tmp_path, machine, ["-smp", "2", *module_option(*modules)],
                kernel=kernel_of()) as guest:
        check_machine(guest, with_acpi="acpi=off" not in machine,
                      with_smbios="microvm" not in machine)
        check_modules(guest, modules)


@pytest.mark.parametrize("machine", MACHINES)
def test_elf_that_is_for_pvh_too(tmp_path, machine):
    """QEMU takes it for multiboot."""
    report = boot(tmp_path, machine, kernel=multiboot.elf_with_note())
    assert (report.entry, report.register("eax")) == ("multiboot", multiboot.ENTRY_MAGIC)


def check_sizes(guest) -> Info:
    """The two sizes are those of the map, whose entries have the size that every kernel expects."""
    data = guest.report.one("memory_map").data
    assert {size for size, *_ in struct.iter_unpack("<I20x", data)} == {MAP_ENTRY}
    info = Info.of(guest.report)
    first, second = memory.of_type(memory.firmware_map(guest.report), memory.RAM)[:2]
    assert first == Range(0, LOW_END, memory.RAM)
    assert info.mem_lower == LOW_END // KIB
    assert (second.begin, info.mem_upper) == (MIB, second.size // KIB)
    return info


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("size", ["64M", "512M", "2G", "3G", "3500M", "5G"])
def test_memory(tmp_path, machine, size):
    """The map is QEMU's RAM; the upper memory ends at the first hole, hardly below SeaBIOS's."""
    options = {"machine": f"{machine},memory-backend=main", "args": sparse(size),
               "kernel": kernel_of()}
    with booted(tmp_path, **options) as guest:
        check_map(guest, to_bytes(size))
        ours = check_sizes(guest)
        end = next(r.end for r in memory.qemu_ram(guest.vm) if r.begin <= MIB < r.end)
    assert end - TABLE_LOSS <= MIB + ours.mem_upper * KIB <= end
    theirs = Info.of(boot(tmp_path, firmware=paths.seabios(machine), **options))
    assert ours.mem_lower == theirs.mem_lower
    # SeaBIOS keeps 128 KiB for its tables, a page on microvm.
    assert -64 <= ours.mem_upper - theirs.mem_upper <= 128


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("kind", KINDS)
def test_image_at_1_mib(tmp_path, machine, kind):
    """Where most kernels are: the upper memory begins with the image, and does not end with it."""
    kernel = multiboot.KINDS[kind](Program.reporting().beginning_at(MIB))
    modules = write_modules(tmp_path, 5000)
    with booted(tmp_path, machine, module_option(*modules), kernel=kernel) as guest:
        check_map(guest, 128 * MIB)
        assert check_sizes(guest).mem_upper > 126 * MIB // KIB
        check_modules(guest, modules)
        layout.check(guest.report, memory.qemu_ram(guest.vm))


def test_map_of_other_protocols(tmp_path):
    """The same machine has the same map, whatever the kernel."""
    given = memory.firmware_map(boot(tmp_path, "q35", ["-m", "5G"], kernel=kernel_of()))
    assert given == memory.firmware_map(boot(tmp_path, "q35", ["-m", "5G"]))


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("arguments", [[], ["-append", ""]])
def test_no_command_line(tmp_path, machine, arguments):
    """The image's name is there always, and a space."""
    report = run_to_exit(tmp_path, machine, arguments, kernel=kernel_of())
    assert report.command_line == f"{tmp_path / 'kernel'} "


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("length", [255, 4095, 4096, 16_384, 60_000])
def test_long_command_line(tmp_path, machine, length):
    """It is in QEMU's block, so no limit is the firmware's."""
    text = "0123456789 abcdef=" * (length // 18 + 1)
    text = text[: length - 1] + "$"
    with booted(tmp_path, machine, kernel=kernel_of(), words=text) as guest:
        assert guest.report.command_line == f"{tmp_path / 'kernel'} wait {text}"
        layout.check_disjoint(guest.report)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sizes", [[1], [4096, 1, 100_001], [0], [5, 0, 4097],
                                   [3, 5 * MIB + 1, 7]], ids=str)
def test_modules(tmp_path, machine, kind, sizes):
    """One, several, empty files, some MiB."""
    modules = write_modules(tmp_path, *sizes)
    with booted(tmp_path, machine, module_option(*modules), kernel=kernel_of(kind)) as guest:
        check_modules(guest, modules)
        layout.check(guest.report, memory.qemu_ram(guest.vm))


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("kind", KINDS)
def test_modules_below_640_kib(tmp_path, machine, kind):
    """A kernel at 32 KiB has its modules behind it, up to the last page below the EBDA."""
    program = Program.reporting(low=True)
    room = (LOW_END & ~0xFFF) - program.base - multiboot.block_size(program)
    modules = write_modules(tmp_path, 4096, 100_001, room - 26 * 4096)
    with booted(tmp_path, machine, module_option(*modules),
                kernel=kernel_of(kind, "32 KiB")) as guest:
        assert guest.report.modules[-1][0] + guest.report.modules[-1][1] == LOW_END & ~0xFFF
        check_modules(guest, modules)
        layout.check(guest.report, memory.qemu_ram(guest.vm))
        acpi.check(guest.report)


@pytest.mark.parametrize("machine", MACHINES)
def test_block_to_the_end_of_the_ram(tmp_path, machine):
    """Hardly a page more than the tables need is left above the modules."""
    program = Program.reporting()
    room = 64 * MIB - program.base - multiboot.block_size(program)
    modules = write_modules(tmp_path, room - MIB // 2)
    with booted(tmp_path, machine, ["-m", "64M", *module_option(*modules)],
                kernel=kernel_of()) as guest:
        check_modules(guest, modules)
        acpi.check(guest.report)
        layout.check(guest.report, memory.qemu_ram(guest.vm))


# What is kept of them for a wake-up has no room below 1 MiB.
FUNCTIONS = [word for i in range(160) for word in (
    "-device", f"virtio-rng-pci,addr={4 + i // 8:x}.{i % 8},multifunction=on")]


@pytest.mark.parametrize("machine, args", [*[(machine, []) for machine in MACHINES],
                                           ("pc", FUNCTIONS)], ids=[*MACHINES, "pc, functions"])
def test_tables_below_the_block(tmp_path, machine, args):
    """The image ends where the RAM ends, so the tables must come below it."""
    program = Program.reporting()
    room = 64 * MIB - program.base - multiboot.block_size(program)
    modules = write_modules(tmp_path, room)
    with booted(tmp_path, machine, ["-m", "64M", *args, *module_option(*modules)],
                kernel=kernel_of()) as guest:
        assert sum(guest.report.modules[0][:2]) == 64 * MIB
        assert check_sizes(guest).mem_upper < 15 * MIB // KIB
        check_modules(guest, modules)
        acpi.check(guest.report)
        layout.check(guest.report, memory.qemu_ram(guest.vm))


@pytest.mark.parametrize("machine", ["pc,acpi=off", "q35,acpi=off"])
def test_block_of_all_the_ram(tmp_path, machine):
    """The image takes all from 1 MiB on; without ACPI nothing else needs room there."""
    program = Program.reporting().beginning_at(MIB)
    modules = write_modules(tmp_path, 64 * MIB - MIB - multiboot.block_size(program))
    arguments = ["-m", "64M", *devices(*VIRTIO), *module_option(*modules)]
    with booted(tmp_path, machine, arguments,
                kernel=multiboot.flat(program), words="buses") as guest:
        assert sum(guest.report.modules[0][:2]) == 64 * MIB
        assert guest.vm.debug == "" and not pci.Tree(guest.report).missing()
        check_modules(guest, modules)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("kind", KINDS)
def test_large_bss(tmp_path, machine, kind):
    """32 MiB of zeros between the image and its modules."""
    size = 32 * MIB
    program = Program.reporting()
    begin = program.base + program.memory
    modules = write_modules(tmp_path, 1000)
    args = module_option(*modules)
    if kind == "flat":  # QEMU itself puts an ELF's there
        (tmp_path / "dirt").write_bytes(b"\xa5" * size)
        args += ["-device", f"loader,file={tmp_path / 'dirt'},addr={begin:#x},force-raw=on"]
    with booted(tmp_path, machine, args, kernel=kernel_of(kind, bss=size)) as guest:
        assert guest.vm.read_memory(begin, size) == bytes(size)
        assert guest.report.modules[0][0] >= begin + size
        check_modules(guest, modules)


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_pci_is_prepared_fully(tmp_path, machine):
    """No word of the user's is needed."""
    bridge = "pci-bridge,chassis_nr=1" if machine == "pc" else "pcie-root-port,chassis=1"
    with booted(tmp_path, machine, devices(*VIRTIO, "VGA", bridge), kernel=kernel_of(),
                words="buses") as guest:
        tree = pci.Tree(guest.report)
        assert len(tree.bars()) > 8
        check(tree, machine, guest.report)
        check_as_qemu_has_it(tree, guest.vm)
        pci_tables.check(tree, guest.report)


def test_pci_of_microvm_is_prepared_fully(tmp_path):
    """By memory alone, and without I/O: there is none for PCI."""
    args = devices(*VIRTIO, "pcie-root-port,id=r0,chassis=1", "nvme,serial=1,bus=r0")
    with booted(tmp_path, "microvm,pcie=on", args, kernel=kernel_of("elf"),
                words="buses") as guest:
        tree = pci.Tree(guest.report)
        pci.check_buses(tree)
        no_io = {key for key, (_, bar) in tree.bars().items() if bar.kind == pci.IO}
        assert len(tree.bars()) - len(no_io) > 8
        pci.check_places(tree, windows_of("microvm", guest.report), no_io)
        mtree.check_mapped(tree, guest.vm)
        layout.check(guest.report, memory.qemu_ram(guest.vm))
        assert guest.vm.debug == ""


@pytest.mark.parametrize("machine", ["pc", "q35,acpi=off", "microvm,acpi=off,pit=on,pic=on"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_a_bios_leaves(tmp_path, machine, kind):
    """Interrupts by both controllers, all processors, and the PCI BIOS where there are ports."""
    is_microvm = machine.startswith("microvm")
    args = ["-smp", "3,cores=3", *["-device", "virtio-rng-device"] * (2 if is_microvm else 0)]
    words = f"brief timer processors=3 {'virtio' if is_microvm else 'pcibios'}"
    with booted(tmp_path, machine, args, kernel=kernel_of(kind), words=words) as guest:
        report = guest.report
        assert guest.vm.debug == ""
    assert report.entry == "multiboot"
    check_timer(report)
    check_complete(report, 3)
    if is_microvm:
        # QEMU gives a device without a bus the last transport that is free.
        lines = {f"{line:x}": 1 for line in VIRTIO_LINES[-2:]}
        assert report.values["virtio_pic"] == report.values["virtio_apic"] == lines
    else:
        check_pci_bios(report, 0)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("kind", ["init", "fff0", "triple"])
@pytest.mark.parametrize("base", ["16 MiB", pytest.param("32 KiB", marks=WIDE)])
def test_three_boots(tmp_path, machine, kind, base):
    """The third boot is as the first, modules included."""
    modules = write_modules(tmp_path, 5000, 0)
    with booted(tmp_path, machine, module_option(*modules), kernel=kernel_of(base=base),
                words=f"boots=3 reboot={kind}", boots=3) as guest:
        check_same(guest.reports, 3, kind, by_pvh=True)
        assert guest.reports[0].modules == guest.reports[2].modules
        check_modules(guest, modules)


# Addresses that the firmware writes to before the kernel starts, its own, and no RAM.
UNUSABLE = {
    "vectors": (0, 4096), "BIOS data area": (0x400, 4096), "EBDA": (0x9F000, 4096),
    "up to the EBDA": (0x8000, 0x97000), "frame buffer": (0xA0000, 4096),
    "option ROMs": (0xC8000, 4096), "work area": (0xE0000, 4096), "its end": (0xEF000, 4096),
    "BIOS segment": (0xF0000, 4096), "across 1 MiB": (0xFE000, 64 * KIB),
    "end of RAM": (128 * MIB - 4096, 4096), "behind RAM": (128 * MIB, 4096),
    "far behind RAM": (0x80000000, 64 * KIB), "APICs": (0xFEE00000, 4096),
    "ROM": (0xFFFF0000, 4096), "end of addresses": (0xFFFFE000, 4096),
}


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("place", UNUSABLE)
def test_not_in_ram(tmp_path, machine, place):
    """An image that cannot be put there is named with its block's place and size."""
    address, size = UNUSABLE[place]
    program = Program.halting(address, size)
    kernel = write_kernel(tmp_path, multiboot.flat(program))
    check_complaint(machine, ["-kernel", kernel],
                    NOT_IN_RAM.format(address, multiboot.block_size(program), 128 * MIB))


# Around a block of two pages at 16 MiB, and where code of the firmware is.
OUTSIDE = [0, 0xFFFFFF, 0x1002000, 0x8000, 0x7FFE000, 0xE0000, 0xFFFFFFF0]


@pytest.mark.parametrize("entry, kind, machine", [
    pytest.param(entry, kind, machine, id=f"{entry:#x}-{kind}-{machine}",
                 marks=() if kind == "flat" and machine == MACHINES[i % 3] else WIDE)
    for i, entry in enumerate(OUTSIDE) for kind in KINDS for machine in MACHINES])
def test_entry_outside_the_image(tmp_path, entry, kind, machine):
    """It is not jumped to, but named with the image's place and size."""
    program = Program.halting(0x1000000).entered_at(entry)
    kernel = write_kernel(tmp_path, multiboot.KINDS[kind](program))
    check_complaint(machine, ["-kernel", kernel],
                    OUTSIDE_OF_IMAGE.format(entry, 0x1000000, multiboot.block_size(program)))


@pytest.mark.parametrize("at", [0, multiboot.block_size(Program.halting(0x1000000)) - 1])
def test_entry_at_the_edge_of_the_image(tmp_path, at):
    """The first byte and the last are in it."""
    kernel = write_kernel(tmp_path, multiboot.flat(
        Program.halting(0x1000000).entered_at(0x1000000 + at)))
    log = ["-fw_cfg", "name=opt/org.mayfly/log,string=debug"]
    with Qemu("pc", ["-kernel", kernel, "-no-reboot", *log]) as vm:
        vm.wait_until(lambda: "entering by multiboot" in vm.debug, "hand-over")


@pytest.mark.parametrize("machine", ["pc", "microvm"])
def test_elf_on_the_memory_of_the_firmware(tmp_path, machine):
    """QEMU puts an ELF there before the firmware runs; it is refused all the same."""
    program = Program.halting(0xE8000)
    kernel = write_kernel(tmp_path, multiboot.elf(program))
    check_complaint(machine, ["-kernel", kernel],
                    NOT_IN_RAM.format(program.base, multiboot.block_size(program), 128 * MIB))


def test_modules_that_reach_the_ebda(tmp_path):
    """The image is in free RAM, its modules are not."""
    modules = write_modules(tmp_path, 600_000)
    program = Program.reporting(low=True)
    size = multiboot.block_size(program) + -(-600_000 // 4096) * 4096
    kernel = write_kernel(tmp_path, multiboot.flat(program))
    check_complaint("pc", ["-kernel", kernel, *module_option(*modules)],
                    NOT_IN_RAM.format(program.base, size, 128 * MIB))


def test_modules_larger_than_the_ram(tmp_path):
    """40 MiB on a machine that has 24 behind the kernel."""
    modules = write_modules(tmp_path, 40 * MIB)
    program = Program.reporting()
    kernel = write_kernel(tmp_path, multiboot.flat(program))
    check_complaint("pc", ["-m", "40M", "-kernel", kernel, *module_option(*modules)],
                    NOT_IN_RAM.format(program.base, multiboot.block_size(program) + 40 * MIB,
                                      40 * MIB))


@pytest.mark.kvm
@pytest.mark.parametrize("machine", MACHINES)
def test_under_kvm(tmp_path, machine):
    """The same hand-over as under TCG."""
    modules = write_modules(tmp_path, 5000)
    with booted(tmp_path, machine, ["-smp", "2", "-cpu", "host", *module_option(*modules)],
                kernel=kernel_of("elf"), words="keep", accel="kvm") as guest:
        assert guest.report.register("eax") == multiboot.ENTRY_MAGIC
        layout.check(guest.report, memory.qemu_ram(guest.vm))
        acpi.check(guest.report)
        check_modules(guest, modules)
