// SPDX-License-Identifier: MIT
// What the unit tests share.
#pragma once

#include <gtest/gtest.h>

#include <source_location>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/fault.hpp"
#include "core/span.hpp"

namespace mayfly::test {

/// What stop() throws here: the sentence as a person reads it. A step that must succeed is just
/// called; googletest tells the sentence of one that does not.
struct stopped : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// The sentence of `what` as a person reads it.
std::string told(const fault& what);

/// Compares the whole text and registers it as seen (see tests/harness/sentences.py).
void expect_sentence(const std::string& actual, const std::string& expected,
                     std::source_location where = std::source_location::current());

/// The sentence that `step` stops with.
template <typename Step>
std::string said_by(Step step) {
    try {
        step();
    } catch (const stopped& what) {
        return what.what();
    }
    return "(it did not stop)";
}

/// Runs `step`, which must stop with this sentence.
template <typename Step>
void expect_stop(Step step, const std::string& expected,
                 std::source_location where = std::source_location::current()) {
    expect_sentence(said_by(step), expected, where);
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
