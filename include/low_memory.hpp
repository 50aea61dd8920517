// SPDX-License-Identifier: MIT
// What lies below 1 MiB; linker/rom.ld draws the same map.
#pragma once

#include "core/memory.hpp"
#include "hw/chipset.hpp"

namespace mayfly {

inline constexpr u32 interrupt_vectors = 0;
inline constexpr u32 bios_data = 0x400;
inline constexpr u32 bios_data_end = 0x500;
inline constexpr u32 extended_bios_data = 0x9fc00;
inline constexpr u32 extended_bios_data_size = 0x400;
inline constexpr u32 last_base_memory = 0x9f800;  ///< the last KiB below the EBDA
inline constexpr u32 conventional_end = 0xa0000;
inline constexpr u32 work_area_begin = 0xe0000;
inline constexpr u32 work_area_end = 0xebfc0;
inline constexpr u32 resume_place = work_area_end;  ///< a resume_record
inline constexpr u32 stop_mark = 0xebff0;           ///< 1 once stop() was called, else 0
inline constexpr u32 processor_start = 0xec000;     ///< a page: what application processors run
inline constexpr u32 anchor_window = 0xf0000;
inline constexpr u32 anchor_window_used = 0x40;          ///< of the 1 KiB that the image keeps free
inline constexpr u32 mp_floating_pointer_offset = 0x20;  ///< behind the SMBIOS entry point
inline constexpr u32 bios_anchors = 0xf0040;             ///< full preparation: `_32_`, then `$PIR`
inline constexpr u32 bios_anchors_size = 0x230;
inline constexpr u32 bios32_copy = 0xf0400;  ///< what `_32_` leads to
inline constexpr u32 f_segment_size = 0x10000;
inline constexpr u32 reset_code_copy = 0xfff00;
inline constexpr u32 reset_code = 0xffffff00;
inline constexpr u32 reset_code_size = 0x100;
inline constexpr u32 image_begin = 0xffff0000;

/// Empties what guests scan for tables (the first KiB, the end of base memory, the EBDA and, where
/// it is RAM of its own, the F segment), says in the BIOS data area where the EBDA is, and puts the
/// reset code where a jump to F000:FFF0 finds it. A word of ours that is still there, or anything
/// else but 0 in its place, tells that this is not the first boot; on the first, RAM is zero and
/// there is nothing to empty. What another boot left for a resume is forgotten.
void prepare_low_memory(memory ram, hw::chipset chipset);

/// Gives every interrupt vector of real mode a handler in the F segment, where they begin at offset
/// `handlers`. `ranges` has two bytes for each range: how many vectors, and where behind the first
/// handler theirs is.
void set_vectors(memory ram, u32 handlers, const_bytes ranges);

/// Fills in the BIOS data area: COM1, a PS/2 mouse, text display and keyboard buffer (IBM PC AT
/// Technical Reference, "BIOS data area"). After prepare_low_memory().
void describe_machine(memory ram, bool has_serial_port, bool has_mouse);

/// True where our anchors are in the F segment. Where that is the image itself (microvm), a reset
/// of the machine puts its own content back.
bool has_anchors(memory ram);

/// Empties the window in the F segment that the anchors are put into, and returns it.
bytes clear_anchor_window(memory ram);

}  // namespace mayfly
