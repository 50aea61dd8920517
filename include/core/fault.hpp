// SPDX-License-Identifier: MIT
// What is wrong, as a value: a sentence and what goes into it.
#pragma once

#include "core/text.hpp"

namespace mayfly {

/// A sentence of `core/sentences.hpp` with its item and numbers. Made where something is found
/// wrong, returned up to `main`, said once.
struct fault {
    /// The sentence; `%s` stands for `item`, each `%u` (decimal) or `%x` (hexadecimal with 0x) for
    /// the next of `numbers`.
    const char* sentence;
    text item = {};
    u64 numbers[3] = {};
};

/// Notes what is wrong and returns the note. There is one place for it, because only the first
/// fault of a boot is ever told and a pointer makes every result small (measured: 29 KiB of code
/// with the fault in each result).
const fault* make_fault(const char* sentence, u32 first = 0, u32 second = 0, u32 third = 0);
const fault* make_fault(const char* sentence, text item, u32 first = 0, u32 second = 0,
                        u32 third = 0);
const fault* make_wide_fault(const char* sentence, u64 first, u64 second = 0, u64 third = 0);

/// Writes the sentence of `what` to `buffer`, filled in, without a line end. Characters outside
/// printable ASCII (an item may come from the host) become '?'. Returns how many characters were
/// written; text that does not fit into `capacity` is cut.
usize format(const fault& what, char* buffer, usize capacity);

/// The longest sentence with the longest item; longer text is cut.
inline constexpr usize sentence_capacity = 240;

}  // namespace mayfly
