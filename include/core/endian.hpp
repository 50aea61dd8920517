// SPDX-License-Identifier: MIT
// Byte order as a type: a swap cannot be forgotten, and a field has alignment 1.
#pragma once

#include "core/types.hpp"

namespace mayfly {

constexpr u16 byte_swap(u16 value) {
    return __builtin_bswap16(value);
}
constexpr u32 byte_swap(u32 value) {
    return __builtin_bswap32(value);
}
constexpr u64 byte_swap(u64 value) {
    return __builtin_bswap64(value);
}

/// A little-endian field at any address.
template <typename T>
class [[gnu::packed]] le {
  public:
    le() = default;
    constexpr le(T value) : raw_(value) {}
    constexpr operator T() const { return raw_; }

  private:
    T raw_;
};

/// A big-endian field at any address.
template <typename T>
class [[gnu::packed]] be {
  public:
    be() = default;
    constexpr be(T value) : raw_(byte_swap(value)) {}
    constexpr operator T() const { return byte_swap(raw_); }

  private:
    T raw_;
};

using le16 = le<u16>;
using le32 = le<u32>;
using le64 = le<u64>;
using be16 = be<u16>;
using be32 = be<u32>;
using be64 = be<u64>;

static_assert(alignof(le64) == 1 && sizeof(le64) == 8 && alignof(be32) == 1 && sizeof(be32) == 4);
static_assert(wire_type<le32> && wire_type<be64>);

}  // namespace mayfly
