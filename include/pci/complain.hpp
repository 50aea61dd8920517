// SPDX-License-Identifier: MIT
// What of PCI stays unprepared, one sentence for each.
#pragma once

#include "core/sentences.hpp"
#include "pci/tree.hpp"

namespace mayfly::pci {

/// After assign(). `say` takes a sentence and its numbers. A bridge behind which too few bus
/// numbers were left wants them of its register of those. `unkept` is how many writes the journal
/// had no room for.
template <typename Say>
void complain(const tree& found, u32 unkept, Say say) {
    if (unkept != 0)
        say(sentences::pci_not_kept, unkept, 0, 0);
    if (found.is_cut_short)
        say(sentences::pci_too_much, static_cast<u32>(found.room.size()), 0, 0);
    for (const auto& one : found.resources()) {
        if (one.is_dropped)
            say(sentences::pci_no_room, one.function, one.reg, one.bytes());
        if (!one.is_window || one.reg != reg_io_window)
            continue;
        const bool has_none = one.child == 0;
        if (has_none || one.child + one.note > found.buses[one.child].last)
            say(sentences::pci_no_room, one.function, reg_buses, has_none ? 1 : one.note);
    }
}

}  // namespace mayfly::pci
