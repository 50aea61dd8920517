// SPDX-License-Identifier: MIT
// Fixed-width integers and the few type queries the firmware needs. Nothing of a C or C++ library
// is included anywhere in the ROM: a compiler without 32-bit user-space headers must do.
#pragma once

namespace mayfly {

using u8 = __UINT8_TYPE__;
using u16 = __UINT16_TYPE__;
using u32 = __UINT32_TYPE__;
using u64 = __UINT64_TYPE__;
using usize = __SIZE_TYPE__;
using uptr = __UINTPTR_TYPE__;

static_assert(sizeof(u8) == 1 && sizeof(u16) == 2 && sizeof(u32) == 4 && sizeof(u64) == 8);

/// A type that may be copied to and from raw bytes: every wire structure in `abi/`. Alignment 1
/// lets one be read at any address and keeps its layout equal in the ROM and in a 64-bit test.
template <typename T>
concept wire_type = __is_trivially_copyable(T) && alignof(T) == 1;

inline constexpr u64 kib = 1024;
inline constexpr u64 mib = 1024 * kib;
inline constexpr u64 gib = 1024 * mib;
inline constexpr u64 four_gib = 4 * gib;
inline constexpr u32 page_size = 4096;

/// Rounds `value` down to a multiple of `alignment`, a power of two.
template <typename T>
constexpr T align_down(T value, T alignment) {
    return value & ~(alignment - 1);
}

/// Rounds `value` up to a multiple of `alignment`, a power of two. Wraps to 0 near the type's end:
/// callers bound `value` first, or compare.
template <typename T>
constexpr T align_up(T value, T alignment) {
    return align_down<T>(value + alignment - 1, alignment);
}

constexpr bool is_power_of_two(u32 value) {
    return value != 0 && (value & (value - 1)) == 0;
}

}  // namespace mayfly
