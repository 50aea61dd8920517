// SPDX-License-Identifier: MIT
#include "tables/memory_map.hpp"

namespace mayfly::tables {

outcome memory_map::set(range where, memory_type type) {
    if (where.empty())
        return {};

    // [first, last) are the ranges that `where` touches or adjoins; they become at most three.
    usize first = 0;
    while (first < count_ && ranges_[first].where.end < where.begin)
        first++;
    usize last = first;
    while (last < count_ && ranges_[last].where.begin <= where.end)
        last++;

    typed_range pieces[3];
    usize count = 0;
    if (first < last) {
        const typed_range before = ranges_[first];
        if (before.where.begin < where.begin) {
            if (before.type == type)
                where.begin = before.where.begin;
            else
                pieces[count++] = {{before.where.begin, where.begin}, before.type};
        }
    }
    const usize middle = count;
    if (type != memory_type::none)
        pieces[count++] = {where, type};
    if (first < last) {
        const typed_range after = ranges_[last - 1];
        if (after.where.end > where.end) {
            if (after.type == type)
                pieces[middle].where.end = after.where.end;
            else
                pieces[count++] = {{where.end, after.where.end}, after.type};
        }
    }

    const usize rest = count_ - last;
    if (first + count + rest > capacity)
        return make_wide_fault(sentences::map_full, where.begin, capacity);
    __builtin_memmove(ranges_ + first + count, ranges_ + last, rest * sizeof(typed_range));
    for (usize i = 0; i < count; i++)
        ranges_[first + i] = pieces[i];
    count_ = first + count + rest;
    return {};
}

bool memory_map::is_all(range where, memory_type type) const {
    for (const auto& part : ranges()) {
        if (part.type == type && part.where.begin <= where.begin && where.end <= part.where.end)
            return true;
    }
    return false;
}

range memory_map::find_highest(u64 size, u64 alignment, u64 limit, memory_type type) const {
    for (usize i = count_; i > 0; i--) {
        const auto& part = ranges_[i - 1];
        const u64 end = part.where.end < limit ? part.where.end : limit;
        if (part.type != type || part.where.begin >= end || end - part.where.begin < size)
            continue;
        const u64 begin = align_down(end - size, alignment);
        if (begin >= part.where.begin)
            return {begin, begin + size};
    }
    return {};
}

range memory_map::find_lowest(u64 size, u64 alignment, u64 floor, u64 limit,
                              memory_type type) const {
    for (const auto& part : ranges()) {
        const u64 end = part.where.end < limit ? part.where.end : limit;
        const u64 from = part.where.begin > floor ? part.where.begin : floor;
        if (part.type != type || from >= end)
            continue;
        const u64 begin = align_up(from, alignment);
        if (begin >= from && begin < end && end - begin >= size)
            return {begin, begin + size};
    }
    return {};
}

u64 memory_map::low_ram_end() const {
    u64 end = 0;
    for (const auto& part : ranges()) {
        if (part.type == memory_type::ram && part.where.begin < four_gib)
            end = part.where.end;
    }
    return end;
}

outcome read_e820(const_bytes content, memory_map& map) {
    if (content.size() % sizeof(abi::e820_entry) != 0)
        return make_fault(sentences::e820_size, content.size(), sizeof(abi::e820_entry));
    const bool passes[] = {true, false};
    for (const bool ram : passes) {
        for (usize at = 0; at < content.size(); at += sizeof(abi::e820_entry)) {
            const auto& entry = *view<abi::e820_entry>(content, at);
            const u64 address = entry.address;
            const u64 length = entry.length;
            if ((entry.type == static_cast<u32>(memory_type::ram)) != ram)
                continue;
            if (address + length < address)
                return make_wide_fault(sentences::e820_wraps, address, length);
            TRY(map.set({address, address + length}, static_cast<memory_type>(u32{entry.type})));
        }
    }
    return {};
}

}  // namespace mayfly::tables
