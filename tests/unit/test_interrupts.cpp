// SPDX-License-Identifier: MIT
#include "hw/interrupts.hpp"

#include "fakes/fake_machine.hpp"
#include "hw/chipset.hpp"
#include "hw/console.hpp"
#include "unit/expect.hpp"

namespace mayfly::test {
namespace {

using fakes::access_log;
using fakes::fake_machine;

TEST(interrupts, start_the_8259s) {
    fake_machine machine;
    for (const u16 port : {0x20, 0x21, 0xa0, 0xa1})
        machine.accept(port);
    hw::prepare_pic(machine, hw::timer_interrupt | hw::second_pic_interrupts);
    EXPECT_EQ(machine.log(),
              (access_log{"out8 0x20 0x11", "out8 0x21 0x8", "out8 0x21 0x4", "out8 0x21 0x1",
                          "out8 0xa0 0x11", "out8 0xa1 0x70", "out8 0xa1 0x2", "out8 0xa1 0x1",
                          "out8 0x21 0xfa", "out8 0xa1 0xff"}));
}

TEST(interrupts, pass_the_local_apic) {
    fake_machine machine;
    machine.accept_mmio();
    hw::prepare_local_apic(machine);
    EXPECT_EQ(machine.log(), (access_log{"mmio32 0xfee000f0 0x1ff", "mmio32 0xfee00350 0x8700",
                                         "mmio32 0xfee00360 0x8400"}));
}

TEST(interrupts, of_virtio_mmio_are_level_triggered) {
    fake_machine machine;
    machine.accept(0x4d0);
    machine.accept(0x4d1);
    hw::set_virtio_interrupts(machine);
    EXPECT_EQ(machine.log(), (access_log{"out8 0x4d0 0xe0", "out8 0x4d1 0x1e"}));
}

TEST(keyboard, is_translated) {
    fake_machine machine;
    machine.accept(0x60);
    machine.accept(0x64);
    hw::prepare_keyboard(machine);
    EXPECT_EQ(machine.log(), (access_log{"out8 0x64 0x60", "out8 0x60 0x61"}));
}

TEST(clock, is_set_back) {
    fake_machine machine;
    machine.accept(0x70);
    machine.accept(0x71);
    hw::prepare_clock(machine);
    EXPECT_EQ(machine.log(),
              (access_log{"out8 0x70 0xa", "out8 0x71 0x26", "out8 0x70 0xb", "out8 0x71 0x2"}));
}

TEST(serial_port, is_told_by_its_line_status) {
    for (const u32 status : {0x00u, 0x60u, 0xffu}) {
        fake_machine machine;
        machine.answer(0x3fd, {status});
        EXPECT_EQ(hw::has_serial_port(machine), status != 0xff);
        EXPECT_EQ(machine.log(), (access_log{"in8 0x3fd"}));
    }
}

}  // namespace
}  // namespace mayfly::test
