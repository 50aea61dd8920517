// SPDX-License-Identifier: MIT
#include "low_memory.hpp"

namespace mayfly {
namespace {

void clear(bytes part) {
    __builtin_memset(part.data(), 0, part.size());
}

void prepare_bios_data(memory ram) {
    constexpr u32 ebda_segment = 0x40e;  // of the EBDA
    constexpr u32 base_memory = 0x413;   // KiB below the EBDA
    const bytes low = ram.at(interrupt_vectors, bios_data_end);
    if (load<u16>(low, ebda_segment) != 0) {
        clear(low);
        clear(ram.at(last_base_memory, conventional_end - last_base_memory));
    }
    store<u16>(low, ebda_segment, extended_bios_data >> 4);
    store<u16>(low, base_memory, extended_bios_data / kib);
    store<u8>(ram.at(extended_bios_data, 1), 0, extended_bios_data_size / kib);
}

void copy_reset_code(memory ram) {
    const bytes copy = ram.at(reset_code_copy, reset_code_size);
    if (load<u32>(copy, 0) != 0)
        clear(ram.at(anchor_window, f_segment_size));
    __builtin_memcpy(copy.data(), ram.at(reset_code, reset_code_size).data(), reset_code_size);
}

}  // namespace

void prepare_low_memory(memory ram, hw::chipset chipset) {
    prepare_bios_data(ram);
    // Elsewhere the F segment is the image itself.
    if (chipset == hw::chipset::i440fx || chipset == hw::chipset::q35) {
        copy_reset_code(ram);
        clear(ram.at(resume_place, stop_mark - resume_place));
    }
}

bool has_anchors(memory ram) {
    const bytes window = ram.at(anchor_window, anchor_window_used);
    return load<u32>(window, mp_floating_pointer_offset) != 0;
}

bytes clear_anchor_window(memory ram) {
    const bytes window = ram.at(anchor_window, anchor_window_used);
    clear(window);
    return window;
}

}  // namespace mayfly
