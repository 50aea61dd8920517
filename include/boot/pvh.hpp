// SPDX-License-Identifier: MIT
// A PVH ELF, which QEMU has already put into RAM: what it covers, and what it is told.
#pragma once

#include "abi/pvh.hpp"
#include "core/arena.hpp"
#include "tables/memory_map.hpp"

namespace mayfly::boot {

/// Takes what the ELF covers from the free RAM of `map`: `extent`, from its first byte to its last
/// as QEMU says (hw/i386/x86.c, load_elfboot), and where not all of that is RAM, its segments by
/// the program headers in `head`, its first 8 KiB. Stops where they are not in RAM or in our own
/// memory. The headers alone do not do: QEMU 7.2 keeps `head` on a stack that it goes on to use,
/// for a network device without a backend among others. The extent alone does not either: its
/// numbers have 32 bits.
void claim_image(const tables::range& extent, const_bytes head, tables::memory_map& map);

/// Whether the ELF is Linux, from its notes: a note named "Linux", or Xen's note of the guest's
/// name. Reads them where they were loaded, if that is RAM; false where they are not found. After
/// claim_image().
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
