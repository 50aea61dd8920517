// SPDX-License-Identifier: MIT
// What each part of the physical address space is.
#pragma once

#include "abi/e820.hpp"
#include "core/result.hpp"
#include "core/sentences.hpp"
#include "core/span.hpp"

namespace mayfly::tables {

using abi::memory_type;

/// [begin, end) in bytes.
struct range {
    u64 begin;
    u64 end;

    constexpr u64 size() const { return end - begin; }
    constexpr bool empty() const { return begin >= end; }
    constexpr bool overlaps(range other) const { return begin < other.end && other.begin < end; }
};

struct typed_range {
    range where;
    memory_type type;
};

/// Sorted, disjoint ranges with a type; equal neighbours are one range.
class memory_map {
  public:
    /// Linux's PVH entry copies no more than 126 (arch/x86/platform/pvh/enlighten.c adds two).
    static constexpr usize capacity = 126;

    /// Makes [where.begin, where.end) of `type`, whatever it was; `none` takes it out. An empty
    /// range changes nothing. Fails, and changes nothing, where the map would have too many ranges.
    outcome set(range where, memory_type type);

    span<const typed_range> ranges() const { return {ranges_, count_}; }

    /// True where all of `where` is of `type`.
    bool is_all(range where, memory_type type) const;

    /// The highest place for `size` bytes within one range of `type`, at a multiple of `alignment`
    /// (a power of two), ending at or below `limit`. Empty where there is none.
    range find_highest(u64 size, u64 alignment, u64 limit, memory_type type) const;

    /// The lowest such place that begins at or above `floor` and ends at or below `limit`.
    range find_lowest(u64 size, u64 alignment, u64 floor, u64 limit, memory_type type) const;

    /// Where the RAM that begins at address 0 ends, holes below 1 MiB aside; other RAM begins at
    /// or above 4 GiB.
    u64 low_ram_end() const;

  private:
    typed_range ranges_[capacity];  // not cleared: count_ says how many there are
    usize count_ = 0;
};

/// Reads the content of QEMU's etc/e820, which is unsorted: RAM first, then what reserves parts of
/// it (QEMU hw/i386/e820_memory_layout.c).
outcome read_e820(const_bytes content, memory_map& map);

}  // namespace mayfly::tables
