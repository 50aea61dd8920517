// SPDX-License-Identifier: MIT
// The checksum that ACPI, SMBIOS and the MP specification share.
#pragma once

#include "core/span.hpp"

namespace mayfly {

/// The sum of all bytes modulo 256. Over a finished table or anchor it is 0 (ACPI 6.5, 5.2.6;
/// SMBIOS 3.6, 5.2.1; MP specification 1.4, 4.1).
u8 byte_sum(const_bytes data);

/// The value that a checksum byte, now 0, must get so that `data` sums to 0.
inline u8 checksum(const_bytes data) {
    return static_cast<u8>(-byte_sum(data));
}

}  // namespace mayfly
