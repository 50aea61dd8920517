# SPDX-License-Identifier: MIT
"""ACPI tables: complete, correctly linked, in memory that stays theirs."""

import shutil
import struct
import subprocess
import tempfile
import time
import uuid
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness import acpi, layout, memory
from harness.guest import boot, booted, pvh_kernel
from harness.memory import ACPI, MIB, NVS, RAM, RESERVED, Range
from harness.qemu import PATIENCE, POLL

MACHINES = ["pc", "q35", "microvm"]

FACS_ALIGNMENT = 64
PAGE = 4096
FADT_PM1A_EVENT = 56
FADT_PM_TIMER = 76
PM_TIMER_OFFSET = 8
FADT_FLAGS = 112
HARDWARE_REDUCED = 1 << 20
MCFG_BASE = 44
VMGENID_GUID_OFFSET = 40
PM_BASE_AT = 0x40


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("protocol", ["bzimage", "pvh"])
def test_checksums_and_pointers(tmp_path, machine, protocol):
    """Every table from RSDP to DSDT is whole and where its parent says."""
    report = boot(tmp_path, machine, kernel=pvh_kernel() if protocol == "pvh" else None)
    acpi.check(report)
    assert report.values["rsdp"]["given"] == report.one("rsdp").address


@pytest.mark.parametrize("machine", MACHINES)
def test_rsdp_by_scan_is_the_given_one(tmp_path, machine):
    """Kernels that scan E0000-FFFFF (ACPI specification 5.2.5.1) find the same RSDP."""
    rsdp = boot(tmp_path, machine).values["rsdp"]
    assert rsdp["found"] == rsdp["given"] != 0


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_facs(tmp_path, machine):
    """The FACS is 64-byte aligned and in writable memory (ACPI specification 5.2.10)."""
    with booted(tmp_path, machine) as guest:
        facs = guest.report.one("facs")
        assert facs.data[:4] == b"FACS"
        assert facs.address % FACS_ALIGNMENT == 0
        assert memory.within(memory.qemu_ram(guest.vm), Range(facs.address, facs.end))
        assert memory.within(memory.of_type(memory.firmware_map(guest.report), NVS, RESERVED),
                             Range(facs.address, facs.end)), "the OS may reuse the FACS"


@pytest.mark.parametrize("machine, place", [("pc", (1, 3)), ("q35", (31, 0))])
def test_fadt_has_the_pm_base(tmp_path, machine, place):
    """The PM block the FADT names is the one the chipset decodes."""
    report = boot(tmp_path, machine)
    fadt = acpi.table(report, "FACP")
    base = struct.unpack_from("<I", report.pci[place], PM_BASE_AT)[0] & 0xFFC0
    assert base != 0
    assert fadt.field("<I", FADT_PM1A_EVENT) == base
    assert fadt.field("<I", FADT_PM_TIMER) == base + PM_TIMER_OFFSET


def test_fadt_of_microvm_is_hardware_reduced(tmp_path):
    """microvm has no PM block."""
    fadt = acpi.table(boot(tmp_path, "microvm"), "FACP")
    assert fadt.field("<I", FADT_FLAGS) & HARDWARE_REDUCED


def test_mcfg_is_where_the_chipset_decodes(tmp_path):
    """MCFG exists on q35, names PCIEXBAR, and configuration space answers there."""
    report = boot(tmp_path, "q35")
    base = acpi.table(report, "MCFG").field("<Q", MCFG_BASE)
    pciexbar = struct.unpack_from("<Q", report.pci[0, 0], 0x60)[0]
    assert pciexbar & 1 and pciexbar & ~0xFFFFFFF == base
    assert report.values["ecam"]["id"] == struct.unpack_from("<I", report.pci[0, 0])[0]


@pytest.mark.parametrize("machine", MACHINES)
def test_tables_are_kept_in_the_map(tmp_path, machine):
    """No table lies in memory the map calls free."""
    with booted(tmp_path, machine) as guest:
        layout.check_in_ram(guest.report, memory.qemu_ram(guest.vm))


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_padding_costs_no_ram(tmp_path, machine):
    """QEMU pads its tables to 128 KiB; the guest keeps what is only padding."""
    given = memory.firmware_map(boot(tmp_path, machine))
    kept = memory.of_type(given, ACPI, NVS, RESERVED)
    lost = sum(e.size for e in kept if MIB <= e.begin < 128 * MIB)
    assert 0 < lost <= 64 * 1024


@pytest.mark.parametrize("machine", MACHINES)
def test_cpus_in_the_madt(tmp_path, machine):
    """The MADT arrives with every CPU QEMU has."""
    with booted(tmp_path, machine, ["-smp", "5"]) as guest:
        ids = [guest.vm.qmp("qom-get", path=c["qom-path"], property="apic-id")
               for c in guest.vm.qmp("query-cpus-fast")]
        assert sorted(acpi.madt_cpus(guest.report)) == sorted(ids)


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_vmgenid(tmp_path, machine):
    """WRITE_POINTER tells QEMU where the GUID is: both ends agree, also after QEMU changes it."""
    guid = uuid.UUID("324e6eaf-d1d1-4bf6-bf41-b9bb6c91fb87")
    with booted(tmp_path, machine, ["-device", f"vmgenid,guid={guid},id=generation"]) as guest:
        acpi.check(guest.report)
        assert guest.vm.qmp("query-vm-generation-id")["guid"] == str(guid)
        address = guest.vm.read_memory(vmgenid_page(guest) + VMGENID_GUID_OFFSET, 16)
        assert address == guid.bytes_le


def vmgenid_page(guest) -> int:
    """The page of the GUID by the pointer that QEMU's SSDT carries: VGIA is a DWord constant."""
    for table in acpi.tables(guest.report, "SSDT"):
        at = table.data.find(b"\x08VGIA\x0c")
        if at >= 0:
            return struct.unpack_from("<I", table.data, at + 6)[0]
    raise AssertionError("no SSDT names VGIA")


def test_vmgenid_page_is_kept(tmp_path):
    """The page QEMU writes into later is page aligned and never free RAM."""
    with booted(tmp_path, "q35", ["-device", "vmgenid"]) as guest:
        page = vmgenid_page(guest)
        assert page % PAGE == 0
        given = memory.firmware_map(guest.report)
        assert memory.within(memory.of_type(given, NVS, RESERVED), Range(page, page + PAGE))


NVDIMM = ["-m", "512M,slots=2,maxmem=2G", "-object", "memory-backend-ram,id=n0,size=128M",
          "-device", "nvdimm,id=nvdimm0,memdev=n0"]


@pytest.mark.parametrize("machine", ["pc,nvdimm=on", "q35,nvdimm=on"])
def test_nvdimm(tmp_path, machine):
    """NFIT is there, and MEMA of the SSDT points to a kept page."""
    with booted(tmp_path, machine, NVDIMM) as guest:
        acpi.check(guest.report)
        (device,) = guest.vm.qmp("query-memory-devices")
        nfit = acpi.table(guest.report, "NFIT")
        assert struct.pack("<QQ", device["data"]["addr"], device["data"]["size"]) in nfit.data
        ssdt = next(t for t in acpi.tables(guest.report, "SSDT") if b"MEMA" in t.data)
        at = ssdt.data.index(b"MEMA\x0c")
        page = struct.unpack_from("<I", ssdt.data, at + 5)[0]
        assert page % PAGE == 0
        free = memory.of_type(memory.firmware_map(guest.report), RAM)
        assert not any(e.overlaps(Range(page, page + PAGE)) for e in free)


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_numa_tables(tmp_path, machine):
    """SRAT and SLIT of two nodes arrive."""
    report = boot(tmp_path, machine, [
        "-m", "1G", "-smp", "2", "-object", "memory-backend-ram,id=m0,size=512M",
        "-object", "memory-backend-ram,id=m1,size=512M", "-numa", "node,cpus=0,memdev=m0",
        "-numa", "node,cpus=1,memdev=m1", "-numa", "dist,src=0,dst=1,val=21"])
    acpi.check(report)
    assert acpi.table(report, "SRAT") and acpi.table(report, "SLIT")


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_vmcoreinfo_and_pvpanic(tmp_path, machine):
    """Devices that only add fw_cfg files and AML do not disturb."""
    acpi.check(boot(tmp_path, machine, ["-device", "vmcoreinfo", "-device", "pvpanic"]))


def wait_for(path: Path) -> None:
    """Waits until another program has made this file."""
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} does not appear"
        time.sleep(POLL)


@contextmanager
def tpm_emulator():
    """A software TPM 2.0 as arguments for QEMU."""
    program = shutil.which("swtpm")
    assert program, "swtpm is missing"
    with tempfile.TemporaryDirectory(prefix="mayfly-tpm-") as state:
        control = Path(state) / "control"
        process = subprocess.Popen([program, "socket", "--tpm2", "--tpmstate", f"dir={state}",
                                    "--ctrl", f"type=unixio,path={control}",
                                    "--flags", "startup-clear"])
        try:
            wait_for(control)
            yield ["-chardev", f"socket,id=tpmctl,path={control}",
                   "-tpmdev", "emulator,id=tpm0,chardev=tpmctl"]
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize("device", ["tpm-tis", "tpm-crb"])
def test_tpm(tmp_path, device):
    """The TPM2 table points to a log area of the size it names, and that area is kept."""
    with tpm_emulator() as arguments:
        with booted(tmp_path, "q35", [*arguments, "-device", f"{device},tpmdev=tpm0"]) as guest:
            acpi.check(guest.report)
            tpm2 = acpi.table(guest.report, "TPM2")
            size, address = tpm2.field("<I", 64), tpm2.field("<Q", 68)
            assert size == 64 * 1024
            log = Range(address, address + size)
            given = memory.firmware_map(guest.report)
            assert memory.within(memory.of_type(given, ACPI, NVS, RESERVED), log)


def fw_cfg_files(count: int) -> list[str]:
    """Many user files, so that the directory is long and its order mixed."""
    arguments = ["-fw_cfg", "name=opt/a,string=first"]
    for number in range(count - 1):
        arguments += ["-fw_cfg", f"name=opt/org.example/{number:04},string={number}"]
    return arguments


@pytest.mark.parametrize("machine", MACHINES)
def test_more_than_20_fw_cfg_files(tmp_path, machine):
    """QEMU's default leaves room for 32 files in all; fill most of it."""
    acpi.check(boot(tmp_path, machine, fw_cfg_files(12)))


@pytest.mark.parametrize("count", [300, pytest.param(1000, marks=pytest.mark.wide)])
def test_hundreds_of_fw_cfg_files(tmp_path, count):
    """The directory has no size limit of the firmware's own."""
    slots = ["-global", f"fw_cfg_io.x-file-slots={count + 32}"]
    acpi.check(boot(tmp_path, "q35", [*slots, *fw_cfg_files(count)]))


@pytest.mark.wide
@pytest.mark.parametrize("machine", ["pc", "q35"])
@pytest.mark.parametrize("extra", [
    ["-smp", "255", "-machine", "kernel-irqchip=on"],
    ["-m", "512M,slots=255,maxmem=64G"],
    ["-smp", "200", "-m", "512M,slots=255,maxmem=64G"],
])
def test_large_tables(tmp_path, machine, extra):
    """Tables beyond the first 128 KiB step of QEMU."""
    acpi.check(boot(tmp_path, machine, extra))


def test_user_table(tmp_path):
    """-acpitable adds a table that arrives unchanged."""
    content = bytes(range(200))
    (tmp_path / "table").write_bytes(content)
    report = boot(tmp_path, "pc", ["-acpitable", f"sig=MAYF,data={tmp_path / 'table'}"])
    acpi.check(report)
    assert acpi.table(report, "MAYF").data[36:] == content


def test_large_user_table(tmp_path):
    """A table of 60,000 bytes fits as well as a small one."""
    content = bytes(range(250)) * 240
    (tmp_path / "table").write_bytes(content)
    report = boot(tmp_path, "q35", ["-acpitable", f"sig=MAYF,data={tmp_path / 'table'}"])
    acpi.check(report)
    assert acpi.table(report, "MAYF").data[36:] == content
