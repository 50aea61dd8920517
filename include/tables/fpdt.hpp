// SPDX-License-Identifier: MIT
// The firmware performance data table, by which a guest learns when it was booted.
#pragma once

#include "abi/fpdt.hpp"
#include "core/arena.hpp"
#include "core/timeline.hpp"
#include "tables/table_loader.hpp"

namespace mayfly::tables {

static_assert(step_count == abi::boot_steps);

/// Writes an FPDT of `times`, by a counter of at least tick_scale::slowest_khz, into `low`, which
/// must be reserved memory that stays (the guest reads it there), and puts it into QEMU's RSDT and
/// XSDT, whichever exist: as longer copies in `low`, to which the RSDP then points. A checksum that
/// is right stays right. Does nothing where there is no room, or where one of them is not within
/// the tables.
void publish_fpdt(const timeline& times, u32 tsc_khz, const acpi_tables& acpi, arena& low);

}  // namespace mayfly::tables
