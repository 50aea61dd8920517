// SPDX-License-Identifier: MIT
// PCI configuration space by mechanism 1 and by memory (PCI 3.0, 3.2.2.3.2; PCIe 5.0, 7.2.2).
#pragma once

#include "hw/hardware.hpp"

namespace mayfly::hw {

inline constexpr u16 pci_address_port = 0xcf8;
inline constexpr u16 pci_data_port = 0xcfc;

inline constexpr u8 pci_command = 0x04;
inline constexpr u8 pci_bar_0 = 0x10;

/// A function on bus 0.
struct pci_function {
    u8 device;
    u8 function;

    /// Its number as mechanism 1 wants it in bits 15:8 and ECAM in bits 19:12.
    constexpr u32 number() const { return u32{device} << 3 | function; }
};

/// Mechanism 1: two accesses for each.
template <machine Hardware>
u32 read_pci(Hardware& hardware, pci_function at, u8 offset) {
    hardware.out32(pci_address_port, 1u << 31 | at.number() << 8 | offset);
    return hardware.in32(pci_data_port);
}

template <machine Hardware>
void write_pci(Hardware& hardware, pci_function at, u8 offset, u32 value) {
    hardware.out32(pci_address_port, 1u << 31 | at.number() << 8 | (offset & 0xfcu));
    hardware.out32(pci_data_port, value);
}

/// One byte; `offset` may be odd.
template <machine Hardware>
void write_pci8(Hardware& hardware, pci_function at, u8 offset, u8 value) {
    hardware.out32(pci_address_port, 1u << 31 | at.number() << 8 | (offset & 0xfcu));
    hardware.out8(static_cast<u16>(pci_data_port + (offset & 3)), value);
}

/// ECAM: one access.
template <machine Hardware>
void write_ecam(Hardware& hardware, u32 ecam, pci_function at, u16 offset, u32 value) {
    hardware.write_mmio32(ecam | at.number() << 12 | offset, value);
}

}  // namespace mayfly::hw
