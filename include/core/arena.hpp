// SPDX-License-Identifier: MIT
// Bump allocation: nothing is ever given back.
#pragma once

#include "core/memory.hpp"

namespace mayfly {

/// Hands out parts of the physical range [begin, end), lowest first. `end` is a multiple of 16.
class arena {
  public:
    constexpr arena(memory ram, u32 begin, u32 end) : ram_(ram), next_(begin), end_(end) {}

    /// `size` bytes, not cleared, their address a multiple of `alignment` (a power of two). Empty,
    /// and nothing taken, where they do not fit; a `size` of 0 gives an empty span too.
    bytes allocate(u32 size, u32 alignment);

    /// The same, 16-byte aligned; stops where they do not fit.
    bytes take(u32 size);

    /// One T, not cleared; stops where it does not fit.
    template <wire_type T>
    T& take() {
        return *reinterpret_cast<T*>(take(sizeof(T)).data());
    }

    /// How many bytes are left.
    u32 room() const { return end_ - next_; }

    u32 address_of(const void* pointer) const { return ram_.address_of(pointer); }

  private:
    [[no_unique_address]] memory ram_;
    u32 next_;
    u32 end_;
};

}  // namespace mayfly
