// SPDX-License-Identifier: MIT
// Text that need not end in NUL: names from the host, and parts of sentences.
#pragma once

#include "core/types.hpp"

namespace mayfly {

/// A view of characters.
class text {
  public:
    constexpr text() = default;
    constexpr text(const char* first, usize length) : first_(first), length_(length) {}

    /// From a literal.
    template <usize n>
    consteval text(const char (&literal)[n]) : first_(literal), length_(n - 1) {}

    /// From a field of at most `n` characters that a NUL may end early, as wire formats have them.
    template <usize n>
    static constexpr text from_field(const char (&field)[n]) {
        usize length = 0;
        while (length < n && field[length] != '\0')
            length++;
        return {field, length};
    }

    constexpr const char* data() const { return first_; }
    constexpr usize size() const { return length_; }
    constexpr bool empty() const { return length_ == 0; }
    constexpr char operator[](usize index) const { return first_[index]; }
    constexpr const char* begin() const { return first_; }
    constexpr const char* end() const { return first_ + length_; }

  private:
    const char* first_ = nullptr;
    usize length_ = 0;
};

/// True where `wanted.size()` characters at `first` are those of `wanted`. From the end, because
/// file names share their beginnings, and by words: the table loader compares names all the time.
bool has_characters(const char* first, const text& wanted);

inline bool operator==(const text& left, const text& right) {
    return left.size() == right.size() && has_characters(left.data(), right);
}

}  // namespace mayfly
