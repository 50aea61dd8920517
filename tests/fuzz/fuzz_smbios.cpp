// SPDX-License-Identifier: MIT
// SMBIOS. The input: the anchor's size (u8), the anchor, the structures.
#include "core/checksum.hpp"
#include "fuzz/fuzz.hpp"
#include "tables/smbios.hpp"

using namespace mayfly;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fuzz::input from(data, size);
    auto anchor = from.take(from.number<u8>() & 0x3f);
    const auto structures = from.rest();
    const bytes place{anchor.data(), anchor.size()};
    const bool has = tables::has_bios_information({structures.data(), structures.size()});
    const bool done = fuzz::finishes([&] {
        tables::finish_smbios_anchor(place, 0xfffff000, static_cast<u32>(structures.size()),
                                     has ? 0 : 64);
    });
    fuzz::require(!done || byte_sum(place) == 0);
    return 0;
}
