// SPDX-License-Identifier: MIT
// The state of CPU and chipset that a firmware programs, put into the report.
#pragma once

#include "cpu.hpp"

namespace machine {

void report_cpu();
void report_pci();
void report_ports();
void report_low_memory();

}  // namespace machine
