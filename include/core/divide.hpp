// SPDX-License-Identifier: MIT
// 64-bit division, for which a 32-bit compiler would call a library.
#pragma once

#include "core/types.hpp"

namespace mayfly {

struct division {
    u64 quotient;
    u32 remainder;
};

/// `dividend` by `divisor`, which is not 0: the high word first, then its rest with the low one, so
/// that no quotient is too wide for the instruction.
inline division divide(u64 dividend, u32 divisor) {
    const u32 high = static_cast<u32>(dividend >> 32);
    u32 low = static_cast<u32>(dividend);
    u32 rest = high % divisor;
    asm("divl %[divisor]" : "+a"(low), "+d"(rest) : [divisor] "rm"(divisor) : "cc");
    return {u64{high / divisor} << 32 | low, rest};
}

}  // namespace mayfly
