// SPDX-License-Identifier: MIT
// Ways to reboot that software of the PC uses, and what earlier software may leave in memory.
#pragma once

#include "words.hpp"

namespace reboot {

// The number of this boot since power-on, 1 for the first; kept in RAM, which a reset leaves alone.
u32 count_boot();
// Fills all memory that belongs to nobody at a reset with garbage and false signatures.
void scribble(const words& command_line);
// Reboots as `reboot=` says (`acpi`: by the register in the FADT that `rsdp` leads to), with
// `woken` as if from a sleep; returns if there is no such word or kind.
void by_word(const words& command_line, u32 rsdp);

}  // namespace reboot
