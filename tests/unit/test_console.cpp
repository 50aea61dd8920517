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

/// As firmware/stop.cpp does.
void complain(fake_machine& machine, const fault& what) {
    hw::say_on_debug_port(machine, what);
    hw::say_on_serial_port(machine, what);
}

TEST(console, says_it_on_both_ports) {
    auto machine = with_consoles(0xe9, {0x60});
    complain(machine, {sentences::no_kernel});
    EXPECT_EQ(machine.written(0x402), sentence + "\n");
    EXPECT_EQ(machine.written(0x3f8), sentence + "\r\n");
    EXPECT_EQ(machine.written(0x3fb), "\x03");
    EXPECT_EQ(told({sentences::no_kernel}), sentence);
}

TEST(console, says_it_where_there_is_a_port) {
    auto serial = with_consoles(0xff, {0x60});
    complain(serial, {sentences::no_kernel});
    EXPECT_EQ(serial.written(0x402), "");
    EXPECT_EQ(serial.written(0x3f8), sentence + "\r\n");
    auto debug = with_consoles(0xe9, {0xff});
    complain(debug, {sentences::no_kernel});
    EXPECT_EQ(debug.written(0x402), sentence + "\n");
    EXPECT_EQ(debug.written(0x3f8), "");
}

TEST(console, waits_for_the_transmitter_but_not_for_ever) {
    auto slow = with_consoles(0xff, {0x60, 0, 0, 0, 0x20});
    hw::say_on_serial_port(slow, {"x"});
    EXPECT_EQ(slow.written(0x3f8), "mayfly: x\r\n");
    auto stuck = with_consoles(0xff, {0});
    hw::say_on_serial_port(stuck, {"x"});
    EXPECT_EQ(stuck.written(0x3f8), "");
    EXPECT_LE(stuck.log().size(), hw::serial_patience + 2);
}

TEST(console, asks_before_it_says) {
    auto machine = with_consoles(0xe9, {0x60});
    complain(machine, {"x"});
    std::vector<std::string> expected = {"in8 0x402"};
    for (const char character : std::string("mayfly: x\n"))
        expected.push_back("out8 0x402 " + fakes::hex(static_cast<u8>(character)));
    expected.insert(expected.end(), {"in8 0x3fd", "out8 0x3fb 0x3"});
    for (const char character : std::string("mayfly: x\n")) {
        expected.push_back("in8 0x3fd");
        if (character == '\n')
            expected.push_back("out8 0x3f8 0xd");
        expected.push_back("out8 0x3f8 " + fakes::hex(static_cast<u8>(character)));
    }
    EXPECT_EQ(machine.log(), expected);
}

TEST(console, touches_nothing_more_where_there_is_no_port) {
    auto machine = with_consoles(0xff, {0xff});
    complain(machine, {"x"});
    EXPECT_EQ(machine.log(), (fakes::access_log{"in8 0x402", "in8 0x3fd"}));
}

TEST(console, cuts_what_is_too_long) {
    const std::string name(500, 'n');
    auto machine = with_consoles(0xe9, {0xff});
    complain(machine, {"%s", text(name.data(), name.size())});
    EXPECT_EQ(machine.written(0x402), "mayfly: " + name.substr(0, sentence_capacity) + "\n");
}

}  // namespace
}  // namespace mayfly::test
