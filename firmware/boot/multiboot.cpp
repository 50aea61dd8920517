// SPDX-License-Identifier: MIT
#include "boot/multiboot.hpp"

namespace mayfly::boot {

using abi::multiboot_map_entry;
using tables::memory_map;

void add_memory(abi::multiboot_info& info, const memory_map& map, arena& work) {
    constexpr u32 size = sizeof(multiboot_map_entry), before = sizeof(u32);
    const bytes entries = work.take(before + memory_map::capacity * size + sizeof(u32));
    const u32 count = map.write_entries(entries.data() + before, size);
    for (u32 i = 0; i < count; i++) {
        auto& entry = as<multiboot_map_entry>(entries, i * size);
        entry.size = sizeof entry.part;
        const u32 kibibytes = static_cast<u32>(entry.part.length >> 10);
        if (entry.part.type != static_cast<u32>(tables::memory_type::ram))
            continue;
        if (entry.part.address == 0)
            info.memory_lower = kibibytes;
        if (entry.part.address == mib)
            info.memory_upper = kibibytes;
    }
    // The disk that QEMU names is the BIOS's, which is not there.
    info.flags = (info.flags & ~abi::multiboot_has_boot_device) | abi::multiboot_has_memory |
                 abi::multiboot_has_map;
    info.map = work.address_of(entries.data());
    info.map_length = count * size;
}

}  // namespace mayfly::boot
