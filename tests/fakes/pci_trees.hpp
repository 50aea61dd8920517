// SPDX-License-Identifier: MIT
// PCI trees made of numbers from anywhere, and what must hold of a plan for one.
#pragma once

#include <algorithm>
#include <compare>
#include <functional>
#include <string>
#include <vector>

#include "pci/plan.hpp"

namespace mayfly::fakes {

/// A tree with room for `capacity` resources.
struct pci_devices {
    explicit pci_devices(u32 capacity) : storage(capacity) {
        found.room = {storage.data(), storage.size()};
    }

    pci::bus& add_bus(u32 number, bool is_root) {
        auto& bus = found.buses[number];
        bus.exists = true;
        bus.is_root = is_root;
        bus.last = static_cast<u8>(number);
        bus.has_io = bus.has_high = true;
        bus.first = static_cast<u16>(found.count);
        return bus;
    }

    /// To the bus that was added last.
    pci::resource& add(u32 bus, u32 device, u8 reg, pci::pool from, u8 shift) {
        auto& one = found.room[found.count++];
        one = {};
        one.function = static_cast<u16>(bus << 8 | device << 3);
        one.reg = reg;
        one.from = from;
        one.is_io = from == pci::pool::io;
        one.is_on_root = found.buses[bus].is_root;
        one.is_wide = one.may_be_high = from == pci::pool::high;
        one.shift = shift;
        one.size = 1u << shift;
        found.buses[bus].count++;
        return one;
    }

    /// The three windows of a bridge; returns the first.
    pci::resource& add_bridge(u32 bus, u32 device, u32 child) {
        const u16 first = static_cast<u16>(found.count);
        for (const auto from : {pci::pool::io, pci::pool::low, pci::pool::high}) {
            const u8 reg = static_cast<u8>(pci::reg_io_window + 4 * static_cast<u32>(from));
            auto& window = add(bus, device, reg, from, 0);
            window.size = 0;
            window.is_window = true;
            window.child = static_cast<u8>(child);
        }
        found.buses[child].windows = first;
        return found.room[first];
    }

    std::vector<pci::resource> storage;
    pci::tree found;
};

/// Makes a tree of up to 20 buses by `next`, which gives any number.
inline void grow(pci_devices& to, const std::function<u32()>& next) {
    constexpr u32 most_buses = 20;
    struct place {
        u32 bus;
        u32 parent;
    };
    std::vector<u32> parent{0};
    const u32 buses = 1 + next() % most_buses;
    // Depth first: the parent of a bus is the bus before it, or one of that one's own parents.
    for (u32 number = 1; number < buses; number++) {
        u32 above = number - 1;
        for (u32 up = next() % 3; up != 0 && above != 0; up--)
            above = parent[above];
        parent.push_back(next() % 16 == 0 ? number : above);  // itself: a root
    }
    for (u32 number = 0; number < buses; number++) {
        const bool is_root = parent[number] == number;
        const u16 windows = to.found.buses[number].windows;
        auto& bus = to.add_bus(number, is_root);
        bus.windows = windows;
        bus.has_one_slot = next() % 2 == 0;
        for (u32 bars = next() % 6, i = 0; i < bars; i++) {
            const u32 kind = next();
            const u8 reg = static_cast<u8>(pci::reg_bar_0 + 4 * (kind / 8 % 6));
            const u32 shift = next();
            if (kind % 4 == 0)
                to.add(number, i, reg, pci::pool::io, static_cast<u8>(2 + shift % 12));
            else if (kind % 4 == 1)
                to.add(number, i, reg, pci::pool::high,
                       static_cast<u8>(shift % (kind % 64 == 1 ? 32 : 20)));
            else
                to.add(number, i, reg, pci::pool::low,
                       static_cast<u8>(shift % (kind % 64 == 2 ? 20 : 12)));
        }
        for (u32 child = number + 1; child < buses; child++) {
            if (parent[child] != number)
                continue;
            auto* const windows_of = &to.add_bridge(number, 8 + child % 16, child);
            for (u32 i = 0; i < 3; i++) {
                windows_of[i].spare = next() % 2 == 0 ? 0 : next() % (i == 0 ? 0x4000 : 0x8000);
                windows_of[i].is_reservation = next() % 4 == 0;
            }
            if (next() % 8 == 0)
                windows_of[2].note = pci::note_low_spare;
        }
    }
    for (u32 number = buses; number-- > 1;) {
        if (parent[number] != number) {
            auto& above = to.found.buses[parent[number]];
            above.last = std::max(above.last, to.found.buses[number].last);
        }
    }
}

/// Whether a BAR on a root bus fits between those that have an address there.
inline bool has_gap_for(const pci::resource& bar, const pci::tree& devices,
                        const pci::host_windows& host) {
    const auto fits = [&](const pci::window_list& list) {
        for (u32 i = 0; i < list.count; i++) {
            u64 at = 0;
            const auto align = [&](u64 from) { at = (from + bar.size - 1) & ~u64{bar.size - 1}; };
            align(list.extents[i].begin);
            for (bool moved = true; moved;) {
                moved = false;
                for (const auto& one : devices.resources()) {
                    if (one.is_on_root && one.is_io == bar.is_io && one.address != 0 &&
                        at < u64{one.address} + one.size && one.address < at + bar.size) {
                        align(u64{one.address} + one.size);
                        moved = true;
                    }
                }
            }
            if (at + bar.size <= list.extents[i].end)
                return true;
        }
        return false;
    };
    if (bar.is_io)
        return fits(host.io);
    return fits(host.low) || (bar.may_be_high && fits(host.high));
}

/// What was dropped without need, as far as one can see; empty where nothing was.
inline std::string needless_drop(const pci::tree& devices, const pci::host_windows& host) {
    for (const bool io : {true, false}) {
        const pci::resource* last = nullptr;
        u32 dropped = 0;
        for (const auto& one : devices.resources()) {
            if (one.is_dropped && !one.is_window && one.is_io == io) {
                last = &one;
                dropped++;
            }
        }
        if (dropped == 1 && last->is_on_root && has_gap_for(*last, devices, host))
            return "resource " + std::to_string(last - devices.resources().begin()) + " had room";
    }
    return {};
}

/// What is wrong with the plan; empty where nothing is.
inline std::string fault_of(const pci::tree& devices, const pci::host_windows& host) {
    using pci::pool;
    const auto all = devices.resources();
    const auto told = [&](const pci::resource& one) {
        return "resource " + std::to_string(&one - all.begin()) + ": ";
    };
    const auto inside = [](const pci::resource& one, u64 begin, u64 end) {
        return one.address >= begin && u64{one.address} + one.size <= end;
    };
    struct place {
        u32 bus;
        bool is_io;
        u64 begin, end;
        auto operator<=>(const place&) const = default;
    };
    std::vector<place> places;
    for (const auto& one : all) {
        const auto& bus = devices.buses[one.bus()];
        if (one.address == 0) {
            if (one.size != 0 && one.from != pool::none)
                return told(one) + "no address";
            continue;
        }
        if (one.from == pool::none || one.size == 0)
            return told(one) + "an address of nothing";
        if ((one.address & ((1u << one.shift) - 1)) != 0)
            return told(one) + "not aligned";
        bool is_inside = false;
        if (bus.is_root) {
            const auto& list = one.from == pool::io    ? host.io
                               : one.from == pool::low ? host.low
                                                       : host.high;
            for (u32 i = 0; i < list.count; i++)
                is_inside |= inside(one, list.extents[i].begin, list.extents[i].end);
            if (one.from == pool::high && !one.may_be_high)
                return told(one) + "above 4 GiB";
        } else {
            const auto& window = devices.room[bus.windows + static_cast<u32>(one.from)];
            is_inside = inside(one, window.address, u64{window.address} + window.size);
        }
        if (!is_inside)
            return told(one) + "outside";
        // Root buses share the host's windows.
        places.push_back(
            {bus.is_root ? 0 : one.bus(), one.is_io, one.address, u64{one.address} + one.size});
    }
    std::sort(places.begin(), places.end());
    for (usize i = 1; i < places.size(); i++) {
        const auto &before = places[i - 1], &place = places[i];
        if (before.bus == place.bus && before.is_io == place.is_io && place.begin < before.end)
            return "two resources at " + std::to_string(place.begin);
    }
    return {};
}

}  // namespace mayfly::fakes
