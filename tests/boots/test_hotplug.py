# SPDX-License-Identifier: MIT
"""Devices, CPUs and memory that come to a running Linux, work, and go, after either preparation."""

import dataclasses
import re

import pytest

from . import hotplug, places
from .boot import Boot
from .hotplug import Cpu, Dimm, VirtioMemory, network, nvme
from .test_pci import FULL, devices

WIDE = pytest.mark.wide
# What Linux says where there is no room for what came.
OBJECTION = re.compile(r"can't assign|no space|can't claim|failed to assign|\[Firmware Bug\]")
# BARs 13 to 16 are a bridge's windows.
WINDOW_MOVED = re.compile(r"pci.*(bridge window|BAR 1[3-6]).*: (assigned|releasing|resized)")
# What Linux's driver of PCI Express ports says; ACPI's says nothing of what comes.
CARD_CAME = re.compile(r"pciehp: Slot.*: Card present")
ROOM = ("-m", "512M,slots=2,maxmem=8G")
PORTS = devices("pcie-root-port,id=port1,chassis=1", "pcie-root-port,id=port2,chassis=2")
# QEMU has ACPI do it for all bridges by default.
BY_PCIEHP = ("-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off")
EXTRA = devices("pxb-pcie,id=x,bus_nr=64,bus=pcie.0", "pcie-root-port,id=port1,bus=x,chassis=1",
                "pcie-root-port,id=port2,bus=x,chassis=2,addr=7")
BRIDGE = devices("pci-bridge,id=bridge,chassis_nr=1")
# What is there from the start has Linux open the bridge's windows.
USED_BRIDGE = (*BRIDGE, *devices("virtio-rng-pci,bus=bridge,addr=2"))


def behind_ports():
    """One behind each root port."""
    return network(bus="port1"), nvme(bus="port2")


def behind_bridge():
    """Both behind the bridge."""
    return network(bus="bridge", addr="3"), nvme(bus="bridge", addr="4")


# By name: the machine, its arguments when prepared full and lean (None: it never is), what comes.
CASES = {
    "q35_root_ports_and_dimm": ("q35", PORTS, PORTS, lambda: (*behind_ports(), Dimm())),
    "pc_bridge_and_dimm": ("pc", BRIDGE, USED_BRIDGE, lambda: (*behind_bridge(), Dimm())),
    "q35_cpu": ("q35", (), (), lambda: (Cpu(),)),
    "pc_cpu": ("pc", (), (), lambda: (Cpu(),)),
    "q35_root_ports_by_pciehp": ("q35", (*BY_PCIEHP, *PORTS), (*BY_PCIEHP, *PORTS), behind_ports),
    "q35_bridge_and_virtio_mem": ("q35", BRIDGE, USED_BRIDGE,
                                  lambda: (*behind_bridge(), VirtioMemory())),
    "q35_pxb_pcie": ("q35", EXTRA, None, behind_ports),
    "pc_root_bus_and_virtio_mem": ("pc", (), (),
                                   lambda: (network(addr="9"), nvme(addr="a"), VirtioMemory())),
}
# By pciehp: QEMU's ACPI does not know of ports behind pxb-pcie.
WITHOUT_ACPI = {"q35_root_ports_by_pciehp", "q35_pxb_pcie"}
ALWAYS = {("q35_root_ports_and_dimm", "lean"), ("q35_root_ports_and_dimm", "full"),
          ("pc_bridge_and_dimm", "lean"), ("pc_bridge_and_dimm", "full"), ("q35_cpu", "full"),
          ("pc_cpu", "lean")}


def matching(expression, report):
    """The lines of the kernel log that match."""
    return [line for line in report.lines("dmesg") if expression.search(line)]


@pytest.mark.parametrize("name, preparation", [
    pytest.param(*case, marks=() if case in ALWAYS else WIDE)
    for case in ((name, preparation) for name in CASES for preparation in ("lean", "full")
                 if preparation == "full" or CASES[name][2] is not None)])
def test_hotplug(tmp_path, name, preparation):
    """All that comes is used and goes again; prepared full, Linux moves nothing for it."""
    machine, full, lean, make = CASES[name]
    arguments = (*ROOM, *(full if preparation == "full" else lean))
    arguments += FULL if preparation == "full" else ()
    parts = make()
    boot = Boot("cloud", machine, 512, "1,maxcpus=2", arguments=arguments)
    report, failure, folder = hotplug.run(boot, parts, tmp_path)
    assert not failure, failure + report.text("dmesg")
    found = [problem for part in parts for problem in part.problems(folder, report)]
    assert not found, "\n".join(found)
    assert not matching(OBJECTION, report)
    assert bool(matching(WINDOW_MOVED, report)) == (preparation == "lean" and bool(lean))
    assert bool(matching(CARD_CAME, report)) == (name in WITHOUT_ACPI)
    if preparation == "full":
        there = dataclasses.replace(boot, devices=parts)
        assert not places.moved(places.left_by_firmware(there, folder), report)
