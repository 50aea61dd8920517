// SPDX-License-Identifier: MIT
// Every PCI function of every bus, put into the report.
#pragma once

#include "cpu.hpp"

namespace buses {

// Each present function: "function", its number (bus, device, function), the first 16 registers
// of its configuration space, and what its BARs and its ROM answer to all ones.
void report_all();

}  // namespace buses
