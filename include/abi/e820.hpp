// SPDX-License-Identifier: MIT
// The memory map's entry, as INT 15h AX=E820h, Linux's boot parameters and QEMU's etc/e820 share
// it. Source: ACPI 6.5, 15.1; QEMU hw/i386/e820_memory_layout.h.
#pragma once

#include "core/endian.hpp"

namespace mayfly::abi {

enum class memory_type : u32 {
    none = 0,  ///< not in the map: what no entry names
    ram = 1,
    reserved = 2,
    acpi = 3,  ///< ACPI tables that the guest may overwrite once it has read them
    nvs = 4,   ///< ACPI memory that the guest keeps, also over sleep
};

struct e820_entry {
    le64 address;
    le64 length;
    le32 type;
};
static_assert(sizeof(e820_entry) == 20 && __builtin_offsetof(e820_entry, type) == 16);

}  // namespace mayfly::abi
