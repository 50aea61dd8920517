# SPDX-License-Identifier: MIT
"""What the firmware costs: device accesses and guest instructions, see harness/accesses.py."""

import pytest

from harness import paths
from harness.accesses import by_device, device_accesses, guest_instructions

LIMITS = {"microvm": 13, "pc": 28, "q35": 28}
COUNTS = {"microvm": 11, "pc": 26, "q35": 24}  # as the README says
WITHOUT_ACPI = -2  # no script, no tables and no RSDP; the number of CPUs instead
SHARE_OF_QBOOT = 0.5

PCI_DEVICES = ["-device", "virtio-net-pci", "-device", "virtio-rng-pci", "-device",
               "virtio-balloon-pci", "-device", "virtio-serial-pci"]
NUMA = ["-m", "1G", "-smp", "4", "-object", "memory-backend-ram,id=m0,size=512M",
        "-object", "memory-backend-ram,id=m1,size=512M", "-numa", "node,cpus=0-1,memdev=m0",
        "-numa", "node,cpus=2-3,memdev=m1"]

PC_CASES = {
    "plain": [],
    "32 MiB": ["-m", "32M"],
    "5 GiB": ["-m", "5G"],
    "8 CPUs": ["-smp", "8"],
    "255 CPUs": ["-smp", "255"],
    "4 virtio-pci": PCI_DEVICES,
    "display and USB": ["-device", "VGA", "-device", "qemu-xhci"],
    "bridge": ["-device", "pci-bridge,chassis_nr=1,id=b", "-device", "virtio-rng-pci,bus=b,addr=1"],
    "hotplug slots": ["-m", "512M,slots=8,maxmem=8G"],
    "NUMA": NUMA,
}
MICROVM_CASES = {
    "plain": [],
    "32 MiB": ["-m", "32M"],
    "exactly 2 GiB": ["-m", "2G"],
    "5 GiB": ["-m", "5G"],
    "8 CPUs": ["-smp", "8"],
    "255 CPUs": ["-smp", "255"],
    "virtio-mmio": ["-device", "virtio-rng-device", "-device", "virtio-serial-device"],
    "acpi=off": ["-machine", "acpi=off"],
    "pcie=on": ["-machine", "pcie=on", "-device", "virtio-rng-pci"],
    "no pic, pit, rtc": ["-machine", "pic=off,pit=off,rtc=off"],
}
CASES = [(machine, name) for machine in ("pc", "q35", "microvm")
         for name in (MICROVM_CASES if machine == "microvm" else PC_CASES)]


def arguments(machine: str, name: str) -> list[str]:
    """The command line of a case."""
    return (MICROVM_CASES if machine == "microvm" else PC_CASES)[name]


@pytest.mark.parametrize("machine, name", CASES)
def test_device_accesses(machine, name):
    """Devices, CPUs and RAM differ, the number of accesses does not, and is in the budget."""
    accesses = device_accesses(machine, arguments(machine, name))
    listing = "\n".join(map(str, accesses))
    print(f"{machine}, {name}: {len(accesses)} device accesses")
    expected = COUNTS[machine] + (WITHOUT_ACPI if name == "acpi=off" else 0)
    assert len(accesses) == expected <= LIMITS[machine], f"{listing}\n{by_device(accesses)}"


@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
def test_accesses_repeat(machine):
    """The same command line gives the same accesses."""
    assert device_accesses(machine) == device_accesses(machine)


LEAN = ["-fw_cfg", "name=opt/org.mayfly/prepare,string=lean"]
# The option; where the image is and is entered, and that no Linux was prepared for on pc and q35.
MORE = {"microvm": 5, "pc": 7, "q35": 7}
MOST_FULLY = 250


@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
@pytest.mark.parametrize("protocol", ["multiboot", "pvh"])
def test_device_accesses_for_other_kernels(machine, protocol, record_property):
    """Lean, a few more than for Linux; with all prepared, a small part of SeaBIOS's."""
    lean = device_accesses(machine, LEAN, protocol=protocol)
    assert len(lean) == COUNTS[machine] + MORE[machine], "\n".join(map(str, lean))
    full = device_accesses(machine, protocol=protocol)
    theirs = device_accesses(machine, firmware=paths.seabios(machine), protocol=protocol)
    record_property("figures", f"{machine}, {protocol}: {len(lean)} device accesses lean, "
                               f"{len(full)} full, SeaBIOS {len(theirs)} with its debug log")
    assert len(lean) <= len(full) + 1 and len(full) <= MOST_FULLY
    assert len(full) < len(theirs) / 8


@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
def test_guest_instructions(machine, record_property):
    """At most half of qboot's in the same run."""
    ours = guest_instructions(machine)
    theirs = guest_instructions(machine, firmware=paths.QBOOT)
    seabios = guest_instructions(machine, firmware=paths.seabios(machine))
    record_property("figures", f"{machine}: {ours} guest instructions to the kernel's first, "
                               f"qboot {theirs}, SeaBIOS {seabios}")
    assert ours <= SHARE_OF_QBOOT * theirs


@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
def test_log_on_request_is_what_costs(machine):
    """The debug log is a choice: asked for, it writes to the debug port, else nothing does."""
    quiet = device_accesses(machine)
    loud = device_accesses(machine, ["-fw_cfg", "name=opt/org.mayfly/log,string=debug"])
    assert not any(a.device == "isa-debugcon" for a in quiet)
    assert any(a.device == "isa-debugcon" for a in loud)
