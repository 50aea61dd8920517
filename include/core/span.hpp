// SPDX-License-Identifier: MIT
// A pointer and a count that travel together.
#pragma once

#include "core/types.hpp"

namespace mayfly {

/// A view of `count` elements. Indexing is unchecked, as with std::span: a caller compares with
/// size() first, or asks for a part with part(), which is empty where the part is not inside.
template <typename T>
class span {
  public:
    constexpr span() = default;
    constexpr span(T* first, usize count) : first_(first), count_(count) {}
    template <usize n>
    constexpr span(T (&array)[n]) : first_(array), count_(n) {}

    constexpr T* data() const { return first_; }
    constexpr usize size() const { return count_; }
    constexpr bool empty() const { return count_ == 0; }
    constexpr T& operator[](usize index) const { return first_[index]; }
    constexpr T* begin() const { return first_; }
    constexpr T* end() const { return first_ + count_; }

    /// True where [offset, offset + length) lies inside; no sum in it can wrap.
    [[gnu::always_inline]] constexpr bool contains(usize offset, usize length) const {
        return offset <= count_ && length <= count_ - offset;
    }

    /// The elements [offset, offset + length), or an empty span where they are not all inside.
    [[gnu::always_inline]] constexpr span part(usize offset, usize length) const {
        if (!contains(offset, length))
            return {};
        return {first_ + offset, length};
    }

    constexpr operator span<const T>() const { return {first_, count_}; }

  private:
    T* first_ = nullptr;
    usize count_ = 0;
};

using bytes = span<u8>;
using const_bytes = span<const u8>;

/// Reads a T at `offset`. The caller has checked that it lies inside.
template <typename T>
inline T load(const_bytes from, usize offset) {
    // Not memcpy, which would be a call.
    if constexpr (alignof(T) == 1) {
        return *reinterpret_cast<const T*>(from.data() + offset);
    } else {
        struct [[gnu::packed]] field {
            T value;
        };
        return reinterpret_cast<const field*>(from.data() + offset)->value;
    }
}

/// Writes a T at `offset`. The caller has checked that it fits.
template <typename T>
inline void store(bytes to, usize offset, const T& value) {
    __builtin_memcpy(to.data() + offset, &value, sizeof(T));
}

/// The wire structure at `offset`, in place. The caller has checked that it lies inside.
template <wire_type T>
inline const T& as(const_bytes from, usize offset = 0) {
    return *reinterpret_cast<const T*>(from.data() + offset);
}

/// The same, writable.
template <wire_type T>
inline T& as(bytes from, usize offset = 0) {
    return *reinterpret_cast<T*>(from.data() + offset);
}

/// The wire structure at `offset`, in place, or null where it is not wholly inside.
template <wire_type T>
[[gnu::always_inline]] inline const T* view(const_bytes from, usize offset = 0) {
    if (!from.contains(offset, sizeof(T)))
        return nullptr;
    const T* found = &as<T>(from, offset);
    if (found == nullptr)
        __builtin_unreachable();  // so that nobody who has asked for a null compares again
    return found;
}

/// The same, writable.
template <wire_type T>
[[gnu::always_inline]] inline T* view(bytes from, usize offset = 0) {
    return const_cast<T*>(view<T>(const_bytes(from), offset));
}

}  // namespace mayfly
