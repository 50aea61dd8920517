// SPDX-License-Identifier: MIT
#include "core/checksum.hpp"

#include <numeric>

#include "unit/expect.hpp"

namespace mayfly::test {
namespace {

u8 plain_sum(const std::vector<u8>& data) {
    return static_cast<u8>(std::accumulate(data.begin(), data.end(), 0u));
}

TEST(checksum, of_nothing_is_zero) {
    EXPECT_EQ(byte_sum({}), 0);
    EXPECT_EQ(checksum({}), 0);
}

TEST(checksum, sums_every_length_around_its_blocks) {
    for (const usize length : {1,    2,    3,    4,    5,    7,    8,    31,   32,   33,
                               1019, 1020, 1023, 1024, 1025, 1028, 2047, 2048, 2049, 4099}) {
        std::vector<u8> data(length);
        for (usize i = 0; i < length; i++)
            data[i] = static_cast<u8>(i * 37 + 11);
        EXPECT_EQ(byte_sum(span_of(data)), plain_sum(data)) << length;
    }
}

TEST(checksum, does_not_run_over_from_one_lane_into_the_next) {
    for (const usize length : {1020, 1024, 1028, 2048, 1 << 20}) {
        std::vector<u8> data(length, 0xff);
        EXPECT_EQ(byte_sum(span_of(data)), plain_sum(data)) << length;
    }
}

TEST(checksum, makes_the_sum_zero) {
    std::vector<u8> data(36, 0x5a);
    data[9] = 0;
    data[9] = checksum(span_of(data));
    EXPECT_EQ(byte_sum(span_of(data)), 0);
}

TEST(checksum, reads_at_any_address) {
    std::vector<u8> data(64, 3);
    for (usize from = 0; from < 8; from++)
        EXPECT_EQ(byte_sum(span_of(data).part(from, 50)), 150);
}

}  // namespace
}  // namespace mayfly::test
