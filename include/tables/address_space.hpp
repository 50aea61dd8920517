// SPDX-License-Identifier: MIT
// The two views of RAM: what the guest is told, and what nobody uses yet.
#pragma once

#include "core/memory.hpp"
#include "tables/memory_map.hpp"

namespace mayfly::tables {

/// Every place above 1 MiB is taken from here, so nothing can lie on top of anything else.
struct address_space {
    u64 ram_end = 0;   ///< of the RAM below 4 GiB, before anything was taken
    memory_map guest;  ///< what the e820 says
    memory_map free;   ///< RAM above 1 MiB that no payload, table or plan has

    /// Takes `where` for good: the guest keeps it as `type` (RAM: only until it starts).
    outcome claim(range where, memory_type type) {
        TRY(free.set(where, memory_type::none));
        return guest.set(where, type);
    }

    /// Takes the highest free whole pages below 4 GiB for a table of `size` bytes that lasts as
    /// `type`. Empty where there is no room.
    result<range> claim_high(u32 size, u32 alignment, memory_type type) {
        const u64 pages = align_up(size, page_size);
        const u32 boundary = alignment > page_size ? alignment : page_size;
        const range where = free.find_highest(pages, boundary, four_gib, memory_type::ram);
        if (!where.empty())
            TRY(claim(where, type));
        return where;
    }
};

}  // namespace mayfly::tables
