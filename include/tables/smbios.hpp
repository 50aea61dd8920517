// SPDX-License-Identifier: MIT
// SMBIOS: QEMU's structures, and a BIOS information structure of ours before them.
#pragma once

#include "abi/smbios.hpp"
#include "core/checksum.hpp"
#include "core/text.hpp"

namespace mayfly::tables {

inline constexpr char smbios_anchor_file[] = "etc/smbios/smbios-anchor";
inline constexpr char smbios_tables_file[] = "etc/smbios/smbios-tables";

/// The size of our type 0 structure with its strings.
u32 bios_information_size();

/// Writes our type 0 structure to `to`, of bios_information_size() bytes.
void write_bios_information(bytes to);

/// True where QEMU's structures already have a type 0, because the user gave one.
bool has_bios_information(const_bytes structures);

/// Fills in address, length and, in version 2.1, count and largest structure of the entry point
/// `anchor` as QEMU made it, for a table of `length` bytes at `address` to which `added` bytes (0:
/// none) of ours were added, and its checksums. Stops where it is neither version 2.1 (31 bytes)
/// nor 3.0 (24 bytes), or where version 2.1 cannot express the length.
void finish_smbios_anchor(bytes anchor, u32 address, u32 length, u32 added);

}  // namespace mayfly::tables
