// SPDX-License-Identifier: MIT
// The parts of ACPI tables that the firmware itself reads. Source: ACPI 6.5, chapter 5.
#pragma once

#include "core/endian.hpp"

namespace mayfly::abi {

/// A table's signature as a little-endian number, for one comparison.
constexpr u32 signature(const char (&name)[5]) {
    return static_cast<u32>(name[0]) | static_cast<u32>(name[1]) << 8 |
           static_cast<u32>(name[2]) << 16 | static_cast<u32>(name[3]) << 24;
}

/// 5.2.5.3: the root pointer as ACPI 1.0 has it (revision 0).
struct rsdp_1 {
    char signature[8];
    u8 checksum;  ///< of these 20 bytes
    char oem_id[6];
    u8 revision;
    le32 rsdt;
};
static_assert(sizeof(rsdp_1) == 20);

/// The same since ACPI 2.0.
struct rsdp_2 {
    rsdp_1 first;
    le32 length;
    le64 xsdt;
    u8 extended_checksum;  ///< of all
    u8 reserved[3];
};
static_assert(sizeof(rsdp_2) == 36);

/// 5.2.6: what every table but the FACS begins with.
struct acpi_header {
    le32 signature;
    le32 length;  ///< of the whole table, this header included
    u8 revision;
    u8 checksum;
    char oem_id[6];
    char oem_table_id[8];
    le32 oem_revision;
    le32 creator_id;
    le32 creator_revision;
};
static_assert(sizeof(acpi_header) == 36);

/// 5.2.10: firmware ACPI control structure, up to what QEMU fills in.
struct facs {
    le32 signature;
    le32 length;
    le32 hardware_signature;
    le32 waking_vector;  ///< where the guest goes on in real mode, 0 if nowhere
};
static_assert(sizeof(facs) == 16);

/// 5.2.12: multiple APIC description table; entries follow.
struct madt_header {
    acpi_header header;
    le32 local_apic_address;
    le32 flags;
};
static_assert(sizeof(madt_header) == 44);

/// 5.2.12: what every entry of a MADT begins with.
struct madt_entry {
    u8 type;
    u8 length;
};

inline constexpr u8 madt_local_apic_type = 0;
inline constexpr u8 madt_io_apic_type = 1;
inline constexpr u32 madt_local_apic_enabled = 1u << 0;

/// 5.2.12.2
struct madt_local_apic {
    madt_entry entry;
    u8 processor_uid;
    u8 apic_id;
    le32 flags;
};
static_assert(sizeof(madt_local_apic) == 8);

/// 5.2.12.3
struct madt_io_apic {
    madt_entry entry;
    u8 io_apic_id;
    u8 reserved;
    le32 address;
    le32 first_interrupt;
};
static_assert(sizeof(madt_io_apic) == 12);

}  // namespace mayfly::abi
