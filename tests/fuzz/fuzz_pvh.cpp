// SPDX-License-Identifier: MIT
// An ELF's program headers and notes. The input: 8 KiB of ELF, then what lies at 1 MiB.
#include "boot/pvh.hpp"

#include "abi/elf.hpp"
#include "boot/payload.hpp"
#include "fakes/empty_map.hpp"
#include "fakes/fake_ram.hpp"
#include "fuzz/fuzz.hpp"

using namespace mayfly;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    constexpr u32 ram_end = 0x110000;
    static fakes::fake_ram ram(ram_end);
    fuzz::input from(data, size);
    auto raw = from.take(boot::payload_head_size);
    const auto notes = from.take(0x10000);
    __builtin_memcpy(ram.data() + mib, notes.data(), notes.size());
    const const_bytes head{raw.data(), raw.size()};
    tables::memory_map map = fakes::empty_map();
    map.set({mib, ram_end}, tables::memory_type::ram);
    if (!fuzz::finishes([&] { boot::claim_image({mib, mib + 0x1000}, head, map); }))
        return 0;
    fuzz::require(map.is_ram({mib, ram_end}));
    (void)boot::is_linux(head, map, ram.view());
    return 0;
}
