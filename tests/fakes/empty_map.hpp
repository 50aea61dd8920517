// SPDX-License-Identifier: MIT
// A memory map to begin with.
#pragma once

#include "tables/memory_map.hpp"

namespace mayfly::fakes {

/// In which nothing has a type.
inline tables::memory_map empty_map() {
    constexpr tables::memory_map::part_begin nothing[] = {{0, tables::memory_type::none}};
    return tables::memory_map(nothing);
}

inline bool overlap(const tables::range& one, const tables::range& other) {
    return one.begin < other.end && other.begin < one.end;
}

}  // namespace mayfly::fakes
