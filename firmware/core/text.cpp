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
    const char* other = wanted.data();
    usize left = wanted.size();
    if (left < sizeof(u32)) {
        while (left > 0) {
            left--;
            if (first[left] != other[left])
                return false;
        }
        return true;
    }
    // The last comparison may overlap the one before.
    while (left > sizeof(u32)) {
        left -= sizeof(u32);
        if (word_at(first, left) != word_at(other, left))
            return false;
    }
    return word_at(first, 0) == word_at(other, 0);
}

}  // namespace mayfly
