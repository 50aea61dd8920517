// SPDX-License-Identifier: MIT
// From the ticks of a counter to nanoseconds.
#pragma once

#include "core/wide.hpp"

namespace mayfly {

/// By one division for all conversions; right to two in a million.
class tick_scale {
  public:
    /// Of a counter that makes `khz` thousand ticks a second, at least slowest_khz.
    explicit tick_scale(u32 khz)
        : factor_(static_cast<u32>(divide(u64{1'000'000} << fraction_bits, khz))) {}

    static constexpr u32 slowest_khz = 1000;  ///< its factor has 32 bits

    u64 nanoseconds(u64 ticks) const {
        return (multiply(static_cast<u32>(ticks >> 32), factor_) << (32 - fraction_bits)) +
               (multiply(static_cast<u32>(ticks), factor_) >> fraction_bits);
    }

  private:
    static constexpr u32 fraction_bits = 22;
    u32 factor_;
};

}  // namespace mayfly
