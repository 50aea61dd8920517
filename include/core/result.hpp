// SPDX-License-Identifier: MIT
// A value, or the fault that prevented it.
#pragma once

#include "core/fault.hpp"

namespace mayfly {

/// What a step that may fail returns. Inner functions pass a fault up with TRY; only `main` stops.
template <typename T>
class [[nodiscard]] result {
    static_assert(__is_trivially_copyable(T), "the value shares its place with the fault");

  public:
    constexpr result(const T& value) : ok_(true), value_(value) {}
    constexpr result(const fault& what) : ok_(false), fault_(what) {}

    constexpr bool ok() const { return ok_; }
    /// Only where ok().
    constexpr const T& value() const { return value_; }
    /// Only where not ok().
    constexpr const fault& what() const { return fault_; }

  private:
    bool ok_;
    union {
        T value_;
        fault fault_;
    };
};

/// The same for a step that has an effect and no value.
template <>
class [[nodiscard]] result<void> {
  public:
    constexpr result() = default;
    constexpr result(const fault& what) : ok_(false), fault_(what) {}

    constexpr bool ok() const { return ok_; }
    constexpr void value() const {}
    constexpr const fault& what() const { return fault_; }

  private:
    bool ok_ = true;
    fault fault_{nullptr};
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
