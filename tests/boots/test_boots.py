# SPDX-License-Identifier: MIT
"""Stock Debian kernels boot to their init and find the machine as it is."""

import pytest

from . import stalls
from .boot import Boot
from .devices import (
    MMIO,
    PCI,
    RebootMarker,
    ahci_disk,
    e1000,
    ide_disk,
    virtio,
    virtio_disk,
    virtio_network,
    virtio_without_share,
)
from .expectations import problems

MSI = "PCI-MSI"
IO_APIC = "IO-APIC"
# No 64-bit window: a 32-bit Linux maps registers above 4 GiB at the wrong place, and Linux would
# put them there where the firmware left the choice to it.
NO_HIGH_WINDOW_Q35 = ("-global", "q35-pcihost.pci-hole64-size=0")
ROOT_PORTS = (
    "-device", "pcie-root-port,id=port1,chassis=1,bus=pcie.0,addr=4",
    "-device", "pcie-root-port,id=port2,chassis=2,bus=pcie.0,addr=5",
)  # fmt: skip
TWO_NODES = (
    "-object", "memory-backend-ram,id=ram0,size=256M",
    "-object", "memory-backend-ram,id=ram1,size=256M",
    "-numa", "node,nodeid=0,cpus=0-1,memdev=ram0",
    "-numa", "node,nodeid=1,cpus=2-3,memdev=ram1",
)  # fmt: skip

# APIC IDs 0-2, 4-6 and 8-10. Below nine CPUs Linux addresses them by bit masks, which QEMU's own
# APIC delivers only up to the first ID that is missing: no firmware gets such a guest to run well.
APIC_IDS_WITH_GAPS = "9,cores=3,sockets=3"

BOOTS = {
    # The cloud kernel, the quickest one, carries most of the machines.
    "cloud_kernel_on_q35_uses_virtio_pci": Boot(
        "cloud", "q35", devices=virtio_without_share(PCI), controller=MSI, smbios_value="a text"
    ),
    "cloud_kernel_on_pc_uses_virtio_pci": Boot(
        "cloud", "pc", 512, "2", devices=virtio_without_share(PCI), controller=MSI,
        smbios_value="another text",
    ),
    "cloud_kernel_on_microvm_uses_virtio_mmio": Boot(
        "cloud", "microvm", devices=virtio_without_share(MMIO), controller=IO_APIC
    ),
    "cloud_kernel_on_microvm_with_pcie_uses_virtio_pci": Boot(
        "cloud", "microvm,pcie=on", 512, "2", devices=virtio_without_share(PCI), controller=MSI
    ),
    "cloud_kernel_on_microvm_without_pic_pit_and_rtc": Boot(
        "cloud", "microvm,pic=off,pit=off,rtc=off", 256, "2", devices=(virtio_disk(MMIO),)
    ),
    "cloud_kernel_on_microvm_with_8_cpus_and_5_gib": Boot("cloud", "microvm", 5120, "8"),
    "cloud_kernel_on_microvm_with_96_mib": Boot("cloud", "microvm", 96),
    "cloud_kernel_on_microvm_without_acpi": Boot("cloud", "microvm,acpi=off", 128),
    "cloud_kernel_on_q35_with_8_cpus_and_5_gib": Boot("cloud", "q35", 5120, "8"),
    "cloud_kernel_on_pc_with_8_cpus_in_4_sockets_and_5_gib": Boot(
        "cloud", "pc", 5120, "8,sockets=4,cores=2"
    ),
    "cloud_kernel_on_q35_with_96_mib": Boot("cloud", "q35", 96),
    "cloud_kernel_on_pc_with_96_mib": Boot("cloud", "pc", 96),
    "cloud_kernel_on_q35_with_2_gib_behind_root_ports": Boot(
        "cloud", "q35", 2048, "2",
        devices=(virtio_disk(PCI, extra=",bus=port1"), virtio_network(PCI, ",bus=port2")),
        controller=MSI, arguments=ROOT_PORTS,
    ),
    "cloud_kernel_on_pc_with_3_gib_trimmed": Boot(
        "cloud", "pc,smm=off,vmport=off,hpet=off,graphics=off", 3072, "3,sockets=3"
    ),
    "cloud_kernel_on_q35_trimmed": Boot(
        "cloud", "q35,sata=off,smbus=off,hpet=off,smm=off,vmport=off", 256, APIC_IDS_WITH_GAPS
    ),
    "cloud_kernel_on_q35_with_64_bit_smbios_and_a_device_tree": Boot(
        "cloud", "q35,smbios-entry-point-type=64", smbios_value="in 64 bits", device_tree=True
    ),
    "cloud_kernel_on_pc_from_pflash_with_two_numa_nodes": Boot(
        "cloud", "pc", 512, "4", pflash=True, arguments=TWO_NODES
    ),
    "cloud_kernel_on_q35_after_a_reboot": Boot(
        "cloud", "q35", 256, "2", devices=(RebootMarker(PCI),), reboots=True
    ),
    "cloud_kernel_on_microvm_after_a_reboot": Boot(
        "cloud", "microvm", devices=(RebootMarker(MMIO),), reboots=True
    ),
    # The generic kernel has everything else.
    "generic_kernel_on_q35_uses_virtio_pci_and_9p": Boot(
        "generic", "q35", 512, "4", devices=virtio(PCI), controller=MSI
    ),
    "generic_kernel_on_microvm_uses_virtio_mmio_and_9p": Boot(
        "generic", "microvm", 256, "2", devices=virtio(MMIO), controller=IO_APIC
    ),
    "generic_kernel_on_pc_uses_ide_and_e1000": Boot(
        "generic", "pc", devices=(ide_disk(), e1000()), controller=IO_APIC
    ),
    "generic_kernel_on_q35_uses_ahci_and_e1000_without_msi": Boot(
        "generic", "q35", 256, "2", devices=(ahci_disk(), e1000()), controller=IO_APIC,
        append="pci=nomsi",
    ),
    # Without ACPI the MP table says which CPUs there are and where interrupts arrive.
    "generic_kernel_on_pc_told_acpi_off_uses_the_mp_table": Boot(
        "generic", "pc", 256, "4", devices=(virtio_disk(PCI), e1000()), controller=IO_APIC,
        append="acpi=off pci=nomsi",
    ),
    "generic_kernel_on_q35_told_acpi_off_uses_the_mp_table": Boot(
        "generic", "q35", 256, APIC_IDS_WITH_GAPS, devices=(virtio_disk(PCI), e1000()),
        controller=IO_APIC, append="acpi=off pci=nomsi",
    ),
    "generic_kernel_on_pc_without_acpi_uses_the_mp_table": Boot(
        "generic", "pc,acpi=off", 256, "2", devices=(ide_disk(), e1000()), controller=IO_APIC
    ),
    "generic_kernel_on_microvm_without_acpi_uses_the_mp_table": Boot(
        "generic", "microvm,acpi=off", 256, "4"
    ),
    "rt_kernel_on_q35_uses_virtio_pci_and_9p": Boot(
        "rt", "q35", 1024, "2", devices=virtio(PCI), controller=MSI
    ),
    # 32-bit Linux.
    "i386_kernel_on_q35_uses_virtio_pci_and_9p": Boot(
        "i386", "q35", 1024, "2", devices=virtio(PCI), controller=MSI, arguments=NO_HIGH_WINDOW_Q35
    ),
    "i386_kernel_on_pc_with_5_gib_uses_ide_and_e1000": Boot(
        "i386", "pc", 5120, devices=(ide_disk(), e1000()), controller=IO_APIC
    ),
    # The uncompressed kernel, by PVH.
    "pvh_cloud_kernel_on_q35_uses_virtio_pci": Boot(
        "cloud", "q35", 256, "2", pvh=True, devices=virtio_without_share(PCI), controller=MSI
    ),
    "pvh_cloud_kernel_on_pc_with_8_cpus_and_5_gib": Boot("cloud", "pc", 5120, "8", pvh=True),
    "pvh_cloud_kernel_on_microvm": Boot(
        "cloud", "microvm", 128, "2", pvh=True, devices=(virtio_disk(MMIO),)
    ),
    "pvh_generic_kernel_on_microvm_without_acpi": Boot(
        "generic", "microvm,acpi=off", 512, "2", pvh=True
    ),
    "pvh_i386_kernel_on_pc": Boot("i386", "pc", 256, "2", pvh=True),
}  # fmt: skip


@pytest.mark.parametrize("boot", BOOTS.values(), ids=BOOTS.keys())
def test_linux_boots_to_init(boot, tmp_path):
    """The kernel reaches init, the report holds all of the machine, and the guest ends itself."""
    report, folder = stalls.run(boot, tmp_path)
    found = problems(boot, report, folder)
    assert not found, "\n".join(found)
