// SPDX-License-Identifier: MIT
// Memory types of the boot CPU (Intel SDM volume 3, 12.11). Without them Linux turns PAT off.
#pragma once

#include "hw/hardware.hpp"

namespace mayfly::hw {

inline constexpr u32 mtrr_capability = 0xfe;
inline constexpr u32 mtrr_fixed_64k = 0x250;
inline constexpr u32 mtrr_fixed_16k_80000 = 0x258;
inline constexpr u32 mtrr_fixed_16k_a0000 = 0x259;
inline constexpr u32 mtrr_fixed_4k_c0000 = 0x268;  ///< to 0x26f
inline constexpr u32 mtrr_default_type = 0x2ff;
inline constexpr u32 mtrr_variable = 0x200;  ///< base, mask, base, mask ...

inline constexpr u32 mtrr_uncacheable = 0;
inline constexpr u32 mtrr_write_back = 6;
inline constexpr u64 mtrr_all_write_back = 0x0606060606060606;
inline constexpr u32 mtrr_fixed_enable = 1u << 10;
inline constexpr u32 mtrr_enable = 1u << 11;
inline constexpr u32 mtrr_mask_valid = 1u << 11;

/// Where the uncacheable range begins at the lowest. Devices may lie below on a machine of less
/// RAM; Linux maps them uncached by PAT whatever this says, and each block more is another
/// register.
inline constexpr u32 lowest_device_memory = 0x80000000;

/// Physical address bits of the CPU (CPUID 0x80000008; 36 where it has no such leaf).
template <machine Hardware>
u32 physical_address_bits(Hardware& hardware) {
    constexpr u32 extended = 0x80000000, address_sizes = 0x80000008;
    if (hardware.cpuid(extended, 0).eax < address_sizes)
        return 36;
    constexpr u32 least = 32, most = 52;  // architectural limits
    const u32 bits = hardware.cpuid(address_sizes, 0).eax & 0xff;
    return bits < least ? least : bits < most ? bits : most;
}

/// RAM write-back; the VGA window and the range from `low_ram_end`, at least lowest_device_memory,
/// to 4 GiB uncacheable, from above, in as many power-of-two blocks as it takes and the CPU has
/// registers for: with a RAM size that takes more, the lowest rest stays write-back. `features` is
/// CPUID leaf 1, EDX; a CPU without MTRRs is left alone.
template <machine Hardware>
void set_memory_types(Hardware& hardware, u32 low_ram_end, u32 features) {
    constexpr u32 feature_mtrr = 1u << 12;
    if ((features & feature_mtrr) == 0)
        return;
    const u32 registers = static_cast<u32>(hardware.read_msr(mtrr_capability)) & 0xff;
    const u32 high_mask = (1u << (physical_address_bits(hardware) - 32)) - 1;

    hardware.write_msr(mtrr_default_type, 0);
    hardware.write_msr(mtrr_fixed_64k, mtrr_all_write_back);
    hardware.write_msr(mtrr_fixed_16k_80000, mtrr_all_write_back);
    hardware.write_msr(mtrr_fixed_16k_a0000, mtrr_uncacheable);
#pragma GCC unroll 1
    for (u32 i = 0; i < 8; i++)
        hardware.write_msr(mtrr_fixed_4k_c0000 + i, mtrr_all_write_back);

    const u32 floor = low_ram_end > lowest_device_memory ? low_ram_end : lowest_device_memory;
    u32 end = 0;  // 4 GiB
    u32 size = lowest_device_memory;
    for (u32 i = 0; i < registers && end != floor; i++) {
        while (end - size < floor && size > page_size)
            size /= 2;
        if (end - size < floor)
            break;
        end -= size;
        hardware.write_msr(mtrr_variable + 2 * i, end | mtrr_uncacheable);
        hardware.write_msr(mtrr_variable + 2 * i + 1,
                           u64{high_mask} << 32 | (0 - size) | mtrr_mask_valid);
    }
    hardware.write_msr(mtrr_default_type, mtrr_enable | mtrr_fixed_enable | mtrr_write_back);
}

}  // namespace mayfly::hw
