// SPDX-License-Identifier: MIT
#include "boot/multiboot.hpp"

#include "fakes/empty_map.hpp"
#include "fakes/fake_ram.hpp"
#include "unit/expect.hpp"

namespace mayfly::test {
namespace {

using abi::multiboot_map_entry;
using tables::memory_map;
using tables::memory_type;

constexpr u32 work_begin = 0x1000, work_end = 0x3000;

struct told {
    abi::multiboot_info info;
    std::vector<multiboot_map_entry> map;
};

told tell(const memory_map& map, abi::multiboot_info info = {}) {
    fakes::fake_ram ram(work_end);
    arena work{ram.view(), work_begin, work_end};
    boot::add_memory(info, map, work);
    const auto* const entries = reinterpret_cast<const multiboot_map_entry*>(
        ram.view().at(info.map, info.map_length).data());
    return {info, {entries, entries + info.map_length / sizeof *entries}};
}

memory_map map_of(u64 lower, u64 upper) {
    auto map = fakes::empty_map();
    map.set({0, lower}, memory_type::ram);
    map.set({lower, mib}, memory_type::reserved);
    map.set({mib, upper}, memory_type::ram);
    return map;
}

TEST(multiboot, tells_the_whole_map) {
    auto map = map_of(639 * kib, 64 * mib);
    map.set({four_gib, 2 * four_gib}, memory_type::ram);
    const auto out = tell(map);
    ASSERT_EQ(out.map.size(), 4u);
    for (const auto& entry : out.map)
        EXPECT_EQ(entry.size, 20u);
    EXPECT_EQ(out.map[0].part.length, 639u * kib);
    EXPECT_EQ(out.map[1].part.type, static_cast<u32>(memory_type::reserved));
    EXPECT_EQ(out.map[2].part.address, mib);
    EXPECT_EQ(out.map[3].part.address, four_gib);
    EXPECT_EQ(out.map[3].part.length, four_gib);
}

TEST(multiboot, counts_memory_up_to_the_first_hole) {
    auto map = map_of(639 * kib, 64 * mib);
    map.set({2 * mib, 3 * mib}, tables::claimed_ram);  // is RAM to the guest
    map.set({63 * mib, 64 * mib}, memory_type::nvs);
    const auto out = tell(map);
    EXPECT_EQ(out.info.memory_lower, 639u);
    EXPECT_EQ(out.info.memory_upper, 62u * 1024);
}

TEST(multiboot, keeps_what_is_there_but_the_boot_device) {
    abi::multiboot_info info{};
    info.flags = 1u << 1 | 1u << 2 | 1u << 3;
    info.command_line = 0x1234;
    info.module_count = 2;
    const auto out = tell(map_of(639 * kib, 64 * mib), info);
    EXPECT_EQ(out.info.flags, 1u << 0 | 1u << 2 | 1u << 3 | 1u << 6);
    EXPECT_EQ(out.info.command_line, 0x1234u);
    EXPECT_EQ(out.info.module_count, 2u);
}

}  // namespace
}  // namespace mayfly::test
