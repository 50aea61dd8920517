// SPDX-License-Identifier: MIT
#include "low_memory.hpp"

#include <cstring>

#include "abi/mp_table.hpp"
#include "fakes/low_ram.hpp"
#include "machine.hpp"
#include "tables/mp_table.hpp"
#include "unit/expect.hpp"

namespace mayfly::test {
namespace {

using fakes::low_ram;
using hw::chipset;

constexpr chipset all_chipsets[] = {chipset::no_pci, chipset::i440fx, chipset::q35,
                                    chipset::unknown};

bool has_f_segment(chipset kind) {
    return kind == chipset::i440fx || kind == chipset::q35;
}

std::vector<u8> first_mib_of(const low_ram& ram) {
    const bytes all = ram.at(0, static_cast<u32>(mib));
    return {all.begin(), all.end()};
}

void put_reset_code(const low_ram& ram) {
    const bytes code = ram.at(reset_code, reset_code_size);
    for (usize i = 0; i < code.size(); i++)
        code[i] = static_cast<u8>(i + 1);
}

/// What the firmware says of itself below 1 MiB, over what is there.
void expect_prepared(const low_ram& ram, std::vector<u8> expected, chipset kind) {
    const bytes out = span_of(expected);
    store<u16>(out, 0x40e, 0x9fc0);
    store<u16>(out, 0x413, 639);
    store<u8>(out, 0x9fc00, 1);
    if (has_f_segment(kind))
        std::memcpy(&expected[0xfff00], ram.at(reset_code, reset_code_size).data(), 0x100);
    const auto found = first_mib_of(ram);
    for (usize i = 0; i < found.size(); i++)
        ASSERT_EQ(found[i], expected[i]) << std::hex << i;
}

TEST(low_memory, is_written_little_when_a_machine_is_switched_on) {
    for (const auto kind : all_chipsets) {
        low_ram ram;
        put_reset_code(ram);
        prepare_low_memory(ram.view(), kind);
        expect_prepared(ram, std::vector<u8>(mib), kind);
    }
}

TEST(low_memory, is_emptied_where_guests_look_for_tables) {
    for (const auto kind : all_chipsets) {
        low_ram ram;
        put_reset_code(ram);
        std::memset(ram.at(0, static_cast<u32>(mib)).data(), 0xa5, mib);
        prepare_low_memory(ram.view(), kind);
        std::vector<u8> expected(mib, 0xa5);
        std::memset(expected.data(), 0, 0x500);
        std::memset(&expected[0x9f800], 0, 0x800);
        if (has_f_segment(kind)) {
            std::memset(&expected[0xf0000], 0, 0x10000);
            std::memset(&expected[0xebfc0], 0, 0x30);
        }
        expect_prepared(ram, expected, kind);
    }
}

TEST(low_memory, knows_by_its_anchors_whether_it_ran) {
    low_ram ram;
    EXPECT_FALSE(has_anchors(ram.view()));
    // An SMBIOS entry point alone: every boot makes an MP table.
    std::memset(ram.at(0xf0000, 0x20).data(), 0xff, 0x20);
    EXPECT_FALSE(has_anchors(ram.view()));
    auto& pointer =
        *view<abi::mp_floating_pointer>(ram.at(0xf0020, sizeof(abi::mp_floating_pointer)));
    tables::write_mp_floating_pointer(pointer, 0xe1230);
    EXPECT_TRUE(has_anchors(ram.view()));
    const auto before = first_mib_of(ram);
    EXPECT_TRUE(has_anchors(ram.view()));
    EXPECT_EQ(first_mib_of(ram), before);
}

TEST(low_memory, empties_the_window_of_its_anchors_and_no_more) {
    low_ram ram;
    std::memset(ram.at(0, static_cast<u32>(mib)).data(), 0xa5, mib);
    EXPECT_TRUE(has_anchors(ram.view()));
    const bytes window = clear_anchor_window(ram.view());
    EXPECT_EQ(window.data(), ram.at(0xf0000, 1).data());
    EXPECT_EQ(window.size(), 0x40u);
    EXPECT_FALSE(has_anchors(ram.view()));
    std::vector<u8> expected(mib, 0xa5);
    std::memset(&expected[0xf0000], 0, 0x40);
    EXPECT_EQ(first_mib_of(ram), expected);
    // There is room for either entry point and for the floating pointer behind it.
    EXPECT_LE(sizeof(abi::mp_floating_pointer), window.size() - mp_floating_pointer_offset);
}

TEST(low_memory, gives_every_vector_a_handler) {
    low_ram ram;
    std::memset(ram.at(0, static_cast<u32>(mib)).data(), 0xa5, mib);
    std::vector<u8> ranges = {1, 0x12, 0, 0x34, 254, 0x56, 1, 0x78};
    set_vectors(ram.view(), 0xff00, span_of(ranges));
    std::vector<u8> expected(mib, 0xa5);
    for (u32 vector = 0; vector < 256; vector++)
        store<u32>(span_of(expected), 4 * vector,
                   0xf000ff00 + (vector == 0     ? 0x12
                                 : vector == 255 ? 0x78
                                                 : 0x56));
    EXPECT_EQ(first_mib_of(ram), expected);
}

TEST(low_memory, describes_the_machine_in_the_bios_data_area) {
    for (const bool has_serial_port : {false, true}) {
        for (const bool has_mouse : {false, true}) {
            low_ram ram;
            prepare_low_memory(ram.view(), chipset::no_pci);
            describe_machine(ram.view(), has_serial_port, has_mouse);
            std::vector<u8> expected(mib);
            const bytes out = span_of(expected);
            store<u16>(out, 0x400, has_serial_port ? 0x3f8 : 0);
            store<u16>(out, 0x40e, 0x9fc0);
            store<u16>(out, 0x410, (has_serial_port ? 0x200 : 0) | (has_mouse ? 4 : 0) | 0x22);
            store<u16>(out, 0x413, 639);
            store<u16>(out, 0x41a, 0x1e);
            store<u16>(out, 0x41c, 0x1e);
            store<u8>(out, 0x449, 3);
            store<u16>(out, 0x44a, 80);
            store<u16>(out, 0x44c, 0x1000);
            store<u16>(out, 0x460, 0x0607);
            store<u16>(out, 0x463, 0x3d4);
            store<u16>(out, 0x480, 0x1e);
            store<u16>(out, 0x482, 0x3e);
            store<u8>(out, 0x484, 24);
            store<u16>(out, 0x485, 16);
            store<u8>(out, 0x9fc00, 1);
            EXPECT_EQ(first_mib_of(ram), expected);
        }
    }
}

TEST(low_memory, is_in_the_map_that_a_boot_begins_with) {
    const tables::memory_map map(first_mib);
    std::vector<u8> to(tables::memory_map::capacity * sizeof(abi::e820_entry) + sizeof(u32));
    ASSERT_EQ(map.write_entries(to.data(), sizeof(abi::e820_entry)), 3u);
    const struct {
        u64 begin, end;
        u32 type;
    } parts[] = {{0, 0x9fc00, 1}, {0x9fc00, 0xa0000, 2}, {0xe0000, 0x100000, 2}};
    for (usize i = 0; i < 3; i++) {
        const auto entry = load<abi::e820_entry>(span_of(to), i * sizeof(abi::e820_entry));
        EXPECT_EQ(entry.address, parts[i].begin);
        EXPECT_EQ(entry.length, parts[i].end - parts[i].begin);
        EXPECT_EQ(entry.type, parts[i].type);
    }
}

}  // namespace
}  // namespace mayfly::test
