// SPDX-License-Identifier: MIT
// What of PCI stays unprepared, one sentence for each.
#pragma once

#include "core/fault.hpp"
#include "core/sentences.hpp"
#include "pci/tree.hpp"

namespace mayfly::pci {

/// After plan(). `say` takes a fault.
template <typename Say>
void complain(const tree& found, Say say) {
    if (found.is_cut_short)
        say(fault{sentences::pci_too_much, {}, {found.room.size()}});
    for (const auto& one : found.resources()) {
        if (one.is_dropped)
            say(fault{sentences::pci_no_room, {}, {one.function, one.reg, one.bytes()}});
        if (one.is_window && one.reg == reg_io_window && one.child == 0)
            say(fault{sentences::pci_no_bus, {}, {one.function}});
    }
}

}  // namespace mayfly::pci
