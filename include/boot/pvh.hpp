// SPDX-License-Identifier: MIT
// A PVH ELF, which QEMU has already put into RAM: what it covers, and what it is told.
#pragma once

#include "abi/pvh.hpp"
#include "core/arena.hpp"
#include "tables/memory_map.hpp"

namespace mayfly::boot {

/// Checks the ELF's program headers in `head`, its first 8 KiB, and takes what its segments cover
/// from the free RAM of `map`. Stops where a segment is not in RAM or lies in our own memory.
void claim_segments(const_bytes head, tables::memory_map& map);

/// Whether the ELF is Linux, from its notes: a note named "Linux", or Xen's note of the guest's
/// name. Reads them where they were loaded, if that is RAM. After claim_segments().
bool is_linux(const_bytes head, const tables::memory_map& map, memory ram);

/// What the kernel gets.
struct pvh_handover {
    u32 command_line = 0;
    u32 rsdp = 0;
    u32 initrd = 0;
    u32 initrd_size = 0;
};

/// Makes start_info, memory map and module in `work`, below 1 GiB as Linux wants them, and returns
/// the address of start_info.
u32 write_start_info(const pvh_handover& what, const tables::memory_map& map, arena& work);

}  // namespace mayfly::boot
