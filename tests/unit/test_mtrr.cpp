// SPDX-License-Identifier: MIT
#include "hw/mtrr.hpp"

#include "fakes/fake_machine.hpp"
#include "unit/expect.hpp"

namespace mayfly::test {
namespace {

using fakes::access_log;
using fakes::fake_machine;

constexpr u32 feature_mtrr = 1u << 12;

/// The accesses from the first variable register on.
access_log variable_part(u32 low_ram_end, u32 registers, u32 bits) {
    fake_machine machine;
    machine.set_msr(0xfe, 0x500 | registers);
    machine.set_cpuid(0x80000000, 0, {bits == 0 ? 0x80000004 : 0x80000008, 0, 0, 0});
    machine.set_cpuid(0x80000008, 0, {0x3000 | bits, 0, 0, 0});
    hw::set_memory_types(machine, low_ram_end, feature_mtrr);
    const access_log fixed = {"rdmsr 0xfe",
                              "wrmsr 0x2ff 0x0",
                              "wrmsr 0x250 0x606060606060606",
                              "wrmsr 0x258 0x606060606060606",
                              "wrmsr 0x259 0x0",
                              "wrmsr 0x268 0x606060606060606",
                              "wrmsr 0x269 0x606060606060606",
                              "wrmsr 0x26a 0x606060606060606",
                              "wrmsr 0x26b 0x606060606060606",
                              "wrmsr 0x26c 0x606060606060606",
                              "wrmsr 0x26d 0x606060606060606",
                              "wrmsr 0x26e 0x606060606060606",
                              "wrmsr 0x26f 0x606060606060606"};
    const auto middle = machine.log().begin() + static_cast<long>(fixed.size());
    EXPECT_EQ(access_log(machine.log().begin(), middle), fixed);
    EXPECT_EQ(machine.log().back(), "wrmsr 0x2ff 0xc06");
    return {middle, machine.log().end() - 1};
}

TEST(mtrr, leaves_a_cpu_without_them_alone) {
    fake_machine machine;
    hw::set_memory_types(machine, 0x80000000, ~feature_mtrr);
    EXPECT_TRUE(machine.log().empty());
}

TEST(mtrr, covers_devices_in_one_block_where_ram_ends_low) {
    const access_log one = {"wrmsr 0x200 0x80000000", "wrmsr 0x201 0xff80000800"};
    EXPECT_EQ(variable_part(0x8000000, 8, 40), one);
    EXPECT_EQ(variable_part(0x80000000, 8, 40), one);
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
    EXPECT_LE(variable_part(0x80001000, 8, 40).size(), 16u);
    // An end that is no whole number of pages, and the highest one.
    EXPECT_LE(variable_part(0xc0000001, 255, 40).size(), 2u * 255);
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
