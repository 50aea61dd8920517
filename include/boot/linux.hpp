// SPDX-License-Identifier: MIT
// A Linux bzImage by its 32-bit entry: where everything goes, and the zero page that says so.
#pragma once

#include "abi/linux.hpp"
#include "tables/address_space.hpp"

namespace mayfly::boot {

/// Fails where the image cannot be entered at its 32-bit entry, or where its header is damaged.
outcome check_linux_header(const abi::setup_header& header);

/// Every address and size of the hand-over.
struct linux_plan {
    u32 kernel = 0;       ///< where the protected-mode part is loaded and entered
    u32 kernel_size = 0;  ///< bytes of it
    u64 initrd = 0;       ///< 0: none
    u32 initrd_size = 0;
    u32 trailer = 0;         ///< where what QEMU appended (a device tree) goes; 0: nothing
    u32 trailer_offset = 0;  ///< from the start of the protected-mode part
    u32 trailer_size = 0;
};

/// Places kernel, initrd and trailer in `space.free`, and takes their places from it. A relocatable
/// kernel is put where it wants to run, so that it need not move itself there; `image_size` is the
/// size of the protected-mode part with what QEMU appended, and is only looked at where the
/// header's setup_data says that QEMU did.
result<linux_plan> plan_linux(const abi::setup_header& header, u32 image_size,
                              tables::address_space& space);

/// Where QEMU's setup_data node lies, from the start of the protected-mode part; the header must
/// have a setup_data. QEMU computes the address from its own load address.
u64 trailer_offset(const abi::setup_header& header);

/// Fills in the zero page, which is all zero, from the image's first bytes and the plan.
void write_boot_params(abi::boot_params& params, const_bytes head, const linux_plan& plan,
                       const tables::memory_map& map, u32 command_line, u32 rsdp);

}  // namespace mayfly::boot
