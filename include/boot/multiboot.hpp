// SPDX-License-Identifier: MIT
// What a multiboot image is told.
#pragma once

#include "abi/multiboot.hpp"
#include "core/arena.hpp"
#include "tables/memory_map.hpp"

namespace mayfly::boot {

/// Adds to `info`, which QEMU filled with all that it knows (hw/i386/multiboot.c), the memory: its
/// two sizes, and a copy of `map` in `work`.
void add_memory(abi::multiboot_info& info, const tables::memory_map& map, arena& work);

}  // namespace mayfly::boot
