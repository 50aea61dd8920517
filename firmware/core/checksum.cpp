// SPDX-License-Identifier: MIT
#include "core/checksum.hpp"

namespace mayfly {
namespace {

/// The even bytes of a word, each in a lane of 16 bits.
constexpr u32 even_lanes = 0x00ff00ff;

/// As many words as can be added before a lane of `even` could run over into the next.
constexpr usize words_per_block = 256;

/// The byte sum of `count` (at most words_per_block) words.
///
/// `all` adds whole words, `even` only their even bytes, so `all - even` is the sum of the odd
/// bytes in place: four instructions a word where separate bytes would take eight.
u32 block_sum(const u8* data, usize count) {
    u32 all = 0;
    u32 even = 0;
    const auto add = [&](usize index) __attribute__((always_inline)) {
        u32 word;
        __builtin_memcpy(&word, data + 4 * index, sizeof word);
        all += word;
        even += word & even_lanes;
    };
    usize i = 0;
    for (; i + 16 <= count; i += 16) {
        add(i);
        add(i + 1);
        add(i + 2);
        add(i + 3);
        add(i + 4);
        add(i + 5);
        add(i + 6);
        add(i + 7);
        add(i + 8);
        add(i + 9);
        add(i + 10);
        add(i + 11);
        add(i + 12);
        add(i + 13);
        add(i + 14);
        add(i + 15);
    }
    for (; i < count; i++)
        add(i);
    const u32 odd = all - even;
    return even + (even >> 16) + (odd >> 8) + (odd >> 24);
}

}  // namespace

u8 byte_sum(const_bytes data) {
    u32 sum = 0;
    usize done = 0;
    while (data.size() - done >= 4) {
        usize words = (data.size() - done) / 4;
        if (words > words_per_block)
            words = words_per_block;
        sum += block_sum(data.data() + done, words);
        done += 4 * words;
    }
    for (; done < data.size(); done++)
        sum += data[done];
    return static_cast<u8>(sum);
}

}  // namespace mayfly
