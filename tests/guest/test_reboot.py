# SPDX-License-Identifier: MIT
"""Every way back into the firmware, from whatever memory holds."""

import functools

import pytest

from harness import acpi, layout, memory, mptable, multiboot, pci
from harness.guest import booted, linux_like, pvh_kernel, write_kernel
from harness.qemu import PAYLOAD_GOOD, Qemu

WIDE = pytest.mark.wide

SYSTEM_RESETS = ["cf9", "kbd", "port92", "triple"]
SOFT_RESETS = ["init", "fff0", "fff0-pam"]
# The FADT that QEMU makes for pc names no reset register.
CASES = [*[(m, k) for m in ("pc", "q35") for k in SYSTEM_RESETS + SOFT_RESETS],
         ("q35", "acpi"), ("microvm", "acpi"),
         ("microvm", "triple"), ("microvm", "init"), ("microvm", "fff0"),
         ("microvm,acpi=off", "triple")]

# Registers that no boot protocol defines at entry.
UNDEFINED_REGISTERS = ("eax", "ecx", "edx", "esp")


def timeless(report) -> dict:
    """All memory by name, but for the table that holds the times of this boot."""
    return {name: [p for p in found if p.data[:4] != b"FPDT"]
            for name, found in report.memory.items()}


def defined_registers(report) -> dict:
    """The registers at entry that must be the same each time."""
    return {n: v for n, v in report.values["register"].items() if n not in UNDEFINED_REGISTERS}


def check_same(reports, boots: int, kind: str, by_pvh: bool = False) -> None:
    """Each boot found the same machine state, tables and hand-over as the first."""
    assert [r.values["boot"]["number"] for r in reports] == list(range(1, boots + 1))
    assert [r.values["boot"]["fresh"] for r in reports] == [1] * boots  # never what ran before
    first = reports[0]
    for report in reports[1:]:
        assert timeless(report) == timeless(first)
        assert defined_registers(report) == defined_registers(first)
        assert report.msr == first.msr
        assert report.pci == first.pci
        assert report.port == first.port
        # Each boot left an interrupt pending. With the F segment closed, only the path by PVH knows
        # that there was no reset.
        if kind != "fff0-pam" or by_pvh:
            assert report.apic == first.apic


@pytest.mark.parametrize("machine, kind", CASES)
def test_three_boots(tmp_path, machine, kind):
    """The third boot is as the first."""
    with booted(tmp_path, machine, words=f"boots=3 reboot={kind}", boots=3,
                initrd=bytes(1000)) as guest:
        check_same(guest.reports, 3, kind)


@pytest.mark.parametrize("machine, kind", [
    pytest.param(m, k, marks=() if k in ("triple", "fff0") else WIDE) for m, k in CASES])
def test_three_boots_by_pvh(tmp_path, machine, kind):
    """The same with a kernel that QEMU puts into RAM itself."""
    with booted(tmp_path, machine, words=f"boots=3 reboot={kind}", boots=3,
                kernel=pvh_kernel()) as guest:
        check_same(guest.reports, 3, kind, by_pvh=True)


KERNELS = {
    "bzimage": linux_like,
    "pvh": functools.partial(pvh_kernel, linux=False),
    "multiboot": lambda: multiboot.elf(multiboot.Program.reporting()),
}
MANY = 300
QUICK = {("pc", "cf9"): "bzimage", ("q35", "acpi"): "multiboot", ("microvm", "init"): "pvh"}


@pytest.mark.parametrize("machine, kind, protocol", [
    pytest.param(machine, kind, protocol,
                 marks=() if QUICK.get((machine, kind)) == protocol else WIDE)
    for machine, kind in CASES for protocol in KERNELS])
def test_300_boots(tmp_path, machine, kind, protocol):
    """Nothing adds up over as many boots: every hand-over is as the first."""
    with booted(tmp_path, machine, words=f"brief boots={MANY:x} reboot={kind}", boots=MANY,
                kernel=KERNELS[protocol](), timeout=180) as guest:
        check_same(guest.reports, MANY, kind, by_pvh=protocol != "bzimage")


@pytest.mark.wide
@pytest.mark.parametrize("machine, kind", CASES)
def test_100_boots(tmp_path, machine, kind):
    """The same with all tables and registers in the report."""
    with booted(tmp_path, machine, words=f"boots={100:x} reboot={kind}", boots=100,
                timeout=180) as guest:
        check_same(guest.reports, 100, kind)


EXTRA_ROOTS = ["pxb,id=x,bus_nr=64,bus=pci.0", "pxb,id=y,bus_nr=128,bus=pci.0",
               "virtio-rng-pci,bus=x", "virtio-rng-pci,bus=y"]


@pytest.mark.parametrize("kind", ["init", "fff0"])
def test_three_boots_with_two_extra_roots(tmp_path, kind):
    """The bus numbers in the bridges of a boot do not pass for root buses in the next."""
    devices = [word for name in EXTRA_ROOTS for word in ("-device", name)]
    with booted(tmp_path, "pc", devices, words=f"boots=3 reboot={kind} buses", boots=3) as guest:
        check_same(guest.reports, 3, kind)
        trees = [pci.Tree(report) for report in guest.reports]
        assert all(not tree.missing() for tree in trees)
        assert trees[1].bars() == trees[2].bars() == trees[0].bars()


SCRIBBLED = [
    *[(m, k, "") for m in ("pc", "q35") for k in ("cf9", "triple", "init", "fff0-pam")],
    ("microvm", "triple", ""),
    # The payload jumps through F000:FFF0 itself, or, on microvm, into the image: not spoilt then.
    ("pc", "fff0", "keep-bios"), ("q35", "fff0", "keep-bios"), ("microvm", "init", "keep-bios"),
    ("microvm", "fff0", "keep-bios"),
]


def check_spoilt(guest, boots: int) -> None:
    """After garbage, a boot is still complete, and its anchors are the firmware's own."""
    first = guest.reports[0]
    assert len(guest.reports) == boots
    for report in guest.reports[1:]:
        layout.check(report, memory.qemu_ram(guest.vm))
        acpi.check(report)
        assert report.values["rsdp"] == first.values["rsdp"]
        assert report.values["mp"] == first.values["mp"]
        assert mptable.read(report).cpus == mptable.read(first).cpus
        for name in ("smbios2", "smbios2_table", "smbios3"):
            assert report.memory.get(name) == first.memory.get(name)
        assert report.one("zero_page") == first.one("zero_page")


@pytest.mark.parametrize("machine, kind, words", SCRIBBLED)
def test_boot_from_garbage(tmp_path, machine, kind, words):
    """IVT, BDA, low RAM, E and F segment full of garbage and false anchors change nothing."""
    with booted(tmp_path, machine, words=f"boots=3 reboot={kind} scribble {words}",
                boots=3) as guest:
        check_spoilt(guest, 3)


@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
def test_false_rsdp_in_the_e_segment(tmp_path, machine):
    """A scan from E0000 on still finds the firmware's RSDP, not one that old memory holds."""
    with booted(tmp_path, machine, words="boots=2 reboot=triple scribble scribble=e",
                boots=2) as guest:
        check_spoilt(guest, 2)


@pytest.mark.parametrize("code", ["05", "0a"])
@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_shutdown_code_resumes_at_the_warm_vector(tmp_path, machine, code):
    """CMOS 0Fh = 05h or 0Ah and INIT: the firmware jumps through 0040:0067 at once."""
    kernel = write_kernel(tmp_path, linux_like())
    with Qemu(machine, ["-kernel", kernel, "-append", f"brief boots=2 reboot=warm{code}"]) as vm:
        assert vm.wait() == PAYLOAD_GOOD
        assert vm.report.endswith(b"end\nR\n"), vm.report[-200:]


@pytest.mark.parametrize("code", ["05", "0a"])
@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_300_resumes_at_the_warm_vector(tmp_path, machine, code):
    """Each INIT with the code in CMOS comes back, none of them as a boot."""
    kernel = write_kernel(tmp_path, linux_like())
    words = f"brief boots=2 reboot=warm{code} inits={MANY:x}"
    with Qemu(machine, ["-kernel", kernel, "-append", words]) as vm:
        assert vm.wait() == PAYLOAD_GOOD
        assert vm.report.endswith(b"end\n" + b"R" * MANY + b"\n"), vm.report[-400:]
        assert vm.report.count(b"\nend\n") == 1


@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
def test_qmp_system_reset(tmp_path, machine):
    """A reset from outside, while the guest is halted."""
    with booted(tmp_path, machine) as guest:
        guest.vm.qmp("system_reset")
        guest.vm.wait_until(lambda: guest.vm.report.count(b"\nend\n") == 2, "second report")


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_vmgenid_is_told_again_after_a_reset(tmp_path, machine):
    """QEMU forgets the address at a reset; the firmware writes it anew."""
    with booted(tmp_path, machine, ["-device", "vmgenid"], words="boots=2 reboot=cf9",
                boots=2) as guest:
        acpi.check(guest.report)
        first, second = ([t.data for t in acpi.tables(r, "SSDT")] for r in guest.reports)
        assert first == second
