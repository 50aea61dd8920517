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
    static text from_field(const char (&field)[n]) {
        const char* end = field;
        usize left = n;
        bool found;
        asm("repne scasb" : "+c"(left), "+D"(end), "=@ccz"(found) : "a"(0) : "memory");
        return {field, n - left - (found ? 1 : 0)};
    }

    constexpr const char* data() const { return first_; }
    constexpr usize size() const { return length_; }
    constexpr char operator[](usize index) const { return first_[index]; }
    constexpr const char* begin() const { return first_; }
    constexpr const char* end() const { return first_ + length_; }

  private:
    const char* first_ = nullptr;
    usize length_ = 0;
};

/// True where `wanted.size()` characters at `first` are those of `wanted`. One instruction for each
/// character and no loop around it: the table loader compares names all the time.
inline bool has_characters(const char* first, text wanted) {
    const char* other = wanted.data();
    usize left = wanted.size();
    bool equal;
    // The first comparison makes them equal where there is no character.
    asm("cmp %0, %0; repe cmpsb"
        : "+c"(left), "+S"(first), "+D"(other), "=@ccz"(equal)
        :
        : "memory");
    return equal;
}

inline bool operator==(text left, text right) {
    return left.size() == right.size() && has_characters(left.data(), right);
}

}  // namespace mayfly
