// SPDX-License-Identifier: MIT
// What a multiboot kernel gets at EBX. Source: Multiboot Specification 0.6.96, 3.3.
#pragma once

#include "abi/e820.hpp"

namespace mayfly::abi {

/// In EAX at entry.
inline constexpr u32 multiboot_magic = 0x2badb002;

/// In multiboot_info::flags: which fields count.
inline constexpr u32 multiboot_has_memory = 1u << 0;
inline constexpr u32 multiboot_has_boot_device = 1u << 1;
inline constexpr u32 multiboot_has_map = 1u << 6;

struct multiboot_info {
    le32 flags;
    le32 memory_lower;  ///< KiB from 0 on
    le32 memory_upper;  ///< KiB from 1 MiB to the first hole
    le32 boot_device;
    le32 command_line;
    le32 module_count;
    le32 modules;
    le32 symbols[4];
    le32 map_length;  ///< bytes
    le32 map;
    le32 drives_length;
    le32 drives;
    le32 configuration;
    le32 loader_name;
    le32 apm;
    le32 vbe[4];
};
static_assert(sizeof(multiboot_info) == 88);

struct multiboot_map_entry {
    le32 size;  ///< of what follows
    e820_entry part;
};
static_assert(sizeof(multiboot_map_entry) == 24);

}  // namespace mayfly::abi
