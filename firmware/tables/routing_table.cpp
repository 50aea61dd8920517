// SPDX-License-Identifier: MIT
#include "tables/routing_table.hpp"

#include "core/checksum.hpp"

namespace mayfly::tables {

void write_routing_table(bytes to, hw::chipset chipset) {
    // The router's registers are what names its lines (Linux arch/x86/pci/irq.c, pirq_piix_get).
    constexpr u32 a_to_d = 0x63626160, e_to_h = 0x6b6a6968;
    constexpr u16 irqs = 1u << 5 | 1u << 10 | 1u << 11;  // as ACPI's _PRS on these machines
    constexpr u32 piix3 = 0x70008086;
    const u32 router = chipset == hw::chipset::q35 ? 31 : 1;
    pin_wiring wiring(chipset, a_to_d, e_to_h);
    auto* slot = reinterpret_cast<abi::pir_slot*>(to.data() + sizeof(abi::pir_header));
    for (u32 device = 0; device < pci_devices; device++, slot++) {
        slot->bus = 0;
        slot->device = static_cast<u8>(device << 3);
        u32 links = wiring.next(device);
        for (auto& pin : slot->pins) {
            pin.link = static_cast<u8>(links);
            pin.irqs = irqs;
            links >>= 8;
        }
        slot->slot = static_cast<u8>(device == router ? 0 : device);
        slot->reserved = 0;
    }
    auto& header = as<abi::pir_header>(to);
    header = {.signature = {'$', 'P', 'I', 'R'},
              .version = 0x0100,
              .size = routing_table_size,
              .router_bus = 0,
              .router_function = static_cast<u8>(router << 3),
              .exclusive_irqs = pci_exclusive_irqs,
              .compatible_with = piix3,
              .miniport_data = 0,
              .reserved = {},
              .checksum = 0};
    header.checksum = checksum(to);
}

void write_bios32_anchor(abi::bios32_anchor& to, u32 entry) {
    to = {.signature = {'_', '3', '2', '_'},
          .entry = entry,
          .revision = 0,
          .length = 1,
          .checksum = 0,
          .reserved = {}};
    to.checksum = checksum({reinterpret_cast<const u8*>(&to), sizeof to});
}

}  // namespace mayfly::tables
