# SPDX-License-Identifier: MIT
"""What cannot be booted ends in one exact sentence: item, value, limit."""

import re
import shutil
import struct
import subprocess

import pytest

from harness import pvh
from harness.failure import check_complaint, complaint
from harness.guest import linux_like, write_kernel
from harness.loader_script import (add_checksum, add_pointer, allocate, loader_script,
                                   write_pointer)
from harness.memory import MIB
from harness.paths import ROOT
from harness.qemu import PATIENCE, Qemu
from harness.sentences import expect_sentence

MACHINES = ["pc", "q35", "microvm"]

# The firmware's sentences, word by word.

NO_KERNEL = "mayfly: kernel: none was given (use -kernel)"
NO_KIND = "mayfly: kernel: neither a bzImage, nor multiboot, nor a PVH ELF"
NOT_A_KERNEL = f"{NO_KIND} (first bytes 0x74786574)"
EFI_APPLICATION = (
    "mayfly: kernel: EFI applications are not supported (first bytes 0x5a4d)")
OLD_PROTOCOL = (
    "mayfly: kernel: the 16-bit entry is not supported yet (protocol 0x207, at least 0x20a)")
NO_DMA = "mayfly: fw_cfg: no DMA interface (machine types before 2.5 have none)"


KERNEL_TOO_LARGE = (
    "mayfly: kernel: does not fit into the RAM "
    "(1073741824 bytes from 0x1000000, RAM ends at 0x8000000)")
INITRD_TOO_LARGE = "mayfly: initrd: does not fit into the RAM (62914560 bytes, RAM ends at 0x6000000)"
COMMAND_LINE_TOO_LONG = "mayfly: command line: too long (2048 characters, limit 2047)"
ENTRY_OUTSIDE = (
    "mayfly: kernel: entry is outside of the image (entry {:#x}, image {:#x} of {} bytes)")
UNDEFINED_INSTRUCTION = (
    "mayfly: cpu: exception in the firmware (vector 6, address 0x90000, error code 0x0)")


@pytest.mark.parametrize("machine", MACHINES)
def test_no_kernel(machine):
    """Without -kernel there is nothing to boot."""
    check_complaint(machine, [], NO_KERNEL)


@pytest.mark.parametrize("machine", ["pc", "microvm"])
@pytest.mark.parametrize("content, sentence", [
    pytest.param(b"MZ" + bytes(65534), EFI_APPLICATION, id="PE"),
    pytest.param(b"text\n" * 20_000, NOT_A_KERNEL, id="text")])
def test_not_a_kernel(tmp_path, machine, content, sentence):
    """A PE file, a text."""
    check_complaint(machine, ["-kernel", write_kernel(tmp_path, content)], sentence)


def test_kernel_for_the_16_bit_entry(tmp_path):
    """ipxe.lkrn is of protocol 2.07 and has no 32-bit code."""
    kernel = write_kernel(tmp_path, linux_like(protocol=0x207))
    check_complaint("pc", ["-kernel", kernel], OLD_PROTOCOL)


def test_without_dma(tmp_path):
    """Machine types before 2.5 have no DMA; a property takes it from a newer one."""
    check_complaint("pc", ["-kernel", write_kernel(tmp_path, linux_like()),
                           "-global", "fw_cfg_io.dma_enabled=off"], NO_DMA)


def test_machine_type_2_4(tmp_path):
    """The oldest machine type in QEMU 7.2's list that has none."""
    check_complaint("pc-i440fx-2.4", ["-kernel", write_kernel(tmp_path, linux_like())], NO_DMA)


@pytest.mark.parametrize("machine", MACHINES)
def test_kernel_larger_than_the_ram(tmp_path, machine):
    """init_size says 1 GiB, the machine has 128 MiB."""
    kernel = write_kernel(tmp_path, linux_like(init_size=1024 * MIB))
    check_complaint(machine, ["-kernel", kernel], KERNEL_TOO_LARGE)


@pytest.mark.parametrize("machine", MACHINES)
def test_initrd_without_room(tmp_path, machine):
    """60 MiB of initrd beside a kernel that needs 64 of 96 MiB."""
    kernel = write_kernel(tmp_path, linux_like(init_size=64 * MIB))
    (tmp_path / "initrd").write_bytes(bytes(60 * MIB))
    check_complaint(machine, ["-m", "96M", "-kernel", kernel, "-initrd", tmp_path / "initrd"],
                    INITRD_TOO_LARGE)


@pytest.mark.parametrize("machine", MACHINES)
def test_command_line_too_long(tmp_path, machine):
    """One character more than cmdline_size."""
    kernel = write_kernel(tmp_path, linux_like())
    check_complaint(machine, ["-kernel", kernel, "-append", "x" * 2048], COMMAND_LINE_TOO_LONG)


DAMAGED = {
    "alignment is not a power of two": ({"kernel_alignment": 0x300000},
                                        "mayfly: kernel: damaged header (kernel_alignment 0x300000 is not a power of two)"),
    "alignment zero": ({"kernel_alignment": 0}, "mayfly: kernel: damaged header (kernel_alignment 0x0 is not a power of two)"),
    "init_size zero": ({"init_size": 0}, "mayfly: kernel: damaged header (init_size 0)"),
    "preferred address above 4 GiB": (
        {"relocatable": 0, "pref_address": 1 << 40},
        "mayfly: kernel: does not fit into the RAM "
        "({init_size} bytes from 0x10000000000, RAM ends at 0x8000000)"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_header(tmp_path, name):
    """A header that no placement can follow."""
    fields, sentence = DAMAGED[name]
    image = linux_like(**fields)
    init_size, = struct.unpack_from("<I", image, 0x260)
    check_complaint("pc", ["-kernel", write_kernel(tmp_path, image)],
                    sentence.format(init_size=init_size))


@pytest.mark.parametrize("machine, device", [
    ("pc", "pvpanic"), ("q35", "pvpanic"), ("pc", "pvpanic-pci"), ("q35", "pvpanic-pci")])
def test_pvpanic_is_told(machine, device):
    """Where the machine has pvpanic, management learns of the failure."""
    # Started by QMP: an event from before the connection would be lost.
    with Qemu(machine, ["-S", "-device", device, "-action", "panic=none"]) as vm:
        vm.qmp("cont")
        assert vm.wait_event("GUEST_PANICKED")
        expect_sentence(complaint(vm), NO_KERNEL)


def test_without_serial_port():
    """No COM1: the sentence is on port 0x402 alone."""
    with Qemu("microvm,isa-serial=off", []) as vm:
        expect_sentence(complaint(vm), NO_KERNEL)
        assert vm.serial == ""


def test_without_debug_port():
    """No port 0x402: the sentence is on COM1 alone."""
    with Qemu("pc", [], debug_port=False) as vm:
        vm.wait_until(lambda: vm.serial.endswith("\n"), "sentence on COM1")
        expect_sentence(vm.serial, NO_KERNEL)


def test_cpu_exception(tmp_path):
    """An undefined instruction in the firmware ends in a sentence with vector and address."""
    gdb = shutil.which("gdb")
    assert gdb, "gdb is missing"
    image = ROOT / "build/fw.elf"
    assert image.exists(), f"{image} is missing"
    place = 0x90000  # RAM of nobody; 0f 0b is UD2
    symbols = subprocess.run(["nm", image], check=True, capture_output=True, text=True).stdout
    entry = next("0x" + line.split()[0] for line in symbols.splitlines()
                 if line.endswith(" firmware_main"))
    with Qemu("pc", ["-S", "-gdb", f"unix:{tmp_path}/gdb,server=on,wait=off"]) as vm:
        vm.wait_until((tmp_path / "gdb").exists, "gdb socket")
        subprocess.run([gdb, "-nx", "-batch", "-ex", "set architecture i386:x86-64",
                        "-ex", f"target remote {tmp_path}/gdb",
                        "-ex", f"hbreak *{entry}", "-ex", "continue",
                        "-ex", f"set {{unsigned short}}{place} = 0x0b0f",
                        "-ex", f"set $rip = {place}", "-ex", "detach"],
                       check=True, capture_output=True, timeout=PATIENCE)
        expect_sentence(complaint(vm), UNDEFINED_INSTRUCTION)


TABLES = allocate("etc/acpi/tables", 64, 1)
SCRIPTS = {
    "file that is not there": (
        loader_script(allocate("etc/nothing", 64, 1)),
        "mayfly: fw_cfg: file is missing (etc/nothing)"),
    "alignment not a power of two": (
        loader_script(allocate("etc/acpi/tables", 48, 1)),
        "mayfly: table loader: alignment is not a power of two (etc/acpi/tables, alignment 48)"),
    "alignment zero": (
        loader_script(allocate("etc/acpi/tables", 0, 1)),
        "mayfly: table loader: alignment is not a power of two (etc/acpi/tables, alignment 0)"),
    "unknown zone": (
        loader_script(allocate("etc/acpi/tables", 64, 9)),
        "mayfly: table loader: unknown zone (etc/acpi/tables, zone 9, limit 2)"),
    "pointer outside the file": (
        loader_script(TABLES, add_pointer("etc/acpi/tables", "etc/acpi/tables", 4096, 4)),
        "mayfly: table loader: command reaches outside a file "
        "(etc/acpi/tables, offset 4096, length 4, size 100)"),
    "pointer of 3 bytes": (
        loader_script(TABLES, add_pointer("etc/acpi/tables", "etc/acpi/tables", 0, 3)),
        "mayfly: table loader: pointer has an unknown size (etc/acpi/tables, 3 bytes)"),
    "pointer into a file not allocated": (
        loader_script(TABLES, add_pointer("etc/acpi/tables", "etc/acpi/rsdp", 0, 4)),
        "mayfly: table loader: file is used before it is allocated (etc/acpi/rsdp)"),
    "checksum outside the file": (
        loader_script(TABLES, add_checksum("etc/acpi/tables", 0, 0, 0xFFFFFFFF)),
        "mayfly: table loader: command reaches outside a file "
        "(etc/acpi/tables, offset 0, length 4294967295, size 100)"),
    "file allocated twice": (
        loader_script(TABLES, TABLES),
        "mayfly: table loader: file is allocated twice (etc/acpi/tables)"),
    "pointer of one byte": (
        loader_script(TABLES, add_pointer("etc/acpi/tables", "etc/acpi/tables", 8, 1)),
        "mayfly: table loader: pointer cannot hold the address "
        "(etc/acpi/tables, address 0x7fff000, 1 bytes)"),
    "alignment of 2 GiB": (
        loader_script(allocate("etc/acpi/tables", 1 << 31, 1)),
        "mayfly: etc/acpi/tables: no room below 4096 MiB (100 bytes, "
        "alignment 2147483648)"),
    "too much for the first MiB": (
        loader_script(allocate("etc/acpi/tables", 65536, 2)),
        "mayfly: etc/acpi/tables: no room below 1 MiB (100 bytes, alignment 65536)"),
    "half a command": (
        TABLES + bytes(60),
        "mayfly: etc/table-loader: not a whole number of entries (125 bytes, 128 each)"),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_malformed_table_loader_script(tmp_path, name):
    """Where QEMU makes no tables, -fw_cfg can give the firmware a script with a fault."""
    script, sentence = SCRIPTS[name]
    (tmp_path / "script").write_bytes(script)
    (tmp_path / "tables").write_bytes(bytes(100))
    (tmp_path / "rsdp").write_bytes(bytes(36))
    check_complaint("microvm,acpi=off", [
        "-kernel", write_kernel(tmp_path, linux_like()),
        "-fw_cfg", f"name=etc/table-loader,file={tmp_path / 'script'}",
        "-fw_cfg", f"name=etc/acpi/tables,file={tmp_path / 'tables'}",
        "-fw_cfg", f"name=etc/acpi/rsdp,file={tmp_path / 'rsdp'}"], sentence)


def test_pointer_written_to_a_file_that_is_read_only(tmp_path):
    """QEMU refuses the transfer; fw_cfg still says where pvpanic is."""
    (tmp_path / "script").write_bytes(loader_script(
        TABLES, write_pointer("etc/acpi/rsdp", "etc/acpi/tables", 0, 0, 8)))
    (tmp_path / "file").write_bytes(bytes(100))
    with Qemu("microvm,acpi=off", [
            "-S", "-device", "pvpanic", "-action", "panic=none",
            "-kernel", write_kernel(tmp_path, linux_like()),
            "-fw_cfg", f"name=etc/table-loader,file={tmp_path / 'script'}",
            "-fw_cfg", f"name=etc/acpi/tables,file={tmp_path / 'file'}",
            "-fw_cfg", f"name=etc/acpi/rsdp,file={tmp_path / 'file'}"]) as vm:
        vm.qmp("cont")
        assert vm.wait_event("GUEST_PANICKED")
        said = complaint(vm)
        item = re.search(r"item (0x[0-9a-f]+)", said)
        assert item and 0x20 <= int(item[1], 16) < 0x40
        expect_sentence(said, f"mayfly: fw_cfg: transfer failed (item {item[1]}, 8 bytes)")


def test_script_without_room(tmp_path):
    """A script larger than the RAM."""
    size = 200 * MIB
    with open(tmp_path / "script", "wb") as script:
        script.truncate(size)
    check_complaint("microvm,acpi=off", [
        "-kernel", write_kernel(tmp_path, linux_like()),
        "-fw_cfg", f"name=etc/table-loader,file={tmp_path / 'script'}"],
        f"mayfly: etc/table-loader: no room below 4096 MiB ({size} bytes, alignment 4096)")


@pytest.mark.parametrize("anchor_size, tables_size, sentence", [
    (10, 100, "mayfly: smbios: entry point is neither version 2.1 nor 3.0 (10 bytes)"),
    (33, 100, "mayfly: smbios: entry point is neither version 2.1 nor 3.0 (33 bytes)"),
    (31, 70_000, "mayfly: smbios: tables are too large (70047 bytes, limit 65535)")])
def test_malformed_smbios(tmp_path, anchor_size, tables_size, sentence):
    """Where QEMU makes no SMBIOS tables, -fw_cfg can give wrong ones."""
    (tmp_path / "anchor").write_bytes(bytes(anchor_size))
    (tmp_path / "tables").write_bytes(b"\x01" * tables_size)
    check_complaint("microvm", [
        "-kernel", write_kernel(tmp_path, linux_like()),
        "-fw_cfg", f"name=etc/smbios/smbios-anchor,file={tmp_path / 'anchor'}",
        "-fw_cfg", f"name=etc/smbios/smbios-tables,file={tmp_path / 'tables'}"], sentence)


@pytest.mark.parametrize("offset, kind, value, detail", [
    (0x1FE, "<H", 0x55AA, "boot_flag 0x55aa, must be 0xaa55"),
    (0x1F4, "<I", 0, "syssize 0"),
    (0x250, "<Q", 0x123450, "setup_data 0x123450 is not in the image, which ends at {end:#x}")])
def test_damaged_header_field(tmp_path, offset, kind, value, detail):
    """Fields that QEMU passes on as they are."""
    image = bytearray(linux_like())
    struct.pack_into(kind, image, offset, value)
    end = MIB + len(image) - (image[0x1F1] + 1) * 512
    check_complaint("pc", ["-kernel", write_kernel(tmp_path, bytes(image))],
                    f"mayfly: kernel: damaged header ({detail.format(end=end)})")


def test_pvh_segment_behind_the_ram(tmp_path):
    """QEMU loads it into nothing."""
    kernel = write_kernel(tmp_path, pvh.build(extra=(0x10000000, b"x" * 0x1000)))
    check_complaint("pc", ["-kernel", kernel],
                    "mayfly: kernel: image is not in RAM, or in the firmware's "
                    "(address 0x10000000, 0x1000 bytes, RAM ends at 0x8000000)")


ENTRIES = [0xFFFFFF, "end", 0x100000, 0xE0000, 0xFFFFFFF0]


@pytest.mark.parametrize("entry, bits, machine", [
    pytest.param(e, bits, m, marks=() if bits == 64 and m == MACHINES[i % 3] else pytest.mark.wide)
    for i, e in enumerate(ENTRIES) for bits in (32, 64) for m in MACHINES])
def test_pvh_entry_outside_the_image(tmp_path, entry, bits, machine):
    """It is not jumped to, but named with the image's place and size."""
    size = 16 + len(pvh.notes(0, bits, linux=True))  # a byte of code, notes at a multiple of 16
    entry = pvh.BASE + size if entry == "end" else entry
    kernel = write_kernel(tmp_path, pvh.build(bits, stub=b"\xf4", entry=entry))
    check_complaint(machine, ["-kernel", kernel], ENTRY_OUTSIDE.format(entry, pvh.BASE, size))


def test_pvh_entry_between_segments(tmp_path):
    """Where the extent is not all RAM, the segments are the image."""
    size = pvh.BASE + 16 + len(pvh.notes(0, 64, linux=True)) - 0x1000
    kernel = write_kernel(tmp_path, pvh.build(stub=b"\xf4", extra=(0x1000, b"x" * 0x1000),
                                              entry=0x100000))
    check_complaint("pc", ["-kernel", kernel], ENTRY_OUTSIDE.format(0x100000, 0x1000, size))


def test_log_option_too_large(tmp_path):
    """A file of the host's that the work area cannot hold."""
    (tmp_path / "log").write_bytes(bytes(100_000))
    with Qemu("pc", ["-fw_cfg", f"name=opt/org.mayfly/log,file={tmp_path / 'log'}"]) as vm:
        said = complaint(vm)
        room = re.search(r"limit (\d+)", said)
        assert room and int(room[1]) < 48 * 1024
        expect_sentence(said, "mayfly: fw_cfg: file is too large "
                              f"(opt/org.mayfly/log, 100000 bytes, limit {room[1]})")


@pytest.mark.parametrize("with_dtb", [False, True])
def test_image_cut_short(tmp_path, with_dtb):
    """The header promises more than the file has: never decompress zeros, nor a device tree."""
    image = bytearray(linux_like())
    size = len(image) - (image[0x1F1] + 1) * 512
    assert size % 16 == 0
    struct.pack_into("<I", image, 0x1F4, size // 16 + 64)
    arguments = ["-kernel", write_kernel(tmp_path, bytes(image))]
    if with_dtb:
        (tmp_path / "dtb").write_bytes(b"x" * 4096)
        arguments += ["-dtb", tmp_path / "dtb"]
    check_complaint("pc", arguments, f"mayfly: kernel: image is cut short ({size} bytes, the "
                                     f"header says {size + 1024})")


@pytest.mark.parametrize("machine", ["pc-i440fx-3.1", "pc-q35-3.1"])
def test_pvh_where_qemu_does_not_load_it(tmp_path, machine):
    """Machine types before 4.0 take an ELF for a kernel of protocol 0."""
    check_complaint(machine, ["-kernel", write_kernel(tmp_path, pvh.build())],
                    f"{NO_KIND} (first bytes 0x464c457f)")


@pytest.mark.parametrize("address, size", [(0, 0x100), (0x400, 0x100), (0x9F800, 0x10),
                                           (0x9F000, 0x1000), (0xE8000, 0x1000)])
def test_pvh_on_the_memory_of_the_firmware(tmp_path, address, size):
    """What is written before the kernel starts must not be the kernel."""
    kernel = write_kernel(tmp_path, pvh.build(extra=(address, b"x" * size)))
    check_complaint("pc", ["-kernel", kernel],
                    "mayfly: kernel: image is not in RAM, or in the firmware's "
                    f"(address {address:#x}, {size:#x} bytes, RAM ends at 0x8000000)")


def test_smbios_without_room(tmp_path):
    """40 MiB of strings on a machine of 32 MiB."""
    (tmp_path / "string").write_bytes(b"x" * 40 * MIB)
    with Qemu("pc,smbios-entry-point-type=64",
              ["-m", "32M", "-smbios", f"type=11,path={tmp_path / 'string'}",
               "-kernel", write_kernel(tmp_path, linux_like())]) as vm:
        said = complaint(vm)
        size = re.search(r"\((\d+) bytes,", said)
        assert size and 40 * MIB < int(size[1]) < 41 * MIB
        expect_sentence(said, "mayfly: etc/smbios/smbios-tables: no room below 4096 MiB "
                              f"({size[1]} bytes, alignment 4096)")


def test_unknown_loader_commands_are_skipped(tmp_path):
    """A command of the future is no fault."""
    script = loader_script(struct.pack("<I", 77), struct.pack("<I", 0), TABLES)
    (tmp_path / "script").write_bytes(script)
    (tmp_path / "tables").write_bytes(bytes(100))
    with Qemu("microvm,acpi=off", [
            "-kernel", write_kernel(tmp_path, linux_like()),
            "-fw_cfg", f"name=etc/table-loader,file={tmp_path / 'script'}",
            "-fw_cfg", f"name=etc/acpi/tables,file={tmp_path / 'tables'}"]) as vm:
        assert vm.wait_until(lambda: b"\nend\n" in vm.report, "report")
