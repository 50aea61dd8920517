// SPDX-License-Identifier: MIT
#include "core/text.hpp"

namespace mayfly {
namespace {

u32 word_at(const char* first, usize offset) {
    u32 word;
    __builtin_memcpy(&word, first + offset, sizeof word);
    return word;
}

}  // namespace

bool has_characters(const char* first, const text& wanted) {
    usize left = wanted.size();
    while (left >= sizeof(u32)) {
        left -= sizeof(u32);
        if (word_at(first, left) != word_at(wanted.data(), left))
            return false;
    }
    while (left > 0) {
        left--;
        if (first[left] != wanted[left])
            return false;
    }
    return true;
}

}  // namespace mayfly
