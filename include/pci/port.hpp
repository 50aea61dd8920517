// SPDX-License-Identifier: MIT
// What a bridge says of itself: what is behind it, and how much room to keep there for later.
#pragma once

#include "pci/config_space.hpp"
#include "pci/tree.hpp"

namespace mayfly::pci {

/// What is kept where something may be plugged in and nobody says how much.
inline constexpr u32 hotplug_io = 0x1000;
inline constexpr u32 hotplug_memory = 2 * mib >> page_shift;

/// Capabilities (PCI 3.0, 6.7): PCI Express, and QEMU's wishes (docs/pcie_pci_bridge.txt).
inline constexpr u32 capability_express = 0x10;
inline constexpr u32 capability_reservation = 0x01000009;

/// By the type of the port (PCIe 5.0, 7.5.3.2): the high window notes a link, and there is no spare
/// room where nothing can be plugged in.
inline void note_port(resource* windows, u32 flags) {
    constexpr u32 root_port = 4, downstream = 6, to_pci = 7, slot = 1u << 8;
    const u32 type = flags >> 4 & 0xf;
    const bool is_link = type == root_port || type == downstream;
    windows[2].note |= is_link ? note_link : 0;
    if (type != to_pci && !(is_link && (flags & slot) != 0))
        windows[0].spare = windows[1].spare = windows[2].spare = 0;
}

/// QEMU's wishes, at register `at`. The I/O window notes how many buses are to be kept. A number of
/// all ones is not set.
template <configuration Config>
void reserve(Config& config, u32 at, resource* windows) {
    constexpr u32 unset = ~0u;
    const u32 buses = config.read(at + 4);
    if (buses != unset)
        windows[0].note = static_cast<u8>(buses < bus_limit ? buses : bus_limit - 1);
    const auto keep = [&](u32 window, u32 size) {
        // What is no more than any port gets may be given up as easily.
        windows[window].is_reservation = size > windows[window].spare;
        windows[window].spare = size < most_spare ? size : most_spare;
    };
    const auto keep_memory = [&](u32 window, u32 size, u32 upper) {
        const u32 pages = size >> page_shift | upper << (32 - page_shift);
        const bool is_countable = upper >> (page_shift - 1) == 0;
        keep(window, is_countable ? pages + (size % page_size != 0 ? 1 : 0) : most_spare);
    };
    const u32 io = config.read(at + 8);
    if (io != unset)
        keep(0, config.read(at + 12) != 0 ? most_spare : io);
    const u32 memory = config.read(at + 16);
    if (memory != unset)
        keep_memory(1, memory, 0);
    const u32 low = config.read(at + 20);
    if (low != unset) {
        windows[2].note |= note_low_spare;
        return keep_memory(2, low, 0);
    }
    const u32 wide = config.read(at + 24), upper = config.read(at + 28);
    if ((wide & upper) != unset)
        keep_memory(2, wide, upper);
}

/// Reads the capabilities of the bridge that `config` is at into its windows. Behind the last
/// register may be anything, which is then somebody's odd wish.
template <configuration Config>
void read_port(Config& config, resource* windows, bool may_reserve) {
    u32 at = config.read(reg_capabilities) & 0xfc;
    // A list cannot be longer, but may be a ring.
    for (u32 left = 48; at != 0 && left != 0; left--) {
        const u32 value = config.read(at);
        if ((value & 0xff) == capability_express)
            note_port(windows, value >> 16);
        if ((value & 0xff0000ff) == capability_reservation && may_reserve)
            reserve(config, at, windows);
        at = value >> 8 & 0xfc;
    }
}

}  // namespace mayfly::pci
