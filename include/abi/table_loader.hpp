// SPDX-License-Identifier: MIT
// The script by which QEMU has its ACPI tables placed and linked: fw_cfg file etc/table-loader, an
// array of these entries. Source: QEMU hw/acpi/bios-linker-loader.c.
#pragma once

#include "core/endian.hpp"

namespace mayfly::abi {

enum class loader_command : u32 {
    allocate = 1,
    add_pointer = 2,
    add_checksum = 3,
    write_pointer = 4,
};

enum class loader_zone : u8 {
    high = 1,       ///< anywhere below 4 GiB
    f_segment = 2,  ///< where a scan for the RSDP looks: 0xe0000 to 0xfffff
};

using file_name = char[56];  ///< ended by NUL

/// Reads a file into memory of its own. Comes once for each file, before any other use of it.
struct loader_allocate {
    file_name file;
    le32 alignment;  ///< a power of two
    u8 zone;
};

/// Adds the address of `source` to the little-endian integer at `offset` of `destination`.
struct loader_add_pointer {
    file_name destination;
    file_name source;
    le32 offset;
    u8 size;  ///< 1, 2, 4 or 8 bytes
};

/// Makes [start, start + length) of `file` sum to 0 by the byte at `offset`.
struct loader_add_checksum {
    file_name file;
    le32 offset;
    le32 start;
    le32 length;
};

/// Writes the address of `source` plus `source_offset` into the fw_cfg file `destination`.
struct loader_write_pointer {
    file_name destination;
    file_name source;
    le32 destination_offset;
    le32 source_offset;
    u8 size;  ///< 1, 2, 4 or 8 bytes
};

struct loader_entry {
    le32 command;  ///< a loader_command; others, 0 among them, mean nothing and are skipped
    union {
        loader_allocate allocate;
        loader_add_pointer add_pointer;
        loader_add_checksum add_checksum;
        loader_write_pointer write_pointer;
        u8 size[124];
    };
};
static_assert(sizeof(loader_entry) == 128 && alignof(loader_entry) == 1);
static_assert(__builtin_offsetof(loader_allocate, zone) + 4 == 64);
static_assert(__builtin_offsetof(loader_add_pointer, size) + 4 == 120);
static_assert(__builtin_offsetof(loader_add_checksum, length) + 4 == 68);
static_assert(__builtin_offsetof(loader_write_pointer, size) + 4 == 124);

}  // namespace mayfly::abi
