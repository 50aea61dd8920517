// SPDX-License-Identifier: MIT
#include "pci/plan.hpp"

#include <ctime>
#include <random>

#include "fakes/pci_trees.hpp"
#include "pci/complain.hpp"
#include "unit/expect.hpp"

namespace mayfly::test {
namespace {

using fakes::pci_devices;
using pci::pool;

constexpr u32 four_gib_in_pages = 1u << 20;

pci::host_windows windows_of_pc() {
    pci::host_windows out;
    out.io.add(0xc000, 0x10000);
    out.io.add(0x1000, 0xa000);
    out.low.add(0xe0000, 0xfec00);
    out.high.add(0x140000, 1u << 28);
    return out;
}

void expect_sound(const pci_devices& devices, const pci::host_windows& host) {
    EXPECT_EQ(fakes::fault_of(devices.found, host), "");
}

/// Three on bus 0, the second of which reserves so much: returns that window.
pci::resource& add_hotplug_ports(pci_devices& devices, u32 reservation) {
    for (u32 port = 1; port <= 3; port++) {
        auto* const windows = &devices.add_bridge(0, port, port);
        windows[0].spare = 0x1000;
        windows[1].spare = windows[2].spare = 0x200;
    }
    auto& reserved = devices.found.room[5];
    reserved.is_reservation = true;
    reserved.spare = reservation;
    for (u32 port = 1; port <= 3; port++)
        devices.add_bus(port, false).windows = static_cast<u16>(3 * (port - 1));
    return reserved;
}

std::vector<std::string> complaints(const pci::tree& found, u32 unkept = 0) {
    std::vector<std::string> out;
    pci::complain(found, unkept, [&](const char* sentence, u32 first, u32 second, u64 third) {
        out.push_back(told({sentence, {}, {first, second, third}}));
    });
    return out;
}

TEST(pci_plan, fills_the_largest_first) {
    pci_devices devices(8);
    devices.add_bus(0, true);
    const auto& page = devices.add(0, 1, 0x10, pool::low, 0);
    const auto& large = devices.add(0, 2, 0x10, pool::high, 4);
    const auto& ports = devices.add(0, 3, 0x10, pool::io, 5);
    const auto host = windows_of_pc();
    pci::plan(devices.found, host);
    EXPECT_EQ(large.address, 0xe0000u);
    EXPECT_EQ(page.address, 0xe0010u);
    EXPECT_EQ(ports.address, 0xc000u);
    expect_sound(devices, host);
}

TEST(pci_plan, raises_the_largest_alone) {
    pci_devices devices(8);
    devices.add_bus(0, true);
    const auto& large = devices.add(0, 1, 0x18, pool::high, 20);
    const auto& small = devices.add(0, 2, 0x18, pool::high, 4);
    const auto host = windows_of_pc();
    pci::plan(devices.found, host);
    EXPECT_EQ(large.address, 0x200000u);  // a multiple of its size
    EXPECT_LT(small.address, four_gib_in_pages);
    expect_sound(devices, host);
}

TEST(pci_plan, raises_a_window_with_what_is_behind_it) {
    pci_devices devices(16);
    devices.add_bus(0, true);
    devices.add_bridge(0, 1, 1);
    devices.add_bus(1, false).windows = 0;
    const auto& bar = devices.add(1, 0, 0x18, pool::high, 20);
    const auto& low = devices.add(1, 0, 0x10, pool::low, 0);
    const auto host = windows_of_pc();
    pci::plan(devices.found, host);
    EXPECT_EQ(bar.address, 0x200000u);
    EXPECT_EQ(devices.found.room[2].address, bar.address);
    EXPECT_EQ(devices.found.room[1].size, 0x100u);  // a MiB
    EXPECT_EQ(devices.found.room[1].address, low.address);
    EXPECT_EQ(devices.found.room[0].address, 0u);  // closed
    expect_sound(devices, host);
}

TEST(pci_plan, keeps_room_for_hotplug) {
    pci_devices devices(16);
    devices.add_bus(0, true);
    auto* const windows = &devices.add_bridge(0, 1, 1);
    windows[0].spare = 0x1000;
    windows[1].spare = windows[2].spare = 0x200;
    devices.add_bus(1, false).windows = 0;
    devices.found.buses[1].has_one_slot = true;
    const auto host = windows_of_pc();
    pci::plan(devices.found, host);
    EXPECT_EQ(windows[0].size, 0x1000u);
    for (u32 i = 1; i < 3; i++) {
        EXPECT_EQ(windows[i].size, 0x200u);
        EXPECT_EQ(windows[i].address % 0x200, 0u);
        EXPECT_NE(windows[i].address, 0u);
    }
    expect_sound(devices, host);
}

TEST(pci_plan, keeps_more_on_a_bus_than_on_a_link) {
    for (const bool has_one_slot : {false, true}) {
        pci_devices devices(16);
        devices.add_bus(0, true);
        auto* const windows = &devices.add_bridge(0, 1, 1);
        windows[1].spare = 0x200;
        devices.add_bus(1, false).windows = 0;
        devices.found.buses[1].has_one_slot = has_one_slot;
        devices.add(1, 0, 0x10, pool::low, 8);
        pci::plan(devices.found, windows_of_pc());
        EXPECT_EQ(windows[1].size, has_one_slot ? 0x200u : 0x300u);
    }
}

TEST(pci_plan, gives_up_spare_room_first) {
    // 20 ports want I/O, and 13 windows of 4 KiB exist.
    pci_devices devices(128);
    devices.add_bus(0, true);
    for (u32 port = 1; port <= 20; port++)
        (&devices.add_bridge(0, port, port))->spare = 0x1000;
    for (u32 port = 1; port <= 20; port++)
        devices.add_bus(port, false).windows = static_cast<u16>(3 * (port - 1));
    const auto& bar = devices.add(20, 0, 0x10, pool::io, 5);
    const auto host = windows_of_pc();
    pci::plan(devices.found, host);
    u32 with_spare = 0;
    for (u32 port = 1; port < 20; port++)
        with_spare += devices.found.room[3 * (port - 1)].address != 0 ? 1 : 0;
    EXPECT_GE(with_spare, 8u);
    EXPECT_LE(with_spare, 12u);
    EXPECT_NE(bar.address, 0u);
    expect_sound(devices, host);
}

TEST(pci_plan, drops_one_reservation_that_has_no_room_and_keeps_all_other_spare_room) {
    pci_devices devices(64);
    devices.add_bus(0, true);
    auto& asked = add_hotplug_ports(devices, 1u << 29);  // 2 TiB
    const auto& bar = devices.add(3, 0, 0x18, pool::high, 4);
    const auto host = windows_of_pc();
    pci::plan(devices.found, host);
    EXPECT_NE(bar.address, 0u);
    EXPECT_EQ(asked.address, 0u);
    for (u32 i = 0; i < 9; i++) {
        const auto& window = devices.found.room[i];
        EXPECT_EQ(window.is_dropped, &window == &asked) << i;
        if (&window != &asked) {
            EXPECT_GE(window.size, window.spare) << i;
        }
    }
    expect_sound(devices, host);
    EXPECT_EQ(complaints(devices.found),
              std::vector<std::string>{
                  "mayfly: pci: no room (function 0x10, register 0x24, size 0x20000000000)"});
}

TEST(pci_plan, drops_one_bar_that_never_fits_and_keeps_all_spare_room) {
    for (const bool wide : {true, false}) {
        pci_devices devices(64);
        devices.add_bus(0, true);
        add_hotplug_ports(devices, 1u << 20);  // 4 GiB
        const auto& giant = devices.add(3, 0, 0x18, wide ? pool::high : pool::low, wide ? 30 : 19);
        const auto host = windows_of_pc();
        pci::plan(devices.found, host);
        EXPECT_TRUE(giant.is_dropped);
        for (u32 i = 0; i < 9; i++) {
            const auto& window = devices.found.room[i];
            EXPECT_FALSE(window.is_dropped) << i;
            EXPECT_GE(window.size, window.spare) << i;
        }
        expect_sound(devices, host);
    }
}

TEST(pci_plan, keeps_a_reservation_where_others_give_up_their_spare_room) {
    // More spare room than there is below 4 GiB, and a reservation above it on the last bus.
    constexpr u32 ports = 250;
    pci_devices devices(3 * ports + 1);
    devices.add_bus(0, true);
    for (u32 port = 1; port <= ports; port++)
        (&devices.add_bridge(0, port % 32, port))[1].spare = 0x400;
    auto& asked = devices.found.room[3 * ports - 1];
    asked.spare = 1u << 18;  // 1 GiB
    asked.is_reservation = true;
    for (u32 port = 1; port <= ports; port++)
        devices.add_bus(port, false).windows = static_cast<u16>(3 * (port - 1));
    const auto host = windows_of_pc();
    pci::plan(devices.found, host);
    EXPECT_FALSE(asked.is_dropped);
    EXPECT_EQ(asked.size, asked.spare);
    expect_sound(devices, host);
}

TEST(pci_plan, drops_the_last_of_equal_reservations) {
    pci_devices devices(64);
    devices.add_bus(0, true);
    for (u32 port = 1; port <= 3; port++) {
        auto& window = devices.add_bridge(0, port, port);
        window.spare = 0x5000;
        window.is_reservation = true;
    }
    for (u32 port = 1; port <= 3; port++)
        devices.add_bus(port, false).windows = static_cast<u16>(3 * (port - 1));
    const auto host = windows_of_pc();
    pci::plan(devices.found, host);
    EXPECT_FALSE(devices.found.room[0].is_dropped);
    EXPECT_TRUE(devices.found.room[6].is_dropped);
    expect_sound(devices, host);
}

TEST(pci_plan, keeps_a_reservation_above_4_gib_when_there_is_no_room_below) {
    pci_devices devices(64);
    devices.add_bus(0, true);
    for (u32 port = 1; port <= 2; port++)
        devices.add_bridge(0, port, port);
    auto& high = devices.found.room[2];
    auto& low = devices.found.room[4];
    high.is_reservation = low.is_reservation = true;
    high.spare = 1u << 22;  // 16 GiB
    low.spare = 1u << 19;   // 2 GiB
    for (u32 port = 1; port <= 2; port++)
        devices.add_bus(port, false).windows = static_cast<u16>(3 * (port - 1));
    const auto host = windows_of_pc();
    pci::plan(devices.found, host);
    EXPECT_FALSE(high.is_dropped);
    EXPECT_EQ(high.size, high.spare);
    EXPECT_TRUE(low.is_dropped);
    expect_sound(devices, host);
}

TEST(pci_plan, keeps_what_is_wanted_low_above_4_gib_beside_what_is_too_large) {
    for (const u8 shift : {u8{8}, u8{20}}) {  // 1 MiB, 4 GiB
        pci_devices devices(64);
        devices.add_bus(0, true);
        auto& window = (&devices.add_bridge(0, 1, 1))[2];
        window.spare = 1u << 10;
        window.is_reservation = true;
        window.note = pci::note_low_spare;
        devices.add_bus(1, false).windows = 0;
        const auto& bar = devices.add(1, 0, 0x18, pool::high, shift);
        auto host = windows_of_pc();
        pci::plan(devices.found, host);
        EXPECT_EQ(window.size, bar.size + window.spare);
        EXPECT_EQ(window.address >= four_gib_in_pages, shift == 20);
        EXPECT_FALSE(window.is_dropped);
        expect_sound(devices, host);
    }
}

TEST(pci_plan, drops_the_reservation_of_a_bridge_behind_a_bridge) {
    pci_devices devices(64);
    devices.add_bus(0, true);
    devices.add_bridge(0, 1, 1);
    auto& kept = devices.add_bridge(0, 2, 3);
    (&kept)[1].spare = 0x200;
    devices.add_bus(1, false).windows = 0;
    auto* const inner = &devices.add_bridge(1, 1, 2);
    inner[1].is_reservation = true;
    inner[1].spare = 1u << 20;
    devices.add_bus(2, false).windows = 6;
    devices.add_bus(3, false).windows = 3;
    devices.found.buses[1].last = 2;
    const auto host = windows_of_pc();
    pci::plan(devices.found, host);
    EXPECT_TRUE(inner[1].is_dropped);
    EXPECT_EQ((&kept)[1].size, 0x200u);
    expect_sound(devices, host);
}

TEST(pci_plan, drops_the_largest_on_a_root_bus_and_not_the_one_that_came_last) {
    // 13 windows of 4 KiB fill the I/O space, and a device of the chipset wants 16 bytes.
    pci_devices devices(128);
    devices.add_bus(0, true);
    for (u32 port = 1; port <= 13; port++)
        devices.add_bridge(0, port, port);
    const auto& chipset = devices.add(0, 20, 0x20, pool::io, 4);
    for (u32 port = 1; port <= 13; port++) {
        devices.add_bus(port, false).windows = static_cast<u16>(3 * (port - 1));
        devices.add(port, 0, 0x10, pool::io, port == 7 ? 8 : 6);
        devices.add(port, 0, 0x14, pool::io, 5);
    }
    const auto host = windows_of_pc();
    pci::plan(devices.found, host);
    EXPECT_NE(chipset.address, 0u);
    u32 dropped = 0;
    for (const auto& one : devices.found.resources())
        dropped += one.is_dropped ? 1 : 0;
    EXPECT_EQ(dropped, 2u);  // both of one window
    expect_sound(devices, host);
}

TEST(pci_plan, drops_what_is_in_the_way_and_names_it) {
    pci_devices devices(16);
    devices.add_bus(0, true);
    devices.add_bridge(0, 1, 1);
    const auto& root_bar = devices.add(0, 2, 0x10, pool::low, 0);
    devices.add_bus(1, false).windows = 0;
    const auto& giant = devices.add(1, 3, 0x14, pool::low, 18);  // 1 GiB
    const auto& behind = devices.add(1, 4, 0x10, pool::low, 2);
    const auto host = windows_of_pc();
    pci::plan(devices.found, host);
    EXPECT_EQ(giant.address, 0u);
    EXPECT_NE(root_bar.address, 0u);
    EXPECT_NE(behind.address, 0u);
    expect_sound(devices, host);
    EXPECT_EQ(complaints(devices.found),
              std::vector<std::string>{
                  "mayfly: pci: no room (function 0x118, register 0x14, size 0x40000000)"});
}

TEST(pci_plan, does_without_high_memory) {
    pci_devices devices(8);
    devices.add_bus(0, true);
    const auto& large = devices.add(0, 1, 0x18, pool::high, 20);
    const auto& small = devices.add(0, 2, 0x18, pool::high, 4);
    auto host = windows_of_pc();
    host.high.count = 0;
    pci::plan(devices.found, host);
    EXPECT_EQ(large.address, 0u);
    EXPECT_NE(small.address, 0u);
    expect_sound(devices, host);
}

TEST(pci_plan, stays_below_the_last_page) {
    // More than all addresses together, behind one bridge.
    pci_devices devices(64);
    devices.add_bus(0, true);
    devices.add_bridge(0, 1, 1);
    devices.add_bus(1, false).windows = 0;
    for (u32 i = 0; i < 20; i++)
        devices.add(1, i, 0x18, pool::high, 31);
    const auto host = windows_of_pc();
    pci::plan(devices.found, host);
    expect_sound(devices, host);
}

TEST(pci_plan, ends_soon_where_nothing_fits) {
    // As many as the firmware has room for, each as large as all the room, and every reservation
    // too.
    constexpr u32 most = 2200, ports = 200;
    pci_devices devices(most);
    devices.add_bus(0, true);
    for (u32 port = 1; port <= ports; port++) {
        auto* const windows = &devices.add_bridge(0, port % 32, port);
        for (u32 i = 0; i < 3; i++) {
            windows[i].spare = pci::most_spare;
            windows[i].is_reservation = true;
        }
    }
    while (devices.found.count < most - ports)
        devices.add(0, devices.found.count % 32, 0x10, pool::low, 18);
    for (u32 port = 1; port <= ports; port++) {
        devices.add_bus(port, false).windows = static_cast<u16>(3 * (port - 1));
        devices.add(port, 0, 0x10, pool::io, 16);
    }
    const auto host = windows_of_pc();
    const std::clock_t begin = std::clock();
    pci::plan(devices.found, host);
    // Seconds with the sanitizers, of which optimized code takes a tenth.
    EXPECT_LT(std::clock() - begin, 20 * CLOCKS_PER_SEC);
    expect_sound(devices, host);
    for (const auto& one : devices.found.resources())
        EXPECT_EQ(one.is_dropped, one.address == 0);
}

TEST(pci_plan, says_the_other_sentences) {
    pci_devices devices(8);
    devices.add_bus(0, true);
    devices.add_bridge(0, 2, 0);
    devices.found.is_cut_short = true;
    const auto said = complaints(devices.found, 3);
    ASSERT_EQ(said.size(), 3u);
    test::expect_sentence(said[0],
                          "mayfly: pci: too many registers to be kept for a resume (3 left out)");
    test::expect_sentence(said[1], "mayfly: pci: too many BARs (limit 8)");
    test::expect_sentence(said[2], "mayfly: pci: no room (function 0x10, register 0x18, size 0x1)");
}

TEST(pci_plan, repeats_itself_on_ten_thousand_trees) {
    const auto host = windows_of_pc();
    for (u32 seed = 0; seed < 10'000; seed++) {
        const auto planned = [&] {
            pci_devices devices(2048);
            std::mt19937 numbers(seed);
            fakes::grow(devices, [&] { return static_cast<u32>(numbers()); });
            pci::plan(devices.found, host);
            return devices;
        };
        const auto devices = planned();
        ASSERT_EQ(fakes::fault_of({devices.found}, host), "") << "seed " << seed;
        ASSERT_EQ(fakes::needless_drop(devices.found, host), "") << "seed " << seed;
        if (seed % 16 != 0)
            continue;
        const auto again = planned();
        for (u32 i = 0; i < devices.found.count; i++)
            ASSERT_EQ(devices.storage[i].address, again.storage[i].address) << "seed " << seed;
    }
}

}  // namespace
}  // namespace mayfly::test
