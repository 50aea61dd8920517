// SPDX-License-Identifier: MIT
// What is wrong, told once: nothing is tried again, so whoever finds it says so and stops.
#pragma once

#include "core/text.hpp"

namespace mayfly {

/// A sentence of `core/sentences.hpp` with its item and numbers.
struct fault {
    /// The sentence; `%s` stands for `item`, each `%u` (decimal) or `%x` (hexadecimal with 0x)
    /// for the next of `numbers`.
    const char* sentence;
    text item = {};
    u64 numbers[3] = {};
};

/// Says `what` wherever a person or the host can read it, and stops for good. Not defined here: the
/// ROM's is in firmware/stop.cpp, a host test's throws the fault.
[[noreturn, gnu::cold]] void stop(const fault& what);

/// Stops with a sentence and what goes into it. A function of no return makes every caller small:
/// it has nothing to check and nothing to pass on (measured: 3 KiB less than with results). Numbers
/// that a sentence has no place for are not given.
[[noreturn, gnu::cold]] void fail(const char* sentence);
[[noreturn, gnu::cold]] void fail(const char* sentence, u32 first);
[[noreturn, gnu::cold]] void fail(const char* sentence, u32 first, u32 second);
[[noreturn, gnu::cold]] void fail(const char* sentence, text item);
[[noreturn, gnu::cold]] void fail(const char* sentence, text item, u32 first);
[[noreturn, gnu::cold]] void fail(const char* sentence, text item, u32 first, u32 second,
                                  u32 third = 0);
/// The same with hexadecimal numbers that need 64 bits.
[[noreturn, gnu::cold]] void fail_wide(const char* sentence, u64 first, u64 second, u32 third = 0);

/// Writes the sentence of `what` to `buffer`, filled in, without a line end. Characters outside
/// printable ASCII (an item may come from the host) become '?'. Returns how many characters were
/// written; text that does not fit into `capacity` is cut.
usize format(const fault& what, char* buffer, usize capacity);

/// The longest sentence with the longest item; longer text is cut.
inline constexpr usize sentence_capacity = 240;

}  // namespace mayfly
