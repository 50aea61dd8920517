# SPDX-License-Identifier: MIT
"""The FPDT among QEMU's tables: every root table has it, and nothing else changes."""

import struct
import subprocess

import pytest

from harness import acpi, fpdt
from harness.guest import boot, booted
from harness.loader_script import add_checksum, add_pointer, allocate, loader_script
from harness.timeline import printed, trace

MACHINES = ["pc", "q35", "microvm"]
ROOT_TABLE = {"pc": ("rsdt", "<I"), "q35": ("rsdt", "<I"), "microvm": ("xsdt", "<Q")}


def signatures(report) -> list[str]:
    """All tables, as the root names them, with what they point to."""
    return [t.signature for t in acpi.all_tables(report)]


@pytest.mark.parametrize("machine", MACHINES)
def test_the_root_table_has_one_entry_more(tmp_path, machine):
    """All of QEMU's tables are still there, in their order, and the FPDT is the last."""
    root, entry = ROOT_TABLE[machine]
    without = boot(tmp_path, machine)
    with_fpdt = boot(tmp_path, machine, trace("timeline"))
    acpi.check(with_fpdt)
    assert signatures(with_fpdt) == signatures(without) + ["FPDT"]
    sizes = [len(t.data) for t in acpi.all_tables(without)[1:]]
    assert [len(t.data) for t in acpi.all_tables(with_fpdt)[1:-1]] == sizes
    tables = [report.one(root).data for report in (without, with_fpdt)]
    assert len(tables[1]) == len(tables[0]) + struct.calcsize(entry)
    # What names the table but its length and its checksum stays QEMU's.
    assert tables[0][10:36] == tables[1][10:36] and tables[0][8] == tables[1][8]
    last = struct.unpack_from(entry, tables[1], len(tables[0]))[0]
    assert last == acpi.table(with_fpdt, "FPDT").address


def table(signature: str, content: bytes) -> bytes:
    """An ACPI table whose checksum the loader's script makes."""
    return struct.pack("<4sIBB6s8sI4sI", signature.encode(), 36 + len(content), 1, 0, b"TESTER",
                       b"TESTTEST", 1, b"TEST", 1) + content


def two_roots(folder) -> list[str]:
    """Arguments for a set of tables with an RSDT and an XSDT, which no machine of QEMU's has."""
    places = {"RSDT": 0, "XSDT": 128, "TSTA": 256, "TSTB": 320}
    contents = {"RSDT": struct.pack("<2I", places["TSTA"], places["TSTB"]),
                "XSDT": struct.pack("<2Q", places["TSTA"], places["TSTB"]),
                "TSTA": b"first", "TSTB": b"second table"}
    blob = bytearray(384)
    for name, at in places.items():
        whole = table(name, contents[name])
        blob[at : at + len(whole)] = whole
    rsdp = struct.pack("<8sB6sBIIQI", b"RSD PTR ", 0, b"TESTER", 2, places["RSDT"], 36,
                       places["XSDT"], 0)
    tables_file, rsdp_file = "etc/acpi/tables", "etc/acpi/rsdp"
    script = loader_script(
        allocate(tables_file, 64, 1), allocate(rsdp_file, 16, 2),
        *[add_pointer(tables_file, tables_file, places["RSDT"] + 36 + 4 * i, 4) for i in range(2)],
        *[add_pointer(tables_file, tables_file, places["XSDT"] + 36 + 8 * i, 8) for i in range(2)],
        *[add_checksum(tables_file, at + 9, at, 36 + len(contents[name]))
          for name, at in places.items()],
        add_pointer(rsdp_file, tables_file, 16, 4), add_pointer(rsdp_file, tables_file, 24, 8),
        add_checksum(rsdp_file, 8, 0, 20), add_checksum(rsdp_file, 32, 0, 36))
    files = {"etc/table-loader": script, tables_file: bytes(blob), rsdp_file: rsdp}
    arguments = []
    for number, (name, content) in enumerate(files.items()):
        (folder / f"file{number}").write_bytes(content)
        arguments += ["-fw_cfg", f"name={name},file={folder / f'file{number}'}"]
    return arguments


def whole_table(vm, address: int) -> bytes:
    """A table by its own length."""
    return vm.read_memory(address, struct.unpack("<I", vm.read_memory(address + 4, 4))[0])


def entries(vm, address: int, layout_of_entry: str) -> list[bytes]:
    """The tables that a root table with a right checksum names."""
    root = whole_table(vm, address)
    assert acpi.byte_sum(root) == 0, root[:4]
    return [whole_table(vm, at) for (at,) in struct.iter_unpack(layout_of_entry, root[36:])]


def test_rsdt_and_xsdt_where_both_exist(tmp_path):
    """Each has the FPDT as its last entry, and the RSDP has both checksums."""
    arguments = [*two_roots(tmp_path), *trace("timeline")]
    with booted(tmp_path, "microvm,acpi=off", arguments) as guest:
        rsdp = guest.report.one("rsdp").data
        assert len(rsdp) == 36 and acpi.byte_sum(rsdp) == acpi.byte_sum(rsdp[:20]) == 0
        short = entries(guest.vm, struct.unpack_from("<I", rsdp, 16)[0], "<I")
        long = entries(guest.vm, struct.unpack_from("<Q", rsdp, 24)[0], "<Q")
        assert short == long
        assert [t[:4] for t in short] == [b"TSTA", b"TSTB", b"FPDT"]
        assert short[0][36:] == b"first" and short[1][36:] == b"second table"
        assert all(acpi.byte_sum(t) == 0 for t in short)
        found = fpdt.read(short[2], guest.vm.read_memory)
        printed(guest.vm.debug).agrees_with(found.timeline)


def iasl(folder, *arguments) -> str:
    """What iasl says; it must succeed."""
    result = subprocess.run(["iasl", *arguments], cwd=folder, capture_output=True, text=True,
                            check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


@pytest.mark.parametrize("machine", MACHINES)
def test_iasl_takes_the_fpdt(tmp_path, machine):
    """ACPICA's tools disassemble it without a complaint, and compile it to the same bytes."""
    with booted(tmp_path, machine, trace("timeline")) as guest:
        given = acpi.table(guest.report, "FPDT").data
    (tmp_path / "fpdt.dat").write_bytes(given)
    said = iasl(tmp_path, "-d", "fpdt.dat")
    source = (tmp_path / "fpdt.dsl").read_text()
    for text in (said, source):
        assert not any(word in text.lower() for word in ("error", "warning", "invalid", "unknown"))
    assert "Firmware Performance Data Table" in source
    said = iasl(tmp_path, "-p", "again", "fpdt.dsl")
    assert "0 Errors, 0 Warnings" in said, said
    # iasl names itself as the creator, with its version.
    again = (tmp_path / "again.aml").read_bytes()
    assert again[:9] + again[10:28] + again[36:] == given[:9] + given[10:28] + given[36:]
    assert acpi.byte_sum(again) == 0
