# SPDX-License-Identifier: MIT
"""Interrupts that come to a guest which trusts the firmware, see payload/interrupts.hpp."""

import pytest

from harness import report as reports
from harness.guest import boot, booted, linux_like, pvh_kernel, write_kernel
from harness.qemu import PAYLOAD_GOOD, Qemu

WIDE = pytest.mark.wide
KVM = pytest.mark.kvm

FULL = ["-fw_cfg", "name=opt/org.mayfly/prepare,string=full"]
LEAN = ["-fw_cfg", "name=opt/org.mayfly/prepare,string=lean"]

TIMER_PIN = 2
VIRTIO_LINES = list(range(5, 13))

# The controllers in the kernel are other code than QEMU's.
ACCELERATORS = ["tcg", pytest.param("kvm", marks=KVM)]
MACHINES = ["pc", "q35", "microvm,acpi=off,pit=on,pic=on",
            "microvm,pit=on,pic=on",
            pytest.param("pc,acpi=off", marks=WIDE), pytest.param("q35,acpi=off", marks=WIDE),
            pytest.param("microvm,acpi=off,pit=on,pic=on,rtc=on", marks=WIDE)]


def guest(tmp_path, machine, words, args=(), accel="tcg"):
    """The report of a kernel that is not Linux."""
    return boot(tmp_path, machine, args, kernel=pvh_kernel(linux=False), words=words, accel=accel)


def check_timer(report) -> None:
    """It came by both ways; twice where a busy host let a tick pass before the line was closed."""
    (irq, by_pic), = report.values["timer_pic"].items()
    (pin, by_apic), = report.values["timer_apic"].items()
    assert (int(irq, 16), int(pin, 16)) == (0, TIMER_PIN)
    assert by_pic in (1, 2) and by_apic in (1, 2)


@pytest.mark.parametrize("accel", ACCELERATORS)
@pytest.mark.parametrize("machine", MACHINES)
def test_timer(tmp_path, machine, accel):
    """After nothing but STI the timer's interrupt comes, at the vector of an IBM PC; by the MP
    table it comes through the I/O APIC."""
    report = guest(tmp_path, machine, "timer", accel=accel)
    assert report.port[0x21] == 0xFA and report.port[0xA1] == 0xFF
    check_timer(report)


@pytest.mark.kvm
@pytest.mark.parametrize("irqchip", ["split", pytest.param("off", marks=WIDE)])
@pytest.mark.parametrize("machine", ["pc", "q35", "microvm,acpi=off"])
def test_timer_by_irqchip(tmp_path, machine, irqchip):
    """With the controllers in QEMU, and divided between it and the kernel."""
    report = guest(tmp_path, f"{machine},kernel-irqchip={irqchip}", "timer", accel="kvm")
    check_timer(report)


@pytest.mark.parametrize("kernel", [linux_like, pvh_kernel])
def test_timer_is_closed_where_linux_looks_at_no_pic(tmp_path, kernel):
    """On a microvm with ACPI it would take the timer's interrupt for a double fault."""
    report = boot(tmp_path, "microvm", FULL, kernel=kernel())
    assert report.port[0x21] == 0xFB and report.port[0xA1] == 0xFF


@pytest.mark.parametrize("machine", ["pc", "q35", "microvm,acpi=off"])
def test_lean_leaves_the_controllers_alone(tmp_path, machine):
    """What Linux sets up itself costs nothing."""
    report = boot(tmp_path, machine, LEAN)
    assert report.port[0x21] == 0 and report.port[0xA1] == 0
    assert report.apic[0xF0] == 0xFF
    assert report.apic[0x350] == report.apic[0x360] == 0x10000


@pytest.mark.parametrize("accel", ACCELERATORS)
@pytest.mark.parametrize("machine", ["pc", "q35", "isapc"])
def test_keyboard(tmp_path, machine, accel):
    """A key brings an interrupt and the IBM PC's code of it as it is pressed and as it is released.

    Not the keyboard's own codes, 1c and f0 1c.
    """
    kernel = write_kernel(tmp_path, pvh_kernel(linux=False))
    with Qemu(machine, ["-kernel", kernel, "-append", "brief key"], accel=accel) as vm:
        vm.wait_until(lambda: vm.report.endswith(b"waiting key 1\n"), "word that it waits")
        vm.qmp("send-key", keys=[{"type": "qcode", "data": "a"}])
        assert vm.wait() == PAYLOAD_GOOD
        report, = reports.parse(vm.report.decode("latin-1"))
    assert report.values["key"] == {"1e": 1, "9e": 1}


@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
def test_local_apic(tmp_path, machine):
    """Virtual wire mode: LINT0 is the PIC's, LINT1 the NMI's."""
    report = boot(tmp_path, machine, FULL)
    assert report.apic[0xF0] == 0x1FF
    assert report.apic[0x350] & ~0x8000 == 0x700
    assert report.apic[0x360] & ~0x8000 == 0x400


@pytest.mark.parametrize("count", ["1", "2"])
def test_without_an_apic(tmp_path, count):
    """A CPU without one gets the timer's interrupt too; of several each has one, whatever it says."""
    report = guest(tmp_path, "pc", "brief timer", ["-cpu", "qemu32,-apic", "-smp", count])
    assert report.values["timer_pic"]["0"] in (1, 2)


def test_without_pic_pit_and_rtc(tmp_path):
    """What is not there is not missed."""
    report = boot(tmp_path, "microvm,acpi=off,pic=off,pit=off,rtc=off", FULL)
    assert report.port[0x21] == 0xFF


def came(count, accel):
    """Whether a level-triggered interrupt came once. KVM may hand over a second time what an I/O
    APIC delivered before its pin was closed."""
    return count == 1 or accel == "kvm" and count == 2


EDU_PLACES = {
    "bus 0": ["-device", "edu,addr=4"],
    "bus 0, last": ["-device", "edu,addr=0x1d"],
    "behind a bridge": ["-device", "pci-bridge,chassis_nr=1,id=b,addr=5",
                        "-device", "edu,bus=b,addr=2"],
    "behind two": ["-device", "pci-bridge,chassis_nr=1,id=a,addr=6",
                   "-device", "pci-bridge,chassis_nr=2,id=b,bus=a,addr=3",
                   "-device", "edu,bus=b,addr=6"],
}


def check_edu(report, machine, accel="tcg") -> None:
    """INTx of the only edu device came by both ways; `machine` is pc or q35."""
    (line, count), = report.values["edu_pic"].items()
    assert int(line, 16) in (10, 11) and count == 1
    (pin, count), = report.values["edu_apic"].items()
    assert came(count, accel)
    assert pin == line if machine == "pc" else 16 <= int(pin, 16) < 24


@pytest.mark.parametrize("place, accel", [
    *((place, "tcg") for place in EDU_PLACES),
    *(pytest.param(place, "kvm", marks=KVM if place == "bus 0" else [KVM, WIDE])
      for place in EDU_PLACES)])
@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_pci(tmp_path, machine, place, accel):
    """INTx comes by the interrupt line register through the PIC, and by the MP table, turned by
    the bridges on the way, through the I/O APIC."""
    check_edu(guest(tmp_path, machine, "brief edu", EDU_PLACES[place], accel), machine, accel)


@pytest.mark.parametrize("accel", ACCELERATORS)
@pytest.mark.parametrize("options", ["", ",rtc=on", pytest.param(",rtc=off", marks=WIDE)])
def test_virtio_mmio(tmp_path, options, accel):
    """Each of microvm's transports without ACPI has its line in the PIC, level-triggered where that
    can be, and in the MP table."""
    devices = ["-device", "virtio-rng-device"] * len(VIRTIO_LINES)
    report = guest(tmp_path, f"microvm,acpi=off,pic=on{options}", "virtio", devices, accel)
    assert report.values["virtio_pic"] == {f"{line:x}": 1 for line in VIRTIO_LINES}
    assert [int(pin, 16) for pin in report.values["virtio_apic"]] == VIRTIO_LINES
    assert all(came(count, accel) for count in report.values["virtio_apic"].values())
    assert report.port[0x4D0] == 0xE0 and report.port[0x4D1] == 0x1E


@pytest.mark.parametrize("machine, kind", [("pc", "cf9"), ("q35", "cf9"),
                                           ("microvm,rtc=on,acpi=off", "triple")])
def test_clock_after_a_guest_that_changed_it(tmp_path, machine, kind):
    """A reset of the machine leaves the clock's rate and format as a guest had them; the firmware
    does not."""
    with booted(tmp_path, machine, kernel=pvh_kernel(linux=False), boots=2,
                words=f"brief clock boots=2 reboot={kind}") as two_boots:
        clocks = [report.values["clock"] for report in two_boots.reports]
    update_in_progress = 0x80
    assert [(c["a"] & ~update_in_progress, c["b"]) for c in clocks] == [(0x26, 0x02)] * 2


@pytest.mark.kvm
@pytest.mark.parametrize("machine, expander", [("pc", "pxb"), ("q35", "pxb-pcie")])
def test_timer_that_ticked_before(tmp_path, machine, expander):
    """KVM's timer goes on though it asked for an interrupt before the PIC was set up: looking for
    the expander's bus takes longer than a tick."""
    report = guest(tmp_path, machine, "brief timer", ["-device", f"{expander},bus_nr=250"], "kvm")
    assert report.values["timer_pic"]["0"] in (1, 2)
