// SPDX-License-Identifier: MIT
#include "low_memory.hpp"

namespace mayfly {

void prepare_low_memory(memory ram, hw::chipset chipset) {
    constexpr u32 ebda_segment = 0x40e;  // of the EBDA
    constexpr u32 base_memory = 0x413;   // KiB below the EBDA
    const bytes low = ram.at(interrupt_vectors, bios_data_end);
    __builtin_memset(low.data(), 0, low.size());
    store<u16>(low, ebda_segment, extended_bios_data >> 4);
    store<u16>(low, base_memory, extended_bios_data / kib);
    const bytes extended = ram.at(extended_bios_data, extended_bios_data_size);
    __builtin_memset(extended.data(), 0, extended.size());
    store<u8>(extended, 0, extended_bios_data_size / kib);

    // Elsewhere the F segment is the image itself.
    if (chipset == hw::chipset::i440fx || chipset == hw::chipset::q35) {
        __builtin_memcpy(ram.at(reset_code_copy, reset_code_size).data(),
                         ram.at(reset_code, reset_code_size).data(), reset_code_size);
    }
}

bytes clear_anchor_window(memory ram) {
    const bytes window = ram.at(anchor_window, anchor_window_size);
    __builtin_memset(window.data(), 0, window.size());
    return window;
}

}  // namespace mayfly
