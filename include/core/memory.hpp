// SPDX-License-Identifier: MIT
// Physical memory, and the only way from an address to a pointer.
#pragma once

#include "core/span.hpp"

namespace mayfly {

/// Guest-physical memory below 4 GiB. In the ROM, where paging is off, address and pointer are
/// equal (base 0); a host test gives the buffer that stands for address 0.
class memory {
  public:
    constexpr explicit memory(uptr base) : base_(base) {}

    /// The `size` bytes at `address`, which the caller knows to be RAM.
    bytes at(u32 address, u32 size) const { return {reinterpret_cast<u8*>(base_ + address), size}; }

    /// The physical address of something inside this memory.
    u32 address_of(const void* pointer) const {
        return static_cast<u32>(reinterpret_cast<uptr>(pointer) - base_);
    }

  private:
    uptr base_;
};

}  // namespace mayfly
