// SPDX-License-Identifier: MIT
// The structures of the boot protocol, put into the report whole.
#pragma once

#include "entry.hpp"

struct handover {
    u32 command_line;
    u64 rsdp;
    u32 initrd;
    u32 initrd_size;
    u32 own_begin;  // memory the payload occupies
    u32 own_end;
};

// Reports entry registers and protocol structures and returns what the rest needs of them.
handover report_handover(const struct entry_state& state);
