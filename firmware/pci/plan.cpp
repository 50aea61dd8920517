// SPDX-License-Identifier: MIT
#include "pci/plan.hpp"

namespace mayfly::pci {
namespace {

constexpr u8 io_window_shift = 12;
constexpr u8 memory_window_shift = 20 - page_shift;

/// Of a number that is not 0.
u8 highest_bit(u32 value) {
    return static_cast<u8>(31 - __builtin_clz(value));
}

u32 round_up(u32 value, u8 shift) {
    return align_up(value, 1u << shift);
}

/// A window of the host bridge, or the inside of a bridge's, being filled from its begin.
struct room {
    u32 next;
    u32 end;
    u8 shift = 0;  ///< the largest alignment in it

    bool give(resource& to) {
        const u32 at = round_up(next, to.shift);
        if (at < next || at > end || to.size > end - at)
            return false;
        to.address = at;
        next = at + to.size;
        if (to.shift > shift)
            shift = to.shift;
        return true;
    }
};

class planner {
  public:
    planner(tree& devices, const host_windows& windows) : devices_(devices), windows_(windows) {}

    /// I/O, or memory where `first` is pool::low.
    void find_room(pool first) {
        u32 spared = bus_limit;
        for (;;) {
            size_windows(first, spared);
            resource* const homeless = fill_roots(first);
            if (homeless == nullptr)
                return;
            if (spared == 0)  // and stays so: to try again with more takes seconds
                drop_largest(*homeless);
            spared -= (spared + 3) / 4;
        }
    }

    /// From places in windows to addresses, parents first.
    void add_up() {
        for (auto& one : devices_.resources()) {
            if (one.from == pool::none || one.size == 0) {
                one.address = 0;
            } else if (!one.is_on_root) {
                const u32 base = window(devices_.buses[one.bus()], one.from).address;
                one.address = base == 0 ? 0 : base + one.address;
            }
        }
    }

  private:
    resource& window(const bus& behind, pool which) const {
        return devices_.room[behind.windows + static_cast<u32>(which)];
    }

    /// Gives room to what is in `from`, the largest alignment first: so nothing is lost between
    /// powers of two. Returns the first that finds none.
    resource* fill(span<resource> among, bool roots_only, pool from, span<room> rooms) {
        for (u32 shift = 32; shift-- > 0;) {
            for (auto& one : among) {
                if (one.shift != shift || one.from != from || one.size == 0 ||
                    (roots_only && !one.is_on_root))
                    continue;
                bool has_room = false;
                for (auto& each : rooms)
                    has_room = has_room || each.give(one);
                if (!has_room)
                    return &one;
            }
        }
        return nullptr;
    }

    /// Buses from number `spared` on get no spare room.
    void size_window(const bus& behind, pool which, u32 spared) {
        auto& window = this->window(behind, which);
        if (window.from == pool::none)
            return;
        const auto among = devices_.on(behind);
        room inside{0, end_of_pages};
        if (fill(among, false, which, {&inside, 1}) != nullptr)
            inside.next = end_of_pages;  // has no room anywhere
        const u8 unit = which == pool::io ? io_window_shift : memory_window_shift;
        u8 shift = unit;
        u32 size = inside.next;
        window.may_be_high = which == pool::high;
        if (window.child < spared && window.spare != 0) {
            if ((window.note & note_low_spare) != 0)
                window.may_be_high = false;
            // A link has one device; a bus takes one more.
            if (which != pool::io && !behind.has_one_slot)
                size += window.spare;
            else if (size < window.spare)
                size = window.spare;
            if (highest_bit(window.spare) > shift)
                shift = highest_bit(window.spare);
        }
        window.size = round_up(size, unit);
        window.shift = inside.shift > shift ? inside.shift : shift;
        for (const auto& one : among) {
            if (one.from == which && one.size != 0 && !one.may_be_high)
                window.may_be_high = false;
        }
    }

    /// Every window, the innermost first: those have the higher numbers.
    void size_windows(pool first, u32 spared) {
        for (u32 number = bus_limit; number-- > 0;) {
            const bus& behind = devices_.buses[number];
            if (!behind.exists || behind.is_root)
                continue;
            size_window(behind, first, spared);
            if (first == pool::low)
                size_window(behind, pool::high, spared);
        }
    }

    resource* fill_from(const window_list& windows, pool from) {
        room rooms[window_list::limit];
        for (u32 i = 0; i < windows.count; i++)
            rooms[i] = {windows.extents[i].begin, windows.extents[i].end};
        return fill(devices_.resources(), true, from, {rooms, windows.count});
    }

    /// Returns one that has no room.
    resource* fill_roots(pool first) {
        if (first == pool::io)
            return fill_from(windows_.io, pool::io);
        for (auto& one : devices_.resources()) {
            if (one.from == pool::high && one.is_on_root)
                one.from = pool::low;
        }
        resource* homeless;
        while ((homeless = fill_from(windows_.low, pool::low)) != nullptr) {
            if (windows_.high.count == 0 || !raise_largest())
                return homeless;
        }
        return fill_from(windows_.high, pool::high);
    }

    bool raise_largest() {
        resource* largest = nullptr;
        for (auto& one : devices_.resources()) {
            if (one.from == pool::low && one.may_be_high && one.size != 0 && one.is_on_root &&
                (largest == nullptr || one.size > largest->size))
                largest = &one;
        }
        if (largest == nullptr)
            return false;
        largest->from = pool::high;
        return true;
    }

    /// Of a BAR itself, of a window the largest BAR behind it.
    void drop_largest(resource& homeless) {
        resource* largest = &homeless;
        if (homeless.is_window) {
            // Its pool says where it lies, its register what it is for.
            const auto holds = static_cast<pool>((homeless.reg - reg_io_window) / 4);
            const u32 first = homeless.child, last = devices_.buses[first].last;
            for (auto& one : devices_.resources()) {
                if (!one.is_window && one.from == holds && one.bus() >= first &&
                    one.bus() <= last && (largest == &homeless || one.size > largest->size))
                    largest = &one;
            }
        }
        largest->from = pool::none;
        largest->is_dropped = true;
    }

    tree& devices_;
    const host_windows& windows_;
};

}  // namespace

void plan(tree& devices, const host_windows& windows) {
    planner all(devices, windows);
    all.find_room(pool::io);
    all.find_room(pool::low);
    all.add_up();
}

}  // namespace mayfly::pci
