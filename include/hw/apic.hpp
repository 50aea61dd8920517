// SPDX-License-Identifier: MIT
// The local APIC: where it is, and how it starts other processors (Intel SDM volume 3, 9.4
// and 11.6).
#pragma once

#include "hw/hardware.hpp"

namespace mayfly::hw {

inline constexpr u32 feature_apic = 1u << 9;  ///< CPUID leaf 1, EDX

inline constexpr u32 local_apic = 0xfee00000;            ///< where a reset puts the registers
inline constexpr u32 apic_command = local_apic | 0x300;  ///< interrupt command, low half

/// To all processors but this one, whatever their ID.
inline constexpr u32 apic_others = 3u << 18 | 1u << 14;
inline constexpr u32 apic_init = apic_others | 5u << 8;
inline constexpr u32 apic_start = apic_others | 6u << 8;  ///< with the number of a page below 1 MiB

/// Has all other processors run from the beginning of the page at `address`, below 1 MiB. Two
/// accesses. No pause: a hypervisor keeps both messages, in their order.
template <machine Hardware>
void start_others(Hardware& hardware, u32 address) {
    hardware.write_mmio32(apic_command, apic_init);
    hardware.write_mmio32(apic_command, apic_start | address / page_size);
}

/// Has all other processors, whatever they do, wait for a start message. One access.
template <machine Hardware>
void stop_others(Hardware& hardware) {
    hardware.write_mmio32(apic_command, apic_init);
}

/// Waits until `answers`, which other processors count up, is `wanted` or more, and
/// returns it; or what it is after 2^33 ticks of this CPU's time without a new answer. Its own
/// time: while the host runs something else instead, the others may not have run either, so that
/// what passes between two readings counts for 2^16 ticks at most.
template <machine Hardware>
u32 await_answers(Hardware& hardware, const volatile u32& answers, u32 wanted) {
    constexpr u32 patience = 1u << (33 - 16);
    u32 seen = 0, waited = 0, last = 0;
    while (seen < wanted && waited < patience) {
        hardware.pause();
        const u32 now = static_cast<u32>(hardware.read_tsc()) >> 16;
        waited += now != last;
        last = now;
        const u32 answered = answers;
        if (answered != seen)
            waited = 0;
        seen = answered;
    }
    return seen;
}

}  // namespace mayfly::hw
