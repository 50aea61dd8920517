# SPDX-License-Identifier: MIT
"""The MP table, for kernels without ACPI: Intel MultiProcessor Specification 1.4."""

import struct

import pytest

from harness import acpi, memory, mptable
from harness.guest import booted, pvh_kernel

WIDE = pytest.mark.wide

IOAPIC_ADDRESS = 0xFEC00000
LOCAL_APIC_ADDRESS = 0xFEE00000

# ISA interrupts that no PCI interrupt router of these machines takes.
PLAIN_ISA_INTERRUPTS = (1, 3, 4, 6, 7, 8, 12, 14, 15)
TIMER_PIN = 2  # MADT of QEMU: IRQ 0 is overridden to pin 2
VIRTIO_MMIO_INTERRUPTS = range(5, 13)

EDGE = 1 << 2
TRIGGER_MASK = 3 << 2

PIIX3 = (1, 0)
ICH9_LPC = (31, 0)
INTERRUPT_PIN = 0x3D
SCI = 9
PIRQ_A = 0x60
PIRQ_E = 0x68

TOPOLOGIES = [
    "1", "2", "3", "6,cores=3,sockets=2", "8,dies=2,cores=2,threads=2",
    *[pytest.param(t, marks=WIDE) for t in (
        "4", "5", "7", "4,threads=2", "4,cores=4", "12,sockets=2,cores=3,threads=2",
        "15,sockets=3,cores=5", "9,sockets=3,cores=3", "10,cores=5,threads=2", "16,maxcpus=32",
        "31", "64", "65", "100,dies=2,cores=5,threads=2", "128", "2,maxcpus=8", "254",
        "7,sockets=7", "21,sockets=3,cores=7")],
    "255",
]


def apic_ids(vm) -> list[int]:
    """The APIC IDs of QEMU's CPUs."""
    return sorted(vm.qmp("qom-get", path=cpu["qom-path"], property="apic-id")
                  for cpu in vm.qmp("query-cpus-fast"))


def machine_for(kind: str, with_acpi: str) -> str:
    """A machine with ACPI on or off."""
    return f"{kind},acpi={with_acpi}"


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
def test_cpus(tmp_path, machine, topology):
    """Every CPU is listed by its real APIC ID, the boot CPU is marked."""
    if machine == "microvm":
        topology = topology.replace("dies=2,", "")  # QEMU has no dies there
    with booted(tmp_path, machine, ["-smp", topology]) as guest:
        table = mptable.read(guest.report)
        expected = apic_ids(guest.vm)
        assert sorted(table.cpus) == expected
        assert table.boot_cpus == [expected[0]]
        assert table.local_apic == LOCAL_APIC_ADDRESS
        assert sorted(acpi.madt_cpus(guest.report)) == expected


@pytest.mark.parametrize("topology", ["1", "6,cores=3,sockets=2", "40,sockets=40"])
@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
def test_cpus_without_acpi(tmp_path, machine, topology):
    """With ACPI off the MP table is all a kernel has."""
    with booted(tmp_path, machine_for(machine, "off"), ["-smp", topology]) as guest:
        assert sorted(mptable.read(guest.report).cpus) == apic_ids(guest.vm)
        assert guest.report.values["rsdp"]["found"] == 0


def test_cpus_added_by_device(tmp_path):
    """A CPU given by -device counts as well."""
    with booted(tmp_path, "q35", ["-smp", "2,maxcpus=6,sockets=6", "-device",
                                  "qemu64-x86_64-cpu,socket-id=4,core-id=0,thread-id=0"]) as guest:
        expected = apic_ids(guest.vm)
        assert len(expected) == 3
        assert sorted(mptable.read(guest.report).cpus) == expected


@pytest.mark.parametrize("with_acpi", ["on", "off"])
@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
def test_isa_interrupts(tmp_path, machine, with_acpi):
    """The I/O APIC is listed, the timer is at pin 2, the other ISA interrupts at their own."""
    with booted(tmp_path, machine_for(machine, with_acpi)) as guest:
        table = mptable.read(guest.report)
    assert IOAPIC_ADDRESS in table.ioapics.values()
    (ioapic,) = [n for n, address in table.ioapics.items() if address == IOAPIC_ADDRESS]
    isa = table.bus_number("ISA")
    pins = {i.irq: i.pin for i in table.interrupts
            if i.bus == isa and i.kind == mptable.INT and i.apic == ioapic}
    assert pins[0] == TIMER_PIN
    assert 2 not in pins, "pin 2 is the timer's"
    for irq in PLAIN_ISA_INTERRUPTS:
        assert pins[irq] == irq
    used = [(i.apic, i.pin) for i in table.interrupts if i.bus == isa]
    assert len(set(used)) == len(used), "two ISA interrupts at one pin"


@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
def test_local_interrupts(tmp_path, machine):
    """ExtINT is at LINT0, NMI at LINT1, specification 4.3.5."""
    with booted(tmp_path, machine) as guest:
        table = mptable.read(guest.report)
    assert (mptable.EXTINT, 0) in {(i.kind, i.pin) for i in table.local}
    assert (mptable.NMI, 1) in {(i.kind, i.pin) for i in table.local}


def pirq_pins(report, machine: str, device: int, pin: int) -> set[int]:
    """The I/O APIC pins at which QEMU delivers INTA# (pin 1) to INTD# of a device on bus 0."""
    if machine == "pc":
        route = report.pci[PIIX3][PIRQ_A + (pin - 1 + device - 1) % 4]
        # The pin of the PM function in device 1 is wired to the SCI, not to a PIRQ.
        return {route & 0x7F, SCI} if device == 1 else {route & 0x7F}
    e_to_h = device <= 24 or device == 30
    letter = (device + pin - 1) % 4 if device <= 24 else pin - 1
    route = report.pci[ICH9_LPC][(PIRQ_E if e_to_h else PIRQ_A) + letter]
    return {route & 0x7F, 16 + letter + (4 if e_to_h else 0)}


DEVICES = ["-device", "virtio-net-pci,addr=3", "-device", "virtio-rng-pci,addr=4",
           "-device", "virtio-serial-pci,addr=5", "-device", "virtio-balloon-pci,addr=6",
           "-device", "virtio-rng-pci,addr=0x1d"]


@pytest.mark.parametrize("machine", ["pc", "q35"])
@pytest.mark.parametrize("with_acpi", ["on", "off"])
def test_pci_interrupts(tmp_path, machine, with_acpi):
    """Every PCI function with an interrupt pin has an entry that names a pin it reaches."""
    with booted(tmp_path, machine_for(machine, with_acpi), DEVICES) as guest:
        report = guest.report
    table = mptable.read(report)
    bus = table.bus_number("PCI")
    entries = {i.irq: i for i in table.interrupts if i.bus == bus}
    with_pin = {place: config[INTERRUPT_PIN] for place, config in report.pci.items()
                if config[INTERRUPT_PIN]}
    assert len(with_pin) >= 5
    for (device, _), pin in with_pin.items():
        entry = entries[device << 2 | (pin - 1)]
        assert entry.pin in pirq_pins(report, machine, device, pin)
        assert entry.flags & TRIGGER_MASK != EDGE


def test_virtio_mmio_interrupts(tmp_path):
    """microvm without ACPI wires its virtio-mmio transports to the ISA interrupts 5 to 12."""
    with booted(tmp_path, "microvm,acpi=off") as guest:
        table = mptable.read(guest.report)
    isa = table.bus_number("ISA")
    pins = {i.irq: i.pin for i in table.interrupts if i.bus == isa}
    for irq in VIRTIO_MMIO_INTERRUPTS:
        assert pins[irq] == irq


@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
def test_the_largest_table_is_kept(tmp_path, machine):
    """255 CPUs make a table of 5 KiB; it lies where the memory map keeps it."""
    with booted(tmp_path, machine, ["-smp", "255"]) as guest:
        piece = guest.report.one("mp_table")
        assert len(piece.data) > 255 * 20
        free = memory.of_type(memory.firmware_map(guest.report), memory.RAM)
        assert not any(e.overlaps(memory.Range(piece.address, piece.end)) for e in free)


def test_by_pvh(tmp_path):
    """PVH kernels find the table too."""
    with booted(tmp_path, "microvm,acpi=off", ["-smp", "3"], kernel=pvh_kernel()) as guest:
        assert sorted(mptable.read(guest.report).cpus) == apic_ids(guest.vm)


def test_bios_data_area(tmp_path):
    """The EBDA segment and the base memory size agree with the map, as Linux reads them."""
    with booted(tmp_path, "pc") as guest:
        bda = guest.report.one("bda").data
        segment, = struct.unpack_from("<H", bda, 0x0E)
        base_kib, = struct.unpack_from("<H", bda, 0x13)
        low = memory.of_type(memory.firmware_map(guest.report), memory.RAM)[0]
    # Zero means "not set": Linux then assumes 636 KiB (reserve_bios_regions).
    assert segment == 0 or segment * 16 >= low.end
    assert base_kib == 0 or base_kib * 1024 >= low.end
