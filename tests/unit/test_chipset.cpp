// SPDX-License-Identifier: MIT
#include "hw/chipset.hpp"

#include "core/sentences.hpp"
#include "fakes/fake_machine.hpp"
#include "unit/expect.hpp"

namespace mayfly::test {
namespace {

using fakes::access_log;
using fakes::fake_machine;

fake_machine with_ports() {
    fake_machine machine;
    for (const u16 port : {0xcf8, 0xcfc, 0xcfd, 0xcfe, 0xcff, 0x4d0, 0x4d1})
        machine.accept(port);
    return machine;
}

TEST(chipset, is_told_by_two_accesses) {
    const struct {
        u32 identity;
        hw::chipset kind;
    } cases[] = {{0xffffffff, hw::chipset::no_pci},
                 {0x12378086, hw::chipset::i440fx},
                 {0x29c08086, hw::chipset::q35},
                 {0x12345678, hw::chipset::unknown},
                 {0, hw::chipset::unknown}};
    for (const auto& one : cases) {
        auto machine = with_ports();
        machine.answer(0xcfc, {one.identity});
        const auto bridge = hw::identify(machine);
        EXPECT_EQ(bridge.kind, one.kind);
        EXPECT_EQ(bridge.identity, one.identity);
        EXPECT_EQ(machine.log(), (access_log{"out32 0xcf8 0x80000000", "in32 0xcfc"}));
    }
    EXPECT_EQ(told({sentences::unknown_bridge, {}, {0x12345678}}),
              "mayfly: host bridge: unknown, treated as a generic PC (PCI vendor and device "
              "0x12345678)");
}

TEST(chipset, prepares_i440fx) {
    auto machine = with_ports();
    hw::prepare(machine, hw::chipset::i440fx);
    EXPECT_EQ(machine.log(),
              (access_log{"out32 0xcf8 0x80000058", "out8 0xcfd 0x30", "out32 0xcf8 0x80000860",
                          "out32 0xcfc 0xb0b0a0a", "out32 0xcf8 0x80000940",
                          "out32 0xcfc 0x80008000", "out32 0xcf8 0x80000b40", "out32 0xcfc 0x601",
                          "out32 0xcf8 0x80000b80", "out8 0xcfc 0x1", "out8 0x4d1 0xc"}));
}

TEST(chipset, prepares_q35) {
    auto machine = with_ports();
    machine.accept_mmio();
    hw::prepare(machine, hw::chipset::q35);
    EXPECT_EQ(machine.log(), (access_log{"out32 0xcf8 0x80000060", "out32 0xcfc 0xb0000001",
                                         "mmio32 0xb0000090 0x30", "mmio32 0xb00f8040 0x601",
                                         "mmio32 0xb00f8044 0x80", "mmio32 0xb00f8060 0xb0b0a0a",
                                         "mmio32 0xb00f8068 0xb0b0a0a",
                                         "mmio32 0xb00f80f0 0xfed1c001", "out8 0x4d1 0xc"}));
}

TEST(chipset, leaves_every_other_machine_alone) {
    fake_machine machine;
    hw::prepare(machine, hw::chipset::no_pci);
    hw::prepare(machine, hw::chipset::unknown);
    EXPECT_TRUE(machine.log().empty());
}

TEST(chipset, knows_by_its_interrupt_routes_whether_it_is_prepared) {
    const struct {
        hw::chipset kind;
        const char* selected;
    } kinds[] = {{hw::chipset::i440fx, "out32 0xcf8 0x80000860"},
                 {hw::chipset::q35, "out32 0xcf8 0x8000f860"}};
    for (const auto& one : kinds) {
        const auto is_prepared = [&](u32 routes) {
            auto machine = with_ports();
            machine.answer(0xcfc, {routes});
            const bool out = hw::is_prepared(machine, one.kind);
            EXPECT_EQ(machine.log(), (access_log{one.selected, "in32 0xcfc"}));
            return out;
        };
        EXPECT_TRUE(is_prepared(hw::interrupt_routes));
        EXPECT_TRUE(is_prepared(0x0b0a0b05));  // as a guest may have it
        EXPECT_TRUE(is_prepared(0x8b8b8a8a));  // as Linux leaves them
        EXPECT_FALSE(is_prepared(0x80808080));
        EXPECT_FALSE(is_prepared(0xffffffff));
    }
}

TEST(chipset, knows_a_wake_up_by_the_power_management_status) {
    const auto is_wake_up = [](u32 status) {
        fake_machine machine;
        machine.answer(0x600, {status});
        const bool out = hw::is_wake_up(machine);
        EXPECT_EQ(machine.log(), (access_log{"in16 0x600"}));
        return out;
    };
    EXPECT_TRUE(is_wake_up(0x8100));   // woken by the power button, as QEMU says
    EXPECT_FALSE(is_wake_up(0x0001));  // the timer's carry, after a reset
}

TEST(chipset, finds_prepared_what_it_prepared) {
    // The register as it was after a reset and as it was written.
    for (const auto kind : {hw::chipset::i440fx, hw::chipset::q35}) {
        const bool is_q35 = kind == hw::chipset::q35;
        const u32 routing = is_q35 ? 0x8000f860 : 0x80000860;
        u32 routes = 0x80808080, selected = 0;
        fake_machine machine;
        for (const u16 port : {0xcfd, 0xcfe, 0xcff, 0x4d1})
            machine.accept(port);
        machine.accept_mmio();
        machine.accept(0xcf8, [&](u32 value) { selected = value; });
        machine.accept(0xcfc, [&](u32 value) {
            if (selected == routing)
                routes = value;
        });
        machine.answer(0xcfc, {routes});
        EXPECT_FALSE(hw::is_prepared(machine, kind));
        EXPECT_EQ(selected, routing);
        hw::prepare(machine, kind);
        if (is_q35) {
            // By ECAM: bits 19:12 of the address are the function, as bits 15:8 of the selection.
            const u32 ecam = hw::q35_ecam | (routing & 0xff00) << 4 | (routing & 0xff);
            const std::string written = "mmio32 " + fakes::hex(ecam) + " ";
            for (const auto& access : machine.log()) {
                if (access.starts_with(written))
                    routes = static_cast<u32>(std::stoul(access.substr(written.size()), {}, 16));
            }
        }
        machine.answer(0xcfc, {routes});
        EXPECT_TRUE(hw::is_prepared(machine, kind));
    }
}

TEST(chipset, writes_single_bytes_at_odd_offsets) {
    for (u8 offset = 0x58; offset < 0x5c; offset++) {
        auto machine = with_ports();
        hw::write_pci8(machine, {31, 7}, offset, 0xab);
        EXPECT_EQ(machine.log()[0], "out32 0xcf8 0x8000ff58");
        EXPECT_EQ(machine.log()[1], "out8 " + fakes::hex(0xcfcu + offset % 4) + " 0xab");
    }
}

}  // namespace
}  // namespace mayfly::test
