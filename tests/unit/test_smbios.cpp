// SPDX-License-Identifier: MIT
#include "tables/smbios.hpp"

#include "core/checksum.hpp"
#include "core/version.hpp"
#include "unit/expect.hpp"

namespace mayfly::test {
namespace {

using tables::finish_smbios_anchor;

bool has_type_0(const std::vector<u8>& structures) {
    // An exact allocation: reading on past its end is found.
    return tables::has_bios_information({structures.data(), structures.size()});
}

TEST(smbios, finishes_captured_21_anchors) {
    for (const std::string name : {"pc", "pc-smp", "q35", "q35-5g"}) {
        auto anchor = captured(name + "/smbios-anchor.bin");
        const u32 count = load<abi::smbios_entry_point_21>(span_of(anchor), 0).structure_count;
        finish_smbios_anchor(span_of(anchor), 0x12345000, 0x234, 0x40);
        const auto entry = load<abi::smbios_entry_point_21>(span_of(anchor), 0);
        EXPECT_EQ(entry.table_address, 0x12345000u);
        EXPECT_EQ(entry.table_length, 0x234);
        EXPECT_EQ(entry.structure_count, count + 1);
        EXPECT_GE(entry.max_structure_size, 0x40);
        EXPECT_EQ(byte_sum(span_of(anchor)), 0);
        EXPECT_EQ(byte_sum(span_of(anchor).part(16, 15)), 0);
        EXPECT_FALSE(has_type_0(captured(name + "/smbios-tables.bin")));
    }
}

TEST(smbios, leaves_the_count_where_nothing_was_added) {
    auto anchor = captured("pc/smbios-anchor.bin");
    const auto before = load<abi::smbios_entry_point_21>(span_of(anchor), 0);
    finish_smbios_anchor(span_of(anchor), 1, 2, 0);
    const auto entry = load<abi::smbios_entry_point_21>(span_of(anchor), 0);
    EXPECT_EQ(entry.structure_count, u16{before.structure_count});
    EXPECT_EQ(entry.max_structure_size, u16{before.max_structure_size});
}

TEST(smbios, finishes_a_captured_30_anchor) {
    auto anchor = captured("q35-smbios3/smbios-anchor.bin");
    finish_smbios_anchor(span_of(anchor), 0xfffff000, 0x10000, 0x40);
    const auto entry = load<abi::smbios_entry_point_30>(span_of(anchor), 0);
    EXPECT_EQ(entry.table_address, 0xfffff000u);
    EXPECT_EQ(entry.max_table_length, 0x10000u);
    EXPECT_EQ(byte_sum(span_of(anchor)), 0);
}

TEST(smbios, complains_of_another_anchor) {
    for (const usize size : {0, 1, 23, 25, 30, 32}) {
        std::vector<u8> anchor(size);
        expect_stop([&] { finish_smbios_anchor(span_of(anchor), 0, 0, 0); },
                    "mayfly: smbios: entry point is neither version 2.1 nor 3.0 (" +
                        std::to_string(size) + " bytes)");
    }
}

TEST(smbios, complains_of_tables_that_version_21_cannot_express) {
    std::vector<u8> anchor(31);
    finish_smbios_anchor(span_of(anchor), 0, 0xffff, 1);
    expect_stop([&] { finish_smbios_anchor(span_of(anchor), 0, 0x10000, 1); },
                "mayfly: smbios: tables are too large (65536 bytes, limit 65535)");
}

TEST(smbios, writes_its_bios_information) {
    std::vector<u8> out(tables::bios_information_size(), 0xee);
    tables::write_bios_information(span_of(out));
    EXPECT_EQ(out[0], 0);
    EXPECT_EQ(out[1], 24);
    std::vector<std::string> strings;
    usize at = 24;
    while (out[at] != 0) {
        strings.emplace_back(reinterpret_cast<const char*>(&out[at]));
        at += strings.back().size() + 1;
    }
    EXPECT_EQ(at + 1, out.size());
    EXPECT_EQ(strings, (std::vector<std::string>{MAYFLY_NAME, MAYFLY_VERSION, MAYFLY_DATE}));
    EXPECT_TRUE(has_type_0(out));
}

TEST(smbios, finds_bios_information_behind_strings_of_every_length) {
    for (usize strings = 0; strings < 8; strings++) {
        std::vector<u8> structures = {1, 5, 0, 0, 9};
        structures.insert(structures.end(), strings, 'x');
        if (strings != 0)
            structures.push_back(0);
        else
            structures.insert(structures.end(), {0});
        structures.push_back(0);
        const usize second = structures.size();
        structures.insert(structures.end(), {0, 4, 1, 0, 0, 0});
        EXPECT_TRUE(has_type_0(structures)) << strings;
        structures[second] = 127;
        EXPECT_FALSE(has_type_0(structures)) << strings;
    }
}

TEST(smbios, stops_at_damaged_structures) {
    EXPECT_FALSE(has_type_0({}));
    EXPECT_FALSE(has_type_0({0, 4, 0}));
    EXPECT_FALSE(has_type_0({1, 0, 0, 0, 0, 0, 0, 4, 0, 0}));
    EXPECT_FALSE(has_type_0({1, 3, 0, 0, 0, 0, 0, 4, 0, 0}));
    EXPECT_FALSE(has_type_0({1, 255, 0, 0, 0, 0, 0, 4, 0, 0}));
    for (usize length = 4; length < 40; length++) {
        std::vector<u8> endless(length, 'x');
        endless[0] = 1;
        endless[1] = 4;
        EXPECT_FALSE(has_type_0(endless));
    }
    // What comes behind the end of the table is not one of its structures.
    EXPECT_FALSE(has_type_0({127, 4, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0}));
}

}  // namespace
}  // namespace mayfly::test
