// SPDX-License-Identifier: MIT
// The checksum of an initrd or a module, fast enough for hundreds of MiB under emulation.
#pragma once

#include "cpu.hpp"

// One line, "keyword address size plain ordered", with two sums over the 32-bit little-endian words,
// the last padded with zero bytes: `plain`, and `ordered`, the sum of `plain` after each word, which
// a moved or missing word changes.
void report_sums(const char* keyword, u32 address, u32 size);
