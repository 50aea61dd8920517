# SPDX-License-Identifier: MIT
"""The timeline under KVM, which tells the frequency of the TSC: see conftest.py."""

import pytest

from harness import acpi, fpdt, layout, memory
from harness.accesses import device_accesses
from harness.guest import booted, linux_like, pvh_kernel
from harness.timeline import check_place, printed, published, trace

pytestmark = pytest.mark.kvm

MACHINES = ["pc", "q35", "microvm"]
# No leaf of the processor or the hypervisor tells this CPU model's frequency.
WITHOUT_FREQUENCY = ["-cpu", "qemu64,-kvmclock"]


def frequency(tmp_path, machine, *cpu) -> fpdt.Printed:
    """What the firmware says of a CPU; the FPDT says the same."""
    arguments = [*cpu, *trace("timeline")]
    with booted(tmp_path, machine, arguments, words="keep", accel="kvm") as guest:
        found = printed(guest.vm.debug)
        found.agrees_with(published(guest).timeline)
    return found


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("protocol", ["bzimage", "pvh"])
def test_fpdt_without_being_asked(tmp_path, machine, protocol):
    """The record is right, and nothing is printed."""
    kernel = pvh_kernel() if protocol == "pvh" else linux_like()
    with booted(tmp_path, machine, kernel=kernel, words="keep", accel="kvm") as guest:
        acpi.check(guest.report)
        layout.check(guest.report, memory.qemu_ram(guest.vm))
        check_place(guest, published(guest))
        assert guest.vm.debug == ""


@pytest.mark.parametrize("machine", MACHINES)
def test_frequency_of_kvmclock(tmp_path, machine):
    """KVM's own, and what is measured where KVM does not tell it agrees."""
    told = frequency(tmp_path, machine)
    assert told.source == "kvmclock"
    measured = frequency(tmp_path, machine, *WITHOUT_FREQUENCY)
    assert measured.source == ("PIT" if machine == "microvm" else "PM timer")
    assert abs(measured.tsc_khz / told.tsc_khz - 1) < 0.02


@pytest.mark.parametrize("machine", ["q35", "microvm"])
def test_frequency_of_the_hypervisor_leaf(tmp_path, machine):
    """QEMU shows the leaf where the user fixes the frequency, here to what it is anyway."""
    khz = frequency(tmp_path, machine).tsc_khz
    found = frequency(tmp_path, machine, "-cpu", f"qemu64,tsc-frequency={khz * 1000}")
    assert (found.source, found.tsc_khz) == ("hypervisor", khz)


@pytest.mark.parametrize("machine", MACHINES)
def test_no_frequency_no_fpdt(tmp_path, machine):
    """Nothing is measured unless it was asked for."""
    with booted(tmp_path, machine, WITHOUT_FREQUENCY, words="keep", accel="kvm") as guest:
        acpi.check(guest.report)
        assert acpi.tables(guest.report, "FPDT") == []
        assert guest.vm.debug == ""


@pytest.mark.parametrize("machine", MACHINES)
def test_no_access_for_the_fpdt(machine):
    """The same accesses with it as without; printed, those of its list and of port 0x402 more."""
    without = device_accesses(machine, WITHOUT_FREQUENCY, accel="kvm")
    assert device_accesses(machine, accel="kvm") == without
    loud = device_accesses(machine, trace("timeline"), accel="kvm")
    rest = [a for a in loud if a.device != "isa-debugcon"]
    assert len(rest) == len(without) + 1
    assert [a.device for a in rest].count("fwcfg.dma") == \
        [a.device for a in without].count("fwcfg.dma") + 1
