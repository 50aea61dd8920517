// SPDX-License-Identifier: MIT
// What leads to the BIOS's 32-bit services. Source: Standard BIOS 32-bit Service Directory Proposal
// 0.4 (Phoenix).
#pragma once

#include "core/endian.hpp"

namespace mayfly::abi {

struct bios32_anchor {
    char signature[4];  ///< `_32_`
    le32 entry;         ///< of the service directory, physical, below 1 MiB
    u8 revision;        ///< 0
    u8 length;          ///< in units of 16 bytes
    u8 checksum;
    u8 reserved[5];
};
static_assert(sizeof(bios32_anchor) == 16);

}  // namespace mayfly::abi
