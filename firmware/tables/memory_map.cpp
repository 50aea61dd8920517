// SPDX-License-Identifier: MIT
#include "tables/memory_map.hpp"

#include "core/fault.hpp"
#include "core/sentences.hpp"

namespace mayfly::tables {

namespace {

/// Adds the entries that are RAM, or those that are not.
bool add_entries(const_bytes content, bool ram, memory_map& map) {
    bool others = false;
    for (usize at = 0; at < content.size(); at += sizeof(abi::e820_entry)) {
        const auto& entry = as<abi::e820_entry>(content, at);
        const auto type = static_cast<memory_type>(entry.type & ~(claimed | ours));
        if ((type == memory_type::ram) != ram) {
            others = true;
            continue;
        }
        u64 begin = entry.address;
        const u64 end = begin + entry.length;
        if (end < begin)
            fail_wide(sentences::e820_wraps, begin, entry.length);
        if (ram && begin <= mib) {
            begin = mib;
            if (end > mib && end > map.low_ram_end())
                map.note_low_ram_end(end);
        }
        map.set({begin, end}, type);
    }
    return others;
}

}  // namespace

/// Has a part begin at `begin`, which lies in part `index - 1`, as part `index`.
void memory_map::insert(u32 index, u64 begin, memory_type type) {
    if (count_ > capacity)
        fail(sentences::map_full, capacity);
    // Backwards, as the parts move into each other's places.
    auto* to = reinterpret_cast<u32*>(parts_ + count_ + 1) - 1;
    const u32* from = reinterpret_cast<u32*>(parts_ + count_) - 1;
    usize words = (count_ - index) * (sizeof(part_begin) / sizeof(u32));
    asm volatile("std; rep movsl; cld" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
    count_++;
    parts_[index] = {begin, type};
}

/// Has a part begin at `at`; returns its index. From the top, where most places are taken.
u32 memory_map::split(u64 at) {
    u32 i = count_ - 1;
    while (parts_[i].begin > at)
        i--;
    if (parts_[i].begin != at) {
        insert(i + 1, at, parts_[i].type);
        i++;
    }
    return i;
}

void memory_map::set(const range& where, memory_type type) {
    if (where.empty())
        return;
    const u32 first = split(where.begin);
    const u32 last = split(where.end);
    parts_[first].type = type;
    if (first + 1 == last)
        return;
    for (u32 i = last; i < count_; i++)
        parts_[first + 1 + i - last] = parts_[i];
    count_ -= last - first - 1;
}

/// Makes [begin, begin + size), which lies in part `index`, of `type`.
void memory_map::take(u32 index, u32 begin, u32 size, memory_type type) {
    const u64 end = u64{begin} + size;
    if (parts_[index + 1].begin != end)
        insert(index + 1, end, memory_type::ram);
    if (parts_[index].begin != begin)
        insert(++index, begin, type);
    parts_[index].type = type;
}

bool memory_map::is_ram(const range& where) const {
    for (u32 i = 0; i < parts(); i++) {
        if (part(i).end <= where.begin)
            continue;
        if ((static_cast<u32>(type(i)) & ~claimed) != static_cast<u32>(memory_type::ram))
            return false;
        if (part(i).end >= where.end)
            return true;
    }
    return false;
}

void memory_map::claim_payload(const range& where) {
    if (where.empty() || !is_ram(where))
        fail_wide(sentences::image_not_in_ram, where.begin, where.size(), low_ram_end_);
    set(where, claimed_ram);
}

bool memory_map::is_claimed(u32 address) const {
    u32 i = parts();
    while (i > 0 && parts_[i].begin > address)
        i--;
    return parts_[i].type == claimed_ram;
}

/// What of part `index` lies in [floor, limit); {0, 0} where nothing does.
memory_map::low_range memory_map::clip(u32 index, u32 floor, u32 limit) const {
    const range where = part(index);
    if (where.begin >= four_gib)
        return {0, 0};
    u32 begin = static_cast<u32>(where.begin);
    u32 end = where.end < four_gib ? static_cast<u32>(where.end) : limit;
    if (begin < floor)
        begin = floor;
    if (end > limit)
        end = limit;
    if (begin >= end)
        return {0, 0};
    return {begin, end};
}

u32 memory_map::claim_highest(u32 size, u32 alignment, u32 limit, memory_type type) {
    const u32 pages = align_up(size, page_size);
    if (alignment < page_size)
        alignment = page_size;
    for (u32 i = parts(); i-- > 0;) {
        if (parts_[i].type != memory_type::ram)
            continue;
        const auto [begin, end] = clip(i, mib, limit);
        const u32 at = align_down(end - pages, alignment);
        // A size in the last page wraps to 0 pages.
        if (size <= pages && pages <= end - begin && at >= begin) {
            take(i, at, pages, type);
            return at;
        }
    }
    return 0;
}

u32 memory_map::claim_for(text name, u32 size, u32 alignment, memory_type type) {
    const u32 where = claim_highest(size, alignment, top, type);
    if (where == 0)
        fail(sentences::no_room, name, four_gib / mib, size, alignment);
    return where;
}

u32 memory_map::claim_lowest(u32 size, u32 alignment, u32 floor) {
    if (floor < mib)
        floor = mib;
    for (u32 i = 0; i < parts(); i++) {
        if (parts_[i].type != memory_type::ram)
            continue;
        const auto [begin, end] = clip(i, floor, top);
        const u32 at = align_up(begin, alignment);
        if (at >= begin && at <= end && end - at >= size) {
            take(i, at, size, claimed_ram);
            return at;
        }
    }
    return 0;
}

u64 memory_map::claim_above_4g(u32 size) {
    for (u32 i = 0; i < parts(); i++) {
        const range free = part(i);
        if (parts_[i].type == memory_type::ram && free.begin >= four_gib && free.size() >= size) {
            set({free.begin, free.begin + size}, claimed_ram);
            return free.begin;
        }
    }
    return 0;
}

u32 memory_map::write_entries(u8* to, u32 stride) const {
    const auto told = [](memory_type type) { return static_cast<u32>(type) & ~(claimed | ours); };
    u32 count = 0;
    for (const part_begin* next = parts_; next < parts_ + parts();) {
        const u64 begin = next->begin;
        const u32 type = told(next->type);
        next++;
        if (type == 0)
            continue;
        while (told(next->type) == type)
            next++;
        auto& entry = *reinterpret_cast<abi::e820_entry*>(to);
        entry = {begin, next->begin - begin, type};
        store<u32>({to, stride + sizeof(u32)}, sizeof entry, 0);
        to += stride;
        count++;
    }
    return count;
}

u32 take_or_claim(text name, u32 size, memory_type type, arena& work, memory_map& map) {
    if (size <= work.room() / 8)
        return work.address_of(work.take(size).data());
    return map.claim_for(name, size, page_size, type);
}

void read_e820(const_bytes content, memory_map& map) {
    if (content.size() % sizeof(abi::e820_entry) != 0)
        fail(sentences::part_of_entry, "etc/e820", content.size(), sizeof(abi::e820_entry));
    if (add_entries(content, true, map))
        add_entries(content, false, map);
}

}  // namespace mayfly::tables
