// SPDX-License-Identifier: MIT
// Which machine this is, and what it needs before a guest that knows hardware can run on it.
#pragma once

#include "hw/pci.hpp"

namespace mayfly::hw {

enum class chipset : u8 {
    no_pci,   ///< microvm, isapc: nothing to prepare
    i440fx,   ///< QEMU "pc"
    q35,      ///< QEMU "q35"
    unknown,  ///< a host bridge of no known kind: left alone
};

/// The host bridge at 00:00.0.
struct host_bridge {
    chipset kind;
    u32 identity;  ///< PCI device and vendor, as register 0 has them
};

/// Memory-mapped configuration space of q35, as its DSDT and every other firmware have it: 256 MiB
/// below the PCI window (QEMU hw/i386/acpi-build.c takes the value from the register).
inline constexpr u32 q35_ecam = 0xb0000000;
inline constexpr u32 q35_ecam_size = 0x10000000;

/// Root complex registers of ICH9, which hold the watchdog's no-reboot bit (Linux iTCO_wdt).
inline constexpr u32 ich9_root_complex = 0xfed1c000;
inline constexpr u32 ich9_root_complex_size = 0x4000;

/// Power management registers. QEMU's FADT follows whatever is programmed; 0x600 is the custom.
inline constexpr u16 power_management_base = 0x600;

/// Two accesses.
template <machine Hardware>
host_bridge identify(Hardware& hardware) {
    constexpr u32 nothing = 0xffffffff;
    constexpr u32 i440fx_identity = 0x12378086;  // QEMU hw/pci-host/i440fx.c
    constexpr u32 q35_identity = 0x29c08086;     // QEMU hw/pci-host/q35.c
    const u32 identity = read_pci(hardware, {0, 0}, 0);
    switch (identity) {
        case nothing:
            return {chipset::no_pci, identity};
        case i440fx_identity:
            return {chipset::i440fx, identity};
        case q35_identity:
            return {chipset::q35, identity};
        default:
            return {chipset::unknown, identity};
    }
}

/// microvm's real-time clock is optional, and nobody restarts it by a shutdown code.
inline bool has_cmos(chipset kind) {
    return kind != chipset::no_pci;
}

/// Why the CPU starts, as the guest noted before an INIT (IBM AT BIOS, CMOS 0x0f). Two accesses.
template <machine Hardware>
u8 read_shutdown_code(Hardware& hardware) {
    hardware.out8(0x70, 0x0f);
    return hardware.in8(0x71);
}

/// Makes the next start a plain one, after read_shutdown_code().
template <machine Hardware>
void clear_shutdown_code(Hardware& hardware) {
    hardware.out8(0x71, 0);
}

// PIRQ A to D and E to H to the ISA interrupts 10, 10, 11, 11: bytes of a routing register, PIIX3
// 0x60 and ICH9 0x60 and 0x68.
inline constexpr u32 interrupt_routes = 0x0b0b0a0a;

/// Interrupts 10 and 11 are level-triggered. Only the second register: the first one resets to
/// what it should be, and a 16-bit write to both reaches the first alone (QEMU hw/intc/i8259.c has
/// one 1-byte region for each, and the second byte goes to the region of the first).
template <machine Hardware>
void set_level_interrupts(Hardware& hardware) {
    constexpr u16 edge_level_control_8_to_15 = 0x4d1;
    hardware.out8(edge_level_control_8_to_15, 1u << (10 - 8) | 1u << (11 - 8));
}

/// The same for the interrupts of virtio-mmio on a microvm without ACPI, 5 to 12 (QEMU
/// hw/i386/microvm.c): all but 8, which the register does not take. Two accesses.
template <machine Hardware>
void set_virtio_interrupts(Hardware& hardware) {
    constexpr u16 edge_level_control = 0x4d0;
    hardware.out8(edge_level_control, 0xe0);
    hardware.out8(edge_level_control + 1, 0x1e);
}

/// Intel 82441FX, 82371SB and 82371AB as QEMU has them (hw/isa/piix.c, hw/acpi/piix4.c).
template <machine Hardware>
void prepare_i440fx(Hardware& hardware) {
    constexpr pci_function bridge{0, 0}, isa{1, 0}, ide{1, 1}, power{1, 3};
    write_pci8(hardware, bridge, 0x59, 0x30);  // PAM0: 0xf0000 to 0xfffff is RAM
    write_pci(hardware, isa, 0x60, interrupt_routes);
    write_pci(hardware, ide, 0x40, 0x80008000);  // both channels visible (Linux ata_piix asks)
    write_pci(hardware, power, 0x40, power_management_base | 1);
    write_pci8(hardware, power, 0x80, 0x01);  // power management registers decoded
    set_level_interrupts(hardware);
}

/// Intel 82G33 and ICH9 as QEMU has them (hw/pci-host/q35.c, hw/isa/lpc_ich9.c). The first write
/// opens ECAM, the others go through it.
template <machine Hardware>
void prepare_q35(Hardware& hardware) {
    constexpr pci_function bridge{0, 0}, lpc{31, 0};
    write_pci(hardware, bridge, 0x60,
              q35_ecam | 1);  // PCIEXBAR, 256 MiB; its high half resets to 0
    write_ecam(hardware, q35_ecam, bridge, 0x90, 0x30);  // PAM0, as above; PAM1 to 3 stay closed
    write_ecam(hardware, q35_ecam, lpc, 0x40, power_management_base | 1);
    write_ecam(hardware, q35_ecam, lpc, 0x44, 0x80);  // ACPI enabled, SCI on interrupt 9
    write_ecam(hardware, q35_ecam, lpc, 0x60, interrupt_routes);
    write_ecam(hardware, q35_ecam, lpc, 0x68, interrupt_routes);
    write_ecam(hardware, q35_ecam, lpc, 0xf0, ich9_root_complex | 1);
    set_level_interrupts(hardware);
}

/// True where prepare() was here since the last reset of the machine, which clears the interrupt
/// routes (QEMU hw/isa/piix3.c, hw/isa/lpc_ich9.c); a guest that disables one leaves its number. A
/// known bridge only. Two accesses.
template <machine Hardware>
bool is_prepared(Hardware& hardware, chipset kind) {
    constexpr pci_function piix3{1, 0}, ich9{31, 0};
    constexpr u8 route_interrupt = 0x0f, nothing = 0xff;
    const u8 route = static_cast<u8>(read_pci(hardware, kind == chipset::q35 ? ich9 : piix3, 0x60));
    return (route & route_interrupt) != 0 && route != nothing;
}

/// After a reset: whether it ended a sleep. The mark in the CMOS alone does not say so: it is there
/// after a reset of a guest that sleeps, too. After prepare(). One access, of 16 bits: QEMU answers
/// no others as the register would (hw/acpi/core.c, acpi_pm_evt_ops).
template <machine Hardware>
bool is_wake_up(Hardware& hardware) {
    constexpr u16 wake_status = 1u << 15;  // ACPI 6.5, 4.8.3.1.1, PM1 status
    return (hardware.in16(power_management_base) & wake_status) != 0;
}

/// Every chipset register that QEMU's tables or Linux depend on. Before the first read of an ACPI
/// file: QEMU makes the tables from what it finds programmed then.
template <machine Hardware>
void prepare(Hardware& hardware, chipset kind) {
    switch (kind) {
        case chipset::i440fx:
            prepare_i440fx(hardware);
            break;
        case chipset::q35:
            prepare_q35(hardware);
            break;
        case chipset::no_pci:
        case chipset::unknown:
            break;
    }
}

}  // namespace mayfly::hw
