// SPDX-License-Identifier: MIT
// The state of CPU and chipset that a firmware programs, put into the report.
#pragma once

#include "cpu.hpp"

namespace machine {

void report_cpu();
void report_pci();
void report_ports();
void report_low_memory();
// What the clock's registers A and B hold; then they hold something else.
void report_clock();

}  // namespace machine
