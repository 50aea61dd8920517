// SPDX-License-Identifier: MIT
// The checksum of the initrd, fast enough for hundreds of MiB under emulation.
#pragma once

#include "cpu.hpp"

// Two sums over the 32-bit little-endian words, the last padded with zero bytes: `plain`, and
// `ordered`, the sum of `plain` after each word, which a moved or missing word changes.
void report_initrd(u32 address, u32 size);
