// SPDX-License-Identifier: MIT
// The four functions that GCC calls without being asked, even after it has seen that nobody does:
// hence `used`. Words where it can: a repeated string
// instruction is one guest instruction for each element.
#include "core/types.hpp"

using mayfly::u32;
using mayfly::u8;
using mayfly::usize;

extern "C" {

[[gnu::used]] void* memcpy(void* to, const void* from, usize count) {
    void* next = to;
    usize words = count / 4;
    usize rest = count % 4;
    asm volatile("rep movsl" : "+D"(next), "+S"(from), "+c"(words) : : "memory");
    asm volatile("rep movsb" : "+D"(next), "+S"(from), "+c"(rest) : : "memory");
    return to;
}

[[gnu::used]] void* memmove(void* to, const void* from, usize count) {
    if (to <= from)
        return memcpy(to, from, count);
    auto* last_to = static_cast<u8*>(to) + count - 1;
    const auto* last_from = static_cast<const u8*>(from) + count - 1;
    usize words = count / 4;
    usize rest = count % 4;
    // Backwards: the odd bytes first, then words, which begin 3 bytes before their last byte.
    asm volatile("std; rep movsb; subl $3, %0; subl $3, %1; movl %3, %2; rep movsl; cld"
                 : "+&D"(last_to), "+&S"(last_from), "+&c"(rest)
                 : "r"(words)
                 : "memory", "cc");
    return to;
}

[[gnu::used]] void* memset(void* to, int value, usize count) {
    void* next = to;
    usize words = count / 4;
    usize rest = count % 4;
    const u32 pattern = static_cast<u8>(value) * 0x01010101u;
    asm volatile("rep stosl" : "+D"(next), "+c"(words) : "a"(pattern) : "memory");
    asm volatile("rep stosb" : "+D"(next), "+c"(rest) : "a"(pattern) : "memory");
    return to;
}

[[gnu::used]] int memcmp(const void* left, const void* right, usize count) {
    const auto* a = static_cast<const u8*>(left);
    const auto* b = static_cast<const u8*>(right);
    for (usize i = 0; i < count; i++) {
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    }
    return 0;
}

}  // extern "C"
