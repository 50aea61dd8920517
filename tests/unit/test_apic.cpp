// SPDX-License-Identifier: MIT
#include "hw/apic.hpp"

#include "fakes/fake_machine.hpp"
#include "unit/expect.hpp"

namespace mayfly::test {
namespace {

using fakes::access_log;
using fakes::fake_machine;

constexpr u64 unit = 1u << 16;        ///< of ticks
constexpr u64 patience = 1ull << 33;  ///< in ticks

TEST(apic, starts_others_at_a_page) {
    fake_machine machine;
    machine.accept_mmio();
    hw::start_others(machine, 0xec000);
    EXPECT_EQ(machine.log(),
              (access_log{"mmio32 0xfee00300 0xc4500", "mmio32 0xfee00300 0xc46ec"}));
}

TEST(apic, stops_others_by_an_init) {
    fake_machine machine;
    machine.accept_mmio();
    hw::stop_others(machine);
    EXPECT_EQ(machine.log(), (access_log{"mmio32 0xfee00300 0xc4500"}));
}

/// A machine whose other processors answer at the readings of the counter that a test names.
class answering_machine : public fake_machine {
  public:
    explicit answering_machine(u64 step) : step_(step) {}

    void answer_at(u32 reading) { answers_.push_back(reading); }
    u32 readings() const { return readings_; }
    const volatile u32& count() const { return count_; }

    u64 read_tsc() {
        for (const u32 reading : answers_)
            count_ += reading == readings_;
        readings_++;
        return ticks_ += step_;
    }

  private:
    u64 step_;
    u64 ticks_ = 0;
    u32 readings_ = 0;
    u32 count_ = 0;
    std::vector<u32> answers_;
};

TEST(apic, awaits_all_answers) {
    answering_machine machine(unit);
    machine.answer_at(10);
    machine.answer_at(20);
    machine.answer_at(20);
    EXPECT_EQ(hw::await_answers(machine, machine.count(), 3), 3u);
    EXPECT_EQ(machine.readings(), 21u);
}

TEST(apic, awaits_nothing_of_nobody) {
    answering_machine machine(unit);
    EXPECT_EQ(hw::await_answers(machine, machine.count(), 0), 0u);
    EXPECT_EQ(machine.readings(), 0u);
}

TEST(apic, more_answers_than_wanted_are_no_reason_to_wait) {
    answering_machine machine(unit);
    machine.answer_at(1);
    machine.answer_at(1);
    EXPECT_EQ(hw::await_answers(machine, machine.count(), 1), 2u);
    EXPECT_EQ(machine.readings(), 2u);
}

TEST(apic, waits_anew_after_each_answer) {
    constexpr u32 almost = patience / unit - 10;
    answering_machine machine(unit);
    machine.answer_at(almost);
    machine.answer_at(2 * almost);
    EXPECT_EQ(hw::await_answers(machine, machine.count(), 2), 2u);
}

TEST(apic, gives_up_after_a_time_without_answers) {
    for (const u32 wanted : {2u, 0xffffffffu}) {
        answering_machine machine(unit);
        machine.answer_at(100);
        EXPECT_EQ(hw::await_answers(machine, machine.count(), wanted), 1u);
        EXPECT_NEAR(machine.readings(), 100 + patience / unit, 2);
    }
}

TEST(apic, time_is_that_of_the_counter_however_often_it_is_read) {
    answering_machine machine(unit / 8);
    EXPECT_EQ(hw::await_answers(machine, machine.count(), 1), 0u);
    EXPECT_NEAR(machine.readings(), 8 * patience / unit, 16);
}

TEST(apic, a_pause_of_the_host_is_not_the_time_of_others) {
    answering_machine machine(1000 * unit);
    machine.answer_at(patience / unit - 10);
    EXPECT_EQ(hw::await_answers(machine, machine.count(), 1), 1u);
}

}  // namespace
}  // namespace mayfly::test
