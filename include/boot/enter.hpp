// SPDX-License-Identifier: MIT
// The last instruction of the firmware.
#pragma once

#include "core/types.hpp"

namespace mayfly::boot {

/// Jumps to `entry` in flat 32-bit mode, interrupts and paging off, selectors 0x10 and 0x18 as the
/// reset code loaded them. ESI is `params` for Linux's 32-bit entry and EBX `start_info` for PVH;
/// EBP and EDI are 0. The IDT is emptied: a fault of the kernel's must not come to the firmware.
[[noreturn]] inline void enter(u32 entry, u32 params, u32 start_info) {
    struct [[gnu::packed]] {
        u16 limit;
        u32 base;
    } const no_table{0, 0};
    asm volatile(
        "lidt %[no_table]\n\t"
        "xorl %%ebp, %%ebp\n\t"
        "jmp *%%eax"
        :
        : "a"(entry), "S"(params), "b"(start_info), "D"(0), [no_table] "m"(no_table)
        : "memory");
    __builtin_unreachable();
}

}  // namespace mayfly::boot
