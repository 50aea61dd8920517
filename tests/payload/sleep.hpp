// SPDX-License-Identifier: MIT
// ACPI S3, and the way back.
#pragma once

#include "cpu.hpp"
#include "words.hpp"

namespace sleep {

bool is_wanted(const words& command_line);
// Sleeps, unless that was done as often as `sleeps=` says (hexadecimal). The firmware goes on at
// payload_woken(); `waking=` is another address to give it; with `forget`, the firmware's record of
// the boot is spoilt.
void by_word(const words& command_line, u64 rsdp);
// The state in which the firmware left us after the last sleep.
void report_waking();
// What QEMU was told by the table loader's command to write an address.
void report_told();

}  // namespace sleep
