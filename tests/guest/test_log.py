# SPDX-License-Identifier: MIT
"""What the firmware says on port 0x402 while the boot goes on."""

import re

import pytest

from harness import multiboot, pvh
from harness.boot_params import ZeroPage
from harness.guest import booted
from harness.sentences import expect_sentence

LOG = ["-fw_cfg", "name=opt/org.mayfly/log,string=debug"]
INITRD = b"initrd" * 1000


def split_log(guest) -> tuple[str, str]:
    """The line about the tables and the one about the hand-over."""
    tables, entry = guest.vm.debug.splitlines()
    return tables, entry


def check_tables_line(line: str, rsdp: int) -> None:
    """The RSDP is where the kernel was told; the size is some."""
    size = re.search(r"(\d+) bytes of ACPI", line)
    assert size and int(size[1]) > 500
    expect_sentence(line, f"mayfly: log: tables are linked (RSDP {rsdp:#x}, "
                          f"{size[1]} bytes of ACPI)")


@pytest.mark.parametrize("machine", ["pc", "microvm"])
def test_log_of_linux(tmp_path, machine):
    """Asked for, two lines say where things are, as the kernel finds them."""
    with booted(tmp_path, machine, LOG, initrd=INITRD) as guest:
        page = ZeroPage(guest.report)
        tables, entry = split_log(guest)
        check_tables_line(tables, page.acpi_rsdp_addr)
        expect_sentence(entry, f"mayfly: log: entering Linux (kernel {page.code32_start:#x}, "
                               f"initrd {page.ramdisk_image:#x} of {len(INITRD)} bytes)")


def test_log_of_pvh(tmp_path):
    """The same of an ELF."""
    with booted(tmp_path, "pc", LOG, kernel=pvh.build()) as guest:
        entry = split_log(guest)[1]
        address = re.search(r"entry (0x[0-9a-f]+)", entry)
        assert address
        expect_sentence(entry, f"mayfly: log: entering by PVH (entry {address[1]}, "
                               "initrd 0x0 of 0 bytes)")


def test_log_of_multiboot(tmp_path):
    """The same of a block of image and modules."""
    program = multiboot.Program.reporting()
    with booted(tmp_path, "pc", LOG, kernel=multiboot.flat(program)) as guest:
        tables, entry = split_log(guest)
        check_tables_line(tables, guest.report.values["rsdp"]["found"])
        expect_sentence(entry, f"mayfly: log: entering by multiboot (entry {program.entry:#x}, "
                               f"image {program.base:#x} of {multiboot.block_size(program)} bytes)")


def test_another_word_asks_for_nothing(tmp_path):
    """Only `debug` does."""
    with booted(tmp_path, "pc", ["-fw_cfg", "name=opt/org.mayfly/log,string=loud"]) as guest:
        assert guest.vm.debug == ""
