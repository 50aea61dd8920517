// SPDX-License-Identifier: MIT
#include "hw/mtrr.hpp"

#include <cstdio>

#include "fakes/fake_machine.hpp"
#include "unit/expect.hpp"

namespace mayfly::test {
namespace {

using fakes::access_log;
using fakes::fake_machine;

/// The accesses from the first variable register on.
access_log variable_part(u32 low_ram_end, u32 registers, u32 bits) {
    fake_machine machine;
    machine.set_msr(0xfe, 0x500 | registers);
    machine.set_cpuid(0x80000000, 0, {bits == 0 ? 0x80000004 : 0x80000008, 0, 0, 0});
    machine.set_cpuid(0x80000008, 0, {0x3000 | bits, 0, 0, 0});
    hw::set_memory_types(machine, low_ram_end, hw::feature_mtrr);
    const access_log fixed = {"rdmsr 0xfe",
                              "wrmsr 0x250 0x606060606060606",
                              "wrmsr 0x258 0x606060606060606",
                              "wrmsr 0x268 0x606060606060606",
                              "wrmsr 0x269 0x606060606060606",
                              "wrmsr 0x26a 0x606060606060606",
                              "wrmsr 0x26b 0x606060606060606",
                              "wrmsr 0x26c 0x606060606060606",
                              "wrmsr 0x26d 0x606060606060606",
                              "wrmsr 0x26e 0x606060606060606",
                              "wrmsr 0x26f 0x606060606060606",
                              "wrmsr 0x259 0x0"};
    const auto middle = machine.log().begin() + static_cast<long>(fixed.size());
    EXPECT_EQ(access_log(machine.log().begin(), middle), fixed);
    EXPECT_EQ(machine.log().back(), "wrmsr 0x2ff 0xc06");
    return {middle, machine.log().end() - 1};
}

TEST(mtrr, leaves_a_cpu_without_them_alone) {
    fake_machine machine;
    hw::set_memory_types(machine, 0x80000000, ~hw::feature_mtrr);
    EXPECT_TRUE(machine.log().empty());
}

/// What the registers cover: base and size by their order.
struct block {
    u64 base, size;
};

std::vector<block> blocks(const access_log& log, u32 bits) {
    std::vector<block> out;
    for (usize i = 0; i + 1 < log.size(); i += 2) {
        unsigned long long index = 0, base = 0, mask = 0;
        EXPECT_EQ(std::sscanf(log[i].c_str(), "wrmsr %llx %llx", &index, &base), 2);
        EXPECT_EQ(index, 0x200 + i);
        EXPECT_EQ(std::sscanf(log[i + 1].c_str(), "wrmsr %llx %llx", &index, &mask), 2);
        EXPECT_EQ(index, 0x201 + i);
        EXPECT_EQ(base & 0xfff, 0u) << "uncacheable";
        EXPECT_EQ(mask & 0xfff, 0x800u) << "valid";
        const u64 size = (u64{1} << bits) - (mask & ~u64{0xfff});
        EXPECT_EQ(size & (size - 1), 0u);
        EXPECT_EQ(base % size, 0u);
        out.push_back({base, size});
    }
    return out;
}

TEST(mtrr, covers_the_hole_from_above_as_far_as_registers_go) {
    const u32 ends[] = {0x100000,   0x800000,   0x8000000,  0x8100000,  0x7fffffff,
                        0x7ff00001, 0x80000000, 0x80001000, 0xafd01000, 0xb0000000,
                        0xbffe0000, 0xc0000000, 0xdac00000, 0xe0000000, 0xfffff000};
    for (const u32 end : ends) {
        const u32 page = (end + 0xfff) & ~0xfffu;
        const u32 needed = static_cast<u32>(__builtin_popcount(0 - page));
        for (const u32 registers : {0u, 1u, 2u, 6u, 7u, 8u, 10u, 20u, 255u}) {
            u64 begin = four_gib;
            const auto found = blocks(variable_part(end, registers, 40), 40);
            u64 smallest = four_gib;
            for (const block& one : found) {
                EXPECT_EQ(one.base + one.size, begin);
                begin = one.base;
                smallest = one.size;
            }
            EXPECT_EQ(found.size(), needed < registers ? needed : registers) << std::hex << end;
            EXPECT_GE(begin, page);
            EXPECT_LT(begin - page, smallest) << "what is left is less than any block";
            EXPECT_EQ(begin == page, needed <= registers);
        }
    }
    EXPECT_LE(blocks(variable_part(0x101000, 255, 40), 40).size(), hw::most_blocks);
    EXPECT_EQ(blocks(variable_part(0x1000, 255, 40), 40).size(), hw::most_blocks);
}

TEST(mtrr, needs_no_register_where_there_is_no_hole) {
    EXPECT_TRUE(variable_part(0, 8, 40).empty());
}

TEST(mtrr, takes_as_many_blocks_as_it_needs) {
    EXPECT_EQ(variable_part(0xc0000000, 8, 40),
              (access_log{"wrmsr 0x200 0xc0000000", "wrmsr 0x201 0xffc0000800"}));
    EXPECT_EQ(variable_part(0xb0000000, 8, 40),
              (access_log{"wrmsr 0x200 0xc0000000", "wrmsr 0x201 0xffc0000800",
                          "wrmsr 0x202 0xb0000000", "wrmsr 0x203 0xfff0000800"}));
}

TEST(mtrr, uses_no_register_that_the_cpu_lacks) {
    EXPECT_TRUE(variable_part(0xb0000000, 0, 40).empty());
    EXPECT_EQ(variable_part(0xb0000000, 1, 40).size(), 2u);
    EXPECT_EQ(variable_part(0xfffff000, 255, 40).back(), "wrmsr 0x201 0xfffffff800");
}

TEST(mtrr, follows_the_width_of_physical_addresses) {
    EXPECT_EQ(variable_part(0x80000000, 8, 52)[1], "wrmsr 0x201 0xfffff80000800");
    EXPECT_EQ(variable_part(0x80000000, 8, 32)[1], "wrmsr 0x201 0x80000800");
    EXPECT_EQ(variable_part(0x80000000, 8, 0)[1], "wrmsr 0x201 0xf80000800");
    // Outside what there can be.
    EXPECT_EQ(variable_part(0x80000000, 8, 20)[1], "wrmsr 0x201 0x80000800");
    EXPECT_EQ(variable_part(0x80000000, 8, 255)[1], "wrmsr 0x201 0xfffff80000800");
}

}  // namespace
}  // namespace mayfly::test
