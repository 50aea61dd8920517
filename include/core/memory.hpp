// SPDX-License-Identifier: MIT
// Physical memory, and the only way from an address to a pointer.
#pragma once

#include "core/span.hpp"

namespace mayfly {

/// Guest-physical memory below 4 GiB. In the ROM, where paging is off, address and pointer are
/// equal; a host test gives the buffer that stands for address 0.
class memory {
  public:
#if __STDC_HOSTED__
    constexpr explicit memory(uptr base) : base_(base) {}
#endif

    /// The `size` bytes at `address`, which the caller knows to be RAM.
    bytes at(u32 address, u32 size) const {
        return {reinterpret_cast<u8*>(base() + address), size};
    }

    /// The physical address of something inside this memory.
    u32 address_of(const void* pointer) const {
        return static_cast<u32>(reinterpret_cast<uptr>(pointer) - base());
    }

  private:
#if __STDC_HOSTED__
    uptr base() const {
        return base_;
    }
    uptr base_;
#else
    static constexpr uptr base() {
        return 0;
    }
#endif
};

}  // namespace mayfly
