// SPDX-License-Identifier: MIT
#include "pci/plan.hpp"

namespace mayfly::pci {
namespace {

constexpr u8 io_window_shift = 12;
constexpr u8 memory_window_shift = 20 - page_shift;
/// What is to lie below 4 GiB does not where it has no chance to.
constexpr u32 too_large_for_low = 1u << (31 - page_shift);

/// Of a number that is not 0.
u8 highest_bit(u32 value) {
    return static_cast<u8>(31 - __builtin_clz(value));
}

u32 round_up(u32 value, u8 shift) {
    return align_up(value, 1u << shift);
}

/// What is left of windows of the host bridge, or of the inside of a bridge's, which are filled
/// from their begin.
struct rooms {
    window_list left;
    u8 shift = 0;  ///< the largest alignment in them

    bool give(resource& to) {
        for (u32 i = 0; i < left.count; i++) {
            const auto [begin, end] = left.extents[i];
            const u32 at = round_up(begin, to.shift);
            if (at < begin || at > end || to.size > end - at)
                continue;
            to.address = at;
            left.extents[i].begin = at + to.size;
            left.add(begin, at);
            if (to.shift > shift)
                shift = to.shift;
            return true;
        }
        return false;
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
            if (drop_largest(true, homeless->from, nullptr))
                continue;
            if (spared == 0)  // and stays so: to try again with more takes seconds
                drop_bar(*homeless);
            spared -= (spared + 3) / 4;
        }
    }

    /// What would take the place of others until it goes.
    void drop_what_never_fits() {
        for (auto& one : devices_.resources()) {
            if (!one.is_window && one.from != pool::none && !has_room_alone(one))
                drop(one);
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
    static resource* fill(span<resource> among, bool on_root, pool from, rooms& into) {
        for (u32 shift = 32; shift-- > 0;) {
            for (auto& one : among) {
                if (one.shift != shift || one.from != from || one.is_on_root != on_root ||
                    one.size == 0)
                    continue;
                if (!into.give(one))
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
        rooms inside;
        inside.left.add(0, end_of_pages);
        if (fill(among, false, which, inside) != nullptr)
            inside.left.extents[0].begin = end_of_pages;  // has no room anywhere
        const u8 unit = which == pool::io ? io_window_shift : memory_window_shift;
        u8 shift = unit;
        u32 size = inside.left.extents[0].begin;
        bool is_wanted_low = false;
        if ((window.child < spared || window.is_reservation) && window.spare != 0 &&
            !window.is_dropped) {
            is_wanted_low = (window.note & note_low_spare) != 0;
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
                is_wanted_low = true;
        }
        window.may_be_high =
            which == pool::high && (!is_wanted_low || window.size >= too_large_for_low);
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
        rooms into{windows};
        return fill(devices_.resources(), true, from, into);
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

    bool has_room_alone(resource one) const {
        return rooms{one.is_io ? windows_.io : windows_.low}.give(one) ||
               (one.from == pool::high && rooms{windows_.high}.give(one));
    }

    static void drop(resource& one) {
        one.is_dropped = true;
        if (!one.is_window)  // which stays for what is there
            one.from = pool::none;
    }

    /// What takes the room of the host bridge that it lies in: itself, or a window.
    const resource& outermost(const resource& one) const {
        const resource* at = &one;
        while (!at->is_on_root)
            at = &window(devices_.buses[at->bus()], at->from);
        return *at;
    }

    /// Drops the largest reservation, or BAR, the last of equals, of those in `full`; false where
    /// there is none.
    bool drop_largest(bool reservation, pool full, const resource* inside) {
        resource* largest = nullptr;
        u32 size = 0;
        for (auto& one : devices_.resources()) {
            if (one.is_window != reservation || one.is_dropped || one.from == pool::none ||
                one.wanted() < size || one.wanted() == 0)
                continue;
            const resource& outer = outermost(one);
            if (outer.from == full && (inside == nullptr || inside == &outer)) {
                largest = &one;
                size = one.wanted();
            }
        }
        if (largest == nullptr)
            return false;
        drop(*largest);
        return true;
    }

    /// Of the largest in the way the largest BAR.
    void drop_bar(const resource& homeless) {
        const resource* largest = &homeless;
        for (auto& one : devices_.resources()) {
            if (one.is_on_root && one.from == homeless.from && one.size > largest->size)
                largest = &one;
        }
        drop_largest(false, homeless.from, largest);
    }

    tree& devices_;
    const host_windows& windows_;
};

}  // namespace

void plan(tree& devices, const host_windows& windows) {
    planner all(devices, windows);
    all.drop_what_never_fits();
    all.find_room(pool::io);
    all.find_room(pool::low);
    all.add_up();
}

}  // namespace mayfly::pci
