// SPDX-License-Identifier: MIT
#include "core/checksum.hpp"

namespace mayfly {
namespace {

/// The even bytes of a word, each in a lane of 16 bits.
constexpr u32 even_lanes = 0x00ff00ff;

/// As many bytes as can be added before a lane could run over into the next.
constexpr u32 most_at_once = 1024;

/// The byte sum of at most most_at_once bytes.
///
/// `all` adds whole words, `even` only their even bytes, so `all - even` is the sum of the odd
/// bytes in place: four instructions a word where separate bytes would take eight. By hand, because
/// a compiler that saves space adds a jump a word.
[[gnu::always_inline]] inline u32 sum_block(const u8* data, u32 size) {
    u32 all = 0;
    u32 even = 0;
    u32 word;
    u32 rounds = size / 32;
    u32 words = size / 4 % 8;
    asm("jmp 2f\n"
        "1:\t"
        ".irp at, 0, 4, 8, 12, 16, 20, 24, 28\n\t"
        "movl \\at(%[data]), %[word]\n\t"
        "addl %[word], %[all]\n\t"
        "andl %[lanes], %[word]\n\t"
        "addl %[word], %[even]\n\t"
        ".endr\n\t"
        "add $32, %[data]\n"
        "2:\t"
        "decl %[rounds]\n\t"
        "jns 1b\n\t"
        "jmp 4f\n"
        "3:\t"
        "movl (%[data]), %[word]\n\t"
        "addl %[word], %[all]\n\t"
        "andl %[lanes], %[word]\n\t"
        "addl %[word], %[even]\n\t"
        "add $4, %[data]\n"
        "4:\t"
        "decl %[words]\n\t"
        "jns 3b"
        : [data] "+&r"(data), [all] "+&r"(all), [even] "+&r"(even), [word] "=&r"(word),
          [rounds] "+&rm"(rounds), [words] "+&rm"(words)
        : [lanes] "i"(even_lanes)
        : "memory", "cc");
    const u32 odd = all - even;
    u32 sum = even + (even >> 16) + (odd >> 8) + (odd >> 24);
    for (size %= 4; size != 0; size--)
        sum += *data++;
    return sum;
}

}  // namespace

u8 byte_sum(const_bytes data) {
    const u8* next = data.data();
    u32 left = static_cast<u32>(data.size());
    u32 sum = 0;
    u32 size;
    do {
        size = left < most_at_once ? left : most_at_once;
        sum += sum_block(next, size);
        next += size;
        left -= size;
    } while (left != 0);
    return static_cast<u8>(sum);
}

}  // namespace mayfly
