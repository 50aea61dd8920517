// SPDX-License-Identifier: MIT
// What one function wants: its kind, its interrupt line, and each BAR asked for its size.
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

inline constexpr u32 slots = 32;
inline constexpr u32 nothing = 0xffff;  ///< no device's vendor

/// Goes from function to function and adds what they want to `found`.
template <configuration Config>
class function_scanner {
  public:
    /// `found` is empty but for its room, which is zeros.
    function_scanner(Config& config, tree& found, const host& machine)
        : config_(config), found_(found), machine_(machine) {}

  protected:
    u32 read(u32 reg) { return config_.read(reg); }
    void write(u32 reg, u32 value) { config_.write(reg, value); }

    u32 ask(u32 reg, u32 question) {
        config_.write_for_now(reg, question);
        return read(reg);
    }

    /// Goes to a function and returns its identity.
    u32 go(u32 function) {
        function_ = function;
        config_.at(function);
        return read(reg_identity);
    }

    /// The one that go() went to.
    void add_function(const bus& here, u32 identity, u32 header) {
        constexpr u32 host_bridge = 0x0600, isa_bridge = 0x0601, vga = 0x0300;
        const u32 device_class = read(reg_class) >> 16;
        if (device_class == host_bridge)
            return;
        if (found_.room.size() - found_.count < most_of_a_function) {
            found_.is_cut_short = true;
            return;
        }
        if (device_class == vga && found_.vga == bus_limit)
            found_.vga = static_cast<u16>(function_ >> 8);
        const u32 first = found_.count;
        // Nothing is decoded while BARs hold what they are asked with.
        config_.write_for_now(reg_command, 0);
        route_interrupt(here);
        set_up(identity);
        // An ISA bridge decodes what no other function does, so has no BARs.
        if (header == 0 && device_class != isa_bridge) {
            add_bars(here, 6, reg_rom);
        } else if (header == 1) {
            config_.write_for_now(reg_buses, 0);  // no bus: 0 is the root's
            add_bars(here, 2, reg_bridge_rom);
            add_windows(here, identity);
        }
        if (found_.count == first)
            write(reg_command, decode);
    }

    /// By which the pins of `function` are turned: the number of the device, mostly.
    u32 turn(u32 function) const {
        const u32 device = function >> 3 & (slots - 1);
        return machine_.kind == hw::chipset::q35 && function >> 8 == 0 && device >= 25 ? 0 : device;
    }

    Config& config_;
    tree& found_;
    const host& machine_;

  private:
    /// Six BARs and a ROM, or two, a ROM and windows; and behind the last one there are zeros.
    static constexpr u32 most_of_a_function = 7 + 1;

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
            if (from == pool::io && !here.has_io) {
                added.from = pool::none;
                added.is_dropped = found_.buses[0].has_io;
            }
        }
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
        constexpr u32 piix3_ide = 0x70108086, piix4_ide = 0x71118086;
        constexpr u32 piix4_power = 0x71138086, ich9_smbus = 0x29308086;
        if (identity == piix3_ide || identity == piix4_ide)
            write(0x40, 0x80008000);  // both channels visible
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
        // The limit: a port that passes on no I/O has a base all the same.
        const bool has_io = here.has_io && (ask(reg_io_window, 0xf0f0) & 0xf000) != 0;
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

    u32 function_ = 0;  ///< where the scan is
};

}  // namespace mayfly::pci
