// SPDX-License-Identifier: MIT
// The PCI interrupt routing table. Source: PCI BIOS Specification 2.1, 4.10 (an entry); Microsoft
// PCI IRQ Routing Table Specification 1.0 (the table).
#pragma once

#include "core/endian.hpp"

namespace mayfly::abi {

/// Where the pins of one device lead.
struct pir_slot {
    struct pin {
        u8 link;    ///< which of the router's lines; here its register
        le16 irqs;  ///< a bit for each that it may be sent to
    };
    u8 bus;
    u8 device;  ///< in bits 7:3
    pin pins[4];
    u8 slot;  ///< as the user counts them; 0: on the board
    u8 reserved;
};
static_assert(sizeof(pir_slot) == 16);

/// Followed by the slots.
struct pir_header {
    char signature[4];  ///< `$PIR`
    le16 version;       ///< 1.0: 0x0100
    le16 size;          ///< of the table
    u8 router_bus;
    u8 router_function;    ///< device in bits 7:3
    le16 exclusive_irqs;   ///< of PCI alone
    le32 compatible_with;  ///< a router of the same kind: device in the upper half, vendor
    le32 miniport_data;
    u8 reserved[11];
    u8 checksum;
};
static_assert(sizeof(pir_header) == 32 && __builtin_offsetof(pir_header, compatible_with) == 12);

}  // namespace mayfly::abi
