// SPDX-License-Identifier: MIT
#include "hw/tsc.hpp"

#include "core/tick_scale.hpp"
#include "fakes/fake_machine.hpp"
#include "fakes/fake_ram.hpp"
#include "unit/expect.hpp"

namespace mayfly::test {
namespace {

using fakes::fake_machine;
using hw::tsc_frequency;

constexpr u32 work_begin = 0x1000;
constexpr u32 kvm_signature[] = {0x4b4d564b, 0x564b4d56, 0x4d};
constexpr u32 system_time = 0x12, system_time_2 = 0x4b564d01;

struct setup {
    fakes::fake_ram ram{0x4000};
    fake_machine machine;
    arena work{ram.view(), work_begin, 0x4000};

    void set_hypervisor(u32 base, u32 last) {
        machine.set_cpuid(base, 0, {last, kvm_signature[0], kvm_signature[1], kvm_signature[2]});
    }
    void set_processor(u32 last) { machine.set_cpuid(0, 0, {last, 0, 0, 0}); }
    void set_no_hypervisor() { machine.set_cpuid(0x40000000, 0, {0, 0x54474354, 0, 0}); }

    /// KVM writes its time when the register gets an address.
    void set_kvmclock(u32 index, u32 version, u32 factor, int shift) {
        machine.accept_msr(index, [this, version, factor, shift](u64 value) {
            if ((value & 1) == 0)
                return;
            const bytes to = ram.at(static_cast<u32>(value) & ~1u, sizeof(hw::kvm_time));
            store<u32>(to, 0, version);
            store<u32>(to, 24, factor);
            store<u8>(to, 28, static_cast<u8>(shift));
        });
    }
    tsc_frequency known() { return hw::known_tsc_frequency(machine, work); }
};

std::string source_of(const tsc_frequency& frequency) {
    return {frequency.source.data(), frequency.source.size()};
}

TEST(divide, gives_quotients_of_64_bits) {
    for (const u64 dividend :
         {u64{0}, u64{7}, u64{0xffffffff}, u64{0x100000000}, ~u64{0}, u64{0x123456789abcdef0}}) {
        for (const u32 divisor : {1u, 2u, 10u, 1000u, 0x80000000u, 0xffffffffu}) {
            EXPECT_EQ(divide(dividend, divisor), dividend / divisor);
        }
    }
}

TEST(multiply, gives_products_of_64_bits) {
    EXPECT_EQ(multiply(0xffffffff, 0xffffffff), 0xfffffffe00000001u);
    EXPECT_EQ(multiply(3, 0), 0u);
}

TEST(tick_scale, is_right_to_two_in_a_million) {
    for (const u32 khz : {tick_scale::slowest_khz, 2'299'983u, 2'300'000u, 4'999'999u}) {
        const tick_scale scale(khz);
        for (const u64 ticks : {u64{0}, u64{1}, u64{khz}, u64{khz} * 1000, u64{khz} * 3'600'000,
                                u64{0xffffffff}, u64{0x100000000}}) {
            const double exact = static_cast<double>(ticks) * 1e6 / khz;
            EXPECT_NEAR(static_cast<double>(scale.nanoseconds(ticks)), exact, exact * 2e-6 + 1)
                << khz << " " << ticks;
        }
    }
}

TEST(kvm_time, means_a_frequency) {
    // 2.3 GHz: a tick takes 0.4348 ns, which is 0xde9bd37a / 2^33.
    EXPECT_NEAR(hw::khz_of({2, 0, 0, 0, 0xde9bd37a, 0xff, 0, {}}), 2'300'000, 3);
    EXPECT_NEAR(hw::khz_of({2, 0, 0, 0, 0x80000000, 1, 0, {}}), 1'000'000, 1);
    EXPECT_EQ(hw::khz_of({2, 0, 0, 0, 0x80000000, 31, 0, {}}), 0u);  // below 1 kHz
}

TEST(kvm_time, may_mean_none) {
    EXPECT_EQ(hw::khz_of({0, 0, 0, 0, 0x80000000, 1, 0, {}}), 0u);   // never written
    EXPECT_EQ(hw::khz_of({3, 0, 0, 0, 0x80000000, 1, 0, {}}), 0u);   // being written
    EXPECT_EQ(hw::khz_of({2, 0, 0, 0, 0, 1, 0, {}}), 0u);            // no factor
    EXPECT_EQ(hw::khz_of({2, 0, 0, 0, 0x80000000, 32, 0, {}}), 0u);  // senseless shifts
    EXPECT_EQ(hw::khz_of({2, 0, 0, 0, 0x80000000, 0xe0, 0, {}}), 0u);
    EXPECT_EQ(hw::khz_of({2, 0, 0, 0, 0x80000000, 0xe1, 0, {}}), 0u);  // faster than 32 bits
}

TEST(tsc_frequency, of_the_hypervisors_leaf_comes_first) {
    setup it;
    it.set_hypervisor(0x40000000, 0x40000010);
    it.machine.set_cpuid(0x40000010, 0, {2'300'000, 1'000'000, 0, 0});
    const auto found = it.known();
    EXPECT_EQ(found.khz, 2'300'000u);
    EXPECT_EQ(source_of(found), "hypervisor");
    EXPECT_TRUE(it.machine.log().empty());
}

TEST(tsc_frequency, of_kvmclock_is_asked_for_once) {
    setup it;
    it.set_hypervisor(0x40000000, 0x40000001);
    it.machine.set_cpuid(0x40000001, 0, {1u << 3 | 1u << 0, 0, 0, 0});
    it.set_kvmclock(system_time_2, 2, 0x80000000, 1);
    const auto found = it.known();
    EXPECT_EQ(found.khz, 1'000'000u);
    EXPECT_EQ(source_of(found), "kvmclock");
    EXPECT_EQ(it.machine.log(),
              (fakes::access_log{"wrmsr 0x4b564d01 0x1001", "wrmsr 0x4b564d01 0x0"}));
}

TEST(tsc_frequency, of_an_old_kvmclock_too) {
    setup it;
    it.set_hypervisor(0x40000000, 0);
    it.machine.set_cpuid(0x40000001, 0, {1u << 0, 0, 0, 0});
    it.set_kvmclock(system_time, 2, 0x80000000, 1);
    EXPECT_EQ(it.known().khz, 1'000'000u);
    EXPECT_EQ(it.machine.log(), (fakes::access_log{"wrmsr 0x12 0x1001", "wrmsr 0x12 0x0"}));
}

TEST(tsc_frequency, of_kvm_behind_hyper_v) {
    setup it;
    it.machine.set_cpuid(0x40000000, 0, {0x40000005, 0x7263694d, 0x666f736f, 0x76482074});
    it.set_hypervisor(0x40000100, 0x40000110);
    it.machine.set_cpuid(0x40000110, 0, {1'800'000, 0, 0, 0});
    EXPECT_EQ(it.known().khz, 1'800'000u);
}

TEST(tsc_frequency, of_a_kvm_without_clock_is_the_processors) {
    setup it;
    it.set_hypervisor(0x40000000, 0x40000010);
    it.machine.set_cpuid(0x40000010, 0, {});
    it.machine.set_cpuid(0x40000001, 0, {});
    it.set_processor(0x15);
    it.machine.set_cpuid(0x15, 0, {2, 176, 24'000'000, 0});
    const auto found = it.known();
    EXPECT_EQ(found.khz, 2'112'000u);
    EXPECT_EQ(source_of(found), "CPUID 0x15");
    EXPECT_TRUE(it.machine.log().empty());
}

TEST(tsc_frequency, of_a_full_work_area_is_the_processors) {
    setup it;
    it.set_hypervisor(0x40000000, 0x40000001);
    it.machine.set_cpuid(0x40000001, 0, {1u << 3, 0, 0, 0});
    it.set_processor(0xd);
    it.work.take(it.work.room() - 16);
    EXPECT_EQ(it.known().khz, 0u);
    EXPECT_TRUE(it.machine.log().empty());
}

TEST(tsc_frequency, of_a_processor_without_crystal_is_its_base) {
    setup it;
    it.set_no_hypervisor();
    it.set_processor(0x16);
    it.machine.set_cpuid(0x15, 0, {2, 176, 0, 0});
    it.machine.set_cpuid(0x16, 0, {0xabcd0000 | 2100, 3000, 100, 0});
    const auto found = it.known();
    EXPECT_EQ(found.khz, 2'100'000u);
    EXPECT_EQ(source_of(found), "CPUID 0x16");
}

TEST(tsc_frequency, may_be_unknown) {
    setup it;
    it.set_no_hypervisor();
    it.set_processor(0xd);
    EXPECT_EQ(it.known().khz, 0u);
    it.set_processor(0x15);
    it.machine.set_cpuid(0x15, 0, {0, 176, 24'000'000, 0});
    EXPECT_EQ(it.known().khz, 0u);
    it.set_processor(0x16);
    it.machine.set_cpuid(0x16, 0, {});
    EXPECT_EQ(it.known().khz, 0u);
    it.machine.set_cpuid(0x15, 0, {1, 0xffffffff, 0xffffffff, 0});  // more than 32 bits of kHz
    EXPECT_EQ(it.known().khz, 0u);
}

/// What a counter of `hertz` shows if it is read each 1000 ticks of a TSC of `khz`.
std::deque<u32> readings(u32 hertz, u64 khz, u32 first, u32 mask, bool down) {
    std::deque<u32> values;
    for (u64 i = 0; i < 40'000; i++) {
        const u32 passed = static_cast<u32>(i * 1000 * hertz / (khz * 1000));
        values.push_back((down ? first - passed : first + passed) & mask);
    }
    return values;
}

TEST(tsc_frequency, is_measured_against_the_acpi_timer) {
    constexpr u64 khz = 2'300'000;
    fake_machine machine;
    machine.answer(0x608, readings(3'579'545, khz, 0xfffff0, 0xffffff, false));
    // The loop reads the timer each time and the TSC at its ends only.
    machine.answer_tsc({1'000'000, 1'000'000 + 1000 * (khz * 2 / 1000 + 1)});
    const auto found = hw::measure_tsc_frequency(machine, hw::chipset::q35);
    EXPECT_NEAR(found.khz, khz, khz / 500);
    EXPECT_EQ(source_of(found), "PM timer");
}

TEST(tsc_frequency, is_measured_against_the_interval_timer) {
    constexpr u64 khz = 2'300'000;
    std::deque<u32> halves;
    for (u32 value : readings(1'193'182, khz, 0x100, 0xffff, true)) {
        halves.push_back(value & 0xff);
        halves.push_back(value >> 8);
    }
    fake_machine machine;
    machine.accept(0x43);
    machine.accept(0x40);
    machine.answer(0x40, halves);
    machine.answer_tsc({1'000'000, 1'000'000 + 1000 * (khz * 2 / 1000 + 1)});
    const auto found = hw::measure_tsc_frequency(machine, hw::chipset::no_pci);
    EXPECT_NEAR(found.khz, khz, khz / 500);
    EXPECT_EQ(source_of(found), "PIT");
}

TEST(tsc_frequency, of_a_timer_that_jumps_about_stays_unknown) {
    fake_machine machine;
    machine.answer_tsc({0, 1000});
    u32 reads = 0;
    static u32* counted;
    counted = &reads;
    const hw::reference_counter<fake_machine> restless{
        1'000'000, 0xffff, [](fake_machine&) { return (*counted)++ & 1; }};
    EXPECT_EQ(hw::measure(machine, restless), 0u);
    EXPECT_LT(reads, 1'100'000u);
}

TEST(tsc_frequency, of_timers_that_stand_still_stays_unknown) {
    fake_machine machine;
    machine.answer(0x608, {0xffffffff});
    machine.accept(0x43);
    machine.accept(0x40);
    machine.answer(0x40, {0xff});
    machine.answer_tsc({0, 1000});
    EXPECT_EQ(hw::measure_tsc_frequency(machine, hw::chipset::i440fx).khz, 0u);
    EXPECT_LT(machine.log().size(), 5000u);
}

/// Three measurements of 10 ms by a timer that needs one reading each.
u32 measured(u64 first, u64 second, u64 third) {
    fake_machine machine;
    machine.answer_tsc({0, first, 0, second, 0, third});
    machine.answer(0x608, {0, 35'795, 0, 35'795, 0, 35'795});
    return hw::measure(machine, hw::acpi_timer<fake_machine>);
}

TEST(tsc_frequency, is_the_middle_one_of_three) {
    constexpr u64 slow = 1'000'000, right = 2'000'000, fast = 9'000'000;
    EXPECT_NEAR(measured(slow, right, fast), 200'000, 10);
    EXPECT_NEAR(measured(slow, fast, right), 200'000, 10);
    EXPECT_NEAR(measured(right, slow, fast), 200'000, 10);
    EXPECT_NEAR(measured(right, fast, slow), 200'000, 10);
    EXPECT_NEAR(measured(fast, slow, right), 200'000, 10);
    EXPECT_NEAR(measured(fast, right, slow), 200'000, 10);
    EXPECT_NEAR(measured(right, right, fast), 200'000, 10);
}

TEST(tsc_frequency, of_a_measurement_that_takes_too_long_is_unknown) {
    constexpr u64 limit = u64{1} << 32;
    EXPECT_EQ(measured(limit, limit, limit), 0u);
    EXPECT_NE(measured(limit - 1, limit - 1, limit - 1), 0u);
}

}  // namespace
}  // namespace mayfly::test
