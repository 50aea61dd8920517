// SPDX-License-Identifier: MIT
// Where every BAR and every window of a bridge lies: a pure function of what is wanted and where
// there is room.
#pragma once

#include "pci/tree.hpp"
#include "tables/memory_map.hpp"

namespace mayfly::pci {

using tables::range;

/// Where the host bridge passes accesses on. Each list is tried in its order.
struct host_windows {
    static constexpr u32 limit = 4;  ///< of each list; further ranges are not used

    span<const range> io;
    span<const range> low;   ///< memory below 4 GiB, filled from the end
    span<const range> high;  ///< memory above 4 GiB
};

/// Gives every resource an address, a multiple of its alignment, and every bridge windows that hold
/// what is behind it. What may lie above 4 GiB goes there where all together does not fit below,
/// the largest first. Where it still does not, no room is kept for hotplug, then the largest BARs
/// that are in the way are dropped. The same wishes get the same places.
void plan(tree& devices, const host_windows& windows);

}  // namespace mayfly::pci
