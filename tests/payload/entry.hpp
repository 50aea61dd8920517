// SPDX-License-Identifier: MIT
// What the boot protocol handed over, saved by head.S before anything was touched.
#pragma once

#include "cpu.hpp"

enum class protocol : u32 { bzimage = 0, pvh = 1, multiboot = 2 };

struct [[gnu::packed]] descriptor_table {
    u16 limit;
    u32 base;
    u16 padding;
};

struct entry_state {
    protocol kind;
    u32 load;
    u32 eax, ebx, ecx, edx, esi, edi, ebp, esp, eflags;
    u32 cr0, cr3, cr4;
    u32 cs, ds, es, fs, gs, ss, tr, ldtr;
    descriptor_table gdtr, idtr;
};
static_assert(sizeof(entry_state) == 104);  // head.S names every offset

extern "C" const entry_state entry_state;
