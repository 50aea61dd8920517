// SPDX-License-Identifier: MIT
#include "core/checksum.hpp"

#include <numeric>
#include <random>

#include "fakes/guarded.hpp"
#include "unit/expect.hpp"

namespace mayfly::test {
namespace {

constexpr usize block = 1024;  ///< what is added at once
constexpr usize longest = 2100;

u8 plain_sum(const_bytes data) {
    return static_cast<u8>(std::accumulate(data.begin(), data.end(), 0u));
}

std::vector<u8> numbers(usize length) {
    std::vector<u8> out(length);
    for (usize i = 0; i < length; i++)
        out[i] = static_cast<u8>(i * 37 + 11);
    return out;
}

TEST(checksum, of_nothing_is_zero) {
    EXPECT_EQ(byte_sum({}), 0);
    EXPECT_EQ(checksum({}), 0);
    const fakes::guarded nothing(0);
    EXPECT_EQ(byte_sum(nothing.view()), 0);
}

TEST(checksum, sums_every_length_and_reads_no_further) {
    // Every length ends at the guard, so its begin takes every alignment.
    const fakes::guarded data(const_bytes(numbers(longest).data(), longest));
    for (usize length = 0; length <= longest; length++) {
        const bytes end = data.view().part(longest - length, length);
        ASSERT_EQ(byte_sum(end), plain_sum(end)) << length;
        ASSERT_EQ(static_cast<u8>(checksum(end) + plain_sum(end)), 0) << length;
    }
}

TEST(checksum, sums_every_length_at_every_alignment) {
    const fakes::guarded data(const_bytes(numbers(longest + 8).data(), longest + 8));
    for (usize length = 0; length <= longest; length++) {
        for (usize from = 0; from < 8; from++) {
            const bytes part = data.view().part(from, length);
            ASSERT_EQ(byte_sum(part), plain_sum(part)) << length << " " << from;
        }
    }
}

TEST(checksum, does_not_run_over_from_one_lane_into_the_next) {
    std::vector<u8> data(4 * block + 4, 0xff);
    for (usize length = 0; length <= data.size(); length++) {
        const const_bytes part = span_of(data).part(0, length);
        ASSERT_EQ(byte_sum(part), static_cast<u8>(0 - length)) << length;
    }
    std::vector<u8> large((1 << 20) + 3, 0xff);
    EXPECT_EQ(byte_sum(span_of(large)), plain_sum(span_of(large)));
    // Each lane alone, as full as it gets in one block and in the next.
    for (usize lane = 0; lane < 4; lane++) {
        for (const usize length : {block - 4, block, block + 4, 2 * block, 2 * block + 4}) {
            std::vector<u8> one(length);
            for (usize i = lane; i < length; i += 4)
                one[i] = 0xff;
            EXPECT_EQ(byte_sum(span_of(one)), plain_sum(span_of(one))) << lane << " " << length;
        }
    }
}

TEST(checksum, sums_every_byte_once) {
    // One byte that is not 0, at every place.
    std::vector<u8> data(block + 40);
    for (usize at = 0; at < data.size(); at++) {
        data[at] = 0xc3;
        ASSERT_EQ(byte_sum(span_of(data)), 0xc3) << at;
        ASSERT_EQ(checksum(span_of(data)), 0x3d) << at;
        data[at] = 0;
    }
}

TEST(checksum, sums_random_bytes) {
    std::mt19937 random(4);
    for (int round = 0; round < 500; round++) {
        std::vector<u8> data(random() % (5 * block));
        for (u8& one : data)
            one = static_cast<u8>(random());
        const fakes::guarded content(const_bytes(data.data(), data.size()));
        ASSERT_EQ(byte_sum(content.view()), plain_sum(span_of(data))) << data.size();
        // It only reads.
        ASSERT_EQ(std::vector<u8>(content.view().begin(), content.view().end()), data);
    }
}

TEST(checksum, makes_the_sum_zero) {
    for (const usize length : {usize{20}, usize{36}, block + 1}) {
        auto data = numbers(length);
        data[9] = 0;
        data[9] = checksum(span_of(data));
        EXPECT_EQ(byte_sum(span_of(data)), 0) << length;
    }
}

}  // namespace
}  // namespace mayfly::test
