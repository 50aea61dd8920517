// SPDX-License-Identifier: MIT
// etc/e820: what comes out is sorted, disjoint and whole.
#include "abi/pvh.hpp"
#include "fakes/empty_map.hpp"
#include "fuzz/fuzz.hpp"
#include "tables/memory_map.hpp"

using namespace mayfly;
using tables::memory_map;
using tables::memory_type;

namespace {

/// What the guest is told: in order, joined, and claimed RAM as RAM.
void check_entries(const memory_map& map, u32 stride) {
    std::vector<u8> to(memory_map::capacity * stride + sizeof(u32));
    const u32 count = map.write_entries(to.data(), stride);
    fuzz::require(count <= memory_map::capacity);
    u64 end = 0;
    u32 type = 0;
    for (u32 i = 0; i < count; i++) {
        const auto entry = load<abi::e820_entry>({to.data(), to.size()}, i * stride);
        fuzz::require(entry.length != 0 && entry.address + entry.length > entry.address);
        fuzz::require(entry.type != 0 && (entry.type & tables::claimed) == 0);
        fuzz::require(i == 0 || entry.address > end ||
                      (entry.address == end && entry.type != type));
        fuzz::require((entry.type == static_cast<u32>(memory_type::ram)) ==
                      map.is_ram({entry.address, entry.address + entry.length}));
        end = entry.address + entry.length;
        type = entry.type;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    auto content = fuzz::input(data, size).rest();
    memory_map map = fakes::empty_map();
    (void)fuzz::finishes([&] { tables::read_e820({content.data(), content.size()}, map); });
    fuzz::require(map.parts() <= memory_map::capacity);
    fuzz::require(map.low_ram_end() <= memory_map::top);
    u64 end = 0;
    for (u32 i = 0; i < map.parts(); i++) {
        fuzz::require(map.part(i).begin == end && !map.part(i).empty());
        fuzz::require((static_cast<u32>(map.type(i)) & tables::claimed) == 0);
        fuzz::require(map.type(i) != memory_type::ram || map.part(i).begin >= mib);
        end = map.part(i).end;
    }
    check_entries(map, sizeof(abi::e820_entry));
    check_entries(map, sizeof(abi::pvh_memory_entry));
    return 0;
}
