# SPDX-License-Identifier: MIT
"""What a guest asks of a BIOS: the 32-bit PCI BIOS, `$PIR`, interrupt vectors and data area.

Formats: Standard BIOS 32-bit Service Directory Proposal 0.4; PCI BIOS Specification 2.1; Microsoft
PCI IRQ Routing Table Specification 1.0; IBM PC AT Technical Reference.
"""

import struct

import pytest

from harness import mptable
from harness.acpi import byte_sum
from harness.guest import boot, pvh_kernel

WIDE = pytest.mark.wide

FULL = ["-fw_cfg", "name=opt/org.mayfly/prepare,string=full"]

BRIDGES = ["-device", "pci-bridge,chassis_nr=1,id=a,addr=6",
           "-device", "pci-bridge,chassis_nr=2,id=b,bus=a,addr=3",
           "-device", "virtio-rng-pci,bus=b,addr=6"]
DEVICES = ["-device", "virtio-rng-pci,addr=4", "-device", "virtio-rng-pci,addr=7",
           "-device", "virtio-net-pci,addr=8", "-device", "qemu-xhci,addr=9"]
# Two root buses, the last number of all.
EXPANDER = {"pc": ["-device", "pxb,bus_nr=250,id=x", "-device", "pci-bridge,bus=x,chassis_nr=9,id=y"],
            "q35": ["-device", "pxb-pcie,bus_nr=252,id=x", "-device", "pcie-root-port,bus=x,id=y"]}
VARIANTS = {"devices": (DEVICES, 0), "bridges": ([*DEVICES, *BRIDGES], 2)}

IRQS = {5, 10, 11}
PIIX3 = (1, 0)
ICH9_LPC = (31, 0)


def guest(tmp_path, machine, words="", args=(), **options):
    """The report of a kernel that is not Linux."""
    return boot(tmp_path, machine, args, kernel=pvh_kernel(linux=False), words=words, **options)


def check_pci_bios(report, last_bus):
    """Every call gave what configuration space has, wherever the code segment begins."""
    directory = report.values["bios32"]
    assert directory["status"] == 0 and directory["same_when_moved"] == 1
    assert directory["unknown_service"] == 0x80 and directory["unknown_function"] == 0x81
    assert directory["offset"] < directory["length"]
    found = report.values["pcibios"]
    assert found["signature"] == 0x20494350 and found["version"] == 0x210
    assert found["mechanism"] == 1
    assert found["last_bus"] == last_bus
    assert found["wrong"] == found["moved_wrong"] == 0, found
    assert found["checks"] == found["moved_checks"] > 1000
    assert found["exclusive"] == 1 << 10 | 1 << 11


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("machine", ["pc", "q35", "pc,acpi=off", "q35,acpi=off"])
def test_pci_bios(tmp_path, machine, variant):
    """Finding, reading, writing and routing, over every function of every bus."""
    args, last_bus = VARIANTS[variant]
    report = guest(tmp_path, machine, "pcibios", args)
    anchor = report.one("bios32")
    assert byte_sum(anchor.data) == 0 and anchor.data[8:10] == bytes([0, 1])
    entry, = struct.unpack_from("<I", anchor.data, 4)
    assert 0xE0000 <= entry < 0x100000
    check_pci_bios(report, last_bus)
    assert report.memory["routing"][0].data == report.one("pir").data[32:]


@pytest.mark.kvm
@pytest.mark.parametrize("machine", ["pc", pytest.param("q35", marks=WIDE)])
def test_pci_bios_under_kvm(tmp_path, machine):
    """The same on another CPU."""
    check_pci_bios(guest(tmp_path, machine, "pcibios", DEVICES, accel="kvm"), 0)


@pytest.mark.parametrize("machine", ["pc", pytest.param("q35", marks=WIDE)])
def test_pci_bios_of_several_roots(tmp_path, machine):
    """The last bus is that of the last root; the MP table's ISA bus has a number of its own."""
    report = guest(tmp_path, machine, "pcibios buses", [*EXPANDER[machine], *BRIDGES])
    used = {function >> 8 for function in report.functions}
    for registers in report.functions.values():
        if registers[3] >> 16 & 0x7F == 1:  # a bridge: the numbers behind it
            used |= set(range(registers[6] >> 8 & 0xFF, (registers[6] >> 16 & 0xFF) + 1))
    check_pci_bios(report, max(used))
    assert mptable.read(report).bus_number("ISA") not in used


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_isa_bus_where_pci_has_bus_1(tmp_path, machine):
    """PCI's buses have their numbers in the MP table; ISA has another."""
    report = guest(tmp_path, machine, "buses", BRIDGES)
    table = mptable.read(report)
    assert table.bus_number("PCI") == 0
    assert table.bus_number("ISA") == 3
    assert {function >> 8 for function in report.functions} == {0, 1, 2}


@pytest.mark.parametrize("machine", ["microvm", "microvm,acpi=off", "microvm,pcie=on"])
def test_no_pci_bios_on_microvm(tmp_path, machine):
    """Its PCI is not reached by ports."""
    report = guest(tmp_path, machine)
    assert "bios32" not in report.memory and "pir" not in report.memory


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_lean_has_none(tmp_path, machine):
    """Linux by bzImage is given what it needs and no more."""
    report = boot(tmp_path, machine)
    assert "bios32" not in report.memory and "pir" not in report.memory


def link_of(machine: str, device: int, pin: int) -> int:
    """The register that routes a pin (0: INTA#) of a device on bus 0 (QEMU hw/isa/piix3.c,
    pci_slot_get_pirq in hw/i386/pc_piix.c or hw/pci-host/i440fx.c; hw/isa/lpc_ich9.c)."""
    if machine == "pc":
        return 0x60 + (device + pin - 1) % 4
    if device >= 25:
        return (0x68 if device == 30 else 0x60) + pin
    return 0x68 + (device + pin) % 4


@pytest.mark.parametrize("machine, router", [("pc", PIIX3), ("q35", ICH9_LPC)])
def test_routing_table(tmp_path, machine, router):
    """`$PIR` names for each pin of bus 0 the register that routes it, and the router."""
    report = guest(tmp_path, machine)
    data = report.one("pir").data
    assert report.one("pir").address % 16 == 0 and byte_sum(data) == 0
    version, size, bus, function, exclusive, vendor, device = struct.unpack_from("<HHBBHHH", data, 4)
    assert version == 0x100 and size == len(data) == 32 + 32 * 16
    assert (bus, function) == (0, router[0] << 3 | router[1])
    assert (vendor, device) == (0x8086, 0x7000)
    assert exclusive == 1 << 10 | 1 << 11
    routes = report.pci[router]
    for number in range(32):
        slot = data[32 + 16 * number:][:16]
        assert slot[:2] == bytes([0, number << 3])
        for pin in range(4):
            link, irqs = struct.unpack_from("<BH", slot, 2 + 3 * pin)
            assert link == link_of(machine, number, pin)
            assert irqs == sum(1 << irq for irq in IRQS)
            assert routes[link] in IRQS
        assert slot[14] == (0 if number == router[0] else number)


@pytest.mark.parametrize("accel", ["tcg", pytest.param("kvm", marks=pytest.mark.kvm)])
@pytest.mark.parametrize("machine", ["pc", "q35", "microvm,acpi=off,pit=on,pic=on"])
def test_real_mode(tmp_path, machine, accel):
    """Every vector can be called and keeps the registers; a halted CPU wakes with the next tick."""
    # Where KVM emulates INT n (arch/x86/kvm/emulate.c), it takes n for a signed number.
    called = 0x80 if accel == "kvm" else 0x100
    report = guest(tmp_path, machine, f"realmode vectors={called:x} dump=0,400", accel=accel)
    vectors = struct.unpack("<512H", report.one("dump").data)
    assert all(segment == 0xF000 and offset >= 0xFF00
               for offset, segment in zip(vectors[::2], vectors[1::2]))
    data = report.one("real_mode").data
    answers = {n: struct.unpack_from("<HH", data, 4 * n) for n in range(called)}
    carry, zero = 1, 0x40
    for number, (ax, flags) in answers.items():
        if number in (0x13, 0x14, 0x15, 0x16, 0x17, 0x1A):
            assert ax == 0x8600 and flags & carry and flags & zero, hex(number)
        else:
            expected = {0x11: equipment(report), 0x12: 639}.get(number, 0)
            assert ax == expected and not flags & (carry | zero), hex(number)
    ticks, hook_calls = struct.unpack_from("<II", data, 0x400)
    assert (ticks, hook_calls) == (0, 1), "a day ends"
    assert report.values["real_mode"]["midnights"] == 1


def equipment(report) -> int:
    """The equipment word of the BIOS data area."""
    return struct.unpack_from("<H", report.one("bda").data, 0x10)[0]


@pytest.mark.parametrize("machine, serial", [
    ("pc", True), ("q35", True), ("microvm", True), ("microvm,isa-serial=off", False)])
def test_bios_data_area(tmp_path, machine, serial):
    """The data area says what is there."""
    report = boot(tmp_path, machine, FULL)
    data = report.one("bda").data
    words = {at: struct.unpack_from("<H", data, at)[0] for at in range(0, 0xFF)}
    assert words[0x00] == (0x3F8 if serial else 0)
    assert words[0x02] == words[0x04] == words[0x08] == 0
    mouse = 0 if machine.startswith("microvm") else 1 << 2
    assert words[0x10] == (1 << 9 if serial else 0) | 2 << 4 | mouse | 1 << 1
    assert words[0x0E] == 0x9FC0 and words[0x13] == 639
    assert words[0x1A] == words[0x1C] == words[0x80] == 0x1E and words[0x82] == 0x3E
    assert data[0x49] == 3 and words[0x4A] == 80 and data[0x84] == 24
    assert words[0x63] == 0x3D4
    assert words[0x72] == 0 and data[0x75] == 0
