// SPDX-License-Identifier: MIT
// QEMU's firmware configuration device. Source: QEMU docs/specs/fw_cfg.rst, hw/nvram/fw_cfg.c and
// include/standard-headers/linux/qemu_fw_cfg.h.
#pragma once

#include "core/endian.hpp"

namespace mayfly::abi {

/// I/O port of the low half of the DMA address register, big-endian; a write starts the transfer,
/// which is complete when the instruction is. The high half (0x514) is 0 after every transfer.
inline constexpr u16 fw_cfg_dma_port = 0x518;

/// Items with a fixed number (hw/i386/x86.c, x86_load_linux; hw/i386/fw_cfg.c).
enum class fw_cfg_key : u16 {
    cpu_count = 0x05,       ///< u16: CPUs present at boot
    kernel_address = 0x07,  ///< u32: multiboot and PVH: where the image begins
    kernel_size = 0x08,   ///< u32: protected-mode part, or of an image that QEMU takes apart, as it
                          ///< lies in RAM
    initrd_size = 0x0b,   ///< u32
    kernel_entry = 0x10,  ///< u32: PVH and multiboot only
    kernel_data = 0x11,   ///< protected-mode part of a bzImage; multiboot: image, modules
    initrd_data = 0x12,   ///< multiboot: the information structure
    cmdline_size = 0x14,  ///< u32, the NUL included
    cmdline_data = 0x15,
    setup_size = 0x17,  ///< u32
    setup_data = 0x18,  ///< bzImage: boot sector and setup code; PVH: the first 8 KiB of the ELF
    directory = 0x19,
};

/// What a DMA descriptor's control field asks for; the item's key stands in bits 31:16.
inline constexpr u32 dma_error = 1u << 0;
inline constexpr u32 dma_read = 1u << 1;
inline constexpr u32 dma_skip = 1u << 2;
inline constexpr u32 dma_select = 1u << 3;
inline constexpr u32 dma_write = 1u << 4;

struct fw_cfg_dma_descriptor {
    be32 control;
    be32 length;
    be64 address;
};
static_assert(sizeof(fw_cfg_dma_descriptor) == 16);

/// One file of the directory, which is a be32 count followed by so many of these.
struct fw_cfg_file {
    be32 size;
    be16 key;
    be16 reserved;
    char name[56];  ///< ended by NUL
};
static_assert(sizeof(fw_cfg_file) == 64 && __builtin_offsetof(fw_cfg_file, name) == 8);

/// The most files there can be: keys are 14 bits wide and files begin at 0x20.
inline constexpr u32 fw_cfg_max_files = 0x4000 - 0x20;

}  // namespace mayfly::abi
