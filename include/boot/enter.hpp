// SPDX-License-Identifier: MIT
// The last instruction of the firmware.
#pragma once

#include "abi/multiboot.hpp"

namespace mayfly::boot {

/// Jumps to `entry` in flat 32-bit mode, interrupts and paging off, selectors 0x10 and 0x18 as the
/// reset code loaded them. ESI is `params` for Linux's 32-bit entry, EBX `info` for PVH and
/// multiboot, EAX multiboot's magic, which the others ignore; EBP and EDI are 0. The IDT is
/// emptied: a fault of the kernel's must not come to the firmware.
[[noreturn, gnu::always_inline]] inline void enter(u32 entry, u32 params, u32 info) {
    struct [[gnu::packed]] {
        u16 limit;
        u32 base;
    } const no_table{0, 0};
    asm volatile(
        "lidt %[no_table]\n\t"
        "xorl %%ebp, %%ebp\n\t"
        "jmp *%%ecx"
        :
        : "c"(entry), "S"(params), "b"(info), "D"(0),
          "a"(abi::multiboot_magic), [no_table] "m"(no_table)
        : "memory");
    __builtin_unreachable();
}

}  // namespace mayfly::boot
