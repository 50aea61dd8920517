// SPDX-License-Identifier: MIT
// Bump allocation: nothing is ever given back.
#pragma once

#include "core/memory.hpp"

namespace mayfly {

/// Hands out parts of the physical range [begin, end), lowest first.
class arena {
  public:
    constexpr arena(memory ram, u32 begin, u32 end) : ram_(ram), next_(begin), end_(end) {}

    /// `size` bytes, not cleared, their address a multiple of `alignment` (a power of two). Empty,
    /// and nothing taken, where they do not fit; a `size` of 0 gives an empty span too.
    bytes allocate(u32 size, u32 alignment = 8) {
        if (alignment > end_)
            return {};
        const u32 address = (next_ + alignment - 1) & ~(alignment - 1);
        if (address > end_ || size > end_ - address)
            return {};
        next_ = address + size;
        return ram_.at(address, size);
    }

    /// One T, not cleared, or null where it does not fit.
    template <wire_type T>
    T* allocate() {
        return view<T>(allocate(sizeof(T)));
    }

    /// How many bytes are left.
    u32 room() const { return end_ - next_; }

    u32 address_of(const void* pointer) const { return ram_.address_of(pointer); }

  private:
    memory ram_;
    u32 next_;
    u32 end_;
};

}  // namespace mayfly
