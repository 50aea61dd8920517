// SPDX-License-Identifier: MIT
// Arithmetic of 64 bits, for which a 32-bit compiler calls a library or wastes instructions.
#pragma once

#include "core/types.hpp"

namespace mayfly {

/// `dividend` by `divisor`, which is not 0: the high word first, then its rest with the low one, so
/// that no quotient is too wide for the instruction. What remains is for the caller to work out: in
/// registers, a single number is returned at half the code.
inline u64 divide(u64 dividend, u32 divisor) {
    const u32 high = static_cast<u32>(dividend >> 32);
    u32 low = static_cast<u32>(dividend);
    u32 rest = high % divisor;
    asm("divl %[divisor]" : "+a"(low), "+d"(rest) : [divisor] "rm"(divisor) : "cc");
    return u64{high / divisor} << 32 | low;
}

/// The whole product, by the one instruction that gives it.
inline u64 multiply(u32 left, u32 right) {
    u32 low;
    u32 high;
    asm("mull %[right]" : "=a"(low), "=d"(high) : "a"(left), [right] "rm"(right) : "cc");
    return u64{high} << 32 | low;
}

}  // namespace mayfly
