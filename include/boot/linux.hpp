// SPDX-License-Identifier: MIT
// A Linux bzImage by its 32-bit entry: where everything goes, and the zero page that says so.
#pragma once

#include "abi/fw_cfg.hpp"
#include "abi/linux.hpp"
#include "core/arena.hpp"
#include "core/fault.hpp"
#include "core/sentences.hpp"
#include "tables/memory_map.hpp"

namespace mayfly::boot {

/// Stops where the image cannot be entered at its 32-bit entry, or where its header is damaged.
void check_linux_header(const abi::setup_header& header);

/// False for another program in the format of a kernel, such as Memtest86+. Linux's own build says
/// where in the image the compressed kernel is (since 2.08 of the boot protocol).
inline bool is_linux(const abi::setup_header& header) {
    return header.payload_length != 0;
}

/// Where a kernel that cannot be relocated is loaded; also QEMU's own load address.
inline constexpr u32 default_load_address = 0x100000;

/// What QEMU appended to the protected-mode part: a setup_data node with the device tree of -dtb.
struct linux_trailer {
    u32 offset = 0;  ///< from the start of the protected-mode part
    u32 size = 0;    ///< 0: nothing was appended
};

/// Finds the node that the header's setup_data leads to; it ends where the image ends. QEMU
/// computes the address from its own load address, and from version 10 on from the size of the
/// whole file, setup part included, which is not loaded there (hw/i386/x86-common.c). Stops where
/// there is no such node. `Files` is hw::fw_cfg.
template <typename Files>
[[gnu::noinline]] linux_trailer find_trailer(const abi::setup_header& header, Files& files,
                                             arena& work) {
    if (header.setup_data == 0)
        return {};
    const u32 image = files.read_u32(abi::fw_cfg_key::kernel_size);
    const bytes content = work.take(sizeof(abi::setup_data_node));
    const auto& node = as<abi::setup_data_node>(content);
    constexpr u32 sector = 512, default_sectors = 4;
    const u32 sectors = header.setup_sects != 0 ? header.setup_sects : default_sectors;
    u32 offset = static_cast<u32>(header.setup_data) - default_load_address;
    for (u32 attempt = 0; attempt < 2 && header.setup_data < four_gib; attempt++) {
        if (offset != 0 && offset < image && image - offset >= content.size()) {
            files.read_item_at(abi::fw_cfg_key::kernel_data, offset, content);
            if (node.length == image - offset - content.size())
                return {offset, image - offset};
        }
        offset -= sector * (1 + sectors);
    }
    fail_wide(sentences::bad_setup_data, header.setup_data, u64{default_load_address} + image);
}

/// Every address and size of the hand-over.
struct linux_plan {
    u32 kernel = 0;       ///< where the protected-mode part is loaded and entered
    u32 kernel_size = 0;  ///< bytes of it
    u64 initrd = 0;       ///< 0: none
    u32 initrd_size = 0;
    u32 trailer = 0;  ///< where what QEMU appended goes; 0: nothing
};

/// Places kernel, initrd and trailer in free RAM of `map`, and takes their places from it. A
/// relocatable kernel is put where it wants to run, so that it need not move itself there. Stops
/// where something does not fit.
linux_plan plan_linux(const abi::setup_header& header, const linux_trailer& trailer,
                      tables::memory_map& map);

/// Fills in the zero page, which is all zero, from the image's setup header and the plan.
void write_boot_params(abi::boot_params& params, const abi::setup_header& header,
                       const linux_plan& plan, const tables::memory_map& map, u32 command_line,
                       u32 rsdp);

}  // namespace mayfly::boot
