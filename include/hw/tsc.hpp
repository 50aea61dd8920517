// SPDX-License-Identifier: MIT
// How fast the time stamp counter runs.
#pragma once

#include "core/arena.hpp"
#include "core/endian.hpp"
#include "core/text.hpp"
#include "core/wide.hpp"
#include "hw/chipset.hpp"

namespace mayfly::hw {

/// Where a frequency comes from decides how far a person may trust it.
struct tsc_frequency {
    u32 khz = 0;  ///< 0: unknown
    text source = {};
};

/// What KVM says of the time (Linux Documentation/virt/kvm/x86/msr.rst): a tick takes
/// tsc_to_system_mul * 2^(tsc_shift - 32) nanoseconds.
struct kvm_time {
    le32 version;  ///< odd: being written
    le32 padding;
    le64 tsc_timestamp;
    le64 system_time;
    le32 tsc_to_system_mul;
    u8 tsc_shift;  ///< signed
    u8 flags;
    u8 padding_2[2];
};
static_assert(sizeof(kvm_time) == 32);

/// The frequency that `time` means, 0 where it means none.
inline u32 khz_of(const kvm_time& time) {
    constexpr u32 nanoseconds_per_millisecond = 1'000'000;
    constexpr u32 least_factor = 1u << 31;
    constexpr u32 most_right = 31,
                  most_left = 10;  // the quotient has 22 bits, as KVM's factors have 32
    const u32 version = time.version, factor = time.tsc_to_system_mul;
    const u32 right = time.tsc_shift, left = 0x100 - right;
    if (version == 0 || version % 2 != 0 || factor < least_factor ||
        (right > most_right && left > most_left))
        return 0;
    const u32 khz = static_cast<u32>(divide(u64{nanoseconds_per_millisecond} << 32, factor));
    return right <= most_right ? khz >> right : khz << left;
}

/// Has KVM write down its time once, through the register that its CPUID leaf `features` announces.
/// Two MSR writes.
template <machine Hardware>
u32 kvmclock_khz(Hardware& hardware, arena& work, u32 features) {
    constexpr u32 system_time = 0x12, system_time_2 = 0x4b564d01, enable = 1;
    u32 index = system_time_2;
    if ((features & 1u << 3) == 0) {
        index = system_time;
        if ((features & 1u << 0) == 0)
            return 0;
    }
    const bytes place = work.allocate(sizeof(kvm_time), sizeof(kvm_time));  // within a page
    if (place.empty())
        return 0;
    store<u32>(place, 0, 0);
    hardware.write_msr(index, work.address_of(place.data()) | enable);
    hardware.write_msr(index, 0);
    return khz_of(*reinterpret_cast<const kvm_time*>(place.data()));
}

/// What a hypervisor says in its CPUID leaves: KVM's, which lie 0x100 higher where it also plays
/// Hyper-V, and the leaf of frequencies that began with VMware (QEMU: vmware-cpuid-freq).
template <machine Hardware>
tsc_frequency hypervisor_tsc_frequency(Hardware& hardware, arena& work) {
    constexpr u32 kvm = 0x4b4d564b, hyper_v = 0x7263694d;  // "KVMK", "Micr"
    constexpr u32 second_base = 0x100, features = 1, timing = 0x10;
    u32 base = 0x40000000;
    cpuid_registers leaf = hardware.cpuid(base, 0);
    if (leaf.ebx == hyper_v) {
        base += second_base;
        leaf = hardware.cpuid(base, 0);
    }
    if (leaf.ebx != kvm)
        return {};
    if (leaf.eax >= base + timing) {
        const u32 khz = hardware.cpuid(base + timing, 0).eax;
        if (khz != 0)
            return {khz, "hypervisor"};
    }
    return {kvmclock_khz(hardware, work, hardware.cpuid(base + features, 0).eax), "kvmclock"};
}

/// What the processor says of itself (Intel SDM volume 2, CPUID leaves 0x15 and 0x16).
template <machine Hardware>
tsc_frequency processor_tsc_frequency(Hardware& hardware) {
    constexpr u32 clock = 0x15, megahertz = 0x16;
    const u32 last = hardware.cpuid(0, 0).eax;
    if (last < clock)
        return {};
    const auto ratio = hardware.cpuid(clock, 0);
    if (ratio.eax != 0 && ratio.ebx != 0 && ratio.ecx != 0) {
        const u64 hertz = divide(u64{ratio.ecx} * ratio.ebx, ratio.eax);
        const u64 khz = divide(hertz, 1000);
        if (khz >> 32 == 0)
            return {static_cast<u32>(khz), "CPUID 0x15"};
    }
    if (last < megahertz)
        return {};
    return {(hardware.cpuid(megahertz, 0).eax & 0xffff) * 1000, "CPUID 0x16"};
}

/// The frequency that needs no measuring: a few CPUID leaves, no device.
template <machine Hardware>
tsc_frequency known_tsc_frequency(Hardware& hardware, arena& work) {
    const tsc_frequency told = hypervisor_tsc_frequency(hardware, work);
    return told.khz != 0 ? told : processor_tsc_frequency(hardware);
}

/// A counter to measure against, that counts up under `mask`.
template <machine Hardware>
struct reference_counter {
    u32 hertz;
    u32 mask;
    u32 (*read)(Hardware&);
};

/// ACPI's timer (ACPI 6.5, 4.8.3.3), after prepare().
template <machine Hardware>
inline constexpr reference_counter<Hardware> acpi_timer{
    3'579'545, 0xffffff,
    [](Hardware& hardware) { return hardware.in32(power_management_base + 8); }};

inline constexpr u16 timer_data = 0x40;
inline constexpr u16 timer_control = 0x43;

/// Channel 0 of the interval timer (8254), which counts down.
template <machine Hardware>
inline constexpr reference_counter<Hardware> interval_timer{
    1'193'182, 0xffff, [](Hardware& hardware) {
        constexpr u8 latch = 0;
        hardware.out8(timer_control, latch);
        const u32 low = hardware.in8(timer_data);
        return 0 - (low | u32{hardware.in8(timer_data)} << 8);
    }};

/// Two milliseconds of `counter` in TSC ticks; 0 kHz where that stands still.
template <machine Hardware>
u32 measure_once(Hardware& hardware, const reference_counter<Hardware>& counter) {
    // A tick takes less than a microsecond, a read at least some nanoseconds.
    constexpr u32 patience = 1000, most_reads = 1'000'000;
    const u32 wanted = counter.hertz / 500;
    const u32 begin = counter.read(hardware);
    const u64 first = hardware.read_tsc();
    u32 last = begin;
    u32 same = 0;
    for (u32 left = most_reads; left != 0 && same < patience; left--) {
        const u32 now = counter.read(hardware);
        same = now == last ? same + 1 : 0;
        last = now;
        const u32 elapsed = (now - begin) & counter.mask;
        if (elapsed < wanted)
            continue;
        const u64 ticks = hardware.read_tsc() - first;
        if (ticks >> 32 != 0)
            return 0;
        const u64 khz = divide(divide(ticks * counter.hertz, elapsed), 1000);
        return khz >> 32 == 0 ? static_cast<u32>(khz) : 0;
    }
    return 0;
}

/// The middle one of three measurements: a host that looks away during one spoils that one alone.
template <machine Hardware>
[[gnu::noinline]] u32 measure(Hardware& hardware, const reference_counter<Hardware>& counter) {
    const u32 a = measure_once(hardware, counter);
    if (a == 0)
        return 0;
    const u32 b = measure_once(hardware, counter);
    const u32 c = measure_once(hardware, counter);
    const u32 low = a < b ? a : b, high = a < b ? b : a;
    return c < low ? low : c < high ? c : high;
}

/// Measures against ACPI's timer, on a chipset that has one, else or if that stands still against
/// the interval timer, which it leaves counting as a PC's does.
template <machine Hardware>
tsc_frequency measure_tsc_frequency(Hardware& hardware, chipset kind) {
    if (kind == chipset::i440fx || kind == chipset::q35) {
        const u32 khz = measure(hardware, acpi_timer<Hardware>);
        if (khz != 0)
            return {khz, "PM timer"};
    }
    constexpr u8 rate_generator = 0x34;  // channel 0, low and high byte
    hardware.out8(timer_control, rate_generator);
    hardware.out8(timer_data, 0);  // 65,536
    hardware.out8(timer_data, 0);
    return {measure(hardware, interval_timer<Hardware>), "PIT"};
}

}  // namespace mayfly::hw
