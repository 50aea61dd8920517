// SPDX-License-Identifier: MIT
// Finding every bus, and giving those behind bridges their numbers.
#pragma once

#include "pci/function.hpp"

namespace mayfly::pci {

template <configuration Config>
class scanner : function_scanner<Config> {
  public:
    using function_scanner<Config>::function_scanner;

    void run() {
        add_root(0);
        // QEMU gives root buses any number, so those are looked for before bridges get one. What a
        // former boot left in the bridges is gone: each has no bus yet.
        scan_bus(0);
        find_extra_roots();
        u32 number = 0;
        do {
            u32 next = number + 1;
            while (next < bus_limit && !found_.buses[next].is_root)
                next++;
            if (number != 0)
                scan_bus(number);
            number_buses(number, next - 1);
            number = next;
        } while (number < bus_limit);
    }

  private:
    using base = function_scanner<Config>;
    using base::config_, base::found_, base::machine_;
    using base::read, base::write, base::go, base::add_function, base::turn;

    static constexpr u32 slot(u32 number, u32 device) { return number << 8 | device << 3; }

    void add_root(u32 number) {
        auto& root = found_.buses[number];
        root.exists = root.is_root = root.has_high = true;
        root.has_io = machine_.kind != hw::chipset::no_pci;
        // Device 1 has PIRQ A first on i440FX.
        root.turn = machine_.kind == hw::chipset::i440fx ? 3 : 0;
    }

    /// Most have a device in slot 0, so that all numbers are tried there first. The bus of pxb-pcie
    /// may be empty, and then is not found.
    void find_extra_roots() {
        u32 left = machine_.extra_roots;
        for (u32 device = 0; device < slots; device++) {
            for (u32 number = 1; number < bus_limit && left != 0; number++) {
                if (!found_.buses[number].exists &&
                    (go(slot(number, device)) & nothing) != nothing) {
                    add_root(number);
                    left--;
                }
            }
        }
    }

    void scan_bus(u32 number) {
        auto& here = found_.buses[number];
        here.first = static_cast<u16>(found_.count);
        const u32 end = slot(number, 0) + slot(0, here.has_one_slot ? 1 : slots);
        for (u32 first = slot(number, 0); first < end; first += 8) {
            u32 functions = 1;
            for (u32 i = 0; i < functions; i++) {
                const u32 identity = go(first | i);
                if ((identity & nothing) == nothing)
                    continue;
                const u32 header = read(reg_header) >> 16;
                if (i == 0 && (header & 0x80) != 0)
                    functions = 8;
                add_function(here, identity, header & 0x7f);
            }
        }
        here.count = static_cast<u16>(found_.count - here.first);
    }

    /// Gives the bus behind the bridge of window `first` a number, and finds what is on it. Until
    /// leave(), every number up to `limit` leads there.
    void enter(u32 first, u32 number, u32 limit) {
        auto* const windows = &found_.room[first];
        auto& behind = found_.buses[number];
        behind.exists = true;
        behind.windows = static_cast<u16>(first);
        behind.has_one_slot = (windows[2].note & note_link) != 0;
        behind.has_io = windows[0].from != pool::none;
        behind.has_high = windows[2].from != pool::none;
        behind.turn = static_cast<u8>(found_.buses[windows->bus()].turn + turn(windows->function));
        for (u32 i = 0; i < 3; i++)
            windows[i].child = static_cast<u8>(number);
        write_buses(*windows, limit);
        scan_bus(number);
    }

    /// Closes a bridge: no number is left for the bus behind it.
    static void refuse(resource* windows) {
        for (u32 i = 0; i < 3; i++)
            windows[i].from = pool::none;
    }

    void write_buses(const resource& window, u32 last) {
        config_.at(window.function);
        write(reg_buses, window.bus() | u32{window.child} << 8 | last << 16);
    }

    /// Ends the bus at the last number behind it, or the last it keeps for later.
    u32 leave(u32 number, u32 last, u32 limit) {
        auto& behind = found_.buses[number];
        const auto& window = found_.room[behind.windows];
        const u32 kept = number + window.note;
        if (kept > last && kept <= limit)
            last = kept;
        behind.last = static_cast<u8>(last);
        write_buses(window, last);
        return last;
    }

    /// Depth first, as QEMU's other firmware does; no recursion, as a chain may be 255 deep.
    void number_buses(u32 root, u32 limit) {
        u32 last = root;
        u32 at = root;
        u32 next = found_.buses[root].first;
        for (;;) {
            const auto& here = found_.buses[at];
            const u32 end = u32{here.first} + here.count;
            while (next < end && !found_.room[next].is_window)
                next++;
            if (next < end && last < limit) {
                at = ++last;
                enter(next, at, limit);
                next = found_.buses[at].first;
            } else if (next < end) {
                refuse(&found_.room[next]);
                next += 3;
            } else if (at != root) {
                last = leave(at, last, limit);
                next = here.windows + 3u;
                at = found_.room[here.windows].bus();
            } else {
                found_.buses[root].last = static_cast<u8>(last);
                return;
            }
        }
    }
};

/// Fills `found`, which is empty but for its room of zeros. Everything in it decodes nothing and
/// has no address afterwards; interrupt lines and bus numbers are final.
template <configuration Config>
void scan(Config& config, tree& found, const host& machine) {
    scanner<Config>(config, found, machine).run();
}

}  // namespace mayfly::pci
