// SPDX-License-Identifier: MIT
#include "initrd.hpp"

#include <initializer_list>

#include "report.hpp"

void report_sums(const char* keyword, u32 address, u32 size) {
    u32 plain = 0;
    u32 ordered = 0;
    const auto add = [&](u32 word) {
        plain += word;
        ordered += plain;
    };
    const u32* word = reinterpret_cast<const u32*>(address);
    for (u32 blocks = size / 64; blocks != 0; --blocks, word += 16) {
#pragma GCC unroll 16
        for (u32 i = 0; i < 16; ++i) {
            add(word[i]);
        }
    }
    for (u32 words = size % 64 / 4; words != 0; --words) {
        add(*word++);
    }
    if (size % 4 != 0) {
        u32 last = 0;
        for (u32 i = 0; i < size % 4; ++i) {
            last |= static_cast<u32>(load<u8>(reinterpret_cast<u32>(word) + i)) << (8 * i);
        }
        add(last);
    }
    report::text(keyword);
    for (const u32 value : {address, size, plain, ordered}) {
        report::number(value);
    }
    report::end_line();
}
