// SPDX-License-Identifier: MIT
// SMBIOS entry points and the structure the firmware adds. Source: DMTF DSP0134 (SMBIOS) 3.6.
#pragma once

#include "core/endian.hpp"

namespace mayfly::abi {

/// 5.2.1: the 32-bit entry point, `_SM_`.
struct smbios_entry_point_21 {
    char anchor[4];
    u8 checksum;  ///< over the whole entry point
    u8 length;
    u8 major;
    u8 minor;
    le16 max_structure_size;
    u8 revision;
    u8 formatted_area[5];
    char intermediate_anchor[5];  ///< `_DMI_`
    u8 intermediate_checksum;     ///< from intermediate_anchor to the end
    le16 table_length;
    le32 table_address;
    le16 structure_count;
    u8 bcd_revision;
};
static_assert(sizeof(smbios_entry_point_21) == 31);
static_assert(__builtin_offsetof(smbios_entry_point_21, intermediate_anchor) == 0x10);
static_assert(__builtin_offsetof(smbios_entry_point_21, table_address) == 0x18);

/// 5.2.2: the 64-bit entry point, `_SM3_`.
struct smbios_entry_point_30 {
    char anchor[5];
    u8 checksum;
    u8 length;
    u8 major;
    u8 minor;
    u8 documentation_revision;
    u8 revision;
    u8 reserved;
    le32 max_table_length;
    le64 table_address;
};
static_assert(sizeof(smbios_entry_point_30) == 24);
static_assert(__builtin_offsetof(smbios_entry_point_30, table_address) == 0x10);

/// 6.1.2: what every structure begins with. Its strings follow `length` bytes from its start, each
/// ended by NUL, the set by one more NUL.
struct smbios_structure {
    u8 type;
    u8 length;
    le16 handle;
};
static_assert(sizeof(smbios_structure) == 4);

inline constexpr u8 smbios_bios_information_type = 0;
inline constexpr u8 smbios_end_of_table_type = 127;

/// 7.1: BIOS information (type 0).
struct smbios_bios_information {
    smbios_structure header;
    u8 vendor;  ///< number of a string, from 1
    u8 version;
    le16 start_segment;
    u8 release_date;
    u8 rom_size;  ///< 64 KiB units less one
    le64 characteristics;
    u8 characteristics_extension[2];
    u8 major_release;
    u8 minor_release;
    u8 controller_major_release;
    u8 controller_minor_release;
};
static_assert(sizeof(smbios_bios_information) == 24);

}  // namespace mayfly::abi
