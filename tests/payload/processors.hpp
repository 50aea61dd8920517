// SPDX-License-Identifier: MIT
// Every other processor, started as a guest starts them, and what the firmware left in it.
#pragma once

#include "words.hpp"

namespace processors {

// With `processors=n`, the number of all (hexadecimal), starts the others: first by a SIPI alone,
// which does nothing to one that does not wait for it, then by INIT and SIPI. Each reports a line
// "processor pass id index value...", where the pass is 1 or 2, the ID its APIC's, and what follows
// are its model-specific registers; the boot processor's pass is 0.
void report_all(const words& command_line);

}  // namespace processors
