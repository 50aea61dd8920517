// SPDX-License-Identifier: MIT
// What the fuzz targets share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "core/fault.hpp"
#include "core/span.hpp"
#include "fakes/unexpected.hpp"

namespace mayfly::fakes {

inline void unexpected(const std::string& what) {
    std::fprintf(stderr, "unexpected: %s\n", what.c_str());
    std::abort();
}

}  // namespace mayfly::fakes

namespace mayfly::fuzz {

inline void require(bool condition) {
    if (!condition)
        std::abort();
}

/// What stop() throws here.
struct stopped {};

/// Whether `step` came to its end.
template <typename Step>
bool finishes(Step step) {
    try {
        step();
    } catch (const stopped&) {
        return false;
    }
    return true;
}

/// Takes pieces from the front of an input; zeros where it has ended.
class input {
  public:
    input(const uint8_t* data, size_t size) : data_(data), left_(size) {}

    size_t left() const { return left_; }
    std::vector<u8> take(size_t count) {
        std::vector<u8> out(count);
        const size_t have = count < left_ ? count : left_;
        if (have != 0)
            __builtin_memcpy(out.data(), data_, have);
        data_ += have;
        left_ -= have;
        return out;
    }
    std::vector<u8> rest() { return take(left_); }
    template <typename T>
    T number() {
        const auto raw = take(sizeof(T));
        return load<T>({raw.data(), raw.size()}, 0);
    }

  private:
    const uint8_t* data_;
    size_t left_;
};

}  // namespace mayfly::fuzz

namespace mayfly {

/// Writes the sentence as the ROM would. Not inline: the firmware's objects call it.
void stop(const fault& what) {
    char buffer[sentence_capacity];
    fuzz::require(format(what, buffer, sizeof buffer) <= sizeof buffer);
    throw fuzz::stopped();
}

}  // namespace mayfly
