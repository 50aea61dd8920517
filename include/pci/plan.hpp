// SPDX-License-Identifier: MIT
// Where every BAR and every window of a bridge lies: a pure function of what is wanted and where
// there is room.
#pragma once

#include "pci/tree.hpp"

namespace mayfly::pci {

/// Extents in the order in which they are tried.
struct window_list {
    static constexpr u32 limit = 8;  ///< further ones are not used

    u32 count = 0;
    extent extents[limit];

    /// An empty one is not added.
    [[gnu::noinline]] void add(u32 begin, u32 end) {
        if (begin < end && count < limit)
            extents[count++] = {begin, end};
    }
};

/// Where the host bridge passes accesses on.
struct host_windows {
    window_list io;
    window_list low;    ///< memory below 4 GiB
    window_list high;   ///< memory above 4 GiB, from `high_base` on
    u32 high_base = 0;  ///< in units of 4 GiB, a multiple of 8 TiB
};

/// Gives every resource an address, a multiple of its alignment, and every bridge windows that hold
/// what is behind it. What may lie above 4 GiB goes there where all together does not fit below,
/// the largest first. A BAR that would not fit alone is dropped. Where all together still does not
/// fit, the largest reservations in the way are dropped; then fewer buses and then none get spare
/// room for hotplug; then the largest BARs in the way are dropped. The same wishes get the same
/// places.
void plan(tree& devices, const host_windows& windows);

}  // namespace mayfly::pci
