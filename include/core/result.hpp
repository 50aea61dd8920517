// SPDX-License-Identifier: MIT
// A value, or the fault that prevented it.
#pragma once

#include "core/fault.hpp"

namespace mayfly {

/// What a step that may fail returns. Inner functions pass a fault up with TRY; only `main` stops.
template <typename T>
class [[nodiscard]] result {
    static_assert(__is_trivially_copyable(T), "it lives in a union");

  public:
    constexpr result(const T& value) : value_(value) {}
    result(const fault* what) : what_(what) {}

    constexpr bool ok() const { return what_ == nullptr; }
    /// Only where ok().
    constexpr const T& value() const { return value_; }
    /// Only where not ok().
    constexpr const fault* what() const { return what_; }

  private:
    const fault* what_ = nullptr;
    union {
        T value_;  ///< not made where there is a fault
    };
};

/// The same for a step that has an effect and no value.
template <>
class [[nodiscard]] result<void> {
  public:
    constexpr result() = default;
    result(const fault* what) : what_(what) {}

    constexpr bool ok() const { return what_ == nullptr; }
    constexpr void value() const {}
    constexpr const fault* what() const { return what_; }

  private:
    const fault* what_ = nullptr;
};

using outcome = result<void>;

/// The value of `expression`, a result, or a return of its fault from the calling function.
#define TRY(expression)                  \
    __extension__({                      \
        const auto attempt = expression; \
        if (!attempt.ok())               \
            return attempt.what();       \
        attempt.value();                 \
    })

}  // namespace mayfly
