// SPDX-License-Identifier: MIT
// What a PVH kernel gets at EBX. Source: Xen public/arch-x86/hvm/start_info.h, version 1.
#pragma once

#include "core/endian.hpp"

namespace mayfly::abi {

inline constexpr u32 pvh_magic = 0x336ec578;

struct pvh_start_info {
    le32 magic;
    le32 version;
    le32 flags;
    le32 module_count;
    le64 modules;
    le64 command_line;
    le64 rsdp;
    le64 memory_map;
    le32 memory_map_count;
    le32 reserved;
};
static_assert(sizeof(pvh_start_info) == 56);

struct pvh_module {
    le64 address;
    le64 size;
    le64 command_line;
    le64 reserved;
};
static_assert(sizeof(pvh_module) == 32);

struct pvh_memory_entry {
    le64 address;
    le64 size;
    le32 type;  ///< as in e820
    le32 reserved;
};
static_assert(sizeof(pvh_memory_entry) == 24);

}  // namespace mayfly::abi
