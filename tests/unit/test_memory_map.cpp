// SPDX-License-Identifier: MIT
#include "tables/memory_map.hpp"

#include <array>
#include <random>

#include "abi/pvh.hpp"
#include "fakes/empty_map.hpp"
#include "unit/expect.hpp"

namespace mayfly::test {
namespace {

using tables::claimed_ram;
using tables::memory_map;
using tables::memory_type;
using tables::range;
using tables::read_e820;

constexpr auto none = memory_type::none;
constexpr auto ram = memory_type::ram;
constexpr auto reserved = memory_type::reserved;
constexpr u32 top = memory_map::top;
constexpr u32 base = mib;  ///< no place is looked for below
constexpr u64 last = ~u64{0};

const std::string full = "mayfly: memory map: too many parts (limit 126)";

std::vector<u8> e820(const std::vector<abi::e820_entry>& entries) {
    std::vector<u8> out;
    for (const auto& entry : entries) {
        const auto part = bytes_of(entry);
        out.insert(out.end(), part.begin(), part.end());
    }
    return out;
}

std::string show(u64 begin, u64 end, u32 type) {
    char line[80];
    std::snprintf(line, sizeof line, "%llx-%llx:%x ", static_cast<unsigned long long>(begin),
                  static_cast<unsigned long long>(end), type);
    return line;
}

/// The parts that have a type.
std::string show_parts(const memory_map& map) {
    std::string out;
    for (u32 i = 0; i < map.parts(); i++) {
        if (map.type(i) != none)
            out += show(map.part(i).begin, map.part(i).end, static_cast<u32>(map.type(i)));
    }
    return out;
}

/// What the guest is told, which must be the same for both strides.
std::vector<abi::e820_entry> entries_of(const memory_map& map) {
    std::vector<abi::e820_entry> out;
    for (const u32 stride : {u32{sizeof(abi::e820_entry)}, u32{sizeof(abi::pvh_memory_entry)}}) {
        // An exact allocation: writing past its end is found.
        std::vector<u8> to(memory_map::capacity * stride + sizeof(u32), 0xee);
        const u32 count = map.write_entries(to.data(), stride);
        EXPECT_LE(count, memory_map::capacity);
        std::vector<abi::e820_entry> entries;
        for (u32 i = 0; i < count; i++) {
            entries.push_back(load<abi::e820_entry>(span_of(to), i * stride));
            if (stride != sizeof(abi::e820_entry)) {
                EXPECT_EQ(load<abi::pvh_memory_entry>(span_of(to), i * stride).reserved, 0u);
            }
        }
        // Nothing is written behind the zeros that follow the last one.
        for (usize i = count == 0 ? 0 : count * stride + sizeof(u32); i < to.size(); i++)
            EXPECT_EQ(to[i], 0xee) << i;
        if (stride == sizeof(abi::e820_entry)) {
            out = entries;
            continue;
        }
        EXPECT_EQ(entries.size(), out.size());
        for (usize i = 0; i < entries.size() && i < out.size(); i++)
            EXPECT_EQ(bytes_of(entries[i]), bytes_of(out[i]));
    }
    return out;
}

std::string show_told(const memory_map& map) {
    std::string out;
    for (const auto& entry : entries_of(map))
        out += show(entry.address, entry.address + entry.length, entry.type);
    return out;
}

TEST(memory_map, cuts_splits_and_joins) {
    memory_map map = fakes::empty_map();
    EXPECT_EQ(map.parts(), 0u);
    EXPECT_EQ(show_told(map), "");
    map.set({0x1000, 0x9000}, ram);
    EXPECT_EQ(show_told(map), "1000-9000:1 ");
    map.set({0x3000, 0x4000}, reserved);
    EXPECT_EQ(show_told(map), "1000-3000:1 3000-4000:2 4000-9000:1 ");
    map.set({0x2000, 0x5000}, none);
    EXPECT_EQ(show_told(map), "1000-2000:1 5000-9000:1 ");
    map.set({0x2000, 0x5000}, ram);
    EXPECT_EQ(show_told(map), "1000-9000:1 ");
    EXPECT_EQ(show_parts(map), "1000-2000:1 2000-5000:1 5000-9000:1 ");
    map.set({0x9000, 0xa000}, reserved);
    map.set({0, 0x1000}, reserved);
    EXPECT_EQ(show_told(map), "0-1000:2 1000-9000:1 9000-a000:2 ");
    map.set({0, last}, ram);
    EXPECT_EQ(show_told(map), "0-ffffffffffffffff:1 ");
    EXPECT_EQ(show_parts(map), "0-ffffffffffffffff:1 ");
    EXPECT_EQ(map.parts(), 1u);
}

TEST(memory_map, covers_everything_from_0_without_a_hole) {
    memory_map map = fakes::empty_map();
    map.set({0x5000, 0x6000}, ram);
    ASSERT_EQ(map.parts(), 2u);
    EXPECT_EQ(map.part(0).begin, 0u);
    EXPECT_EQ(map.part(0).end, 0x5000u);
    EXPECT_EQ(map.type(0), none);
    EXPECT_EQ(map.part(1).begin, 0x5000u);
    EXPECT_EQ(map.part(1).end, 0x6000u);
    EXPECT_EQ(map.type(1), ram);
}

TEST(memory_map, ignores_an_empty_range) {
    memory_map map = fakes::empty_map();
    map.set({5, 5}, ram);
    map.set({6, 5}, ram);
    EXPECT_EQ(map.parts(), 0u);
    map.set({0, 16}, ram);
    map.set({8, 8}, reserved);
    map.set({16, 16}, reserved);
    map.set({last, 0}, reserved);
    EXPECT_EQ(show_parts(map), "0-10:1 ");
}

TEST(memory_map, splits_at_every_kind_of_place) {
    const auto with = [](range where, memory_type type) {
        memory_map map = fakes::empty_map();
        map.set({0x10, 0x20}, ram);
        map.set({0x20, 0x30}, reserved);
        map.set(where, type);
        return show_parts(map);
    };
    constexpr auto nvs = memory_type::nvs;
    // The whole of one part, its begin, its end, its middle.
    EXPECT_EQ(with({0x10, 0x20}, nvs), "10-20:4 20-30:2 ");
    EXPECT_EQ(with({0x10, 0x18}, nvs), "10-18:4 18-20:1 20-30:2 ");
    EXPECT_EQ(with({0x18, 0x20}, nvs), "10-18:1 18-20:4 20-30:2 ");
    EXPECT_EQ(with({0x14, 0x18}, nvs), "10-14:1 14-18:4 18-20:1 20-30:2 ");
    // Over a boundary, over several, over all of them.
    EXPECT_EQ(with({0x18, 0x28}, nvs), "10-18:1 18-28:4 28-30:2 ");
    EXPECT_EQ(with({0x10, 0x30}, nvs), "10-30:4 ");
    EXPECT_EQ(with({0x8, 0x38}, nvs), "8-38:4 ");
    EXPECT_EQ(with({0, last}, nvs), "0-ffffffffffffffff:4 ");
    // Before the first one, behind the last one, adjoining or not.
    EXPECT_EQ(with({0, 1}, nvs), "0-1:4 10-20:1 20-30:2 ");
    EXPECT_EQ(with({0x8, 0x10}, nvs), "8-10:4 10-20:1 20-30:2 ");
    EXPECT_EQ(with({0x30, 0x31}, nvs), "10-20:1 20-30:2 30-31:4 ");
    EXPECT_EQ(with({0x40, 0x50}, nvs), "10-20:1 20-30:2 40-50:4 ");
    EXPECT_EQ(with({0x28, 0x50}, nvs), "10-20:1 20-28:2 28-50:4 ");
    EXPECT_EQ(with({last - 1, last}, nvs), "10-20:1 20-30:2 fffffffffffffffe-ffffffffffffffff:4 ");
    // Taking out.
    EXPECT_EQ(with({0x10, 0x30}, none), "");
    EXPECT_EQ(with({0x18, 0x28}, none), "10-18:1 28-30:2 ");
    EXPECT_EQ(with({0x40, 0x50}, none), "10-20:1 20-30:2 ");
}

TEST(memory_map, begins_as_it_is_told) {
    constexpr memory_map::part_begin initial[] = {
        {0, ram}, {0x2000, reserved}, {0x5000, none}, {0x6000, claimed_ram}, {0x7000, none}};
    memory_map map(initial);
    EXPECT_EQ(show_parts(map), "0-2000:1 2000-5000:2 6000-7000:80000001 ");
    EXPECT_EQ(show_told(map), "0-2000:1 2000-5000:2 6000-7000:1 ");
    EXPECT_EQ(map.parts(), 4u);
    EXPECT_EQ(map.low_ram_end(), 0u);
    map.set({0x800, 0x5800}, memory_type::nvs);
    EXPECT_EQ(show_told(map), "0-800:1 800-5800:4 6000-7000:1 ");
    map.set({0x7000, 0x8000}, reserved);
    EXPECT_EQ(show_told(map), "0-800:1 800-5800:4 6000-7000:1 7000-8000:2 ");
}

TEST(memory_map, begins_with_as_many_parts_as_it_holds) {
    memory_map::part_begin most[memory_map::capacity + 1];
    for (u32 i = 0; i < memory_map::capacity; i++)
        most[i] = {i, i % 2 == 0 ? ram : reserved};
    most[memory_map::capacity] = {memory_map::capacity, none};
    memory_map map(most);
    EXPECT_EQ(map.parts(), memory_map::capacity);
    EXPECT_EQ(entries_of(map).size(), memory_map::capacity);
    expect_stop([&] { map.set({1000, 1001}, ram); }, full);
}

TEST(memory_map, is_the_same_as_one_type_per_page) {
    constexpr auto claimed_nvs =
        static_cast<memory_type>(static_cast<u32>(memory_type::nvs) | tables::claimed);
    constexpr std::array types = {
        none, ram, reserved, memory_type::acpi, memory_type::nvs, claimed_ram, claimed_nvs};
    std::mt19937 random(1);
    for (int round = 0; round < 200; round++) {
        memory_map map = fakes::empty_map();
        memory_type pages[64] = {};
        for (int step = 0; step < 40; step++) {
            const u32 begin = random() % 64;
            const u32 end = begin + random() % (65 - begin);
            const auto type = types[random() % types.size()];
            map.set({begin, end}, type);
            for (u32 i = begin; i < end; i++)
                pages[i] = type;
        }
        u64 at = 0;
        for (u32 i = 0; i < map.parts(); i++) {
            EXPECT_EQ(map.part(i).begin, at);
            EXPECT_FALSE(map.part(i).empty());
            at = map.part(i).end;
            for (u64 page = map.part(i).begin; page < at; page++)
                EXPECT_EQ(map.type(i), pages[page]) << show_parts(map);
        }
        for (u64 page = at; page < 64; page++)
            EXPECT_EQ(pages[page], none) << show_parts(map);

        // What is told: sorted, disjoint, neighbours joined, what is claimed as what it is.
        memory_type told_pages[64] = {};
        u64 end = 0;
        u32 type = 0;
        for (const auto& entry : entries_of(map)) {
            EXPECT_NE(entry.length, 0u);
            EXPECT_GE(entry.address, end);
            EXPECT_FALSE(entry.address == end && entry.type == type) << show_told(map);
            end = entry.address + entry.length;
            type = entry.type;
            ASSERT_LE(end, 64u);
            for (u64 page = entry.address; page < end; page++)
                told_pages[page] = static_cast<memory_type>(type);
        }
        for (u32 page = 0; page < 64; page++) {
            const u32 expected = static_cast<u32>(pages[page]) & ~tables::claimed;
            EXPECT_EQ(static_cast<u32>(told_pages[page]), expected) << show_told(map);
        }

        for (u32 first = 0; first < 64; first++) {
            bool all = true;
            for (u32 until = first + 1; until <= 64; until++) {
                all = all && (pages[until - 1] == ram || pages[until - 1] == claimed_ram);
                EXPECT_EQ(map.is_ram({first, until}), all) << first << " " << until;
            }
        }
    }
}

TEST(memory_map, says_that_it_is_full) {
    memory_map map = fakes::empty_map();
    for (u64 i = 0; i < memory_map::capacity; i++)
        map.set({16 * i, 16 * i + 16}, i % 2 == 0 ? ram : reserved);
    EXPECT_EQ(map.parts(), memory_map::capacity);
    EXPECT_EQ(entries_of(map).size(), memory_map::capacity);
    const u64 end = 16 * memory_map::capacity;
    for (const range where : {range{end, end + 1}, range{0x100000000, 0x100000001}, range{0, 1},
                              range{15, 16}, range{4, 5}, range{end - 1, end}, range{8, 24}}) {
        memory_map copy = map;
        expect_stop([&] { copy.set(where, memory_type::nvs); }, full);
    }
    // What cuts nothing still fits, and what joins others makes room.
    map.set({0, 16}, reserved);
    EXPECT_EQ(map.parts(), memory_map::capacity);
    map.set({16, 48}, ram);
    EXPECT_EQ(map.parts(), memory_map::capacity - 1);
    map.set({end, end + 1}, ram);
    EXPECT_EQ(map.parts(), memory_map::capacity);
}

TEST(memory_map, counts_the_holes_between_what_it_holds) {
    memory_map map = fakes::empty_map();
    for (u64 i = 0; i < memory_map::capacity / 2; i++)
        map.set({2 * i, 2 * i + 1}, ram);
    EXPECT_EQ(map.parts(), memory_map::capacity - 1);
    EXPECT_EQ(entries_of(map).size(), memory_map::capacity / 2);
    memory_map behind = map;
    expect_stop([&] { behind.set({0x100000000, 0x100000001}, ram); }, full);
    // What closes a hole still fits.
    map.set({1, 2}, ram);
    EXPECT_EQ(entries_of(map).size(), memory_map::capacity / 2 - 1);
}

TEST(memory_map, splits_only_where_two_more_fit) {
    memory_map map = fakes::empty_map();
    for (u64 i = 0; i + 1 < memory_map::capacity; i++)
        map.set({16 * i, 16 * i + 16}, ram);
    EXPECT_EQ(map.parts(), memory_map::capacity - 1);
    memory_map copy = map;
    expect_stop([&] { copy.set({4, 5}, reserved); }, full);
    map.set({0, 1}, reserved);
    EXPECT_EQ(map.parts(), memory_map::capacity);
}

/// Every part, those without a type included.
std::string show_all(const memory_map& map) {
    std::string out;
    for (u32 i = 0; i < map.parts(); i++)
        out += show(map.part(i).begin, map.part(i).end, static_cast<u32>(map.type(i)));
    return out;
}

/// Checks that what became of `before` is that [at, at + size) was taken, or nothing where `at` is
/// 0. Returns `at`.
template <typename Address>
Address took(const memory_map& before, const memory_map& after, Address at, u64 size,
             memory_type type) {
    memory_map expected = before;
    if (at != 0) {
        for (u32 i = 0; i < before.parts(); i++) {
            if (fakes::overlap(before.part(i), {at, at + size})) {
                EXPECT_EQ(before.type(i), ram) << show_all(before) << at;
            }
        }
        expected.set({at, at + size}, type);
    }
    EXPECT_EQ(show_all(after), show_all(expected)) << show_all(before) << at << " " << size;
    EXPECT_EQ(after.low_ram_end(), before.low_ram_end());
    return at;
}

// Claims from a copy, with all that must be true of any.

u32 highest(const memory_map& map, u32 size, u32 alignment, u32 limit,
            memory_type type = claimed_ram) {
    memory_map after = map;
    const u32 at = after.claim_highest(size, alignment, limit, type);
    EXPECT_EQ(at % page_size, 0u);
    return took(map, after, at, align_up<u64>(size, page_size), type);
}

u32 lowest(const memory_map& map, u32 size, u32 alignment, u32 floor) {
    memory_map after = map;
    return took(map, after, after.claim_lowest(size, alignment, floor), size, claimed_ram);
}

u64 above_4g(const memory_map& map, u32 size) {
    memory_map after = map;
    return took(map, after, after.claim_above_4g(size), size, claimed_ram);
}

TEST(memory_map, claims_places) {
    memory_map map = fakes::empty_map();
    map.set({base + 0x1800, base + 0x5800}, ram);
    map.set({base + 0x6000, base + 0x7000}, ram);
    EXPECT_EQ(highest(map, 0x1000, 0x1000, top), base + 0x6000);
    EXPECT_EQ(highest(map, 1, 1, top), base + 0x6000);
    EXPECT_EQ(highest(map, 0x1001, 0x1000, top), base + 0x3000);
    EXPECT_EQ(highest(map, 0x1000, 0x1000, base + 0x6fff), base + 0x4000);
    EXPECT_EQ(highest(map, 0x4000, 0x1000, top), 0u);
    EXPECT_EQ(highest(map, 0x3000, 1, top), base + 0x2000);
    EXPECT_EQ(highest(map, 0x3001, 1, top), 0u);
    EXPECT_EQ(highest(map, 0xffffffff, 1, top), 0u);
    EXPECT_EQ(highest(map, 1, 1, base + 0x1800), 0u);
    EXPECT_EQ(highest(map, 1, 1, base + 0x2fff), 0u);
    EXPECT_EQ(highest(map, 1, 1, base + 0x3000), base + 0x2000);
    EXPECT_EQ(highest(map, 1, 1, base + 0x37ff), base + 0x2000);
    EXPECT_EQ(highest(map, 1, 1, 0), 0u);
    EXPECT_EQ(lowest(map, 0x1000, 0x1000, 0), base + 0x2000);
    EXPECT_EQ(lowest(map, 0x1000, 0x1000, base + 0x4801), base + 0x6000);
    EXPECT_EQ(lowest(map, 0x1000, 0x1000, base + 0x6000), base + 0x6000);
    EXPECT_EQ(lowest(map, 0x1000, 0x1000, base + 0x6001), 0u);
    EXPECT_EQ(lowest(map, 1, 1, 0), base + 0x1800);
    EXPECT_EQ(lowest(map, 1, 1, base + 0x2345), base + 0x2345);
    EXPECT_EQ(lowest(map, 0x4000, 1, 0), base + 0x1800);
    EXPECT_EQ(lowest(map, 0x4001, 1, 0), 0u);
    EXPECT_EQ(lowest(map, 0xffffffff, 1, 0), 0u);
    EXPECT_EQ(lowest(map, 1, 0x80000000, 1), 0u);
    EXPECT_EQ(highest(map, 1, 0x80000000, top), 0u);
    EXPECT_EQ(highest(fakes::empty_map(), 1, 1, top), 0u);
    EXPECT_EQ(lowest(fakes::empty_map(), 1, 1, 0), 0u);
    EXPECT_EQ(above_4g(fakes::empty_map(), 1), 0u);
}

TEST(memory_map, claims_only_free_ram_above_1_mib) {
    memory_map map = fakes::empty_map();
    map.set({0, 0xa0000}, ram);
    map.set({base, base + 0x1000}, claimed_ram);
    map.set({base + 0x1000, base + 0x2000}, reserved);
    map.set({base + 0x2000, base + 0x3000}, memory_type::acpi);
    map.set({base + 0x3000, base + 0x4000}, memory_type::nvs);
    EXPECT_EQ(highest(map, 1, 1, top), 0u);
    EXPECT_EQ(lowest(map, 1, 1, 0), 0u);
    map.set({base, base + 1}, ram);
    EXPECT_EQ(highest(map, 1, 1, top), 0u);
    EXPECT_EQ(lowest(map, 1, 1, 0), base);
    EXPECT_EQ(lowest(map, 2, 1, 0), 0u);
    map.set({base, base + 0x1000}, ram);
    EXPECT_EQ(highest(map, 1, 1, top), base);
    EXPECT_EQ(highest(map, 0x1001, 1, top), 0u);
    EXPECT_EQ(lowest(map, 0x1000, 1, 0), base);
    EXPECT_EQ(lowest(map, 0x1001, 1, 0), 0u);
}

TEST(memory_map, claims_nothing_below_1_mib_whatever_the_limit) {
    memory_map map = fakes::empty_map();
    map.set({0, 32 * mib}, ram);
    EXPECT_EQ(highest(map, 1, 1, base), 0u);
    EXPECT_EQ(highest(map, 1, 1, base + 0xfff), 0u);
    EXPECT_EQ(highest(map, 1, 1, base + 0x1000), base);
    EXPECT_EQ(highest(map, 0x1001, 1, base + 0x1000), 0u);
    EXPECT_EQ(lowest(map, 1, 1, 0), base);
    EXPECT_EQ(lowest(map, 31 * mib, 1, 0), base);
    EXPECT_EQ(lowest(map, 31 * mib + 1, 1, 0), 0u);
    for (const u32 limit : {0u, 1u, 0x1000u, base - 1}) {
        for (const u32 size : {1u, 0x2000u, base, 31 * base})
            EXPECT_EQ(highest(map, size, 1, limit), 0u) << size << " " << limit;
    }
}

TEST(memory_map, claims_places_up_to_the_last_page_below_4_gib) {
    memory_map map = fakes::empty_map();
    map.set({base, four_gib + gib}, ram);
    EXPECT_EQ(highest(map, 1, 1, top), top - 0x1000);
    EXPECT_EQ(highest(map, 0x1000, 0x1000, top), top - 0x1000);
    EXPECT_EQ(highest(map, top - base, 1, top), base);
    EXPECT_EQ(highest(map, top - base + 1, 1, top), 0u);
    EXPECT_EQ(lowest(map, top - base, 1, 0), base);
    EXPECT_EQ(lowest(map, top - base + 1, 1, 0), 0u);
    EXPECT_EQ(lowest(map, 1, 1, top - 1), top - 1);
    EXPECT_EQ(lowest(map, 2, 1, top - 1), 0u);
    for (const u32 floor : {top, top + 1, 0xffffffffu})
        EXPECT_EQ(lowest(map, 1, 1, floor), 0u) << floor;
    for (const u32 size : {0xffffffffu, 0xfffffffeu, 0xfffff001u, 0xfffff000u, 0xffffefffu}) {
        EXPECT_EQ(highest(map, size, 1, top), 0u) << size;
        EXPECT_EQ(highest(map, size, 0x1000, top), 0u) << size;
        EXPECT_EQ(lowest(map, size, 1, 0), 0u) << size;
        EXPECT_EQ(lowest(map, size, 0x1000, 0), 0u) << size;
    }
    // An alignment that leaves one place, and one that leaves too little of it.
    EXPECT_EQ(highest(map, 0x1000, 0x80000000, top), 0x80000000u);
    EXPECT_EQ(lowest(map, 0x1000, 0x80000000, 0), 0x80000000u);
    EXPECT_EQ(highest(map, top - 0x80000000, 0x80000000, top), 0x80000000u);
    EXPECT_EQ(highest(map, top - 0x80000000 + 1, 0x80000000, top), 0u);
    EXPECT_EQ(lowest(map, top - 0x80000000 + 1, 0x80000000, 0), 0u);
    EXPECT_EQ(lowest(map, 1, 0x80000000, 0x80000001), 0u);
    EXPECT_EQ(highest(map, 1, 0x80000000, 0x80000000), 0u);
}

TEST(memory_map, aligns_no_place_past_the_end_of_the_address_space) {
    memory_map map = fakes::empty_map();
    map.set({0xffffe800, four_gib}, ram);
    EXPECT_EQ(lowest(map, 1, 0x1000, 0), 0u);
    EXPECT_EQ(lowest(map, 1, 0x80000000, 0), 0u);
    EXPECT_EQ(highest(map, 1, 0x1000, top), 0u);
    EXPECT_EQ(lowest(map, 0x800, 1, 0), 0xffffe800u);
    EXPECT_EQ(lowest(map, 0x801, 1, 0), 0u);
    map.set({0xffffe000, 0xffffe800}, reserved);
    EXPECT_EQ(highest(map, 1, 1, top), 0u);
    map.set({0xffffe000, four_gib}, ram);
    EXPECT_EQ(highest(map, 1, 1, top), 0xffffe000u);
    EXPECT_EQ(highest(map, 0x1001, 1, top), 0u);
    memory_map beyond = fakes::empty_map();
    beyond.set({top, four_gib}, ram);
    EXPECT_EQ(highest(beyond, 1, 1, top), 0u);
    EXPECT_EQ(lowest(beyond, 1, 1, 0), 0u);
    EXPECT_EQ(lowest(beyond, 1, 1, top), 0u);
    memory_map end = fakes::empty_map();
    end.set({last - 100, last}, ram);
    EXPECT_EQ(lowest(end, 1, 1, 0), 0u);
    EXPECT_EQ(highest(end, 1, 1, top), 0u);
}

TEST(memory_map, claims_places_above_4_gib) {
    memory_map map = fakes::empty_map();
    map.set({base, 0x80000000}, ram);
    EXPECT_EQ(above_4g(map, 1), 0u);
    map.set({four_gib, four_gib + 0x3000}, ram);
    EXPECT_EQ(above_4g(map, 0x3000), four_gib);
    EXPECT_EQ(above_4g(map, 0x2fff), four_gib);
    EXPECT_EQ(above_4g(map, 0x3001), 0u);
    EXPECT_EQ(above_4g(map, 0xffffffff), 0u);
    map.set({four_gib, four_gib + 0x1000}, claimed_ram);
    EXPECT_EQ(above_4g(map, 1), four_gib + 0x1000);
    EXPECT_EQ(above_4g(map, 0x2000), four_gib + 0x1000);
    EXPECT_EQ(above_4g(map, 0x2001), 0u);
    map.set({four_gib + 0x4000, four_gib + 0x5fff}, ram);
    EXPECT_EQ(above_4g(map, 0x2000), four_gib + 0x1000);
    EXPECT_EQ(above_4g(map, 0x2001), 0u);
    map.set({8 * four_gib, 9 * four_gib}, ram);
    EXPECT_EQ(above_4g(map, 0xffffffff), 8 * four_gib);
    memory_map end = fakes::empty_map();
    end.set({last - 100, last}, ram);
    EXPECT_EQ(above_4g(end, 100), last - 100);
    EXPECT_EQ(above_4g(end, 101), 0u);
}

/// Whether one part of free RAM holds the place: parts that adjoin are looked at one by one.
bool is_free(const memory_map& map, u64 at, u64 size) {
    for (u32 i = 0; i < map.parts(); i++) {
        if (map.type(i) == ram && map.part(i).begin <= at && at + size <= map.part(i).end)
            return true;
    }
    return false;
}

// By trying every place below `end`.

u32 highest_place(const memory_map& map, u32 size, u32 alignment, u32 limit, u32 end) {
    if (alignment < page_size)
        alignment = page_size;
    const u32 pages = align_up(size, page_size);
    for (u32 at = align_down(end, alignment); at >= base; at -= alignment) {
        if (at + pages <= limit && is_free(map, at, pages))
            return at;
    }
    return 0;
}

u32 lowest_place(const memory_map& map, u32 size, u32 alignment, u32 floor, u32 end) {
    for (u32 at = align_up(base, alignment); at < end; at += alignment) {
        if (at >= floor && is_free(map, at, size))
            return at;
    }
    return 0;
}

TEST(memory_map, claims_what_trying_every_place_finds) {
    constexpr u32 size = 256;
    std::mt19937 random(2);
    const auto below = [&](u32 limit) { return static_cast<u32>(random() % limit); };
    u32 found = 0;
    for (int round = 0; round < 300; round++) {
        // Boundaries at every byte, and at every quarter of a page.
        memory_map bytes_map = fakes::empty_map(), pages_map = fakes::empty_map();
        constexpr u32 quarter = page_size / 4;
        for (int i = 0; i < 6; i++) {
            const auto type = i % 3 == 2 ? claimed_ram : ram;
            const u32 begin = below(size), length = below(size);
            bytes_map.set({base + begin, base + begin + length}, type);
            pages_map.set({base + quarter * begin, base + quarter * (begin + length)}, type);
        }
        for (int i = 0; i < 40; i++) {
            const u32 wanted = 1 + below(40), alignment = 1u << below(8);
            const u32 floor = base - 8 + below(2 * size);
            EXPECT_EQ(lowest(bytes_map, wanted, alignment, floor),
                      lowest_place(bytes_map, wanted, alignment, floor, base + 2 * size))
                << show_parts(bytes_map) << wanted << " " << alignment << " " << floor;
            const u32 pages = 1 + below(10 * page_size), page_alignment = 1u << below(18);
            const u32 limit = base - 8 * quarter + below(2 * size * quarter);
            const u32 at = highest(pages_map, pages, page_alignment, limit, memory_type::nvs);
            EXPECT_EQ(at, highest_place(pages_map, pages, page_alignment, limit,
                                        base + 2 * size * quarter))
                << show_parts(pages_map) << pages << " " << page_alignment << " " << limit;
            found += at != 0 ? 1 : 0;
        }
    }
    EXPECT_GT(found, 3000u);
    EXPECT_LT(found, 9000u);
}

TEST(memory_map, claims_one_place_after_another_until_nothing_is_left) {
    std::mt19937 random(5);
    for (int round = 0; round < 50; round++) {
        memory_map map = fakes::empty_map();
        map.note_low_ram_end(mib + 64 * page_size);
        map.set({mib, mib + 64 * page_size}, ram);
        map.set({four_gib, four_gib + 64 * page_size}, ram);
        u64 free = 128 * page_size;
        for (int i = 0; i < 60; i++) {
            const memory_map before = map;
            const u32 size = 1 + random() % (3 * page_size), alignment = 1u << random() % 14;
            u64 at = 0, taken = size;
            switch (random() % 3) {
                case 0:
                    taken = align_up(size, page_size);
                    at = map.claim_highest(size, alignment, top, claimed_ram);
                    break;
                case 1:
                    at = map.claim_lowest(size, alignment, 0);
                    break;
                default:
                    at = map.claim_above_4g(size);
                    break;
            }
            took(before, map, at, taken, claimed_ram);
            free -= at != 0 ? taken : 0;
        }
        u64 left = 0;
        for (u32 i = 0; i < map.parts(); i++)
            left += map.type(i) == ram ? map.part(i).size() : 0;
        EXPECT_EQ(left, free);
        // The guest sees nothing of it.
        EXPECT_EQ(show_told(map), "100000-140000:1 100000000-100040000:1 ");
    }
}

TEST(memory_map, claims_only_where_the_parts_fit) {
    // One RAM part from 1 MiB on, and so many others that `left` more fit.
    const auto with_room_for = [](u32 left) {
        memory_map map = fakes::empty_map();
        map.set({mib, 2 * mib}, ram);
        for (u64 i = 0; map.parts() + left < memory_map::capacity; i++)
            map.set({8 * mib + i, 8 * mib + i + 1}, i % 2 == 0 ? reserved : memory_type::nvs);
        EXPECT_EQ(map.parts() + left, memory_map::capacity);
        return map;
    };
    memory_map exact = with_room_for(0);
    EXPECT_EQ(highest(exact, mib, 1, top), mib);
    EXPECT_EQ(lowest(exact, mib, 1, 0), mib);
    expect_stop([&] { (void)exact.claim_highest(1, 1, top, claimed_ram); }, full);
    exact = with_room_for(0);
    expect_stop([&] { (void)exact.claim_lowest(1, 1, 0); }, full);
    memory_map one = with_room_for(1);
    EXPECT_EQ(highest(one, 1, 1, top), 2 * mib - page_size);
    EXPECT_EQ(lowest(one, 1, 1, 0), mib);
    expect_stop([&] { (void)one.claim_highest(1, 1, 2 * mib - 1, claimed_ram); }, full);
    one = with_room_for(1);
    expect_stop([&] { (void)one.claim_lowest(1, 1, mib + 1); }, full);
    const memory_map two = with_room_for(2);
    EXPECT_EQ(highest(two, 1, 1, 2 * mib - 1), 2 * mib - 2 * page_size);
    EXPECT_EQ(lowest(two, 1, 1, mib + 1), mib + 1);
}

TEST(memory_map, knows_ram_over_any_number_of_parts) {
    memory_map map = fakes::empty_map();
    EXPECT_FALSE(map.is_ram({0, 1}));
    map.set({0x1000, 0x4000}, ram);
    map.set({0x2000, 0x3000}, claimed_ram);
    EXPECT_TRUE(map.is_ram({0x1000, 0x4000}));
    EXPECT_TRUE(map.is_ram({0x1fff, 0x2001}));
    EXPECT_TRUE(map.is_ram({0x2000, 0x3000}));
    EXPECT_TRUE(map.is_ram({0x1000, 0x1001}));
    EXPECT_TRUE(map.is_ram({0x3fff, 0x4000}));
    EXPECT_FALSE(map.is_ram({0xfff, 0x1001}));
    EXPECT_FALSE(map.is_ram({0x3fff, 0x4001}));
    EXPECT_FALSE(map.is_ram({0, 1}));
    EXPECT_FALSE(map.is_ram({0x4000, 0x4001}));
    EXPECT_FALSE(map.is_ram({last - 1, last}));
    EXPECT_FALSE(map.is_ram({0, last}));
    map.set({0x5000, 0x6000}, ram);
    EXPECT_FALSE(map.is_ram({0x3000, 0x6000}));
    map.set({0x4000, 0x5000}, claimed_ram);
    EXPECT_TRUE(map.is_ram({0x1000, 0x6000}));
    for (const auto type : {none, reserved, memory_type::acpi, memory_type::nvs}) {
        map.set({0x4fff, 0x5000}, type);
        EXPECT_FALSE(map.is_ram({0x1000, 0x6000}));
        EXPECT_FALSE(map.is_ram({0x4fff, 0x5000}));
        EXPECT_TRUE(map.is_ram({0x1000, 0x4fff}));
        EXPECT_TRUE(map.is_ram({0x5000, 0x6000}));
    }
    map.set({four_gib - 1, four_gib + 1}, ram);
    EXPECT_TRUE(map.is_ram({four_gib - 1, four_gib + 1}));
}

TEST(memory_map, knows_what_is_claimed) {
    memory_map map = fakes::empty_map();
    EXPECT_FALSE(map.is_claimed(0));
    EXPECT_FALSE(map.is_claimed(0xffffffff));
    map.set({0x1000, 0x9000}, ram);
    map.set({0x2000, 0x3000}, claimed_ram);
    map.set({0x4000, 0x5000}, tables::our_ram);
    map.set({0x6000, 0x7000},
            static_cast<memory_type>(static_cast<u32>(memory_type::nvs) | tables::claimed));
    for (u32 page = 0; page < 0xa; page++) {
        EXPECT_EQ(map.is_claimed(page << 12), page == 2);
        EXPECT_EQ(map.is_claimed((page << 12) + 0xfff), page == 2);
    }
    map.set({0, 0x1000}, claimed_ram);
    EXPECT_TRUE(map.is_claimed(0));
    map.set({0xfffff000, four_gib + page_size}, claimed_ram);
    EXPECT_FALSE(map.is_claimed(0xffffefff));
    EXPECT_TRUE(map.is_claimed(0xffffffff));
}

TEST(memory_map, claims_whole_pages_as_high_as_it_can) {
    memory_map map = fakes::empty_map();
    map.set({mib, 2 * mib}, ram);
    EXPECT_EQ(map.claim_highest(1, 8, top, memory_type::nvs), 2 * mib - page_size);
    EXPECT_EQ(show_told(map), "100000-1ff000:1 1ff000-200000:4 ");
    EXPECT_EQ(map.claim_highest(1, 0x80000, top, claimed_ram), 0x180000u);
    EXPECT_EQ(show_parts(map),
              "100000-180000:1 180000-181000:80000001 181000-1ff000:1 1ff000-200000:4 ");
    EXPECT_EQ(show_told(map), "100000-1ff000:1 1ff000-200000:4 ");
    EXPECT_EQ(map.claim_highest(page_size + 1, 1, top, reserved), 0x1fd000u);
    EXPECT_EQ(show_told(map), "100000-1fd000:1 1fd000-1ff000:2 1ff000-200000:4 ");
    const auto before = show_parts(map);
    for (const u32 size : {0xffffffffu, 0xfffff001u, 0xfffff000u, 0x80001u})
        EXPECT_EQ(map.claim_highest(size, 1, top, ram), 0u) << size;
    EXPECT_EQ(map.claim_highest(1, 0x80000000, top, ram), 0u);
    EXPECT_EQ(show_parts(map), before);
    EXPECT_EQ(map.claim_highest(0x80000, 1, top, claimed_ram), mib);
}

TEST(memory_map, claims_no_size_that_wraps) {
    memory_map map = fakes::empty_map();
    map.set({mib, four_gib}, ram);
    for (u64 size = 0xfffff001; size < four_gib; size += 0x7f)
        EXPECT_EQ(map.claim_highest(static_cast<u32>(size), 1, top, reserved), 0u) << size;
    EXPECT_EQ(map.claim_highest(0xffffffff, 1, top, reserved), 0u);
    EXPECT_EQ(map.claim_highest(0xfffff000, 1, top, reserved), 0u);
    EXPECT_EQ(map.claim_highest(top - base + 1, 1, top, reserved), 0u);
    EXPECT_EQ(show_parts(map), "100000-100000000:1 ");
    EXPECT_EQ(map.claim_highest(top - base, 1, top, reserved), base);
    EXPECT_EQ(show_told(map), "100000-fffff000:2 fffff000-100000000:1 ");
    EXPECT_EQ(map.claim_highest(1, 1, top, reserved), 0u);
}

TEST(memory_map, claims_in_whole_pages_where_ram_ends_within_one) {
    memory_map map = fakes::empty_map();
    map.set({mib, mib + 0x3800}, ram);
    EXPECT_EQ(map.claim_highest(1, 1, top, reserved), mib + 0x2000);
    EXPECT_EQ(show_told(map), "100000-102000:1 102000-103000:2 103000-103800:1 ");
}

TEST(memory_map, knows_where_low_ram_ends) {
    memory_map map = fakes::empty_map();
    EXPECT_EQ(map.low_ram_end(), 0u);
    map.note_low_ram_end(0xa0000);
    EXPECT_EQ(map.low_ram_end(), 0xa0000u);
    map.note_low_ram_end(0x80000000);
    EXPECT_EQ(map.low_ram_end(), 0x80000000u);
    // What is taken later does not change it.
    map.set({mib, 0x80000000}, ram);
    (void)map.claim_highest(1, 1, top, reserved);
    EXPECT_EQ(map.low_ram_end(), 0x80000000u);
    for (const u64 end : {u64{top}, u64{top} + 1, four_gib, four_gib + mib, last}) {
        memory_map whole = fakes::empty_map();
        whole.note_low_ram_end(end);
        EXPECT_EQ(whole.low_ram_end(), top);
    }
}

TEST(memory_map, tells_claimed_ram_as_ram_and_neighbours_as_one) {
    memory_map map = fakes::empty_map();
    map.set({0x1000, 0x2000}, claimed_ram);
    EXPECT_EQ(show_told(map), "1000-2000:1 ");
    map.set({0x2000, 0x3000}, ram);
    map.set({0x3000, 0x4000}, claimed_ram);
    map.set({0x4000, 0x5000}, reserved);
    map.set({0x5000, 0x6000}, reserved);
    map.set({0x7000, 0x8000}, reserved);
    EXPECT_EQ(show_told(map), "1000-4000:1 4000-6000:2 7000-8000:2 ");
    EXPECT_EQ(map.parts(), 8u);
    // What was taken out leaves parts without a type at the end, too.
    map.set({0x4000, 0x5000}, none);
    map.set({0x7000, 0x8000}, none);
    EXPECT_EQ(show_told(map), "1000-4000:1 5000-6000:2 ");
    map.set({0x1000, 0x8000}, none);
    EXPECT_EQ(show_told(map), "");
}

TEST(read_e820, takes_ram_first_whatever_the_order) {
    auto content = e820({{mib + 0x8000, 0x1000, 2}, {mib, 0x10000, 1}, {mib + 0x4000, 0x1000, 2}});
    memory_map map = fakes::empty_map();
    read_e820(span_of(content), map);
    EXPECT_EQ(show_told(map),
              "100000-104000:1 104000-105000:2 105000-108000:1 108000-109000:2 109000-110000:1 ");
}

TEST(read_e820, joins_overlaps) {
    auto content =
        e820({{mib + 0x1000, 0x2000, 1}, {mib + 0x2000, 0x2000, 1}, {mib, 0x1000, 1}, {5, 0, 1}});
    memory_map map = fakes::empty_map();
    read_e820(span_of(content), map);
    EXPECT_EQ(show_told(map), "100000-104000:1 ");
}

TEST(read_e820, leaves_out_ram_below_1_mib_and_nothing_else) {
    auto content = e820({{0, 0xa0000, 1},
                         {0x8000, 0x1000, 2},
                         {0xfffff, 1, 1},
                         {0xff000, 0x1001, 1},
                         {0xf0000, 0x8000, 3}});
    memory_map map = fakes::empty_map();
    read_e820(span_of(content), map);
    EXPECT_EQ(show_told(map), "8000-9000:2 f0000-f8000:3 100000-100001:1 ");
    EXPECT_EQ(map.low_ram_end(), mib + 1);
    content = e820({{0, 2 * four_gib, 1}});
    memory_map whole = fakes::empty_map();
    read_e820(span_of(content), whole);
    EXPECT_EQ(show_told(whole), "100000-200000000:1 ");
    EXPECT_EQ(whole.low_ram_end(), top);
}

TEST(read_e820, knows_where_low_ram_ends) {
    const struct {
        std::vector<abi::e820_entry> entries;
        u32 end;
    } cases[] = {{{{four_gib, gib, 1}}, 0},
                 {{{0, 0x80000000, 1}, {four_gib, gib, 1}}, 0x80000000},
                 {{{0, 0x80000000, 1}, {0x7ff00000, 0x100000, 2}}, 0x80000000},
                 {{{0xc0000000, 0x10000, 2}}, 0},
                 {{{0, four_gib, 1}}, top},
                 {{{0xffffffff, 1, 1}}, 0}};
    for (const auto& one : cases) {
        auto content = e820(one.entries);
        memory_map map = fakes::empty_map();
        read_e820(span_of(content), map);
        EXPECT_EQ(map.low_ram_end(), one.end);
    }
}

TEST(read_e820, knows_where_the_ram_that_holds_1_mib_ends_however_it_is_told) {
    const struct {
        std::vector<abi::e820_entry> entries;
        u32 end;
    } cases[] = {{{{0, 0xa0000, 1}}, 0},
                 {{{mib, gib, 1}}, mib + gib},
                 {{{0, 0xa0000, 1}, {mib, gib, 1}}, mib + gib},
                 {{{mib, gib, 1}, {0, 0xa0000, 1}}, mib + gib},
                 {{{0, gib, 1}, {0, 2 * mib, 1}}, gib},
                 // RAM that does not hold 1 MiB, before and behind.
                 {{{0, gib, 1}, {0x80000000, gib, 1}}, gib},
                 {{{0x80000000, gib, 1}, {0, gib, 1}}, gib},
                 {{{mib + 1, gib, 1}}, 0},
                 {{{0xfffff, 1, 1}}, 0},
                 {{{0xfffff, 2, 1}}, mib + 1},
                 // What reserves 1 MiB is no RAM.
                 {{{0, gib, 2}, {0x80000000, gib, 1}}, 0}};
    for (const auto& one : cases) {
        auto content = e820(one.entries);
        memory_map map = fakes::empty_map();
        read_e820(span_of(content), map);
        EXPECT_EQ(map.low_ram_end(), one.end);
    }
}

TEST(read_e820, takes_no_bit_that_is_its_own) {
    auto content = e820({{mib, 16 * mib, 1},
                         {2 * mib, mib, 0x80000000},
                         {4 * mib, mib, 0xc0000001},
                         {6 * mib, mib, 0},
                         {8 * mib, mib, 0xffffffff},
                         {10 * mib, mib, 0x80000002},
                         {64 * mib, mib, 0x80000001},
                         {0x80000, 0x1000, 0x80000001}});
    memory_map map = fakes::empty_map();
    read_e820(span_of(content), map);
    EXPECT_EQ(show_told(map),
              "100000-200000:1 300000-600000:1 700000-800000:1 800000-900000:3fffffff "
              "900000-a00000:1 a00000-b00000:2 b00000-1100000:1 4000000-4100000:1 ");
    for (u32 i = 0; i < map.parts(); i++)
        EXPECT_EQ(static_cast<u32>(map.type(i)) & 0xc0000000, 0u) << show_parts(map);
    EXPECT_FALSE(map.is_ram({2 * mib, 3 * mib}));
    EXPECT_TRUE(map.is_ram({4 * mib, 5 * mib}));
    EXPECT_EQ(map.low_ram_end(), 17 * mib);
}

TEST(read_e820, complains_of_a_part_of_an_entry) {
    for (const usize size : {1, 19, 21, 39}) {
        std::vector<u8> content(size);
        memory_map map = fakes::empty_map();
        expect_stop([&] { read_e820(span_of(content), map); },
                    "mayfly: etc/e820: not a whole number of entries (" + std::to_string(size) +
                        " bytes, 20 each)");
    }
    memory_map map = fakes::empty_map();
    read_e820({}, map);
    EXPECT_EQ(map.parts(), 0u);
}

TEST(read_e820, complains_of_an_entry_that_wraps) {
    auto content = e820({{0, 0x1000, 1}, {0xffffffffffff0000, 0x10001, 2}});
    memory_map map = fakes::empty_map();
    expect_stop([&] { read_e820(span_of(content), map); },
                "mayfly: etc/e820: entry runs past 2^64 (address 0xffffffffffff0000, length "
                "0x10001)");
    content = e820({{1, last, 1}});
    expect_stop([&] { read_e820(span_of(content), map); },
                "mayfly: etc/e820: entry runs past 2^64 (address 0x1, length "
                "0xffffffffffffffff)");
    content = e820({{1, last - 1, 1}});
    memory_map whole = fakes::empty_map();
    read_e820(span_of(content), whole);
    EXPECT_EQ(show_told(whole), "100000-ffffffffffffffff:1 ");
}

TEST(read_e820, holds_as_many_ranges_as_its_capacity_and_no_more) {
    std::vector<abi::e820_entry> entries;
    for (u64 i = 0; i < memory_map::capacity / 2; i++)
        entries.push_back({mib + (memory_map::capacity - i) * 0x2000, 0x1000, 1});
    auto content = e820(entries);
    memory_map map = fakes::empty_map();
    read_e820(span_of(content), map);
    EXPECT_EQ(map.parts(), memory_map::capacity);
    EXPECT_EQ(entries_of(map).size(), entries.size());
    for (u64 i = entries.size(); i < 200; i++)
        entries.push_back({i * 0x200000, 0x1000, 1});
    content = e820(entries);
    memory_map more = fakes::empty_map();
    expect_stop([&] { read_e820(span_of(content), more); }, full);
}

}  // namespace
}  // namespace mayfly::test
