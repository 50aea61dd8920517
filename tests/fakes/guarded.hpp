// SPDX-License-Identifier: MIT
// Bytes that end where an inaccessible page begins. The sanitizers do not see what inline assembly
// reads; the page does.
#pragma once

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

#include "core/span.hpp"

namespace mayfly::fakes {

class guarded {
  public:
    explicit guarded(usize size) : size_(size) {
        void* all = mmap(nullptr, whole(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (all == MAP_FAILED)
            std::abort();
        all_ = static_cast<u8*>(all);
        if (size != 0 && mprotect(all_ + guard, accessible(), PROT_READ | PROT_WRITE) != 0)
            std::abort();
    }
    explicit guarded(const_bytes content) : guarded(content.size()) {
        if (size_ != 0)
            std::memcpy(data(), content.data(), size_);
    }
    guarded(const guarded&) = delete;
    guarded& operator=(const guarded&) = delete;
    ~guarded() { munmap(all_, whole()); }

    u8* data() const { return all_ + guard + accessible() - size_; }
    usize size() const { return size_; }
    bytes view() const { return {data(), size_}; }

  private:
    static constexpr usize guard = 0x10000;  // on either side

    usize accessible() const { return align_up<usize>(size_, page_size); }
    usize whole() const { return accessible() + 2 * guard; }

    usize size_;
    u8* all_;
};

}  // namespace mayfly::fakes
