// SPDX-License-Identifier: MIT
// Writing the plan into BARs and bridges, and having them decode it.
#pragma once

#include "pci/config_space.hpp"
#include "pci/tree.hpp"

namespace mayfly::pci {

/// Begin and end of a window as its register has them: bits 31:20 of memory, 15:12 of I/O, shifted
/// into the upper bits of each half. One that is closed begins behind its end.
inline u32 window_register(const resource& window) {
    const u32 begin = static_cast<u32>(window.address);
    const u32 end = begin + static_cast<u32>(window.size) - 1;
    if (window.reg == reg_io_window)
        return window.address == 0 ? 0x00f0 : (begin >> 8 & 0xf0) | (end & 0xf000);
    return window.address == 0 ? 0x0000fff0 : (begin >> 16 & 0xfff0) | (end & 0xfff00000);
}

template <configuration Config>
void assign_window(Config& config, const resource& window) {
    config.write(window.function, window.reg, window_register(window));
    if (!window.is_wide)
        return;
    constexpr u32 upper_begin = 0x28, upper_end = 0x2c;
    const u64 end = window.address == 0 ? 0 : window.address + window.size - 1;
    config.write(window.function, upper_begin, static_cast<u32>(window.address >> 32));
    config.write(window.function, upper_end, static_cast<u32>(end >> 32));
}

template <configuration Config>
void assign_bar(Config& config, const resource& bar) {
    config.write(bar.function, bar.reg, static_cast<u32>(bar.address));
    if (bar.is_wide)
        config.write(bar.function, bar.reg + 4u, static_cast<u32>(bar.address >> 32));
}

/// What plan() gave. A BAR that got nothing is 0, which QEMU does not decode.
template <configuration Config>
void assign(Config& config, const tree& found) {
    constexpr u32 io = 1u << 0, memory = 1u << 1, master = 1u << 2, report_errors = 1u << 8;
    constexpr u32 decode = io | memory | report_errors;
    constexpr u32 pass_vga = 1u << 19;
    const auto all = found.resources();
    for (const resource* one = all.begin(); one != all.end(); one++) {
        if (one->is_window)
            assign_window(config, *one);
        else
            assign_bar(config, *one);
        const resource* const next = one + 1;
        if (next != all.end() && next->function == one->function)
            continue;
        // A bridge passes on what devices behind it ask for only if it is a master itself.
        config.write(one->function, reg_command, one->is_window ? decode | master : decode);
        if (one->is_window && one->child != 0 && found.vga >= one->child &&
            found.vga <= found.buses[one->child].last)
            config.write(one->function, reg_interrupt,
                         config.read(one->function, reg_interrupt) | pass_vga);
    }
}

}  // namespace mayfly::pci
