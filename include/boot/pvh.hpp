// SPDX-License-Identifier: MIT
// A PVH ELF, which QEMU has already put into RAM: what it covers, and what it is told.
#pragma once

#include "abi/pvh.hpp"
#include "core/arena.hpp"
#include "tables/memory_map.hpp"

namespace mayfly::boot {

/// Takes what the ELF's segments cover from the free RAM of `map`, by the program headers in
/// `head`, its first 8 KiB. Stops where a segment is not in RAM or lies in our own memory. False
/// where the headers are not there: besides odd images, QEMU 7.2 keeps `head` on a stack that it
/// goes on to use, for network devices without a backend among others.
bool claim_segments(const_bytes head, tables::memory_map& map);

/// Whether the ELF is Linux, from its notes: a note named "Linux", or Xen's note of the guest's
/// name. Reads them where they were loaded, if that is RAM; false where they are not found. After
/// claim_segments().
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
