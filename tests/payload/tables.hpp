// SPDX-License-Identifier: MIT
// Finds the firmware's tables as an operating system would and puts them into the report whole.
#pragma once

#include "cpu.hpp"

namespace tables {

// `given` is the RSDP address of the boot protocol, 0 if there was none: then it is looked for.
// Returns 0 where there is none.
u32 find_rsdp(u64 given);
void report_acpi(u64 given);
void report_smbios();
void report_mp();
// `_32_` and `$PIR`.
void report_bios();

// Where they are, or 0.
u32 find_bios32();
u32 mp_table();

}  // namespace tables
