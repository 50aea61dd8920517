# SPDX-License-Identifier: MIT
"""After S3 the machine is as the boot left it, and the memory as the guest left it."""

import struct

import pytest
from test_interrupts import check_timer

from harness import accesses, debian_qemu, layout, memory, pci, sleeping
from harness.failure import complaint
from harness.guest import linux_like, pvh_kernel, sent_reports, write_kernel
from harness.memory import MIB
from harness.qemu import PAYLOAD_GOOD, Qemu
from harness.sentences import expect_sentence

WIDE = pytest.mark.wide
MACHINES = ["pc", "q35"]
PREPARE = "name=opt/org.mayfly/prepare,string="
LEAN = ["-fw_cfg", f"{PREPARE}lean"]
FULL = ["-fw_cfg", f"{PREPARE}full"]
RAM = 32 * MIB

# What the firmware may write to when it resumes: its DMA descriptor with the number behind it, and
# its stack. The payload's first instructions note the registers.
OWN = [range(0xE0000, 0xE0020), range(0xEC000, 0xF0000), range(0x7800, 0x7880)]
ANSWERS = 0xEC000 + 0x28  # of the processors that were started
REGISTERS = 0xEBFC0 + 20  # in the record: where the writes to PCI are kept, and how many
AFTER_BOOT_ONLY = ("gdt", "zero_page", "command_line", "start_info", "memory_map",
                   "multiboot_info", "loader_name")


def devices(*names: str) -> list[str]:
    """A -device for each."""
    return [word for name in names for word in ("-device", name)]


VIRTIO = devices("virtio-net-pci", "virtio-rng-pci", "virtio-serial-pci", "vmgenid")
BRIDGES = {
    "pc": devices("pci-bridge,id=b1,chassis_nr=1", "pci-bridge,id=b2,chassis_nr=2,bus=b1,addr=1",
                  "VGA,bus=b2,addr=3", "e1000,bus=b1,addr=4", "pxb,id=x,bus_nr=64",
                  "virtio-rng-pci,bus=x", "vmgenid"),
    "q35": devices("pcie-root-port,id=r1,chassis=1", "pcie-root-port,id=r2,chassis=2",
                   "x3130-upstream,id=u,bus=r1", "xio3130-downstream,id=d,bus=u,chassis=3",
                   "virtio-net-pci,bus=d", "e1000e,bus=r2", "pxb-pcie,id=x,bus_nr=64",
                   "pcie-root-port,id=r3,bus=x,chassis=4", "nvme,serial=1,bus=r3", "VGA,bus=pcie.0",
                   "vmgenid"),
}


def lasting(found) -> dict:
    """The memory of tables and anchors; not the word in the FACS that the payload writes."""
    result = {name: [(p.address, p.data) for p in pieces]
              for name, pieces in found.memory.items() if name not in AFTER_BOOT_ONLY}
    result["facs"] = [(a, d[:12] + d[16:]) for a, d in result["facs"]]
    return result


def check_machine(boot, naps) -> None:
    """Each sleep ended in the machine of the boot, at the waking vector in real mode."""
    for nap in naps:
        for name in ("msr", "apic", "pci", "functions", "port", "cpuid"):
            assert getattr(nap.report, name) == getattr(boot, name), name
        assert lasting(nap.report) == lasting(boot)
        assert nap.report.values.get("told") == boot.values.get("told")
        state = nap.report.values["wake"]
        assert state["cr0"] & ~0x10 == 0 and state["eflags"] & 0x20600 == 0
        assert [state[n] for n in ("cs", "ds", "es", "fs", "gs")] == [0x700, 0, 0, 0, 0]
        assert (state["idt_base"], state["idt_limit"]) == (0, 0x3FF)


def check_memory(naps) -> None:
    """Nothing of the guest's is changed."""
    for nap in naps:
        changed = [hex(a) for a in nap.changed() if not any(a in own for own in OWN)]
        assert not changed, f"{len(changed)}: {changed[:16]}"


@pytest.mark.parametrize("prepare", ["lean", "full"])
@pytest.mark.parametrize("machine", MACHINES)
def test_machine_and_memory(tmp_path, machine, prepare):
    """Three sleeps with virtio and vmgenid."""
    boot, naps = sleeping.naps(tmp_path, machine, ["-m", "32M", "-fw_cfg", PREPARE + prepare,
                                                   *VIRTIO], count=3, size=RAM, words="buses")
    assert boot.values["told"]["vmgenid"] != 0
    assert (pci.Tree(boot).missing() == set()) == (prepare == "full")
    check_machine(boot, naps)
    check_memory(naps)


@pytest.mark.parametrize("machine", MACHINES)
def test_bridges(tmp_path, machine):
    """Bridges within bridges, a display, an extra root, two CPUs."""
    boot, naps = sleeping.naps(tmp_path, machine, ["-m", "32M", "-smp", "2", *FULL,
                                                   *BRIDGES[machine]],
                               count=2, size=RAM, words="buses")
    assert pci.Tree(boot).missing() == set()
    check_machine(boot, naps)
    check_memory(naps)


@WIDE
@pytest.mark.parametrize("machine", MACHINES)
def test_hundred_sleeps(tmp_path, machine):
    """Nothing adds up."""
    boot, naps = sleeping.naps(tmp_path, machine, ["-m", "32M", "-smp", "2", *FULL,
                                                   *BRIDGES[machine]],
                               count=100, words="buses", timeout=180)
    assert len(naps) == 100
    check_machine(boot, naps)


@pytest.mark.parametrize("machine", [pytest.param("pc", marks=WIDE), "q35"])
def test_hundreds_of_functions(tmp_path, machine):
    """What has no room in the work area is kept in pages that the map does not give as RAM."""
    ports = devices(*(f"pcie-root-port,id=r{i},chassis={i + 1},port={i},addr={4 + i // 8:x}.{i % 8}"
                      ",multifunction=on" for i in range(120)))
    functions = devices(*(f"virtio-rng-pci,addr={4 + i // 8:x}.{i % 8},multifunction=on"
                          for i in range(160)))
    boot, naps = sleeping.naps(tmp_path, machine, ["-m", "32M", *FULL, *(
        ports if machine == "q35" else functions)], size=RAM, words="buses")
    address, count = struct.unpack_from("<II", naps[0].before, REGISTERS)
    kept = memory.Range(address, address + 8 * count, "registers")
    assert kept.begin >= MIB
    assert not any(kept.overlaps(r) for r in memory.of_type(memory.firmware_map(boot), memory.RAM))
    check_machine(boot, naps)
    check_memory(naps)


@WIDE
@pytest.mark.parametrize("suite", ["trixie", "sid"])
@pytest.mark.parametrize("machine", MACHINES)
def test_newer_qemus(tmp_path, machine, suite):
    """The QEMUs of Debian's later suites."""
    boot, naps = sleeping.naps(tmp_path, machine, ["-m", "32M", "-smp", "2", *FULL,
                                                   *BRIDGES[machine]], count=2, size=RAM,
                               words="buses", program=debian_qemu.program(suite))
    check_machine(boot, naps)
    check_memory(naps)


@WIDE
@pytest.mark.parametrize("machine", ["pc-i440fx-2.5", "pc-q35-2.5", "pc-i440fx-4.2", "pc-q35-5.2"])
def test_older_machine_types(tmp_path, machine):
    """Those whose devices and tables differ."""
    boot, naps = sleeping.naps(tmp_path, machine, ["-m", "32M", *FULL, *VIRTIO], count=2, size=RAM,
                               words="buses")
    check_machine(boot, naps)
    check_memory(naps)


@pytest.mark.parametrize("machine", MACHINES)
def test_5_gib(tmp_path, machine):
    """RAM above 4 GiB and a hole that is no power of two."""
    boot, naps = sleeping.naps(tmp_path, machine, ["-m", "5G", *VIRTIO], words="buses")
    check_machine(boot, naps)


@pytest.mark.parametrize("machine", MACHINES)
def test_pvh(tmp_path, machine):
    """An ELF, which QEMU puts into the RAM anew at each wake-up: the rest of the RAM is kept."""
    path = write_kernel(tmp_path, pvh_kernel())
    with Qemu(machine, ["-S", "-m", "32M", "-kernel", path, "-append", "wait sleeps=1 brief",
                        *VIRTIO]) as vm:
        vm.qmp("cont")
        (boot,) = sent_reports(vm, 1)
        nap = sleeping.Nap(boot, *sleeping.wake(vm, 1, RAM, lambda vm: None))
    image = layout.kernel_range(boot)
    nap.before, nap.after = (m[:image.begin] + bytes(image.end - image.begin) + m[image.end:]
                             for m in (nap.before, nap.after))
    check_memory([nap])


@pytest.mark.parametrize("machine", MACHINES)
def test_boot_from_garbage(tmp_path, machine):
    """What was in the firmware's memory before the boot is not taken for its record."""
    kernel = write_kernel(tmp_path, linux_like())
    with Qemu(machine, ["-S", "-kernel", kernel, "-append",
                        "brief sleeps=1 boots=2 reboot=cf9 scribble", *LEAN]) as vm:
        vm.qmp("cont")
        vm.wait_event("SUSPEND")
        vm.qmp("system_wakeup")
        vm.wait_until(lambda: vm.report.endswith(b"W\n"), "first instruction after the sleep")
        assert vm.report.count(b"boot number") == 2


def test_device_taken_away(tmp_path):
    """What is written to a function that is gone reaches nobody."""
    boot, (nap,) = sleeping.naps(
        tmp_path, "pc", [*FULL, *devices("virtio-rng-pci,id=gone", "virtio-net-pci")],
        words="buses", change=lambda vm: vm.qmp("device_del", id="gone"))
    gone = set(boot.functions) - set(nap.report.functions)
    assert len(gone) == 1
    for function, registers in nap.report.functions.items():
        assert registers == boot.functions[function], hex(function)


@pytest.mark.kvm
@pytest.mark.parametrize("prepare", ["lean", "full"])
@pytest.mark.parametrize("machine", MACHINES)
def test_under_kvm(tmp_path, machine, prepare):
    """The same by the other accelerator, which keeps CPU state itself."""
    boot, naps = sleeping.naps(tmp_path, machine, ["-m", "32M", "-fw_cfg", PREPARE + prepare,
                                                   *VIRTIO], count=2, accel="kvm")
    check_machine(boot, naps)


@pytest.mark.parametrize("accel", ["tcg", pytest.param("kvm", marks=pytest.mark.kvm)])
@pytest.mark.parametrize("machine", MACHINES)
def test_timer_after_a_sleep(tmp_path, machine, accel):
    """Its interrupt comes as it did after the boot, through the PIC and through the I/O APIC."""
    boot, naps = sleeping.naps(tmp_path, machine, FULL, count=2, words="timer", accel=accel)
    check_timer(boot)
    check_machine(boot, naps)
    for nap in naps:
        assert (nap.report.port[0x21], nap.report.port[0xA1]) == (0xFA, 0xFF)
        check_timer(nap.report)


def woken(tmp_path, *words: str) -> list:
    """Arguments of a payload that has the machine reset as if it had been asleep."""
    return ["-kernel", write_kernel(tmp_path, linux_like()),
            "-append", " ".join(["brief boots=2 reboot=cf9 woken", *words])]


def check_complaint_of_a_wake_up(tmp_path, machine: str, words: str, sentence: str) -> None:
    """What is said of it."""
    kernel = write_kernel(tmp_path, linux_like())
    with Qemu(machine, ["-S", "-kernel", kernel, "-append", f"brief sleeps=1 {words}"]) as vm:
        vm.qmp("cont")
        vm.wait_event("SUSPEND")
        vm.qmp("system_wakeup")
        vm.wait_until(lambda: vm.serial.endswith("\n") and vm.debug.endswith("\n"), "sentence")
        expect_sentence(vm.debug, sentence)
        expect_sentence(vm.serial, sentence)


NO_VECTOR = "mayfly: resume: the guest left no waking vector below 1 MiB (0x0)"
HIGH_VECTOR = "mayfly: resume: the guest left no waking vector below 1 MiB (0x100000)"
NO_RECORD = "mayfly: resume: the boot left no record (mark 0x12345678)"


@pytest.mark.parametrize("machine", MACHINES)
def test_no_waking_vector(tmp_path, machine):
    """A guest that did not say where it wants to go on."""
    check_complaint_of_a_wake_up(tmp_path, machine, "waking=0", NO_VECTOR)


@pytest.mark.parametrize("machine", MACHINES)
def test_waking_vector_that_real_mode_does_not_reach(tmp_path, machine):
    """One at 1 MiB."""
    check_complaint_of_a_wake_up(tmp_path, machine, f"waking={MIB:x}", HIGH_VECTOR)


@pytest.mark.parametrize("machine", MACHINES)
def test_processor_plugged_in_the_sleep(tmp_path, machine):
    """Each that is there at the wake-up gets its registers, however many the boot had."""
    added = {"driver": "qemu64-x86_64-cpu", "socket-id": 1, "core-id": 0, "thread-id": 0}
    _, (nap,) = sleeping.naps(tmp_path, machine, ["-m", "32M", "-smp", "1,maxcpus=2,sockets=2",
                                                  *FULL],
                              size=MIB, change=lambda vm: vm.qmp("device_add", **added))
    answers = slice(ANSWERS, ANSWERS + 4)
    assert (nap.before[answers], nap.after[answers]) == (bytes(4), bytes([1, 0, 0, 0]))


@pytest.mark.parametrize("machine", MACHINES)
def test_no_record(tmp_path, machine):
    """Garbage in the firmware's memory."""
    check_complaint_of_a_wake_up(tmp_path, machine, "forget", NO_RECORD)


@pytest.mark.parametrize("machine", MACHINES)
def test_reset_in_the_sleep(tmp_path, machine):
    """It boots, as after any reset."""
    kernel = write_kernel(tmp_path, linux_like())
    with Qemu(machine, ["-S", "-kernel", kernel, "-append", "brief sleeps=1", *FULL]) as vm:
        vm.qmp("cont")
        vm.wait_event("SUSPEND")
        vm.qmp("system_reset")
        vm.wait_event("RESET")
        vm.qmp("cont")
        vm.wait_until(lambda: vm.report.count(b"\nend\n") == 2, "second report")
        assert b"W\n" not in vm.report
        assert vm.debug == ""


@pytest.mark.parametrize("machine", MACHINES)
def test_mark_of_a_sleep_without_one(tmp_path, machine):
    """A guest that leaves the mark in the CMOS and resets the machine is booted again, whatever it
    left in memory."""
    with Qemu(machine, woken(tmp_path, "scribble")) as vm:
        assert vm.wait() == PAYLOAD_GOOD
        assert vm.report.count(b"\nend\n") == 2
        assert vm.debug == ""


def test_without_acpi(tmp_path):
    """No tables, so nothing to sleep by: a wake-up finds no vector."""
    with Qemu("pc,acpi=off", woken(tmp_path)) as vm:
        expect_sentence(complaint(vm), NO_VECTOR)


@pytest.mark.parametrize("machine, count", [("pc", 17), ("q35", 15)])
def test_accesses(tmp_path, machine, count, record_property):
    """What a resume costs: less than a boot; it asks fw_cfg nothing."""
    log = tmp_path / "trace"
    kernel = write_kernel(tmp_path, linux_like())
    with Qemu(machine, ["-S", "-kernel", kernel, "-append", "brief sleeps=1", "-D", log]) as vm:
        vm.qmp("cont")
        vm.wait_event("SUSPEND")
        vm.hmp("trace-event memory_region_ops_* on")
        vm.qmp("system_wakeup")
        vm.wait_until(lambda: vm.report.endswith(b"W\n"), "first instruction after the sleep")
        vm.qmp("stop")
        vm.hmp("trace-event memory_region_ops_* off")
        found = accesses.read_trace(log)
    payloads_first = next(i for i, a in enumerate(found)
                          if a.device == "acpi-evt" and a.kind == "write")
    ours = found[:payloads_first]
    assert not any("fwcfg" in a.device for a in ours)
    record_property("figures", f"{machine}: {len(ours)} device accesses to resume from S3")
    assert len(ours) == count, "\n".join(map(str, ours))
