// SPDX-License-Identifier: MIT
// The Linux/x86 boot protocol. Source: Linux Documentation/arch/x86/boot.rst and zero-page.rst;
// field names are the kernel's own.
#pragma once

#include "abi/e820.hpp"

namespace mayfly::abi {

inline constexpr u32 setup_header_offset = 0x1f1;
inline constexpr u32 linux_header_magic = 0x53726448;  ///< "HdrS"
inline constexpr u16 linux_boot_flag = 0xaa55;

/// boot.rst, "The Real-Mode Kernel Header"; at 0x1f1 of the image and of the boot parameters. How
/// much of it an image has is said by the jump's target.
struct setup_header {
    u8 setup_sects;
    le16 root_flags;
    le32 syssize;  ///< protected-mode part, units of 16 bytes
    le16 ram_size;
    le16 vid_mode;
    le16 root_dev;
    le16 boot_flag;
    u8 jump;         ///< 0xeb
    u8 jump_offset;  ///< from the byte after it (0x202) to the end of the header
    le32 header;     ///< linux_header_magic
    le16 version;
    le32 realmode_swtch;
    le16 start_sys_seg;
    le16 kernel_version;
    u8 type_of_loader;
    u8 loadflags;
    le16 setup_move_size;
    le32 code32_start;
    le32 ramdisk_image;
    le32 ramdisk_size;
    le32 bootsect_kludge;
    le16 heap_end_ptr;
    u8 ext_loader_ver;
    u8 ext_loader_type;
    le32 cmd_line_ptr;
    le32 initrd_addr_max;  ///< highest address an initrd may occupy
    le32 kernel_alignment;
    u8 relocatable_kernel;
    u8 min_alignment;
    le16 xloadflags;
    le32 cmdline_size;  ///< without the NUL
    le32 hardware_subarch;
    le64 hardware_subarch_data;
    le32 payload_offset;
    le32 payload_length;
    le64 setup_data;
    le64 pref_address;
    le32 init_size;  ///< RAM needed from the run-time start address
    le32 handover_offset;
    le32 kernel_info_offset;
};
static_assert(__builtin_offsetof(setup_header, jump_offset) + setup_header_offset == 0x201);
static_assert(__builtin_offsetof(setup_header, header) + setup_header_offset == 0x202);
static_assert(__builtin_offsetof(setup_header, type_of_loader) + setup_header_offset == 0x210);
static_assert(__builtin_offsetof(setup_header, cmd_line_ptr) + setup_header_offset == 0x228);
static_assert(__builtin_offsetof(setup_header, xloadflags) + setup_header_offset == 0x236);
static_assert(__builtin_offsetof(setup_header, setup_data) + setup_header_offset == 0x250);
static_assert(__builtin_offsetof(setup_header, init_size) + setup_header_offset == 0x260);
static_assert(sizeof(setup_header) + setup_header_offset == 0x26c);

/// Where the header ends for a kernel whose init_size is its last field.
inline constexpr u32 end_of_init_size = 0x264;
inline constexpr u16 protocol_2_10 = 0x20a;

inline constexpr u8 loaded_high = 1u << 0;               ///< loadflags
inline constexpr u16 can_be_loaded_above_4g = 1u << 1;   ///< xloadflags
inline constexpr u8 loader_undefined = 0xff;             ///< type_of_loader without a number
inline constexpr usize boot_params_e820_capacity = 128;  ///< E820_MAX_ENTRIES_ZEROPAGE

/// Head of a node of the list that setup_data begins.
struct setup_data_node {
    le64 next;
    le32 type;
    le32 length;
};
static_assert(sizeof(setup_data_node) == 16);

/// zero-page.rst: what the 32-bit entry expects at ESI. Only the fields that a boot loader sets.
struct boot_params {
    u8 screen_info[0x40];
    u8 unused_040[0x70 - 0x40];
    le64 acpi_rsdp_addr;
    u8 unused_078[0xc0 - 0x78];
    le32 ext_ramdisk_image;  ///< bits 63:32
    le32 ext_ramdisk_size;
    le32 ext_cmd_line_ptr;
    u8 unused_0cc[0x1e0 - 0xcc];
    le32 alt_mem_k;  ///< KiB of RAM from 1 MiB
    u8 unused_1e4[4];
    u8 e820_entries;
    u8 unused_1e9[0x1ef - 0x1e9];
    u8 sentinel;  ///< 0: the rest was cleared by the boot loader
    u8 unused_1f0;
    setup_header hdr;
    u8 unused_26c[0x2d0 - 0x26c];
    e820_entry e820_table[boot_params_e820_capacity];
    u8 unused_cd0[0x1000 - 0xcd0];
};
static_assert(sizeof(boot_params) == 4096 && alignof(boot_params) == 1);
static_assert(__builtin_offsetof(boot_params, acpi_rsdp_addr) == 0x70);
static_assert(__builtin_offsetof(boot_params, ext_ramdisk_image) == 0xc0);
static_assert(__builtin_offsetof(boot_params, alt_mem_k) == 0x1e0);
static_assert(__builtin_offsetof(boot_params, e820_entries) == 0x1e8);
static_assert(__builtin_offsetof(boot_params, hdr) == setup_header_offset);
static_assert(__builtin_offsetof(boot_params, e820_table) == 0x2d0);

}  // namespace mayfly::abi
