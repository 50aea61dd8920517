// SPDX-License-Identifier: MIT
// What lies below 1 MiB; linker/rom.ld draws the same map.
#pragma once

#include "core/memory.hpp"
#include "hw/chipset.hpp"

namespace mayfly {

inline constexpr u32 interrupt_vectors = 0;
inline constexpr u32 bios_data_end = 0x500;
inline constexpr u32 extended_bios_data = 0x9fc00;
inline constexpr u32 extended_bios_data_size = 0x400;
inline constexpr u32 last_base_memory = 0x9f800;  ///< the last KiB below the EBDA
inline constexpr u32 conventional_end = 0xa0000;
inline constexpr u32 work_area_begin = 0xe0000;
inline constexpr u32 work_area_end = 0xebfc0;
inline constexpr u32 anchor_window = 0xf0000;
inline constexpr u32 anchor_window_used = 0x40;  ///< of the 1 KiB that the image keeps free
inline constexpr u32 f_segment_size = 0x10000;
inline constexpr u32 reset_code_copy = 0xfff00;
inline constexpr u32 reset_code = 0xffffff00;
inline constexpr u32 reset_code_size = 0x100;
inline constexpr u32 image_begin = 0xffff0000;

/// Empties what guests scan for tables (the first KiB, the end of base memory, the EBDA and, where
/// it is RAM of its own, the F segment), says in the BIOS data area where the EBDA is, and puts the
/// reset code where a jump to F000:FFF0 finds it. RAM is zero when a machine is switched on; what
/// we wrote last time tells that it was not, and only then is there anything to empty.
void prepare_low_memory(memory ram, hw::chipset chipset);

/// Empties the window in the F segment that the anchors are put into, and returns it.
bytes clear_anchor_window(memory ram);

}  // namespace mayfly
