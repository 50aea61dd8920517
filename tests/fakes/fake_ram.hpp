// SPDX-License-Identifier: MIT
// A buffer that stands for guest-physical memory from address 0.
#pragma once

#include <cstring>
#include <memory>

#include "core/arena.hpp"
#include "core/memory.hpp"

namespace mayfly::fakes {

class fake_ram {
  public:
    /// Filled with a pattern, so that a place that nobody cleared shows.
    explicit fake_ram(u32 size, u8 fill = 0xa5) : size_(size), data_(new u8[size]) {
        std::memset(data_.get(), fill, size);
    }

    u32 size() const { return size_; }
    u8* data() const { return data_.get(); }
    bool has(u64 address, u64 length) const {
        return address <= size_ && length <= size_ - address;
    }
    mayfly::memory view() const { return mayfly::memory(reinterpret_cast<uptr>(data_.get())); }
    bytes at(u32 address, u32 length) const { return view().at(address, length); }

  private:
    u32 size_;
    std::unique_ptr<u8[]> data_;
};

}  // namespace mayfly::fakes
