// SPDX-License-Identifier: MIT
// How fast the time stamp counter runs.
#pragma once

#include "core/arena.hpp"
#include "core/divide.hpp"
#include "core/endian.hpp"
#include "core/text.hpp"
#include "hw/chipset.hpp"

namespace mayfly::hw {

/// Where a frequency comes from decides how far a person may trust it.
struct tsc_frequency {
    u32 khz = 0;  ///< 0: unknown
    text source = {};
};

/// `ticks` of a counter of `khz`, which is not 0, in nanoseconds.
inline u64 nanoseconds(u64 ticks, u32 khz) {
    constexpr u32 per_millisecond = 1'000'000;
    const division milliseconds = divide(ticks, khz);
    return milliseconds.quotient * per_millisecond +
           divide(u64{milliseconds.remainder} * per_millisecond, khz).quotient;
}

/// What KVM says of the time (Linux Documentation/virt/kvm/x86/msr.rst): a tick takes
/// tsc_to_system_mul * 2^(tsc_shift - 32) nanoseconds.
struct kvm_time {
    le32 version;  ///< odd: being written
    le32 padding;
    le64 tsc_timestamp;
    le64 system_time;
    le32 tsc_to_system_mul;
    signed char tsc_shift;
    u8 flags;
    u8 padding_2[2];
};
static_assert(sizeof(kvm_time) == 32);

/// The frequency that `time` means, 0 where it means none.
inline u32 khz_of(const kvm_time& time) {
    constexpr u32 nanoseconds_per_millisecond = 1'000'000;
    constexpr int most_shift = 31;
    const u32 version = time.version, factor = time.tsc_to_system_mul;
    const int shift = time.tsc_shift;
    if (version == 0 || version % 2 != 0 || factor == 0 || shift < -most_shift ||
        shift > most_shift)
        return 0;
    u64 khz = divide(u64{nanoseconds_per_millisecond} << 32, factor).quotient;
    khz = shift < 0 ? khz << -shift : khz >> shift;
    return khz >> 32 == 0 ? static_cast<u32>(khz) : 0;
}

/// Has KVM write down its time once, through the register that its CPUID leaf `features` announces.
/// Two MSR writes.
template <machine Hardware>
u32 kvmclock_khz(Hardware& hardware, arena& work, u32 features) {
    constexpr u32 system_time = 0x12, system_time_2 = 0x4b564d01, enable = 1;
    const u32 index = (features & 1u << 3) != 0   ? system_time_2
                      : (features & 1u << 0) != 0 ? system_time
                                                  : 0;
    const bytes place = work.allocate(sizeof(kvm_time), sizeof(kvm_time));  // within a page
    if (index == 0 || place.empty())
        return 0;
    store<u32>(place, 0, 0);
    hardware.write_msr(index, work.address_of(place.data()) | enable);
    hardware.write_msr(index, 0);
    return khz_of(*view<kvm_time>(place));
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
        const u64 hertz = divide(u64{ratio.ecx} * ratio.ebx, ratio.eax).quotient;
        const u64 khz = divide(hertz, 1000).quotient;
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
struct reference_counter {
    u32 hertz;
    u32 mask;
};

inline constexpr reference_counter acpi_timer{3'579'545, 0xffffff};  // ACPI 6.5, 4.8.3.3
inline constexpr reference_counter interval_timer{1'193'182, 0xffff};

/// Two milliseconds of `counter`, which `read` reads, in TSC ticks; 0 kHz where it stands still for
/// `patience` reads.
template <machine Hardware, typename Read>
u32 measure_once(Hardware& hardware, const reference_counter& counter, Read read) {
    constexpr u32 patience = 20'000;
    const u32 wanted = counter.hertz / 500;
    const u32 begin = read();
    const u64 first = hardware.read_tsc();
    for (u32 left = patience; left != 0; left--) {
        const u32 elapsed = (read() - begin) & counter.mask;
        if (elapsed < wanted)
            continue;
        const u64 ticks = hardware.read_tsc() - first;
        if (ticks >> 32 != 0)
            return 0;
        const u64 hertz = divide(ticks * counter.hertz, elapsed).quotient;
        const u64 khz = divide(hertz, 1000).quotient;
        return khz >> 32 == 0 ? static_cast<u32>(khz) : 0;
    }
    return 0;
}

/// The middle one of three measurements: a host that looks away during one spoils that one alone.
template <machine Hardware, typename Read>
u32 measure(Hardware& hardware, const reference_counter& counter, Read read) {
    const u32 a = measure_once(hardware, counter, read);
    if (a == 0)
        return 0;
    const u32 b = measure_once(hardware, counter, read);
    const u32 c = measure_once(hardware, counter, read);
    const u32 low = a < b ? a : b, high = a < b ? b : a;
    return c < low ? low : c < high ? c : high;
}

/// Measures against ACPI's timer, on a chipset that has one (after prepare()), else or if that
/// stands still against channel 0 of the interval timer, which it leaves counting as a PC's does.
template <machine Hardware>
tsc_frequency measure_tsc_frequency(Hardware& hardware, chipset kind) {
    if (kind == chipset::i440fx || kind == chipset::q35) {
        constexpr u16 port = power_management_base + 8;
        const u32 khz = measure(hardware, acpi_timer, [&hardware] { return hardware.in32(port); });
        if (khz != 0)
            return {khz, "PM timer"};
    }
    constexpr u16 data = 0x40, control = 0x43;
    constexpr u8 rate_generator = 0x34, latch = 0;  // channel 0, low and high byte
    hardware.out8(control, rate_generator);
    hardware.out8(data, 0);  // 65,536
    hardware.out8(data, 0);
    return {measure(hardware, interval_timer,
                    [&hardware] {
                        hardware.out8(control, latch);
                        const u32 low = hardware.in8(data);
                        return 0 - (low | u32{hardware.in8(data)} << 8);  // it counts down
                    }),
            "PIT"};
}

}  // namespace mayfly::hw
