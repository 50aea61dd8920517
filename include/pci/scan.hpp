// SPDX-License-Identifier: MIT
// Finding every function, numbering the buses and asking each BAR for its size.
#pragma once

#include "hw/chipset.hpp"
#include "pci/port.hpp"
#include "pci/tree.hpp"

namespace mayfly::pci {

/// What of a machine the scan depends on.
struct host {
    hw::chipset kind;
    u32 extra_roots;  ///< how many root buses there are besides bus 0
};

template <configuration Config>
class scanner {
  public:
    /// `found` is empty but for its room, which is zeros.
    scanner(Config& config, tree& found, const host& machine)
        : config_(config), found_(found), machine_(machine) {}

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
    static constexpr u32 slots = 32;
    /// Six BARs and a ROM, or two, a ROM and windows; and behind the last one there are zeros.
    static constexpr u32 most_of_a_function = 7 + 1;
    static constexpr u32 nothing = 0xffff;  ///< no device's vendor

    static constexpr u32 slot(u32 number, u32 device) { return number << 8 | device << 3; }

    u32 read(u32 reg) { return config_.read(reg); }
    void write(u32 reg, u32 value) { config_.write(reg, value); }

    u32 ask(u32 reg, u32 question) {
        write(reg, question);
        return read(reg);
    }

    /// Goes to a function and returns its identity.
    u32 go(u32 function) {
        function_ = function;
        config_.at(function);
        return read(reg_identity);
    }

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

    void add_function(const bus& here, u32 identity, u32 header) {
        constexpr u32 host_bridge = 0x0600, vga = 0x0300;
        const u32 device_class = read(reg_class) >> 16;
        if (device_class == host_bridge)
            return;
        if (found_.room.size() - found_.count < most_of_a_function) {
            found_.is_cut_short = true;
            return;
        }
        if (device_class == vga && found_.vga == bus_limit)
            found_.vga = static_cast<u16>(function_ >> 8);
        // Nothing is decoded while BARs hold what they are asked with.
        write(reg_command, 0);
        route_interrupt(here);
        set_up(identity);
        if (header == 0) {
            add_bars(here, 6, reg_rom);
        } else if (header == 1) {
            write(reg_buses, 0x00ff00);  // secondary 255 to 0: no bus
            add_bars(here, 2, reg_bridge_rom);
            add_windows(here, identity);
        }
    }

    resource& add(u32 reg, pool from) {
        auto& added = found_.room[found_.count++];
        added.function = static_cast<u16>(function_);
        added.reg = static_cast<u8>(reg);
        added.from = from;
        added.is_io = from == pool::io;
        added.is_on_root = found_.buses[added.bus()].is_root;
        return added;
    }

    /// What a BAR or a ROM answers; `high` is the upper half of 64 bits. The size is the lowest bit
    /// that can be set. A page is the least memory.
    resource& add_bar(u32 reg, pool from, u32 low, u32 high) {
        constexpr u32 most = 31;
        u32 shift = static_cast<u32>(low != 0 ? __builtin_ctz(low) : 32 + __builtin_ctz(high));
        if (from != pool::io)
            shift = shift < page_shift ? 0 : shift - page_shift;
        auto& added = add(reg, from);
        added.shift = static_cast<u8>(shift < most ? shift : most);
        added.size = 1u << added.shift;
        return added;
    }

    void add_bars(const bus& here, u32 count, u32 rom) {
        constexpr u32 is_io = 1u << 0, type = 3u << 1, type_64 = 2u << 1, prefetchable = 1u << 3;
        constexpr u32 rom_off = 0xfffff800;
        for (u32 i = 0; i <= count; i++) {
            const u32 reg = i < count ? reg_bar_0 + 4 * i : rom;
            const u32 answer = ask(reg, i < count ? ~0u : rom_off);
            u32 low = answer & ~0xfu;
            u32 high = 0;
            bool is_wide = false;
            pool from = pool::low;
            if ((answer & is_io) != 0) {
                low = answer & 0xfffc;  // the upper half need not be there
                from = pool::io;
            } else if ((answer & type) == type_64 && i + 1 < count) {
                high = ask(reg + 4, ~0u);
                i++;
                is_wide = true;
                if (here.has_high && ((answer & prefetchable) != 0 || here.is_root))
                    from = pool::high;
            }
            if ((low | high) == 0)
                continue;
            auto& added = add_bar(reg, from, low, high);
            added.is_wide = is_wide;
            added.may_be_high = from == pool::high;
            if (from == pool::io && !here.has_io)
                added.from = pool::none;
        }
    }

    /// By which the pins of `function` are turned: the number of the device, mostly.
    u32 turn(u32 function) const {
        const u32 device = function >> 3 & (slots - 1);
        return machine_.kind == hw::chipset::q35 && function >> 8 == 0 && device >= 25 ? 0 : device;
    }

    void route_interrupt(const bus& here) {
        const u32 value = read(reg_interrupt);
        const u32 pin = (value >> 8 & 0xff) - 1;
        if (pin >= 4 || machine_.kind == hw::chipset::no_pci)
            return;
        const u32 route = (pin + turn(function_) + here.turn) % 4;
        write(reg_interrupt, (value & ~0xffu) | (hw::interrupt_routes >> route * 8 & 0xff));
    }

    /// Devices of the chipset that need more than BARs.
    void set_up(u32 identity) {
        constexpr u32 piix4_power = 0x71138086, ich9_smbus = 0x29308086;
        if (identity == piix4_power) {
            write(reg_interrupt, 0x0109);  // the SCI's line is 9, whatever its pin
            write(0x90, 0x701);            // SMBus at 0x700
            write(0xd0, 0x09 << 16);       // decoded
        }
        if (identity == ich9_smbus)
            write(0x40, 1);  // enabled; its BAR is as any
    }

    void add_windows(const bus& here, u32 identity) {
        constexpr u32 red_hat = 0x1b36;
        const bool has_io = here.has_io && (ask(reg_io_window, 0xf0f0) & 0xf0) != 0;
        const bool has_high = (read(reg_high_window) & 0xf) == 1;
        auto* const windows = &add(reg_io_window, has_io ? pool::io : pool::none);
        add(reg_low_window, pool::low);
        auto& high = add(reg_high_window, !has_high       ? pool::none
                                          : here.has_high ? pool::high
                                                          : pool::low);
        high.is_wide = true;
        for (u32 i = 0; i < 3; i++) {
            windows[i].is_window = true;
            windows[i].spare = i == 0 ? hotplug_io : hotplug_memory;
        }
        read_port(config_, windows, (identity & 0xffff) == red_hat);
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
        windows->is_dropped = true;
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

    Config& config_;
    tree& found_;
    const host& machine_;
    u32 function_ = 0;  ///< where the scan is
};

/// Fills `found`, which is empty but for its room of zeros. Everything in it decodes nothing and
/// has no address afterwards; interrupt lines and bus numbers are final.
template <configuration Config>
void scan(Config& config, tree& found, const host& machine) {
    scanner<Config>(config, found, machine).run();
}

}  // namespace mayfly::pci
