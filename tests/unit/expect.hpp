// SPDX-License-Identifier: MIT
// What the unit tests share.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/fault.hpp"
#include "core/result.hpp"
#include "core/span.hpp"

namespace mayfly::test {

/// The sentence of `what` as a person reads it, "(none)" for null.
std::string told(const fault* what);

/// Compares the whole text and registers it as seen (see tests/harness/sentences.py).
void expect_sentence(const fault* what, const std::string& expected);

template <typename T>
void expect_sentence(const result<T>& failed, const std::string& expected) {
    expect_sentence(failed.what(), expected);
}

template <typename T>
void expect_ok(const result<T>& done) {
    EXPECT_TRUE(done.ok()) << told(done.what());
}

/// A captured file of tests/data; fails the test where it is missing.
std::vector<u8> captured(const std::string& name);

inline bytes span_of(std::vector<u8>& data) {
    return {data.data(), data.size()};
}

/// The bytes of a wire structure.
template <wire_type T>
std::vector<u8> bytes_of(const T& value) {
    const auto* first = reinterpret_cast<const u8*>(&value);
    return {first, first + sizeof value};
}

}  // namespace mayfly::test
