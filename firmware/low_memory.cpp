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

void set_vectors(memory ram, u32 handlers, const_bytes ranges) {
    constexpr u32 vector_count = 256;
    constexpr u32 f_segment = 0xf000u << 16;
    const bytes vectors = ram.at(interrupt_vectors, vector_count * sizeof(u32));
    u32 at = 0;
    for (usize i = 0; i < ranges.size(); i += 2) {
        for (u32 left = ranges[i]; left != 0; left--, at += sizeof(u32))
            store<u32>(vectors, at, f_segment + handlers + ranges[i + 1]);
    }
}

void describe_machine(memory ram, bool has_serial_port, bool has_mouse) {
    struct [[gnu::packed]] field {
        u8 offset;
        u16 value;
    };
    constexpr u8 keys = 0x1e, keys_end = 0x3e;
    static constexpr field fields[] = {
        {0x1a, keys},                               // next key to read
        {0x1c, keys},                               // where the next key goes
        {0x49, 80 << 8 | 3},                        // text mode; columns
        {0x4c, 0x1000},                             // size of a screen
        {0x60, 0x0607},                             // lines of the cursor
        {0x63, 0x3d4},                              // port of the display controller
        {0x80, keys},                               // the buffer of the keyboard
        {0x82, keys_end},    {0x84, 16 << 8 | 24},  // last row; lines of a character
    };
    const bytes data = ram.at(bios_data, bios_data_end - bios_data);
    for (const auto& one : fields)
        store<u16>(data, one.offset, one.value);
    constexpr u16 coprocessor = 1u << 1, mouse = 1u << 2, text_80 = 2u << 4, one_port = 1u << 9;
    constexpr u16 serial_port = 0x3f8;
    u16 equipment = coprocessor | text_80;
    if (has_mouse)
        equipment |= mouse;
    if (has_serial_port) {
        store<u16>(data, 0, serial_port);
        equipment |= one_port;
    }
    store<u16>(data, 0x10, equipment);
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
