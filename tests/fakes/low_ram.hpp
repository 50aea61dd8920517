// SPDX-License-Identifier: MIT
// Guest-physical memory of which there are the first MiB and the last page below 4 GiB.
#pragma once

#include <sys/mman.h>

#include <cstdlib>

#include "core/memory.hpp"

namespace mayfly::fakes {

/// Zeros, as when a machine is switched on.
class low_ram {
  public:
    low_ram() {
        void* all =
            mmap(nullptr, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (all == MAP_FAILED)
            std::abort();
        all_ = static_cast<u8*>(all);
        open(0, static_cast<u32>(mib));
        open(last_page, page_size);
    }
    low_ram(const low_ram&) = delete;
    low_ram& operator=(const low_ram&) = delete;
    ~low_ram() { munmap(all_, whole); }

    mayfly::memory view() const { return mayfly::memory(base()); }
    bytes at(u32 address, u32 length) const { return view().at(address, length); }

  private:
    static constexpr u32 last_page = 0xfffff000;
    // Where pointers have 32 bits, the last page of an address space that begins elsewhere is the
    // one before it.
    static constexpr bool wraps = sizeof(uptr) == sizeof(u32);
    static constexpr usize guard = 0x10000;
    static constexpr usize whole = wraps ? usize{mib} + 3 * guard : static_cast<usize>(four_gib);

    uptr base() const { return reinterpret_cast<uptr>(all_) + (wraps ? guard : 0); }
    void open(u32 address, u32 length) {
        if (mprotect(at(address, length).data(), length, PROT_READ | PROT_WRITE) != 0)
            std::abort();
    }

    u8* all_;
};

}  // namespace mayfly::fakes
