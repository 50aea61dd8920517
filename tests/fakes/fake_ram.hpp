// SPDX-License-Identifier: MIT
// A buffer that stands for guest-physical memory from address 0.
#pragma once

#include "core/arena.hpp"
#include "core/memory.hpp"
#include "fakes/guarded.hpp"

namespace mayfly::fakes {

class fake_ram {
  public:
    /// Filled with a pattern, so that a place that nobody cleared shows.
    explicit fake_ram(u32 size, u8 fill = 0xa5) : data_(usize{size}) {
        std::memset(data(), fill, size);
    }

    u32 size() const { return static_cast<u32>(data_.size()); }
    u8* data() const { return data_.data(); }
    bool has(u64 address, u64 length) const {
        return address <= size() && length <= size() - address;
    }
    mayfly::memory view() const { return mayfly::memory(reinterpret_cast<uptr>(data())); }
    bytes at(u32 address, u32 length) const { return view().at(address, length); }

  private:
    guarded data_;
};

}  // namespace mayfly::fakes
