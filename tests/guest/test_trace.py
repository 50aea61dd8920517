# SPDX-License-Identifier: MIT
"""The list of opt/org.mayfly/trace: marks on the ports that other tools know, and wrong words."""

import collections
import re
from dataclasses import dataclass

import pytest

from harness import acpi, debian_qemu, multiboot
from harness.accesses import by_device, device_accesses, read_trace
from harness.failure import check_complaint, complaint
from harness.guest import booted, linux_like, pvh_kernel, write_kernel
from harness.qemu import FIRMWARE_PORT, REPORT_PORT, Qemu
from harness.sentences import expect_sentence
from harness.timeline import (
    FIRMWARE_MARKS,
    FW_CFG_DMA,
    LOADER_MARKS,
    MARK_PORTS,
    POST,
    STEPS_TRACE,
    Step,
    between_marks,
    printed,
    trace,
)

# Ports and values in order: Cloud Hypervisor's codes on port 0x80 (below 0x20 firmware, from 0x20
# boot loader, from 0x40 kernel), on the others those of qemu-boot-time's benchmark.h: FW_START,
# FW_DO_BOOT, LINUX_START_FWCFG, LINUX_START_BOOT or LINUX_START_PVHBOOT.
MARKS_OF_A_BOOT = [
    (POST, 0x01), (FIRMWARE_MARKS, 1), (POST, 0x02), (POST, 0x03), (FIRMWARE_MARKS, 5),
    (POST, 0x20), (LOADER_MARKS, 2), (POST, 0x21), (POST, 0x40)]
LAST_MARK = {"bzimage": (LOADER_MARKS, 3), "pvh": (LOADER_MARKS, 4),
             "multiboot": (LOADER_MARKS, 4)}

# The devices of the registers that the firmware sets, and what it reads in each step by the code
# that ends it.
CHIPSET = {"pc": {"pci-conf-idx", "pci-conf-data", "elcr"},
           "q35": {"pci-conf-idx", "pci-conf-data", "pcie-mmcfg-mmio", "elcr"},
           "microvm": set()}
# What a full preparation sets besides; "io" is a port without a device.
FULL = {"pc": {"pic", "apic-msi", "rtc", "rtc-index", "i8042-cmd", "i8042-data"}}
FULL["q35"] = FULL["pc"]
FULL["microvm"] = {"pic", "apic-msi", "rtc", "rtc-index", "io"}
# By what it asks before the first mark which machine this is.
ASKED = {"pc": {"pci-conf-idx", "rtc-index"}, "q35": {"pci-conf-idx", "rtc-index"},
         "microvm": {"io"}}
ACPI_FILES = ["etc/table-loader", "etc/acpi/rsdp", "etc/acpi/tables"]
# QEMU has none for a microvm.
SMBIOS_FILES = ["etc/smbios/smbios-anchor", "etc/smbios/smbios-tables"]
READ = {
    "bzimage": {0x01: ["directory", "opt/org.mayfly/trace"], 0x02: ["setup", "etc/e820"],
                0x03: [], 0x20: ["command line"], 0x21: ["kernel", "initrd"], 0x40: [], None: []},
    "pvh": {0x01: ["directory", "opt/org.mayfly/trace"],
            0x02: ["setup", "etc/e820", "kernel address", "kernel size"],
            0x03: ["kernel entry"], 0x20: ["command line size", "command line", "initrd size"],
            0x21: ["initrd"], 0x40: [], None: []},
    # QEMU calls the information structure an initrd.
    "multiboot": {0x01: ["directory", "opt/org.mayfly/trace"],
                  0x02: ["setup", "kernel size", "setup size", "etc/e820", "kernel address",
                         "kernel size", "number of CPUs"],
                  0x03: ["kernel entry"], 0x20: [],
                  0x21: ["kernel", "initrd"], 0x40: [], None: []}}
KERNEL = {"bzimage": linux_like, "pvh": pvh_kernel,
          "multiboot": lambda: multiboot.elf(multiboot.Program.reporting())}
PROTOCOLS = list(KERNEL)


@dataclass(frozen=True)
class Traced:
    """A boot of the payload: the marks, all other accesses, both by step, and the lines."""

    marks: list[tuple[int, int]]
    others: collections.Counter
    steps: list[Step]
    debug: str


def traced(tmp_path, machine, args, **options) -> Traced:
    """Boots with a trace of the accesses and without isa-debug-exit."""
    log = tmp_path / "trace"
    log.unlink(missing_ok=True)
    said_on = (REPORT_PORT, FIRMWARE_PORT)
    with booted(tmp_path, machine, [*STEPS_TRACE, "-D", log, *args], words="brief", exit_size=0,
                **options) as guest:
        debug = guest.vm.debug
    accesses = [a for a in read_trace(log) if a.address not in said_on]
    shown = [a for a in accesses if a.address in MARK_PORTS]
    assert all((a.kind, a.size) == ("write", 1) for a in shown)
    others = collections.Counter(a.place for a in accesses if a not in shown)
    return Traced([(a.address, a.value) for a in shown], others, between_marks(log, said_on), debug)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
def test_marks(tmp_path, machine, protocol):
    """Exactly these writes, each a byte, and one access to read the list; without it none."""
    kernel = KERNEL[protocol]()
    quiet = traced(tmp_path, machine, [], kernel=kernel)
    loud = traced(tmp_path, machine, trace("marks"), kernel=kernel)
    assert quiet.marks == [] and loud.debug == ""
    assert loud.marks == [*MARKS_OF_A_BOOT, LAST_MARK[protocol]]
    loud.others.subtract(quiet.others)
    assert {place: n for place, n in loud.others.items() if n} == {
        ("write", FW_CFG_DMA, 4, "fwcfg.dma"): 1}


def written(step: Step) -> set[str]:
    """The devices that were written to."""
    return {access.device for access in step.others if access.kind == "write"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
def test_marks_enclose_what_they_name(tmp_path, machine, protocol):
    """Each step's accesses lie between its mark and the one before, and no others do."""
    # The last words of a real kernel are never 0, which spares the question for its size.
    kernel = (linux_like(padding=16)[:-1] + b"\1" if protocol == "bzimage"
              else KERNEL[protocol]())
    steps = traced(tmp_path, machine, trace("marks"), kernel=kernel, initrd=bytes(100_000)).steps
    expected = {code: list(items) for code, items in READ[protocol].items()}
    expected[0x03] += ACPI_FILES + ([] if machine == "microvm" else SMBIOS_FILES)
    assert [step.code for step in steps] == list(expected)
    assert {step.code: sorted(step.read) for step in steps} == {
        code: sorted(items) for code, items in expected.items()}
    # QEMU's own reset of the interrupt controllers is in the trace, too.
    assert written(steps[0]) - {"apic-msi"} == ASKED[machine]
    full = protocol == "multiboot"
    assert written(steps[1]) == CHIPSET[machine] | (FULL[machine] if full else set())
    if not full:
        assert {a.device for a in steps[1].others} == CHIPSET[machine]
    assert [step.others for step in steps[2:]] == [[]] * len(steps[2:])


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_preparing_fully_belongs_to_the_platform(tmp_path, machine):
    """Every access to a register of a device comes before that mark."""
    device = ["-device", "virtio-rng-pci"]
    full = ["-fw_cfg", "name=opt/org.mayfly/prepare,string=full"]
    lean = traced(tmp_path, machine, [*device, *trace("marks")]).steps
    steps = traced(tmp_path, machine, [*device, *full, *trace("marks")]).steps
    assert steps[1].code == lean[1].code == 0x02
    assert len(steps[1].others) > len(lean[1].others)
    assert written(steps[1]) == CHIPSET[machine] | FULL[machine]
    assert [step.others for step in steps[2:]] == [[]] * len(steps[2:])


def test_marks_alone_make_no_fpdt(tmp_path):
    """They are another word of the list."""
    with booted(tmp_path, "q35", trace("marks"), exit_size=0) as guest:
        assert acpi.tables(guest.report, "FPDT") == []
        assert guest.vm.debug == ""


@pytest.mark.parametrize("words", ["timeline,marks", "marks,timeline", "marks,timeline,marks"])
def test_both(tmp_path, words):
    """In any order, and twice is once."""
    found = traced(tmp_path, "pc", trace(words))
    assert found.marks == [*MARKS_OF_A_BOOT, LAST_MARK["bzimage"]]
    assert printed(found.debug).source == "PM timer"


@pytest.mark.parametrize("size, status", [(1, 2 << 1 | 1), (2, 1 << 1 | 1), (4, 1 << 1 | 1)])
@pytest.mark.parametrize("machine", ["pc", "microvm"])
def test_isa_debug_exit_ends_at_a_mark(tmp_path, machine, size, status):
    """At 0xf4 it takes the first mark for an exit: that on 0xf5 too, unless it has one port.

    Newer QEMUs than 7.2 end a moment later, at times only after another mark.
    """
    with Qemu(machine, ["-kernel", write_kernel(tmp_path, linux_like()), *trace("marks")],
              exit_size=size) as vm:
        found = vm.wait()
        if debian_qemu.version() <= (7, 2):
            assert found == status
            assert vm.report == b""
        assert found & 1 and vm.debug == ""


@pytest.mark.parametrize("machine", ["pc", "microvm"])
@pytest.mark.parametrize("words, word", [
    ("timelines", "timelines"), ("Timeline", "Timeline"), ("marks ", "marks "),
    ("timeline,", ""), ("marks,,timeline", ""), ("marks,log", "log"), ("x" * 150, "x" * 150)],
                         ids=lambda value: value[:20])
def test_unknown_word(tmp_path, machine, words, word):
    """A word that means nothing is told, before anything is traced."""
    check_complaint(machine, ["-kernel", write_kernel(tmp_path, linux_like()), *trace(words)],
                    f"mayfly: opt/org.mayfly/trace: neither timeline nor marks ({word})",
                    exit_size=0)


def test_empty_list(tmp_path):
    """Asks for nothing."""
    (tmp_path / "list").touch()
    with booted(tmp_path, "pc", ["-fw_cfg",
                                 f"name=opt/org.mayfly/trace,file={tmp_path / 'list'}"]) as guest:
        assert guest.vm.debug == ""
        assert acpi.tables(guest.report, "FPDT") == []


def test_list_too_long(tmp_path):
    """A file of the host's that the work area cannot hold."""
    (tmp_path / "list").write_bytes(b"timeline," * 20_000)
    with Qemu("pc", ["-kernel", write_kernel(tmp_path, linux_like()), "-fw_cfg",
                     f"name=opt/org.mayfly/trace,file={tmp_path / 'list'}"]) as vm:
        said = complaint(vm)
        room = re.search(r"limit (\d+)", said)
        assert room and int(room[1]) < 64 * 1024
        expect_sentence(said, "mayfly: fw_cfg: file is too large "
                              f"(opt/org.mayfly/trace, 180000 bytes, limit {room[1]})")


def test_looking_for_options_costs_a_search_at_most():
    """A directory of several pages is read on once for all options, not once for each."""
    files = [word for number in range(60)
             for word in ("-fw_cfg", f"name=opt/org.example/{number},string=x")]
    slots = ["-global", "fw_cfg_io.x-file-slots=300"]
    one = ["-fw_cfg", "name=opt/org.mayfly/log,string=quiet"]
    without, with_one = (device_accesses("pc", [*slots, *files, *more]) for more in ([], one))
    # Each search reads on in two accesses: log, trace and prepare.
    assert len(with_one) == len(without) + 3 * 2 + 1, by_device(with_one)
    assert len(without) == 30, by_device(without)
