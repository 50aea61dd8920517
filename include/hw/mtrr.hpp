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

/// A hole ends at 4 GiB and begins at a page: one for each power of two between.
inline constexpr u32 most_blocks = 32 - 12;

inline constexpr u32 feature_mtrr = 1u << 12;  ///< CPUID leaf 1, EDX

/// How many pairs of base and mask the CPU has.
template <machine Hardware>
u32 count_variable_mtrrs(Hardware& hardware) {
    return static_cast<u32>(hardware.read_msr(mtrr_capability)) & 0xff;
}

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

/// RAM write-back; the VGA window and the hole from `low_ram_end` to 4 GiB uncacheable, from above,
/// in as many power-of-two blocks as it takes and the CPU has registers for: with a RAM size that
/// takes more, the lowest rest of it stays write-back. `features` is CPUID leaf 1, EDX; a CPU
/// without MTRRs is left alone. A reset has turned them off, so they need not be for this.
template <machine Hardware>
void set_memory_types(Hardware& hardware, u32 low_ram_end, u32 features) {
    if ((features & feature_mtrr) == 0)
        return;
    const u32 end_of_registers = mtrr_variable + 2 * count_variable_mtrrs(hardware);
    const u32 high_mask = (1u << (physical_address_bits(hardware) - 32)) - 1;

    hardware.write_msr(mtrr_fixed_64k, mtrr_all_write_back);
    hardware.write_msr(mtrr_fixed_16k_80000, mtrr_all_write_back);
#pragma GCC unroll 8
    for (u32 i = 0; i < 8; i++)
        hardware.write_msr(mtrr_fixed_4k_c0000 + i, mtrr_all_write_back);
    hardware.write_msr(mtrr_fixed_16k_a0000, mtrr_uncacheable);

    const u32 floor = align_up(low_ram_end, page_size);
    u32 begin = 0;  // 4 GiB
    u32 size = 1u << 31;
    for (u32 index = mtrr_variable; begin != floor; size /= 2) {
        if (begin - size < floor)
            continue;
        if (index == end_of_registers)
            break;
        begin -= size;
        hardware.write_msr(index, begin | mtrr_uncacheable);
        hardware.write_msr(index + 1, u64{high_mask} << 32 | (mtrr_mask_valid - size));
        index += 2;
    }
    hardware.write_msr(mtrr_default_type, mtrr_enable | mtrr_fixed_enable | mtrr_write_back);
}

}  // namespace mayfly::hw
