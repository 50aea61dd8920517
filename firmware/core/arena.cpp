// SPDX-License-Identifier: MIT
#include "core/arena.hpp"

#include "core/fault.hpp"
#include "core/sentences.hpp"

namespace mayfly {

bytes arena::allocate(u32 size, u32 alignment) {
    const u32 address = align_up(next_, alignment);
    if (address < next_ || address > end_ || size > end_ - address)
        return {};
    next_ = address + size;
    return ram_.at(address, size);
}

bytes arena::take(u32 size) {
    const u32 address = align_up(next_, 16u);
    if (size > end_ - address)
        fail(sentences::work_area_full, size, room());
    next_ = address + size;
    return ram_.at(address, size);
}

}  // namespace mayfly
