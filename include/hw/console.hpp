// SPDX-License-Identifier: MIT
// Where a person reads what the firmware says, and how it stops.
#pragma once

#include "core/fault.hpp"
#include "hw/hardware.hpp"

namespace mayfly::hw {

/// QEMU's debug console (hw/char/debugcon.c); reads 0xe9 where there is one.
inline constexpr u16 debug_port = 0x402;
inline constexpr u8 debug_port_present = 0xe9;

/// First serial port, 16550 registers.
inline constexpr u16 serial_port = 0x3f8;
inline constexpr u16 serial_line_control = serial_port + 3;
inline constexpr u16 serial_line_status = serial_port + 5;
inline constexpr u8 serial_8n1 = 0x03;
inline constexpr u8 serial_transmitter_empty = 1u << 5;
inline constexpr u32 serial_patience = 100'000;

/// A line of text for the debug port and the serial port.
class line {
  public:
    explicit line(const fault& what) {
        const text prefix = "mayfly: ";
        for (char character : prefix)
            buffer_[length_++] = character;
        length_ += format(what, buffer_ + length_, sentence_capacity);
        buffer_[length_++] = '\n';
    }

    const char* begin() const { return buffer_; }
    const char* end() const { return buffer_ + length_; }

  private:
    char buffer_[sentence_capacity + 16];
    usize length_ = 0;
};

/// Says `what` on the debug port, where there is one.
template <machine Hardware>
[[gnu::noinline]] void say_on_debug_port(Hardware& hardware, const fault& what) {
    if (hardware.in8(debug_port) != debug_port_present)
        return;
    for (char character : line(what))
        hardware.out8(debug_port, static_cast<u8>(character));
}

/// COM1, where it is. One access.
template <machine Hardware>
bool has_serial_port(Hardware& hardware) {
    return hardware.in8(serial_line_status) != 0xff;
}

/// Says `what` on COM1, where there is one. A transmitter that never empties ends it.
template <machine Hardware>
[[gnu::noinline]] void say_on_serial_port(Hardware& hardware, const fault& what) {
    if (!has_serial_port(hardware))
        return;
    hardware.out8(serial_line_control, serial_8n1);
    for (char character : line(what)) {
        u32 patience = serial_patience;
        while ((hardware.in8(serial_line_status) & serial_transmitter_empty) == 0) {
            if (--patience == 0)
                return;
        }
        if (character == '\n')
            hardware.out8(serial_port, '\r');
        hardware.out8(serial_port, static_cast<u8>(character));
    }
}

/// Stops the CPU for good; the host sees a halted one.
[[noreturn]] inline void halt() {
    for (;;)
        asm volatile("cli; hlt");
}

}  // namespace mayfly::hw
