// SPDX-License-Identifier: MIT
// When each step of the boot was done, by the time stamp counter: no device, no exit.
#pragma once

#include "core/types.hpp"

namespace mayfly {

/// In their order.
enum class step : u8 {
    reset,     ///< the first instructions
    chipset,   ///< host bridge known, fw_cfg open
    platform,  ///< chipset registers, memory below 1 MiB, memory map, memory types;
               ///< PCI and processors, if prepared fully
    tables,    ///< ACPI, SMBIOS, MP
    loading,   ///< placed; the reading of kernel and initrd begins
    loaded,    ///< it ends
    entry,     ///< everything done but the report of this
};

inline constexpr u32 step_count = 7;

struct timeline {
    u64 tsc[step_count];
};

}  // namespace mayfly
