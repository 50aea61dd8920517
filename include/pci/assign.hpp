// SPDX-License-Identifier: MIT
// Writing the plan into BARs and bridges, and having them decode it.
#pragma once

#include "pci/config_space.hpp"
#include "pci/tree.hpp"

namespace mayfly::pci {

/// Begin and end of a window as its register has them: bits 31:20 of memory, 15:12 of I/O, shifted
/// into the upper bits of each half. One that is closed begins behind its end.
inline u32 window_register(const resource& window) {
    constexpr u32 closed_io = 0xf0, closed = 0xfff0;
    const u32 begin = window.address;
    const u32 last = begin + window.size - 1;
    if (window.reg == reg_io_window)
        return begin == 0 ? closed_io : (begin >> 8 & 0xf0) | (last & 0xf000);
    return begin == 0 ? closed
                      : (begin << page_shift >> 16 & 0xfff0) | (last << page_shift & 0xfff00000);
}

/// Bits 63:32 of an address: not 0 where it is above 4 GiB.
inline u32 upper_half(u32 pages, u32 high_base) {
    const u32 upper = pages >> high_shift;
    return upper == 0 ? 0 : upper + high_base;
}

template <configuration Config>
void assign_window(Config& config, const resource& window, u32 high_base) {
    config.write(window.reg, window_register(window));
    if (!window.is_wide)
        return;
    constexpr u32 upper_begin = 0x28, upper_last = 0x2c;
    const u32 last = window.address == 0 ? 0 : window.address + window.size - 1;
    config.write(upper_begin, upper_half(window.address, high_base));
    config.write(upper_last, upper_half(last, high_base));
}

template <configuration Config>
void assign_bar(Config& config, const resource& bar, u32 high_base) {
    config.write(bar.reg, bar.is_io ? bar.address : bar.address << page_shift);
    if (bar.is_wide)
        config.write(bar.reg + 4u, upper_half(bar.address, high_base));
}

/// What plan() gave, and `high_base` of its windows. A BAR that got nothing is 0, which QEMU does
/// not decode.
template <configuration Config>
void assign(Config& config, const tree& found, u32 high_base) {
    constexpr u32 master = 1u << 2;
    constexpr u32 pass_vga = 1u << 19;
    const auto all = found.resources();
    for (const resource* one = all.begin(); one != all.end(); one++) {
        config.at(one->function);
        if (one->is_window)
            assign_window(config, *one, high_base);
        else
            assign_bar(config, *one, high_base);
        // Behind the last one there are zeros, which stand for the host bridge.
        if (one[1].function == one->function)
            continue;
        // A bridge passes on what devices behind it ask for only if it is a master itself.
        config.write(reg_command, one->is_window ? decode | master : decode);
        if (one->is_window && one->child != 0 && found.vga >= one->child &&
            found.vga <= found.buses[one->child].last)
            config.write(reg_interrupt, config.read(reg_interrupt) | pass_vga);
    }
}

}  // namespace mayfly::pci
