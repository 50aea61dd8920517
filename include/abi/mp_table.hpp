// SPDX-License-Identifier: MIT
// The multiprocessor table for guests without ACPI. Source: Intel MultiProcessor Specification 1.4,
// chapter 4.
#pragma once

#include "core/endian.hpp"

namespace mayfly::abi {

/// 4.1
struct mp_floating_pointer {
    char signature[4];  ///< `_MP_`
    le32 table_address;
    u8 length;         ///< in units of 16 bytes
    u8 specification;  ///< 4 for 1.4
    u8 checksum;
    u8 features[5];
};
static_assert(sizeof(mp_floating_pointer) == 16);

/// 4.2
struct mp_header {
    char signature[4];  ///< `PCMP`
    le16 length;
    u8 specification;
    u8 checksum;
    char oem_id[8];
    char product_id[12];
    le32 oem_table;
    le16 oem_table_size;
    le16 entry_count;
    le32 local_apic_address;
    le16 extended_length;
    u8 extended_checksum;
    u8 reserved;
};
static_assert(sizeof(mp_header) == 44 && __builtin_offsetof(mp_header, entry_count) == 34);

/// 4.3.1
struct mp_processor {
    u8 type;  ///< 0
    u8 apic_id;
    u8 apic_version;
    u8 flags;
    le32 signature;  ///< CPUID leaf 1, EAX
    le32 features;   ///< CPUID leaf 1, EDX
    u8 reserved[8];
};
static_assert(sizeof(mp_processor) == 20);

inline constexpr u8 mp_processor_enabled = 1u << 0;
inline constexpr u8 mp_processor_boot = 1u << 1;

/// 4.3.2
struct mp_bus {
    u8 type;  ///< 1
    u8 id;
    char name[6];  ///< padded with blanks
};
static_assert(sizeof(mp_bus) == 8);

/// 4.3.3
struct mp_io_apic {
    u8 type;  ///< 2
    u8 id;
    u8 version;
    u8 flags;  ///< bit 0: usable
    le32 address;
};
static_assert(sizeof(mp_io_apic) == 8);

/// 4.3.4 and 4.3.5
struct mp_interrupt {
    u8 type;     ///< 3: to an I/O APIC, 4: to a local APIC
    u8 kind;     ///< one of mp_interrupt_kind
    le16 flags;  ///< polarity and trigger mode; 0: as the bus has it
    u8 source_bus;
    u8 source_line;     ///< ISA: IRQ; PCI: device << 2 | pin from 0
    u8 destination_id;  ///< of the APIC; 0xff: every local APIC
    u8 destination_pin;
};
static_assert(sizeof(mp_interrupt) == 8);

enum mp_interrupt_kind : u8 { mp_vectored = 0, mp_nmi = 1, mp_external = 3 };

inline constexpr u16 mp_active_high = 1;
inline constexpr u16 mp_level = 3u << 2;

}  // namespace mayfly::abi
