// SPDX-License-Identifier: MIT
// etc/e820: what comes out is sorted and disjoint.
#include "fuzz/fuzz.hpp"
#include "tables/memory_map.hpp"

using namespace mayfly;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    auto content = fuzz::input(data, size).rest();
    tables::memory_map map;
    const auto done = tables::read_e820({content.data(), content.size()}, map);
    fuzz::tell(done.what());
    const auto ranges = map.ranges();
    fuzz::require(ranges.size() <= tables::memory_map::capacity);
    for (usize i = 0; i < ranges.size(); i++) {
        fuzz::require(!ranges[i].where.empty() && ranges[i].type != tables::memory_type::none);
        if (i == 0)
            continue;
        const auto& before = ranges[i - 1];
        fuzz::require(before.where.end <= ranges[i].where.begin);
        fuzz::require(before.where.end < ranges[i].where.begin || before.type != ranges[i].type);
    }
    return 0;
}
