// SPDX-License-Identifier: MIT
#include "pci/scan.hpp"

#include <functional>
#include <random>

#include "fakes/fake_machine.hpp"
#include "fakes/fake_pci.hpp"
#include "fakes/pci_trees.hpp"
#include "pci/assign.hpp"
#include "pci/complain.hpp"
#include "unit/expect.hpp"

namespace mayfly::test {
namespace {

using fakes::access_log;
using fakes::fake_pci;
using fakes::pci_devices;
using pci::pool;

constexpr u32 slot(u32 device, u32 function = 0) {
    return device << 3 | function;
}

constexpr pci::host q35{hw::chipset::q35, 0};
constexpr pci::host pc{hw::chipset::i440fx, 0};

fake_pci::device virtio() {
    auto one = fake_pci::function(0x10001af4, 0x0200);
    return one
        .bar(0x10, 0xffffffe1, 1)    // 32 ports
        .bar(0x14, 0xfffff000, 0)    // a page
        .bar(0x20, 0xffffc00c, 0xc)  // 16 KiB, 64 bits, prefetchable
        .bar(0x24, 0xffffffff, 0)    // their upper half
        .bar(0x30, 0xfffc0000, 0)    // ROM of 256 KiB
        .set(0x3c, 0x0100);          // pin A
}

TEST(pci_scan, asks_every_bar) {
    fake_pci config;
    config.roots[0][slot(3)] = virtio();
    pci_devices devices(32);
    pci::scan(config, devices.found, q35);
    const auto all = devices.found.resources();
    ASSERT_EQ(all.size(), 4u);
    EXPECT_EQ(all[0].bytes(), 32u);
    EXPECT_TRUE(all[0].is_io);
    EXPECT_EQ(all[1].bytes(), 4096u);
    EXPECT_EQ(all[1].from, pool::low);
    EXPECT_EQ(all[2].bytes(), 16384u);
    EXPECT_TRUE(all[2].is_wide && all[2].may_be_high);
    EXPECT_EQ(all[3].bytes(), 256u * 1024);
    EXPECT_EQ(all[3].reg, 0x30);
    EXPECT_EQ(config.device_at(slot(3)).registers[0x04], 0u);
}

TEST(pci_scan, takes_odd_bars) {
    fake_pci config;
    auto one = fake_pci::function(0x12345678, 0xff00);
    one.bar(0x10, 0x0000ff01, 1)    // I/O without an upper half: 256 ports
        .bar(0x14, 0xffffff80, 0)   // less than a page
        .bar(0x18, 0x00000004, 4)   // 64 bits, of which only the upper half can be set:
        .bar(0x1c, 0xffffff00, 0)   // 1 TiB
        .bar(0x20, 0x00000001, 1)   // I/O of no size
        .bar(0x24, 0xfff00004, 4);  // 64 bits without room for the upper half
    config.roots[0][slot(1)] = one;
    pci_devices devices(32);
    pci::scan(config, devices.found, q35);
    const auto all = devices.found.resources();
    ASSERT_EQ(all.size(), 4u);
    EXPECT_EQ(all[0].bytes(), 256u);
    EXPECT_EQ(all[1].bytes(), 4096u);
    EXPECT_EQ(all[2].bytes(), u64{1} << 40);
    EXPECT_EQ(all[3].bytes(), 1u << 20);
    EXPECT_FALSE(all[3].is_wide);
}

TEST(pci_scan, numbers_buses_depth_first) {
    fake_pci config;
    auto& root = config.roots[0];
    root[slot(1)] = fake_pci::bridge();
    root[slot(1)].behind[slot(2)] = fake_pci::bridge();
    root[slot(1)].behind[slot(2)].behind[slot(0)] = virtio();
    root[slot(2)] = fake_pci::bridge();
    root[slot(2)].behind[slot(5)] = virtio();
    pci_devices devices(64);
    pci::scan(config, devices.found, pc);
    EXPECT_EQ(root[slot(1)].registers[0x18], 0x020100u);
    EXPECT_EQ(root[slot(1)].behind[slot(2)].registers[0x18], 0x020201u);
    EXPECT_EQ(root[slot(2)].registers[0x18], 0x030300u);
    EXPECT_EQ(devices.found.buses[0].last, 3);
    EXPECT_EQ(devices.found.buses[1].last, 2);
    // Pin A: device 0 behind device 2 behind device 1, and device 5 behind device 2.
    EXPECT_EQ(root[slot(1)].behind[slot(2)].behind[slot(0)].registers[0x3c], 0x010bu);
    EXPECT_EQ(root[slot(2)].behind[slot(5)].registers[0x3c], 0x010bu);
}

TEST(pci_scan, forgets_what_bridges_led_to) {
    fake_pci config;
    auto& root = config.roots[0];
    root[slot(1)] = fake_pci::bridge().set(0x18, 0xff0100);
    root[slot(2)] = fake_pci::bridge().set(0x18, 0x010100);
    root[slot(2)].behind[slot(0)] = virtio();
    pci_devices devices(64);
    pci::scan(config, devices.found, pc);
    EXPECT_EQ(root[slot(1)].registers[0x18], 0x010100u);
    EXPECT_EQ(root[slot(2)].registers[0x18], 0x020200u);
    EXPECT_EQ(devices.found.buses[2].count, 4);
}

TEST(pci_scan, finds_extra_roots_and_numbers_below_them) {
    fake_pci config;
    config.roots[0][slot(1)] = fake_pci::bridge();
    config.roots[4][slot(0)] = fake_pci::bridge();
    config.roots[4][slot(0)].behind[slot(1)] = virtio();
    config.roots[9][slot(7)] = fake_pci::bridge();  // not in the first slot
    pci_devices devices(64);
    pci::scan(config, devices.found, {hw::chipset::i440fx, 2});
    for (const u32 number : {0, 4, 9})
        EXPECT_TRUE(devices.found.buses[number].is_root) << number;
    EXPECT_EQ(config.roots[0][slot(1)].registers[0x18], 0x010100u);
    EXPECT_EQ(config.roots[4][slot(0)].registers[0x18], 0x050504u);
    EXPECT_EQ(config.roots[9][slot(7)].registers[0x18], 0x0a0a09u);
}

TEST(pci_scan, ends_where_numbers_do) {
    fake_pci config;
    auto& root = config.roots[0];
    for (u32 device = 1; device < 6; device++)
        root[slot(device)] = fake_pci::bridge();
    config.roots[3][slot(0)] = virtio();
    pci_devices devices(64);
    pci::scan(config, devices.found, {hw::chipset::i440fx, 1});
    EXPECT_EQ(root[slot(2)].registers[0x18], 0x020200u);
    EXPECT_EQ(root[slot(3)].registers[0x18], 0u);  // no bus
    u32 unnumbered = 0;
    for (const auto& one : devices.found.resources())
        unnumbered += one.is_window && one.child == 0 ? 1 : 0;
    EXPECT_EQ(unnumbered, 9u);
}

TEST(pci_scan, keeps_what_a_port_reserves) {
    fake_pci config;
    auto port = fake_pci::bridge(0x000c1b36);
    port.set(0x34, 0x40)
        .set(0x40, 0x01420010 | 0x48 << 8)  // PCI Express: a root port with a slot
        .set(0x48, 0x01280009)              // QEMU's wishes
        .set(0x4c, 3)
        .set(0x50, 0x2000)
        .set(0x54, 0)
        .set(0x58, 0x2000000)
        .set(0x5c, ~0u)
        .set(0x60, 0)
        .set(0x64, 1);  // 4 GiB
    config.roots[0][slot(1)] = port;
    config.roots[0][slot(2)] = fake_pci::bridge(0x000c1b36);
    pci_devices devices(64);
    pci::scan(config, devices.found, q35);
    const auto all = devices.found.resources();
    ASSERT_EQ(all.size(), 6u);
    EXPECT_EQ(all[0].spare, 0x2000u);
    EXPECT_EQ(all[1].spare, 0x2000u);
    EXPECT_EQ(all[2].spare, 0x100000u);
    EXPECT_EQ(config.device_at(slot(1)).registers[0x18], 0x040100u);
    EXPECT_EQ(config.device_at(slot(2)).registers[0x18], 0x050500u);
    EXPECT_TRUE(devices.found.buses[1].has_one_slot);
    EXPECT_FALSE(devices.found.buses[5].has_one_slot);
}

TEST(pci_scan, takes_the_largest_reservations_for_more_than_there_is) {
    fake_pci config;
    config.roots[0][slot(1)] = fake_pci::bridge(0x000c1b36)
                                   .set(0x34, 0x40)
                                   .set(0x40, 0x01280009)
                                   .set(0x44, 300)  // buses
                                   .set(0x48, 0xffff0000)
                                   .set(0x50, 0)
                                   .set(0x54, ~0u)
                                   .set(0x58, 0)
                                   .set(0x5c, 0x1000);  // 16 TiB
    pci_devices devices(64);
    pci::scan(config, devices.found, q35);
    const auto all = devices.found.resources();
    EXPECT_EQ(all[0].spare, pci::most_spare);
    EXPECT_EQ(all[1].spare, 0u);
    EXPECT_EQ(all[2].spare, pci::most_spare);
    EXPECT_TRUE(all[0].is_reservation);
    EXPECT_FALSE(all[1].is_reservation);  // is less than any port gets
    EXPECT_TRUE(all[2].is_reservation);
    EXPECT_EQ(config.device_at(slot(1)).registers[0x18], 0x010100u);
    std::vector<u32> said;
    pci::complain(devices.found, 0, [&](const char*, u32, u32 reg, u64 size) {
        said.insert(said.end(), {reg, static_cast<u32>(size)});
    });
    EXPECT_EQ(said, (std::vector<u32>{0x18, 255}));
}

TEST(pci_scan, counts_no_reservation_as_none) {
    // The upper half of io-reserve, and 16 TiB - 1 of pref64-reserve, which rounding wraps.
    fake_pci config;
    config.roots[0][slot(1)] = fake_pci::bridge(0x000c1b36)
                                   .set(0x34, 0x40)
                                   .set(0x40, 0x01280009)
                                   .set(0x4c, 1)
                                   .set(0x54, ~0u)
                                   .set(0x58, 0xffffffff)
                                   .set(0x5c, 0xfff);
    pci_devices devices(64);
    pci::scan(config, devices.found, q35);
    EXPECT_EQ(devices.found.room[0].spare, pci::most_spare);
    EXPECT_EQ(devices.found.room[2].spare, pci::most_spare);
}

TEST(pci_scan, names_io_that_no_bridge_passes_on) {
    fake_pci config;
    auto bridge = fake_pci::bridge();
    bridge.writable[0x1c] = 0;
    bridge.behind[slot(3)] = fake_pci::function(0x100e8086, 0x0200).bar(0x10, 0xffffffc1, 1);
    config.roots[0][slot(1)] = bridge;
    pci_devices devices(64);
    pci::scan(config, devices.found, q35);
    const auto& bar = devices.found.on(devices.found.buses[1])[0];
    EXPECT_EQ(bar.from, pool::none);
    EXPECT_TRUE(bar.is_dropped);
}

TEST(pci_scan, closes_io_only_where_a_bridge_cannot_pass_it_on) {
    for (const bool can : {true, false}) {
        // io-reserve=0 of a pci-bridge, and of a port, which reads a base.
        fake_pci config;
        auto bridge = fake_pci::bridge(0x000c1b36).set(0x34, 0x40).set(0x40, 0x01280009);
        if (!can) {
            bridge.registers[0x1c] = 0xf0;
            bridge.writable[0x1c] = 0;
        }
        config.roots[0][slot(1)] = bridge;
        pci_devices devices(64);
        pci::scan(config, devices.found, q35);
        EXPECT_EQ(devices.found.room[0].from, can ? pool::io : pool::none);
    }
}

TEST(pci_scan, rounds_reservations_up_to_pages) {
    fake_pci config;
    config.roots[0][slot(1)] = fake_pci::bridge(0x000c1b36)
                                   .set(0x34, 0x40)
                                   .set(0x40, 0x01280009)
                                   .set(0x44, ~0u)
                                   .set(0x48, ~0u)
                                   .set(0x50, 0x300001)
                                   .set(0x54, ~0u)
                                   .set(0x58, 0x100001)
                                   .set(0x5c, 1);
    pci_devices devices(64);
    pci::scan(config, devices.found, q35);
    EXPECT_EQ(devices.found.room[1].spare, 0x301u);
    EXPECT_EQ(devices.found.room[2].spare, 0x100101u);
}

TEST(pci_scan, shows_the_channels_of_every_ide_controller) {
    for (const u32 identity : {0x70108086u, 0x71118086u, 0x12345678u}) {
        fake_pci config;
        auto ide = fake_pci::function(identity, 0x0101);
        ide.writable[0x40] = ~0u;
        config.roots[0][slot(5)] = ide;
        pci_devices devices(64);
        pci::scan(config, devices.found, q35);
        EXPECT_EQ(config.device_at(slot(5)).registers[0x40],
                  identity == 0x12345678 ? 0u : 0x80008000u);
    }
}

TEST(pci_scan, has_functions_without_bars_decode) {
    fake_pci config;
    config.roots[0][slot(31)] = fake_pci::function(0x29188086, 0x0601);
    pci_devices devices(64);
    pci::scan(config, devices.found, q35);
    EXPECT_EQ(config.device_at(slot(31)).registers[0x04], pci::decode);
}

TEST(pci_scan, keeps_spare_room_by_the_kind_of_port) {
    const struct {
        u32 flags;
        u32 memory;
    } ports[] = {{0x0142, 0x200}, {0x0042, 0}, {0x0162, 0x200}, {0x0052, 0}, {0x0072, 0x200}};
    for (const auto& one : ports) {
        fake_pci config;
        config.roots[0][slot(1)] =
            fake_pci::bridge().set(0x34, 0x40).set(0x40, one.flags << 16 | 0x10);
        pci_devices devices(64);
        pci::scan(config, devices.found, q35);
        EXPECT_EQ(devices.found.room[1].spare, one.memory) << one.flags;
        EXPECT_EQ(devices.found.room[2].spare, one.memory) << one.flags;
        EXPECT_EQ(devices.found.room[0].spare, one.memory * 8) << one.flags;
    }
}

TEST(pci_scan, does_without_windows_that_are_not_there) {
    fake_pci config;
    auto bridge = fake_pci::bridge();
    bridge.writable[0x1c] = 0;
    bridge.registers[0x24] = 0;
    bridge.behind[slot(3)] = virtio();
    config.roots[0][slot(1)] = bridge;
    pci_devices devices(64);
    pci::scan(config, devices.found, q35);
    const auto on_bus_1 = devices.found.on(devices.found.buses[1]);
    EXPECT_EQ(on_bus_1[0].from, pool::none);
    EXPECT_EQ(on_bus_1[2].from, pool::low);
}

TEST(pci_scan, leaves_host_bridges_alone) {
    fake_pci config;
    config.roots[0][slot(0)] = fake_pci::function(0x29c08086, 0x0600).bar(0x10, 0xfffff000, 0);
    pci_devices devices(8);
    pci::scan(config, devices.found, q35);
    EXPECT_EQ(devices.found.count, 0u);
}

TEST(pci_scan, asks_isa_bridges_for_no_bars) {
    fake_pci config;
    config.roots[0][slot(1)] = fake_pci::function(0x70008086, 0x0601).bar(0x10, 0xfffff000, 0);
    pci_devices devices(8);
    pci::scan(config, devices.found, pc);
    EXPECT_EQ(devices.found.count, 0u);
}

TEST(pci_scan, sets_up_what_needs_more_than_bars) {
    fake_pci config;
    auto power = fake_pci::function(0x71138086, 0x0680).set(0x3c, 0x0100);
    power.writable[0x90] = power.writable[0xd0] = ~0u;
    auto smbus = fake_pci::function(0x29308086, 0x0c05);
    smbus.writable[0x40] = 1;
    config.roots[0][slot(1)] = power;
    config.roots[0][slot(2)] = smbus;
    pci_devices devices(32);
    pci::scan(config, devices.found, pc);
    EXPECT_EQ(config.device_at(slot(1)).registers[0x3c], 0x0109u);
    EXPECT_EQ(config.device_at(slot(1)).registers[0x90], 0x701u);
    EXPECT_EQ(config.device_at(slot(1)).registers[0xd0], 0x90000u);
    EXPECT_EQ(config.device_at(slot(2)).registers[0x40], 1u);
}

TEST(pci_scan, routes_by_the_chipset) {
    const auto line = [](const pci::host& machine, u32 device, u32 pin) {
        fake_pci config;
        config.roots[0][slot(device)] = fake_pci::function(1, 0xff00).set(0x3c, pin << 8);
        pci_devices devices(32);
        pci::scan(config, devices.found, machine);
        return config.device_at(slot(device)).registers[0x3c] & 0xff;
    };
    EXPECT_EQ(line(pc, 1, 1), 10u);
    EXPECT_EQ(line(pc, 3, 1), 11u);
    EXPECT_EQ(line(pc, 3, 3), 10u);
    EXPECT_EQ(line(q35, 3, 1), 11u);
    EXPECT_EQ(line(q35, 24, 3), 11u);
    EXPECT_EQ(line(q35, 31, 1), 10u);
    EXPECT_EQ(line(q35, 31, 3), 11u);
    EXPECT_EQ(line(q35, 3, 0), 0u);
    EXPECT_EQ(line(q35, 3, 7), 0u);
    EXPECT_EQ(line({hw::chipset::no_pci, 0}, 3, 1), 0u);
}

TEST(pci_scan, stops_where_there_is_no_room) {
    fake_pci config;
    for (u32 device = 0; device < 8; device++)
        config.roots[0][slot(device)] = virtio();
    pci_devices devices(17);
    pci::scan(config, devices.found, q35);
    EXPECT_TRUE(devices.found.is_cut_short);
    EXPECT_EQ(devices.found.count, 12u);
    EXPECT_EQ(config.device_at(slot(5)).registers[0x14], 0u);  // not asked
}

/// Every register reads as another number each time.
struct noise {
    std::mt19937 numbers;
    u32 accesses = 0;
    void at(u32) {}
    u32 read(u32) {
        accesses++;
        return static_cast<u32>(numbers());
    }
    void write(u32, u32) { accesses++; }
    void write_for_now(u32, u32) { accesses++; }
};

TEST(pci_scan, ends_on_noise) {
    for (u32 seed = 0; seed < 50; seed++) {
        noise config{std::mt19937(seed)};
        pci_devices devices(1024);
        pci::scan(config, devices.found, {hw::chipset::q35, 300});
        EXPECT_LT(config.accesses, 500'000u);
    }
}

TEST(pci_assign, writes_what_was_planned) {
    fake_pci config;
    auto& root = config.roots[0];
    root[slot(3)] = virtio();
    root[slot(1)] = fake_pci::bridge();
    root[slot(1)].behind[slot(2)] = virtio();
    pci_devices devices(64);
    pci::scan(config, devices.found, q35);
    pci::host_windows host;
    host.io.add(0xc000, 0x10000);
    host.low.add(0xc0000, 0xfec00);
    pci::plan(devices.found, host);
    pci::assign(config, devices.found, 0);
    EXPECT_EQ(config.device_at(slot(3)).registers[0x04], 0x103u);
    EXPECT_EQ(config.device_at(slot(1)).registers[0x04], 0x107u);
    EXPECT_EQ(config.device_at(slot(1)).registers[0x1c], 0xc0c0u);
    EXPECT_EQ(config.device_at(0x100 | slot(2)).registers[0x10], 0xc001u);
    EXPECT_EQ(config.device_at(slot(3)).registers[0x10], 0xd001u);
    const u32 low = config.device_at(slot(1)).registers[0x20];
    const u32 bar = config.device_at(0x100 | slot(2)).registers[0x14];
    EXPECT_EQ(bar >> 20, low >> 4 & 0xfff);
    EXPECT_EQ(config.device_at(slot(1)).registers[0x28], 0u);
    EXPECT_EQ(config.device_at(0x100 | slot(2)).registers[0x30] & 1, 0u);  // the ROM stays off
}

TEST(pci_assign, adds_the_base_to_what_is_above_4_gib) {
    for (const u32 base : {0u, 0x800u, 0x3000u}) {
        fake_pci config;
        auto& root = config.roots[0];
        root[slot(1)] = fake_pci::bridge();
        root[slot(1)].behind[slot(2)] = virtio();
        root[slot(3)] = fake_pci::function(0x11111234, 0xff00).bar(0x10, 0xfffff000, 0);
        pci_devices devices(64);
        pci::scan(config, devices.found, q35);
        for (auto& one : devices.found.resources()) {
            if (one.from == pool::high && !one.is_window)
                one.size = 1u << (one.shift = 20);  // has no room below
        }
        pci::host_windows host;
        host.low.add(0xc0000, 0xfec00);
        host.high.add(0x100000, 0x400000);
        pci::plan(devices.found, host);
        pci::assign(config, devices.found, base);
        EXPECT_EQ(config.device_at(0x100 | slot(2)).registers[0x24], base + 1);
        EXPECT_EQ(config.device_at(slot(1)).registers[0x28], base + 1);
        EXPECT_EQ(config.device_at(slot(1)).registers[0x2c], base + 2);  // spare room
        EXPECT_EQ(config.device_at(slot(3)).registers[0x10] >> 28, 0xcu);
    }
}

TEST(pci_assign, opens_bridges_for_the_first_display) {
    fake_pci config;
    auto& root = config.roots[0];
    for (const u32 device : {1, 2}) {
        root[slot(device)] = fake_pci::bridge();
        root[slot(device)].behind[slot(0)] = fake_pci::function(0x11111234, 0x0300);
    }
    pci_devices devices(64);
    pci::scan(config, devices.found, q35);
    pci::plan(devices.found, {});
    pci::assign(config, devices.found, 0);
    EXPECT_EQ(config.device_at(slot(1)).registers[0x3c] >> 16, 8u);
    EXPECT_EQ(config.device_at(slot(2)).registers[0x3c] >> 16, 0u);
}

void expect_same(const fake_pci::bus& one, const fake_pci::bus& other) {
    for (const auto& [place, device] : one) {
        EXPECT_EQ(device.registers, other.at(place).registers) << "slot " << place;
        expect_same(device.behind, other.at(place).behind);
    }
}

TEST(pci_assign, leaves_the_same_when_its_writes_are_done_again) {
    fake_pci config;
    auto& root = config.roots[0];
    root[slot(1)] = fake_pci::function(0x70108086, 0x0101);
    root[slot(2)] = virtio();
    root[slot(3)] = fake_pci::bridge();
    auto& behind = root[slot(3)].behind;
    behind[slot(1)] = virtio();
    behind[slot(2)] = fake_pci::bridge();
    behind[slot(2)].behind[slot(4)] = fake_pci::function(0x11111234, 0x0300);
    behind[slot(2)].behind[slot(4)].bar(0x10, 0xff000008, 8);
    config.roots[64][slot(0)] = fake_pci::bridge();
    config.roots[64][slot(0)].behind[slot(0)] = virtio();
    for (auto* const one : {&root[slot(1)], &root[slot(2)]})
        one->writable[0x40] = ~0u;
    // As a reset leaves them: what is never written is there too.
    std::function<void(fake_pci::bus&)> clear = [&](fake_pci::bus& devices) {
        for (auto& [place, device] : devices) {
            for (const auto& [reg, bits] : device.writable)
                device.registers.try_emplace(reg, 0);
            clear(device.behind);
        }
    };
    for (auto& [number, devices] : config.roots)
        clear(devices);
    fake_pci woken = config;

    pci_devices devices(64);
    pci::scan(config, devices.found, {hw::chipset::i440fx, 1});
    pci::host_windows windows;
    windows.io.add(0xc000, 0x10000);
    windows.low.add(0xc0000, 0xfec00);
    pci::plan(devices.found, windows);
    pci::assign(config, devices.found, 0);
    EXPECT_NE(config.device_at(slot(2)).registers[0x10], 1u);
    for (const auto& one : config.kept) {
        woken.at(one.function);
        woken.write(one.offset, one.value);
    }
    expect_same(config.roots[0], woken.roots[0]);
    expect_same(config.roots[64], woken.roots[64]);
    EXPECT_LT(config.kept.size(), config.accesses / 3);
}

TEST(pci_config, selects_a_register_once) {
    fakes::fake_machine machine;
    machine.accept(0xcf8);
    machine.accept(0xcfc);
    machine.answer(0xcfc, {0xfffff000});
    pci::config_space<fakes::fake_machine> config(machine, 0);
    config.at(0x1f2);
    config.write(0x10, 0xffffffff);
    EXPECT_EQ(config.read(0x10), 0xfffff000u);
    EXPECT_EQ(machine.log(),
              (access_log{"out32 0xcf8 0x8001f210", "out32 0xcfc 0xffffffff", "in32 0xcfc"}));
}

TEST(pci_config, notes_what_stays_and_does_it_again) {
    for (const u32 ecam : {0u, 0xb0000000u}) {
        fakes::fake_machine machine;
        machine.accept_mmio();
        machine.accept(0xcf8);
        machine.accept(0xcfc);
        pci::config_space<fakes::fake_machine> config(machine, ecam);
        pci::config_write journal[2] = {};
        config.at(0x1f2);
        config.write(0x04, 0);  // before anything is noted
        EXPECT_EQ(config.written(), 1u);
        pci::config_space<fakes::fake_machine> noting(machine, ecam);
        noting.note_in(journal);
        noting.at(0x1f2);
        noting.write(0x10, 7);
        noting.write_for_now(0x10, 5);
        noting.at(0x208);
        noting.write(0x14, 8);
        noting.write(0x18, 9);  // has no room
        EXPECT_EQ(noting.written(), 3u);

        fakes::fake_machine again;
        again.accept_mmio();
        again.accept(0xcf8);
        again.accept(0xcfc);
        pci::config_space<fakes::fake_machine>(again, ecam).replay(journal);
        EXPECT_EQ(again.log(),
                  ecam == 0 ? (access_log{"out32 0xcf8 0x8001f210", "out32 0xcfc 0x7",
                                          "out32 0xcf8 0x80020814", "out32 0xcfc 0x8"})
                            : (access_log{"mmio32 0xb01f2010 0x7", "mmio32 0xb0208014 0x8"}));
    }
}

TEST(pci_config, goes_by_memory) {
    fakes::fake_machine machine;
    machine.accept_mmio();
    machine.answer_mmio({5});
    pci::config_space<fakes::fake_machine> config(machine, 0xb0000000);
    config.at(0x1f2);
    config.write(0x10, 7);
    EXPECT_EQ(config.read(0x14), 5u);
    EXPECT_EQ(machine.log(), (access_log{"mmio32 0xb01f2010 0x7", "mmio32 0xb01f2014"}));
}

}  // namespace
}  // namespace mayfly::test
