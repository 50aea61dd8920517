// SPDX-License-Identifier: MIT
// What each part of the physical address space is, and who has it.
#pragma once

#include "abi/e820.hpp"
#include "core/arena.hpp"
#include "core/text.hpp"

namespace mayfly::tables {

using abi::memory_type;

/// Set in the type of what a payload, a plan or a table has: the guest is told the type without it,
/// and nothing else is put there.
inline constexpr u32 claimed = 1u << 31;

/// Set in the type of what the firmware itself writes to: told without it too, and no payload may
/// lie there.
inline constexpr u32 ours = 1u << 30;
inline constexpr auto claimed_ram =
    static_cast<memory_type>(static_cast<u32>(memory_type::ram) | claimed);
inline constexpr auto our_ram = static_cast<memory_type>(static_cast<u32>(memory_type::ram) | ours);
inline constexpr auto our_reserved =
    static_cast<memory_type>(static_cast<u32>(memory_type::reserved) | ours);

/// [begin, end) in bytes.
struct range {
    u64 begin;
    u64 end;

    constexpr u64 size() const { return end - begin; }
    constexpr bool empty() const { return begin >= end; }
};

/// The whole address space, cut where its type changes. Every place above 1 MiB is taken from here,
/// so nothing can lie on top of anything else.
class memory_map {
  public:
    /// Ends where the next one begins; the last one has no type and no end.
    struct part_begin {
        u64 begin;
        memory_type type;
    };

    /// Parts, those of no type included. Linux's PVH entry copies no more than 126 of the others
    /// (arch/x86/platform/pvh/enlighten.c adds two).
    static constexpr u32 capacity = 126;

    /// No RAM is looked for in the last page below 4 GiB, so that an end fits into 32 bits.
    static constexpr u32 top = 0xfffff000;

    /// A map of `count` parts, the first of which begins at 0 and the last of which has no type.
    template <u32 count>
    explicit memory_map(const part_begin (&initial)[count]) : count_(count) {
        __builtin_memcpy(parts_, initial, sizeof initial);
    }

    /// Makes [where.begin, where.end) of `type`, whatever it was; `none` takes it out. An empty
    /// range changes nothing. Stops where there would be too many parts.
    void set(const range& where, memory_type type);

    /// Part `index`, below parts(), and its type.
    range part(u32 index) const { return {parts_[index].begin, parts_[index + 1].begin}; }
    memory_type type(u32 index) const { return parts_[index].type; }
    u32 parts() const { return count_ - 1; }

    /// True where all of `where`, not empty, is RAM, claimed or not, and none of it ours.
    bool is_ram(const range& where) const;

    /// Takes `where` for the payload, which is to be there; stops where that is empty or not RAM,
    /// or ours.
    void claim_payload(const range& where);

    /// True where `address` is in RAM that somebody has, as claimed_ram.
    bool is_claimed(u32 address) const;

    /// Takes the highest free RAM above 1 MiB for `size` bytes (not 0), at a multiple of a page and
    /// of `alignment` (a power of two), ending at or below `limit` (at most `top`), as `type`, in
    /// whole pages. Returns where it is; 0, and nothing taken, where there is no room.
    u32 claim_highest(u32 size, u32 alignment, u32 limit, memory_type type);

    /// The same below `top`, for what `name` says; stops where there is no room.
    u32 claim_for(text name, u32 size, u32 alignment, memory_type type);

    /// Takes the lowest such place at or above `floor` as claimed_ram, not rounded to pages.
    u32 claim_lowest(u32 size, u32 alignment, u32 floor);

    /// The same at the beginning of a range of free RAM above 4 GiB.
    u64 claim_above_4g(u32 size);

    /// Where the RAM that holds 1 MiB ended before anything was taken, as read_e820() found it; 0
    /// before. What is at and above `top` is left out.
    u32 low_ram_end() const { return low_ram_end_; }
    void note_low_ram_end(u64 end) { low_ram_end_ = end < top ? static_cast<u32>(end) : top; }

    /// Writes the map as the guest is told it, neighbours of one type as one: entries of `stride`
    /// bytes (20 or 24), each an abi::e820_entry with zeros behind it. `to` has room for `capacity`
    /// entries and 4 bytes. Returns how many were written.
    u32 write_entries(u8* to, u32 stride) const;

  private:
    struct low_range {
        u32 begin, end;
    };

    low_range clip(u32 index, u32 floor, u32 limit) const;
    void take(u32 index, u32 begin, u32 size, memory_type type);
    void insert(u32 index, u64 begin, memory_type type);
    u32 split(u64 at);

    u32 low_ram_end_ = 0;
    u32 count_;
    part_begin parts_[capacity + 1];  // not cleared: count_ says how many there are
};

/// A place for the file `name` that stays: in the work area, which no guest has as RAM, where that
/// has plenty of room for `size`, else pages of `map`, as `type`. Stops where there is none.
u32 take_or_claim(text name, u32 size, memory_type type, arena& work, memory_map& map);

/// Reads the content of QEMU's etc/e820, which is unsorted: RAM first, then what reserves parts of
/// it (QEMU hw/i386/e820_memory_layout.c). RAM below 1 MiB is left out: what is there is the
/// firmware's own knowledge.
void read_e820(const_bytes content, memory_map& map);

}  // namespace mayfly::tables
