// SPDX-License-Identifier: MIT
// The firmware performance data table, by which a guest learns when it was booted.
#pragma once

#include "abi/fpdt.hpp"
#include "core/arena.hpp"
#include "tables/table_loader.hpp"
#include "timeline.hpp"

namespace mayfly::tables {

/// The steps of a boot, and the counter that they were taken from.
struct boot_times {
    u32 tsc_khz;
    u64 tsc_at_reset;
    u64 nanoseconds[step_count];  ///< since the reset

    u64 at(step done) const { return nanoseconds[static_cast<u32>(done)]; }
};
static_assert(step_count == abi::boot_steps);

/// Writes `times` as an FPDT into `low`, which must be reserved memory that stays (the guest reads
/// it there), and puts it into QEMU's RSDT and XSDT, whichever exist: as longer copies in `low`, to
/// which the RSDP then points. Does nothing where there is no room, or where one of them is not
/// within the tables.
void publish_fpdt(const boot_times& times, const acpi_tables& acpi, arena& low);

}  // namespace mayfly::tables
