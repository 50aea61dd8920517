// SPDX-License-Identifier: MIT
// Interrupt controllers, keyboard controller and clock as a BIOS leaves them, for a guest that goes
// on with them as they are.
#pragma once

#include "hw/apic.hpp"

namespace mayfly::hw {

/// Bits of the first 8259's mask.
inline constexpr u8 timer_interrupt = 1u << 0;
inline constexpr u8 second_pic_interrupts = 1u << 2;

/// The 8259s (Intel 231468, "Initialization Command Words"): vectors 0x08 and 0x70 as on an IBM AT.
/// They come out of a reset uninitialised. `open` are the interrupts of the first one that are not
/// masked. Where there is no 8259, writes go nowhere. Ten accesses.
template <machine Hardware>
void prepare_pic(Hardware& hardware, u8 open) {
    constexpr u16 first = 0x20, second = 0xa0;  // command; data is the next
    constexpr u8 start = 0x11;                  // edge-triggered, cascaded, four words
    constexpr u8 with_8086 = 0x01;
    hardware.out8(first, start);
    hardware.out8(first + 1, 0x08);  // vector
    hardware.out8(first + 1, second_pic_interrupts);
    hardware.out8(first + 1, with_8086);
    hardware.out8(second, start);
    hardware.out8(second + 1, 0x70);
    hardware.out8(second + 1, 2);
    hardware.out8(second + 1, with_8086);
    hardware.out8(first + 1, static_cast<u8>(~open));
    hardware.out8(second + 1, 0xff);
}

/// The boot CPU's local APIC passes on the 8259s and the NMI (MP specification 1.4, 3.6.2.2,
/// virtual wire mode; Intel SDM volume 3A, 11.5.1 and 11.9). Whatever CPUID says: QEMU gives each
/// of several CPUs one (target/i386/cpu.c, x86_cpu_realizefn), and where there is none, writes go
/// nowhere. Three accesses.
template <machine Hardware>
void prepare_local_apic(Hardware& hardware) {
    constexpr u32 spurious = 0xf0, lint0 = 0x350, lint1 = 0x360;
    hardware.write_mmio32(local_apic | spurious, 0x1ff);  // enabled, the vector of a reset
    hardware.write_mmio32(local_apic | lint0, 0x8700);    // external, level
    hardware.write_mmio32(local_apic | lint1, 0x8400);    // NMI, level
}

/// The keyboard controller (Intel 8042; IBM PC AT Technical Reference, "Keyboard Controller"): the
/// keyboard's interrupt comes, its codes are those of the IBM PC's, and the mouse waits for who
/// wants it. Out of a reset QEMU's passes the keyboard's own codes on (hw/input/pckbd.c,
/// kbd_reset). Where there is none, writes go nowhere. Two accesses.
template <machine Hardware>
void prepare_keyboard(Hardware& hardware) {
    constexpr u16 data = 0x60, command = 0x64;
    constexpr u8 write_mode = 0x60;
    constexpr u8 interrupt = 1u << 0, no_mouse = 1u << 5, translated = 1u << 6;
    hardware.out8(command, write_mode);
    hardware.out8(data, translated | no_mouse | interrupt);
}

/// What of the clock a reset does not set back: it runs, and counts 24 hours in BCD
/// (Motorola MC146818, registers A and B; QEMU hw/rtc/mc146818rtc.c, rtc_reset). Four accesses.
template <machine Hardware>
void prepare_clock(Hardware& hardware) {
    constexpr u16 index = 0x70, data = 0x71;
    hardware.out8(index, 0x0a);
    hardware.out8(data, 0x26);  // 32.768 kHz; periodic interrupt at 1.024 kHz, off
    hardware.out8(index, 0x0b);
    hardware.out8(data, 0x02);
}

}  // namespace mayfly::hw
