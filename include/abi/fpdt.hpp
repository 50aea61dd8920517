// SPDX-License-Identifier: MIT
// The firmware performance data table. Source: ACPI 6.5, 5.2.24.
#pragma once

#include "abi/acpi.hpp"

namespace mayfly::abi {

/// What every performance record begins with.
struct performance_record {
    le16 type;
    u8 length;
    u8 revision;
};

inline constexpr u16 basic_boot_pointer_type = 0;
inline constexpr u16 basic_boot_type = 2;

/// The first type of those that are the platform firmware vendor's to define.
inline constexpr u16 firmware_vendor_type = 0x3000;

/// 5.2.24.2: the table, with the one record that it has here.
struct fpdt {
    acpi_header header;
    performance_record record;
    le32 reserved;
    le64 basic_boot_table;
};
static_assert(sizeof(fpdt) == 52);

/// 5.2.24.7: nanoseconds since the reset.
struct basic_boot_record {
    performance_record record;
    le32 reserved;
    le64 reset_end;
    le64 load_image_start;
    le64 start_image_start;
    le64 exit_boot_services_entry;
    le64 exit_boot_services_exit;
};
static_assert(sizeof(basic_boot_record) == 48);

inline constexpr u32 boot_steps = 7;

/// Mayfly's own record (docs/benchmarking.md).
struct boot_steps_record {
    performance_record record;
    le32 tsc_khz;
    le64 tsc_at_reset;
    le64 nanoseconds[boot_steps];
};
static_assert(sizeof(boot_steps_record) == 72);

/// 5.2.24.6: the firmware basic boot performance table. systemd wants the basic record first.
struct basic_boot_table {
    le32 signature;
    le32 length;
    basic_boot_record basic;
    boot_steps_record steps;
};
static_assert(sizeof(basic_boot_table) == 128);

}  // namespace mayfly::abi
