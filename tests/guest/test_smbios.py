# SPDX-License-Identifier: MIT
"""SMBIOS: both entry points, the firmware's own type 0, the user's strings."""

import pytest

from harness import smbios
from harness.guest import boot

BIOS_INFORMATION = 0
SYSTEM = 1
OEM_STRINGS = 11
VENDOR_AT = 4

ENTRY_POINTS = ["32", "64"]


@pytest.mark.parametrize("machine", ["pc", "q35"])
@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_entry_point(tmp_path, machine, entry_point):
    """The entry point asked for is the one found, and its table is whole."""
    report = boot(tmp_path, f"{machine},smbios-entry-point-type={entry_point}")
    found = {"smbios2", "smbios3"} & set(report.memory)
    assert found == {"smbios2" if entry_point == "32" else "smbios3"}
    smbios.check(report)


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_type_0_is_ours(tmp_path, entry_point):
    """QEMU leaves type 0 to the firmware; ours stands first and names its vendor."""
    found = smbios.check(boot(tmp_path, f"q35,smbios-entry-point-type={entry_point}"))
    assert found[0].kind == BIOS_INFORMATION
    assert len(smbios.of_kind(found, BIOS_INFORMATION)) == 1
    assert found[0].string(VENDOR_AT) == "Mayfly"
    assert len(found[0].formatted) >= 24
    assert all(found[0].strings)


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_type_0_of_the_user(tmp_path, entry_point):
    """A type 0 of the user replaces ours."""
    found = smbios.check(boot(tmp_path, f"pc,smbios-entry-point-type={entry_point}",
                              ["-smbios", "type=0,vendor=Somebody,version=1,date=01/02/2003"]))
    (bios,) = smbios.of_kind(found, BIOS_INFORMATION)
    assert bios.string(VENDOR_AT) == "Somebody"


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_oem_strings(tmp_path, entry_point):
    """-smbios type=11 arrives, as systemd credentials need."""
    found = smbios.check(boot(tmp_path, f"q35,smbios-entry-point-type={entry_point}", [
        "-smbios", "type=11,value=io.systemd.credential:a=b,value=second"]))
    (strings,) = smbios.of_kind(found, OEM_STRINGS)
    assert strings.strings == ["io.systemd.credential:a=b", "second"]


def test_long_oem_string(tmp_path):
    """A string of 8 KiB, as a credential may be."""
    value = "x" * 8192
    (tmp_path / "value").write_text(value, encoding="ascii")
    found = smbios.check(boot(tmp_path, "q35", ["-smbios", f"type=11,path={tmp_path / 'value'}"]))
    (strings,) = smbios.of_kind(found, OEM_STRINGS)
    assert strings.strings == [value]


def test_uuid_and_serial(tmp_path):
    """-uuid and the system's serial number arrive in type 1."""
    found = smbios.check(boot(tmp_path, "pc", [
        "-uuid", "12345678-9abc-def0-1122-334455667788", "-smbios", "type=1,serial=S123"]))
    (system,) = smbios.of_kind(found, SYSTEM)
    assert system.formatted[8:24].hex() == "78563412bc9af0de1122334455667788"
    assert system.string(7) == "S123"


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_user_structure_file(tmp_path, entry_point):
    """-smbios file= adds a structure of any type."""
    (tmp_path / "entry").write_bytes(bytes([200, 6, 0, 0x70, 1, 2]) + b"text\0\0")
    found = smbios.check(boot(tmp_path, f"pc,smbios-entry-point-type={entry_point}",
                              ["-smbios", f"file={tmp_path / 'entry'}"]))
    (entry,) = smbios.of_kind(found, 200)
    assert entry.strings == ["text"]


def test_many_structures(tmp_path):
    """255 CPUs and much memory make a long table."""
    found = smbios.check(boot(tmp_path, "q35", ["-smp", "200,sockets=200"]))
    assert len(smbios.of_kind(found, 4)) == 200


def test_microvm_has_none(tmp_path):
    """QEMU gives microvm no SMBIOS, so none is published."""
    report = boot(tmp_path, "microvm")
    assert not {"smbios2", "smbios3"} & set(report.memory)
