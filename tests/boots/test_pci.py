# SPDX-License-Identifier: MIT
"""Linux keeps what the full preparation gives, and assigns nothing of its own."""

import re

import pytest

from . import places, stalls
from .boot import Boot
from .devices import PCI, virtio_disk, virtio_network, virtio_without_share
from .expectations import problems

WIDE = pytest.mark.wide
FULL = ("-fw_cfg", "name=opt/org.mayfly/prepare,string=full")
# What Linux says where it cannot keep what it finds, or has to do it itself.
OBJECTION = re.compile(r"pci.*(can't assign|no space|can't claim|failed to assign|address conflict"
                       r"|no compatible bridge window|: assigned|: releasing)")
MSI = "PCI-MSI"


def devices(*names):
    """A -device for each."""
    return tuple(part for name in names for part in ("-device", name))


def memory(size, place="", count=1):
    """That many ivshmem with a 64-bit BAR of this size; the memory is never touched."""
    return tuple(part for i in range(count) for part in (
        "-object", f"memory-backend-ram,id=shared{i},size={size},share=on,reserve=off",
        "-device", f"ivshmem-plain,memdev=shared{i}{place}"))


BRIDGES = devices("pci-bridge,id=b1,chassis_nr=1", "pci-bridge,id=b2,chassis_nr=2,bus=b1,addr=1",
                  "VGA,bus=b2,addr=3")
PORTS = devices("pcie-root-port,id=port1,chassis=1", "pcie-root-port,id=port2,chassis=2",
                "pcie-root-port,id=port3,chassis=3,pref64-reserve=4G,bus-reserve=2")
EXTRA = devices("pxb-pcie,id=x,bus_nr=64,bus=pcie.0", "pcie-root-port,id=port1,bus=x,chassis=1",
                "pcie-root-port,id=port2,bus=x,chassis=2,addr=7")
SWITCH = devices("pcie-root-port,id=above,chassis=1", "x3130-upstream,id=up,bus=above",
                 "xio3130-downstream,id=down1,bus=up,chassis=2,addr=0",
                 "xio3130-downstream,id=down2,bus=up,chassis=3,addr=1",
                 "pcie-pci-bridge,id=bridge,bus=down1")
BOOTS = {
    "q35_with_virtio": Boot("cloud", "q35", devices=virtio_without_share(PCI), controller=MSI,
                            arguments=FULL),
    "pc_behind_bridges": Boot("cloud", "pc", 5120, "2", controller=MSI, arguments=(*FULL, *BRIDGES),
                              devices=(virtio_disk(PCI, extra=",bus=b2,addr=9"),
                                       virtio_network(PCI, ",bus=b1,addr=4"))),
    "q35_behind_root_ports": Boot("cloud", "q35", 512, "2", controller=MSI,
                                  arguments=(*FULL, *PORTS),
                                  devices=(virtio_disk(PCI, extra=",bus=port1"),
                                           virtio_network(PCI, ",bus=port2"))),
    # Extra roots choose it by themselves.
    "q35_behind_pxb_pcie": Boot("cloud", "q35", controller=MSI, arguments=EXTRA,
                                devices=(virtio_disk(PCI, extra=",bus=port1"),
                                         virtio_network(PCI, ",bus=port2"))),
    "pc_behind_pxb": Boot("cloud", "pc", controller=MSI,
                          arguments=devices("pxb,id=x,bus_nr=64,bus=pci.0"),
                          devices=(virtio_disk(PCI, extra=",bus=x"),
                                   virtio_network(PCI, ",bus=x"))),
    "microvm_with_root_ports": Boot("cloud", "microvm,pcie=on", controller=MSI,
                                    arguments=(*FULL, *PORTS),
                                    devices=(virtio_disk(PCI, extra=",bus=port1"),
                                             virtio_network(PCI))),
    "q35_behind_a_switch": Boot("cloud", "q35", controller=MSI, arguments=(*FULL, *SWITCH),
                                devices=(virtio_disk(PCI, extra=",bus=down2"),
                                         virtio_network(PCI, ",bus=bridge,addr=4"))),
    "q35_with_a_bar_of_16_gib_behind_a_port": Boot("cloud", "q35", arguments=(
        *FULL, *PORTS, *memory("16G", ",bus=port2"))),
    "pc_with_a_bar_of_4_gib_behind_pxb": Boot("cloud", "pc", arguments=(
        *devices("pxb,id=x,bus_nr=64,bus=pci.0"), *memory("4G", ",bus=x,addr=3"))),
    "q35_with_a_bar_of_4_gib_behind_pxb_pcie": Boot("cloud", "q35", arguments=(
        *EXTRA, *memory("4G", ",bus=port2"))),
    "pc_with_a_bar_of_4_gib": Boot("cloud", "pc", controller=MSI, arguments=(*FULL, *memory("4G")),
                                   devices=virtio_without_share(PCI)),
    "q35_with_a_bar_of_64_gib": Boot("cloud", "q35", controller=MSI,
                                     arguments=(*FULL, *memory("64G")),
                                     devices=virtio_without_share(PCI)),
    # 32-bit Linux maps BARs above 4 GiB wrongly; full puts none there that has room below.
    "i386_on_q35_with_5_gib": Boot("i386", "q35", 5120, "2", devices=virtio_without_share(PCI),
                                   controller=MSI, arguments=FULL),
}
ALWAYS = ("q35_behind_root_ports", "pc_behind_pxb", "pc_with_a_bar_of_4_gib",
          "microvm_with_root_ports")


def objections(report):
    """What Linux says against the places it found."""
    return [line for line in report.lines("dmesg") if OBJECTION.search(line)]


def unexpected(boot, report):
    """Objections; on microvm without those to I/O, of which PCI has none there."""
    return [line for line in objections(report)
            if boot.machine_type != "microvm" or "[io " not in line]


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in ALWAYS else WIDE)
                                  for n in BOOTS])
def test_linux_keeps_every_place(name, tmp_path):
    """Devices work, and every BAR and window is where it was, in the device and for Linux."""
    boot = BOOTS[name]
    report, folder = stalls.run(boot, tmp_path)
    assert not unexpected(boot, report), "\n".join(unexpected(boot, report))
    found = problems(boot, report, folder)
    found += places.moved(places.left_by_firmware(boot, folder), report)
    assert not found, "\n".join(found)
