// SPDX-License-Identifier: MIT
// A PVH ELF, which QEMU has already put into RAM: what it covers, and what it is told.
#pragma once

#include "abi/pvh.hpp"
#include "core/arena.hpp"
#include "tables/address_space.hpp"

namespace mayfly::boot {

/// Checks the ELF's program headers in `head`, its first 8 KiB, and takes what its segments cover
/// from `space.free`. Fails where a segment is not in RAM or lies in `firmware`, our own memory.
outcome claim_segments(const_bytes head, tables::address_space& space, tables::range firmware);

/// Whether the ELF is Linux, from its notes: a note named "Linux", or Xen's note of the guest's
/// name. Reads them where they were loaded, bounded by the segment they are in.
bool is_linux(const_bytes head, memory ram);

/// What the kernel gets.
struct pvh_handover {
    u32 command_line = 0;
    u32 rsdp = 0;
    u64 initrd = 0;
    u32 initrd_size = 0;
};

/// Makes start_info, memory map and module in `work`, below 1 GiB as Linux wants them, and returns
/// the address of start_info.
result<u32> write_start_info(const pvh_handover& what, const tables::memory_map& map, arena& work);

}  // namespace mayfly::boot
