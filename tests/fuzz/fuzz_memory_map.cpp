// SPDX-License-Identifier: MIT
// Changes of the memory map and claims from it, against one type for each place and against trying
// every place. The input: four bytes for each step, which are what to do and its numbers.
#include <array>

#include "fakes/empty_map.hpp"
#include "fuzz/fuzz.hpp"
#include "tables/memory_map.hpp"

using namespace mayfly;
using tables::memory_map;
using tables::memory_type;

namespace {

constexpr u32 unit = 512;  ///< what is claimed by the byte is claimed in these
constexpr u32 per_page = page_size / unit;
constexpr u32 places = 256 * per_page;
constexpr u32 first_place = mib;
constexpr u32 end_place = first_place + places * unit;
constexpr auto ram = memory_type::ram;
constexpr std::array types = {memory_type::none, ram, memory_type::reserved, memory_type::nvs,
                              tables::claimed_ram};

/// A map and what it must be. A place is a unit; place 0 lies at 1 MiB.
struct model {
    memory_map map = fakes::empty_map();
    memory_type types[places] = {};

    static constexpr u32 page_address(u32 page) { return first_place + page * page_size; }
    static constexpr u32 place(u32 address) { return (address - first_place) / unit; }

    void note(u32 begin, u32 end, memory_type type) {
        fuzz::require(begin >= first_place && end <= end_place);
        for (u32 i = place(begin); i < place(end); i++)
            types[i] = type;
    }

    bool is_all(u32 begin, u32 end, bool claimed_too) const {
        for (u32 i = place(begin); i < place(end); i++) {
            if (types[i] != ram && !(claimed_too && types[i] == tables::claimed_ram))
                return false;
        }
        return true;
    }

    /// The lowest or highest place in [floor, limit) that one part of free RAM holds: parts that
    /// adjoin are looked at one by one.
    u32 best(u32 size, u32 alignment, u32 floor, u32 limit, bool is_highest) const {
        u32 found = 0;
        u32 part = 0;
        for (u64 at = align_up<u64>(first_place, alignment); at < end_place; at += alignment) {
            while (part < map.parts() && map.part(part).end <= at)
                part++;
            if (part == map.parts())
                break;
            const bool fits = map.type(part) == ram && map.part(part).begin <= at &&
                              at + size <= map.part(part).end && at >= floor && at + size <= limit;
            if (fits && (is_highest || found == 0))
                found = static_cast<u32>(at);
        }
        return found;
    }

    /// What a claim that returned `at` must have done.
    void claimed(u32 at, u32 expected, u32 size, memory_type type) {
        fuzz::require(at == expected);
        if (at == 0)
            return;
        fuzz::require(is_all(at, at + size, false));
        note(at, at + size, type);
    }

    /// Every place is of its type, in parts that adjoin.
    void check() const {
        fuzz::require(map.parts() <= memory_map::capacity);
        u64 end = 0;
        for (u32 i = 0; i < map.parts(); i++) {
            const auto part = map.part(i);
            fuzz::require(part.begin == end && !part.empty());
            end = part.end;
            fuzz::require(part.begin >= first_place ||
                          (map.type(i) == memory_type::none && part.end >= first_place));
            fuzz::require(part.end <= end_place && part.end % unit == 0);
            for (u64 at = part.begin < first_place ? first_place : part.begin; at < end; at += unit)
                fuzz::require(types[place(static_cast<u32>(at))] == map.type(i));
        }
        for (u64 at = end < first_place ? first_place : end; at < end_place; at += unit)
            fuzz::require(types[place(static_cast<u32>(at))] == memory_type::none);
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fuzz::input from(data, size);
    static model it;
    it = {};
    while (from.left() != 0) {
        const u32 what = from.number<u8>();
        const u32 first = from.number<u8>(), second = from.number<u8>(), third = from.number<u8>();
        const u32 bytes = 1 + second * 500;
        const u32 units = align_up(bytes, unit), pages = align_up(bytes, page_size);
        const u32 alignment = 1u << (third & 31);
        const u32 at_least_pages = alignment < page_size ? page_size : alignment;
        const u32 at_least_units = alignment < unit ? unit : alignment;
        const u32 edge = model::page_address(first);
        u32 at = 0, expected = 0;
        switch (what % 5) {
            case 0: {
                const auto type = types[third % types.size()];
                const u32 begin = edge, end = model::page_address(second);
                if (!fuzz::finishes([&] { it.map.set({begin, end}, type); }))
                    return 0;
                if (begin < end)
                    it.note(begin, end, type);
                break;
            }
            case 1:
                // The limit need not be at a page.
                expected = it.best(pages, at_least_pages, mib, edge + third, true);
                if (!fuzz::finishes([&] {
                        at = it.map.claim_highest(bytes, alignment, edge + third,
                                                  tables::claimed_ram);
                    }))
                    return 0;
                it.claimed(at, expected, pages, tables::claimed_ram);
                break;
            case 2:
                expected = it.best(units, at_least_units, edge, memory_map::top, false);
                if (!fuzz::finishes([&] { at = it.map.claim_lowest(units, alignment, edge); }))
                    return 0;
                it.claimed(at, expected, units, tables::claimed_ram);
                break;
            case 3: {
                const auto type = types[1 + first % (types.size() - 1)];
                expected = it.best(pages, at_least_pages, mib, memory_map::top, true);
                if (!fuzz::finishes([&] {
                        at = it.map.claim_highest(bytes, alignment, memory_map::top, type);
                    }))
                    return 0;
                it.claimed(at, expected, pages, type);
                break;
            }
            default:
                if (first < second) {
                    const u32 end = model::page_address(second);
                    fuzz::require(it.map.is_ram({edge, end}) == it.is_all(edge, end, true));
                }
                break;
        }
        it.check();
    }
    return 0;
}
