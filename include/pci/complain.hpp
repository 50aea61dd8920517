// SPDX-License-Identifier: MIT
// What of PCI stays unprepared, one sentence for each.
#pragma once

#include "core/sentences.hpp"
#include "pci/tree.hpp"

namespace mayfly::pci {

/// After plan(). `say` takes a sentence and its numbers. A bridge behind which no bus number was
/// left wants one of its register of bus numbers.
template <typename Say>
void complain(const tree& found, Say say) {
    if (found.is_cut_short)
        say(sentences::pci_too_much, static_cast<u32>(found.room.size()), 0, 0);
    for (const auto& one : found.resources()) {
        if (!one.is_dropped)
            continue;
        const bool wants_bus = one.is_window && one.child == 0;
        say(sentences::pci_no_room, one.function, wants_bus ? reg_buses : one.reg,
            wants_bus ? 1 : one.bytes());
    }
}

}  // namespace mayfly::pci
