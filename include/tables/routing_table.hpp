// SPDX-License-Identifier: MIT
// The tables by which a guest without ACPI routes PCI's interrupts and finds the 32-bit PCI BIOS.
#pragma once

#include "abi/bios32.hpp"
#include "abi/pir.hpp"
#include "core/span.hpp"
#include "tables/pci_pins.hpp"

namespace mayfly::tables {

/// Where hw::interrupt_routes send PCI's interrupts. The 32-bit PCI BIOS says it too.
inline constexpr u16 pci_exclusive_irqs = 1u << 10 | 1u << 11;

/// An entry for each device number of bus 0. What is behind a bridge has its interrupts where the
/// bridge has them, turned by the device (PCI-to-PCI bridges 1.2, 9.1).
inline constexpr u32 routing_table_size =
    sizeof(abi::pir_header) + pci_devices * sizeof(abi::pir_slot);

/// Writes `$PIR` of `chipset`, one of i440fx and q35, to `to`, of routing_table_size bytes.
void write_routing_table(bytes to, hw::chipset chipset);

/// Writes `_32_`, which leads to a service directory at `entry`.
void write_bios32_anchor(abi::bios32_anchor& to, u32 entry);

}  // namespace mayfly::tables
