// SPDX-License-Identifier: MIT
// The 32-bit PCI BIOS, and what a BIOS answers in real mode.
#pragma once

#include "words.hpp"

namespace bios32 {

// Asks the PCI BIOS that `_32_` leads to everything it knows, and compares with configuration space.
void report_pci_bios();

// INT n for each n below `vectors`, and a tick of the timer, see real_services.S.
void report_real_mode(u32 vectors);

}  // namespace bios32
