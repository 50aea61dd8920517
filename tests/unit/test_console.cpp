// SPDX-License-Identifier: MIT
#include "hw/console.hpp"

#include "core/sentences.hpp"
#include "fakes/fake_machine.hpp"
#include "unit/expect.hpp"

namespace mayfly::test {
namespace {

using fakes::fake_machine;

const std::string sentence = "mayfly: kernel: none was given (use -kernel)";

fake_machine with_consoles(u32 debug, std::deque<u32> status) {
    fake_machine machine;
    machine.answer(0x402, {debug});
    machine.answer(0x3fd, std::move(status));
    machine.accept(0x402);
    machine.accept(0x3f8);
    machine.accept(0x3fb);
    return machine;
}

TEST(console, says_it_on_both_ports) {
    auto machine = with_consoles(0xe9, {0x60});
    hw::complain(machine, make_fault(sentences::no_kernel), 0);
    EXPECT_EQ(machine.written(0x402), sentence + "\n");
    EXPECT_EQ(machine.written(0x3f8), sentence + "\r\n");
    EXPECT_EQ(machine.written(0x3fb), "\x03");
    expect_sentence(make_fault(sentences::no_kernel), sentence);
}

TEST(console, says_it_where_there_is_a_port) {
    auto serial = with_consoles(0xff, {0x60});
    hw::complain(serial, make_fault(sentences::no_kernel), 0);
    EXPECT_EQ(serial.written(0x402), "");
    EXPECT_EQ(serial.written(0x3f8), sentence + "\r\n");
    auto debug = with_consoles(0xe9, {0xff});
    hw::complain(debug, make_fault(sentences::no_kernel), 0);
    EXPECT_EQ(debug.written(0x402), sentence + "\n");
    EXPECT_EQ(debug.written(0x3f8), "");
}

TEST(console, waits_for_the_transmitter_but_not_for_ever) {
    auto slow = with_consoles(0xff, {0x60, 0, 0, 0, 0x20});
    hw::say_on_serial_port(slow, make_fault("x"));
    EXPECT_EQ(slow.written(0x3f8), "mayfly: x\r\n");
    auto stuck = with_consoles(0xff, {0});
    hw::say_on_serial_port(stuck, make_fault("x"));
    EXPECT_EQ(stuck.written(0x3f8), "");
    EXPECT_LE(stuck.log().size(), hw::serial_patience + 2);
}

TEST(console, tells_pvpanic_last) {
    auto machine = with_consoles(0xe9, {0x60});
    machine.accept(0x505);
    hw::complain(machine, make_fault("x"), 0x505);
    EXPECT_EQ(machine.log().back(), "out8 0x505 0x1");
}

TEST(console, cuts_what_is_too_long) {
    const std::string name(500, 'n');
    auto machine = with_consoles(0xe9, {0xff});
    hw::complain(machine, make_fault("%s", text(name.data(), name.size())), 0);
    EXPECT_EQ(machine.written(0x402), "mayfly: " + name.substr(0, sentence_capacity) + "\n");
}

}  // namespace
}  // namespace mayfly::test
