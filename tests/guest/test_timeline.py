# SPDX-License-Identifier: MIT
"""The boot timeline as a guest and port 0x402 get it, its clock, and what it costs."""

import collections
import time

import pytest
from test_budget import COUNTS

from harness import acpi, fpdt, layout, memory, multiboot
from harness.accesses import device_accesses
from harness.guest import booted, linux_like, pvh_kernel, write_kernel
from harness.qemu import Qemu
from harness.timeline import check_place, printed, published, trace

MACHINES = ["pc", "q35", "microvm"]
PROTOCOLS = ["bzimage", "pvh", "multiboot"]
MEASURED_BY = {"pc": "PM timer", "q35": "PM timer", "microvm": "PIT"}
CLOCK = {"pc": "acpi-tmr", "q35": "acpi-tmr", "microvm": "pit"}
PM_TIMER = 0x608
MOST_READS = 200_000
FW_CFG_DMA = 0x518
LONGEST_LINE = 16_383
# With -icount shift=0 an instruction takes a nanosecond, and nothing else takes time.
BY_INSTRUCTIONS = ["-icount", "shift=0,sleep=off"]
INSTRUCTIONS_KHZ = 1_000_000
LONGEST_ENTRY, LONGEST_BOOT = 100_000, 1_000_000  # nanoseconds; some 500 and 25,000


def kernel_of(protocol: str) -> bytes:
    """The reporting payload."""
    if protocol == "multiboot":
        return multiboot.flat(multiboot.Program.reporting())
    return pvh_kernel() if protocol == "pvh" else linux_like()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("machine", MACHINES)
def test_fpdt_and_lines(tmp_path, machine, protocol):
    """Asked for under TCG, the frequency is measured; table and lines are right and agree."""
    began = time.monotonic()
    with booted(tmp_path, machine, trace("timeline"), kernel=kernel_of(protocol),
                initrd=bytes(1_000_000)) as guest:
        wall = (time.monotonic() - began) * 1e9
        acpi.check(guest.report)
        layout.check(guest.report, memory.qemu_ram(guest.vm))
        found = published(guest)
        check_place(guest, found)
        said = printed(guest.vm.debug)
        said.agrees_with(found.timeline)
        assert said.source == MEASURED_BY[machine]
        times = list(found.timeline.times.values())
        assert len(set(times)) == len(times), f"two steps at the same time: {times}"
        assert times[-1] < wall


@pytest.mark.parametrize("machine", MACHINES)
def test_room_beside_the_largest_hand_over(tmp_path, machine):
    """The longest command line and 255 CPUs in the MP table leave room for the record."""
    with booted(tmp_path, machine, ["-smp", "255", *trace("timeline")],
                kernel=linux_like(cmdline_size=LONGEST_LINE),
                words="w" * (LONGEST_LINE - len("wait "))) as guest:
        acpi.check(guest.report)
        check_place(guest, published(guest))


@pytest.mark.parametrize("machine", MACHINES)
def test_frequency(tmp_path, machine):
    """What is measured is what the TSC does between two resets, by QEMU's own clock."""
    apart = 2.0
    with Qemu(machine, ["-kernel", write_kernel(tmp_path, linux_like()), "-append", "wait brief",
                        *trace("timeline")]) as vm:
        moments, ticks, frequencies = [], [], []
        for count in (1, 2, 3):
            vm.wait_until(lambda n=count: vm.report.count(b"\nend\n") >= n, "report")
            lines = vm.debug.splitlines()[-1 - len(fpdt.MARKS):]
            found = printed("\n".join(lines))
            ticks.append(found.ticks["reset"])
            frequencies.append(found.tsc_khz)
            if count < 3:
                time.sleep(apart)
                vm.qmp("system_reset")
                stamp = vm.wait_event("RESET")["timestamp"]
                moments.append(stamp["seconds"] * 1e6 + stamp["microseconds"])
    # The first reset has no event; the TSC goes on through the others.
    expected = (ticks[2] - ticks[1]) / (moments[1] - moments[0]) * 1000
    assert all(abs(khz / expected - 1) < 0.02 for khz in frequencies), (frequencies, expected)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("machine", MACHINES)
def test_measuring_is_no_part_of_the_boot(tmp_path, machine, protocol):
    """The clock takes milliseconds, of which no step has any: it is read when all are noted."""
    with booted(tmp_path, machine, [*BY_INSTRUCTIONS, *trace("timeline")],
                kernel=kernel_of(protocol), initrd=bytes(100_000)) as guest:
        found = printed(guest.vm.debug)
        found.agrees_with(published(guest).timeline)
        assert found.source == MEASURED_BY[machine]
    assert abs(found.tsc_khz / INSTRUCTIONS_KHZ - 1) < 0.001, found.tsc_khz
    ticks = list(found.ticks.values())
    assert ticks == sorted(set(ticks)), f"two steps at the same time: {found.ticks}"
    assert found.times["entry"] - found.times["loaded"] < LONGEST_ENTRY, found.times
    assert found.times["entry"] < LONGEST_BOOT, found.times


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("machine", MACHINES)
def test_unused_it_leaves_nothing(tmp_path, machine, protocol):
    """Under TCG the frequency is unknown: no FPDT, rather than a wrong one, and no line."""
    with booted(tmp_path, machine, kernel=kernel_of(protocol)) as guest:
        acpi.check(guest.report)
        assert acpi.tables(guest.report, "FPDT") == []
        assert guest.vm.debug == ""


def is_instrument(access) -> bool:
    """True for what only the timeline uses: a clock, and the port it is printed to."""
    return access.device in ("acpi-tmr", "pit", "isa-debugcon")


@pytest.mark.parametrize("machine", MACHINES)
def test_accesses_of_the_timeline(machine):
    """Unused none; asked for one to read the list, then a clock and the port of the lines."""
    quiet, loud = device_accesses(machine), device_accesses(machine, trace("timeline"))
    assert len(quiet) == COUNTS[machine] and not any(map(is_instrument, quiet))
    rest = collections.Counter(a.place for a in loud if not is_instrument(a))
    rest.subtract(a.place for a in quiet)
    assert list((+rest).elements()) == [("write", FW_CFG_DMA, 4, "fwcfg.dma")]
    assert min(rest.values()) == 0
    # The instrument comes last, and the clock before what it found is printed.
    instrument = loud[len(quiet) + 1 :]
    assert all(map(is_instrument, instrument))
    port = [a for a in instrument if a.device == "isa-debugcon"]
    clock = instrument[: -len(port)]
    text = bytes(a.value for a in port if a.kind == "write").decode()
    assert printed(text).source == MEASURED_BY[machine]
    # Each line asks first whether the port is there.
    asked = [number for number, access in enumerate(port) if access.kind == "read"]
    lines = text.splitlines(keepends=True)
    assert len(asked) == len(lines) and asked[0] == 0
    assert [b - a - 1 for a, b in zip(asked, [*asked[1:], len(port)])] == list(map(len, lines))
    assert 0 < len(clock) < MOST_READS and {a.device for a in clock} == {CLOCK[machine]}
    if machine != "microvm":
        assert {a.place[:3] for a in clock} == {("read", PM_TIMER, 4)}
        return
    # Channel 0 counts 65,536 for ever, as on a PC; then latched and read in two halves.
    assert [(a.kind, a.address, a.value) for a in clock[:3]] == [
        ("write", 0x43, 0x34), ("write", 0x40, 0), ("write", 0x40, 0)]
    reads = [(a.kind, a.address) for a in clock[3:]]
    assert reads == [("write", 0x43), ("read", 0x40), ("read", 0x40)] * (len(reads) // 3)


@pytest.mark.parametrize("machine", ["microvm,pit=off", "pc,acpi=off,pit=off"])
def test_frequency_that_nothing_tells(tmp_path, machine):
    """No clock to measure against: the lines say so and give ticks; no FPDT."""
    with booted(tmp_path, machine, trace("timeline")) as guest:
        found = printed(guest.vm.debug)
        assert (found.source, found.times) == ("", {})
        assert acpi.tables(guest.report, "FPDT") == []
        assert "rsdp" not in guest.report.memory or not acpi.check(guest.report)


@pytest.mark.parametrize("machine, source", [
    ("pc,pit=off", "PM timer"), ("q35,pit=off", "PM timer"), ("pc,acpi=off", "PIT"),
    ("q35,acpi=off", "PM timer"), ("microvm,acpi=off", "PIT"),
    ("microvm,pic=off,rtc=off", "PIT"), ("microvm,pcie=on", "PIT")])
def test_other_machines(tmp_path, machine, source):
    """Measured against what there is; printed also where there is no ACPI for an FPDT."""
    with booted(tmp_path, machine, trace("timeline")) as guest:
        found = printed(guest.vm.debug)
        assert found.source == source
        if "acpi=off" in machine:
            assert "rsdp" not in guest.report.memory
        else:
            found.agrees_with(published(guest).timeline)


@pytest.mark.parametrize("machine", MACHINES)
def test_every_boot_has_its_own(tmp_path, machine):
    """After a reboot the FPDT is that of the second boot, counted from its reset."""
    with booted(tmp_path, machine, trace("timeline"), words="boots=2 reboot=triple",
                boots=2) as guest:
        lines = guest.vm.debug.splitlines()
        assert len(lines) == 2 * (1 + len(fpdt.MARKS))
        half = len(lines) // 2
        first, second = (printed("\n".join(part)) for part in (lines[:half], lines[half:]))
        assert first.ticks["entry"] < second.ticks["reset"]
        second.agrees_with(published(guest).timeline)
        acpi.check(guest.report)
