// SPDX-License-Identifier: MIT
#include "tables/memory_map.hpp"

#include <random>

#include "tables/address_space.hpp"
#include "unit/expect.hpp"

namespace mayfly::test {
namespace {

using tables::memory_map;
using tables::memory_type;
using tables::range;
using tables::read_e820;

constexpr auto ram = memory_type::ram;
constexpr auto reserved = memory_type::reserved;

std::vector<u8> e820(const std::vector<abi::e820_entry>& entries) {
    std::vector<u8> out;
    for (const auto& entry : entries) {
        const auto part = bytes_of(entry);
        out.insert(out.end(), part.begin(), part.end());
    }
    return out;
}

std::string show(const memory_map& map) {
    std::string out;
    for (const auto& part : map.ranges()) {
        char line[80];
        std::snprintf(
            line, sizeof line, "%llx-%llx:%u ", static_cast<unsigned long long>(part.where.begin),
            static_cast<unsigned long long>(part.where.end), static_cast<unsigned>(part.type));
        out += line;
    }
    return out;
}

TEST(memory_map, cuts_splits_and_joins) {
    memory_map map;
    expect_ok(map.set({0x1000, 0x9000}, ram));
    EXPECT_EQ(show(map), "1000-9000:1 ");
    expect_ok(map.set({0x3000, 0x4000}, reserved));
    EXPECT_EQ(show(map), "1000-3000:1 3000-4000:2 4000-9000:1 ");
    expect_ok(map.set({0x2000, 0x5000}, memory_type::none));
    EXPECT_EQ(show(map), "1000-2000:1 5000-9000:1 ");
    expect_ok(map.set({0x2000, 0x5000}, ram));
    EXPECT_EQ(show(map), "1000-9000:1 ");
    expect_ok(map.set({0x9000, 0xa000}, reserved));
    expect_ok(map.set({0, 0x1000}, reserved));
    EXPECT_EQ(show(map), "0-1000:2 1000-9000:1 9000-a000:2 ");
    expect_ok(map.set({0, ~u64{0}}, ram));
    EXPECT_EQ(show(map), "0-ffffffffffffffff:1 ");
}

TEST(memory_map, ignores_an_empty_range) {
    memory_map map;
    expect_ok(map.set({5, 5}, ram));
    expect_ok(map.set({6, 5}, ram));
    EXPECT_TRUE(map.ranges().empty());
}

TEST(memory_map, is_the_same_as_one_type_per_page) {
    std::mt19937 random(1);
    for (int round = 0; round < 200; round++) {
        memory_map map;
        memory_type pages[64] = {};
        for (int step = 0; step < 40; step++) {
            const u32 begin = random() % 64;
            const u32 end = begin + random() % (65 - begin);
            const auto type = static_cast<memory_type>(random() % 4);
            expect_ok(map.set({begin, end}, type));
            for (u32 i = begin; i < end; i++)
                pages[i] = type;
        }
        u64 last = 0;
        auto last_type = memory_type::none;
        for (const auto& part : map.ranges()) {
            EXPECT_FALSE(part.where.empty());
            EXPECT_GE(part.where.begin, last);
            EXPECT_FALSE(part.where.begin == last && part.type == last_type) << show(map);
            last = part.where.end;
            last_type = part.type;
        }
        for (u32 i = 0; i < 64; i++) {
            auto type = memory_type::none;
            for (const auto& part : map.ranges()) {
                if (part.where.begin <= i && i < part.where.end)
                    type = part.type;
            }
            EXPECT_EQ(type, pages[i]) << show(map);
        }
    }
}

TEST(memory_map, says_where_it_is_full_and_stays_as_it_was) {
    memory_map map;
    for (u64 i = 0; i < memory_map::capacity; i++)
        expect_ok(map.set({2 * i, 2 * i + 1}, ram));
    EXPECT_EQ(map.ranges().size(), memory_map::capacity);
    const auto before = show(map);
    expect_sentence(map.set({0x100000000, 0x100000001}, ram),
                    "mayfly: memory map: too many ranges (at 0x100000000, limit 126)");
    EXPECT_EQ(show(map), before);
    // What joins two others still fits.
    expect_ok(map.set({1, 2}, ram));
    EXPECT_EQ(map.ranges().size(), memory_map::capacity - 1);
}

TEST(memory_map, splits_only_where_two_more_fit) {
    memory_map map;
    for (u64 i = 0; i + 1 < memory_map::capacity; i++)
        expect_ok(map.set({16 * i, 16 * i + 8}, ram));
    EXPECT_FALSE(map.set({4, 5}, reserved).ok());
    EXPECT_EQ(map.ranges().size(), memory_map::capacity - 1);
    expect_ok(map.set({0, 1}, reserved));
}

TEST(memory_map, finds_places) {
    memory_map map;
    expect_ok(map.set({0x1800, 0x5800}, ram));
    expect_ok(map.set({0x6000, 0x7000}, ram));
    const auto high = map.find_highest(0x1000, 0x1000, four_gib, ram);
    EXPECT_EQ(high.begin, 0x6000u);
    EXPECT_EQ(map.find_highest(0x1001, 0x1000, four_gib, ram).begin, 0x4000u);
    EXPECT_EQ(map.find_highest(0x1000, 0x1000, 0x6fff, ram).begin, 0x4000u);
    EXPECT_TRUE(map.find_highest(0x4000, 0x1000, four_gib, ram).empty());
    EXPECT_EQ(map.find_highest(0x4000, 1, four_gib, ram).begin, 0x1800u);
    EXPECT_TRUE(map.find_highest(~u64{0}, 1, four_gib, ram).empty());
    EXPECT_TRUE(map.find_highest(1, 1, 0x1800, ram).empty());
    EXPECT_EQ(map.find_lowest(0x1000, 0x1000, 0, four_gib, ram).begin, 0x2000u);
    EXPECT_EQ(map.find_lowest(0x1000, 0x1000, 0x4801, four_gib, ram).begin, 0x6000u);
    EXPECT_TRUE(map.find_lowest(0x1000, 0x1000, 0x6001, four_gib, ram).empty());
    EXPECT_TRUE(map.find_lowest(0x1000, 0x1000, 0, 0x2fff, ram).empty());
    EXPECT_TRUE(map.find_lowest(1, u64{1} << 63, 1, ~u64{0}, ram).empty());
}

TEST(memory_map, aligns_no_place_past_the_end_of_the_address_space) {
    memory_map map;
    expect_ok(map.set({~u64{0} - 100, ~u64{0}}, ram));
    EXPECT_TRUE(map.find_lowest(1, 0x1000, 0, ~u64{0}, ram).empty());
    EXPECT_TRUE(map.find_highest(1, 0x1000, ~u64{0}, ram).empty());
}

TEST(memory_map, knows_where_low_ram_ends) {
    memory_map map;
    EXPECT_EQ(map.low_ram_end(), 0u);
    expect_ok(map.set({0, 0xa0000}, ram));
    EXPECT_EQ(map.low_ram_end(), 0xa0000u);
    expect_ok(map.set({mib, 0x80000000}, ram));
    expect_ok(map.set({four_gib, 2 * four_gib}, ram));
    EXPECT_EQ(map.low_ram_end(), 0x80000000u);
}

TEST(read_e820, takes_ram_first_whatever_the_order) {
    auto content = e820({{0x8000, 0x1000, 2}, {0, 0x10000, 1}, {0x4000, 0x1000, 2}});
    memory_map map;
    expect_ok(read_e820(span_of(content), map));
    EXPECT_EQ(show(map), "0-4000:1 4000-5000:2 5000-8000:1 8000-9000:2 9000-10000:1 ");
}

TEST(read_e820, joins_overlaps) {
    auto content = e820({{0x1000, 0x2000, 1}, {0x2000, 0x2000, 1}, {0, 0x1000, 1}, {5, 0, 1}});
    memory_map map;
    expect_ok(read_e820(span_of(content), map));
    EXPECT_EQ(show(map), "0-4000:1 ");
}

TEST(read_e820, complains_of_a_part_of_an_entry) {
    for (const usize size : {1, 19, 21, 39}) {
        std::vector<u8> content(size);
        memory_map map;
        expect_sentence(read_e820(span_of(content), map),
                        "mayfly: etc/e820: not a whole number of entries (" + std::to_string(size) +
                            " bytes, 20 each)");
    }
    memory_map map;
    expect_ok(read_e820({}, map));
}

TEST(read_e820, complains_of_an_entry_that_wraps) {
    auto content = e820({{0, 0x1000, 1}, {0xffffffffffff0000, 0x10001, 2}});
    memory_map map;
    expect_sentence(read_e820(span_of(content), map),
                    "mayfly: etc/e820: entry runs past 2^64 (address 0xffffffffffff0000, length "
                    "0x10001)");
    content = e820({{1, ~u64{0}, 1}});
    EXPECT_FALSE(read_e820(span_of(content), map).ok());
    content = e820({{1, ~u64{0} - 1, 1}});
    memory_map whole;
    expect_ok(read_e820(span_of(content), whole));
    EXPECT_EQ(show(whole), "1-ffffffffffffffff:1 ");
}

TEST(read_e820, holds_as_many_ranges_as_its_capacity_and_no_more) {
    std::vector<abi::e820_entry> entries;
    for (u64 i = 0; i < memory_map::capacity; i++)
        entries.push_back({(memory_map::capacity - i) * 0x2000, 0x1000, 1});
    auto content = e820(entries);
    memory_map map;
    expect_ok(read_e820(span_of(content), map));
    for (u64 i = entries.size(); i < 200; i++)
        entries.push_back({i * 0x200000, 0x1000, 1});
    content = e820(entries);
    memory_map full;
    expect_sentence(read_e820(span_of(content), full),
                    "mayfly: memory map: too many ranges (at 0xfc00000, limit 126)");
}

TEST(address_space, claims_from_both_maps) {
    tables::address_space space;
    expect_ok(space.guest.set({mib, 2 * mib}, ram));
    expect_ok(space.free.set({mib, 2 * mib}, ram));
    const auto where = space.claim_high(1, 8, memory_type::nvs);
    expect_ok(where);
    EXPECT_EQ(where.value().begin, 2 * mib - page_size);
    EXPECT_EQ(where.value().size(), page_size);
    EXPECT_EQ(show(space.guest), "100000-1ff000:1 1ff000-200000:4 ");
    EXPECT_EQ(show(space.free), "100000-1ff000:1 ");
    const auto aligned = space.claim_high(1, 0x80000, ram);
    EXPECT_EQ(aligned.value().begin, 0x180000u);
    const auto none = space.claim_high(0xffffffff, 1, ram);
    expect_ok(none);
    EXPECT_TRUE(none.value().empty());
}

}  // namespace
}  // namespace mayfly::test
