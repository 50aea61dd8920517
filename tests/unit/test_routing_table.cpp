// SPDX-License-Identifier: MIT
#include "tables/routing_table.hpp"

#include <cstring>

#include "core/checksum.hpp"
#include "low_memory.hpp"
#include "unit/expect.hpp"

namespace mayfly::test {
namespace {

using hw::chipset;

std::vector<u8> write(chipset kind) {
    std::vector<u8> out(tables::routing_table_size, 0xee);
    tables::write_routing_table(span_of(out), kind);
    return out;
}

TEST(routing_table, names_the_router) {
    for (const auto kind : {chipset::i440fx, chipset::q35}) {
        auto table = write(kind);
        EXPECT_EQ(byte_sum(span_of(table)), 0);
        const auto header = load<abi::pir_header>(span_of(table), 0);
        EXPECT_EQ(std::string(header.signature, 4), "$PIR");
        EXPECT_EQ(header.version, 0x100);
        EXPECT_EQ(header.size, table.size());
        EXPECT_EQ(header.router_bus, 0);
        EXPECT_EQ(header.router_function, kind == chipset::q35 ? 0xf8 : 0x08);
        EXPECT_EQ(header.exclusive_irqs, 0xc00);
        EXPECT_EQ(header.compatible_with, 0x70008086u);
        EXPECT_EQ(header.miniport_data, 0u);
    }
}

TEST(routing_table, names_the_register_of_every_pin) {
    for (const auto kind : {chipset::i440fx, chipset::q35}) {
        auto table = write(kind);
        for (u32 device = 0; device < 32; device++) {
            const auto slot = load<abi::pir_slot>(
                span_of(table), sizeof(abi::pir_header) + device * sizeof(abi::pir_slot));
            EXPECT_EQ(slot.bus, 0);
            EXPECT_EQ(slot.device, device << 3);
            EXPECT_EQ(slot.slot, device == (kind == chipset::q35 ? 31 : 1) ? 0 : device);
            for (u32 pin = 0; pin < 4; pin++) {
                u32 link = 0x60 + (device + pin + 3) % 4;
                if (kind == chipset::q35)
                    link = device < 25    ? 0x68 + (device + pin) % 4
                           : device == 30 ? 0x68 + pin
                                          : 0x60 + pin;
                EXPECT_EQ(slot.pins[pin].link, link) << device << " " << pin;
                EXPECT_EQ(slot.pins[pin].irqs, 0xc20);
            }
        }
    }
}

TEST(routing_table, has_room_where_the_pci_bios_looks_for_it) {
    EXPECT_EQ(bios_anchors % 16, 0u);
    EXPECT_GE(bios_anchors, anchor_window + anchor_window_used);
    EXPECT_EQ(bios_anchors_size, sizeof(abi::bios32_anchor) + tables::routing_table_size);
    EXPECT_LE(bios_anchors + bios_anchors_size, bios32_copy);
}

TEST(bios32_anchor, leads_to_the_directory) {
    abi::bios32_anchor anchor;
    std::memset(&anchor, 0xee, sizeof anchor);
    tables::write_bios32_anchor(anchor, 0xf0400);
    EXPECT_EQ(std::string(anchor.signature, 4), "_32_");
    EXPECT_EQ(anchor.entry, 0xf0400u);
    EXPECT_EQ(anchor.revision, 0);
    EXPECT_EQ(anchor.length, 1);
    EXPECT_EQ(byte_sum({reinterpret_cast<const u8*>(&anchor), sizeof anchor}), 0);
}

}  // namespace
}  // namespace mayfly::test
