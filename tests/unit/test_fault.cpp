// SPDX-License-Identifier: MIT
#include "core/fault.hpp"

#include "core/sentences.hpp"
#include "unit/expect.hpp"

namespace mayfly::test {
namespace {

TEST(fault, fills_in_item_and_numbers) {
    expect_sentence(make_fault(sentences::exception, 13, 0xffff1234, 0x10),
                    "mayfly: cpu: exception in the firmware (vector 13, address 0xffff1234, error "
                    "code 0x10)");
    EXPECT_EQ(told(make_fault(sentences::file_too_large, text("etc/e820"), 7, 8)),
              "mayfly: fw_cfg: file is too large (etc/e820, 7 bytes, limit 8)");
}

TEST(fault, writes_numbers_of_every_size) {
    EXPECT_EQ(told(make_fault("%u %x", 0, 0)), "mayfly: 0 0x0");
    EXPECT_EQ(told(make_wide_fault("%u %x %x", ~u64{0}, ~u64{0}, u64{1} << 32)),
              "mayfly: 18446744073709551615 0xffffffffffffffff 0x100000000");
    EXPECT_EQ(told(make_wide_fault("%u %u", 10'000'000'000'000'000'000u, 4294967296)),
              "mayfly: 10000000000000000000 4294967296");
}

TEST(fault, divides_like_the_host) {
    for (u64 value = 1; value != 0; value <<= 1) {
        for (const u64 near : {value - 1, value, value + 1, value * 3 / 2})
            EXPECT_EQ(told(make_wide_fault("%u", near)), "mayfly: " + std::to_string(near));
    }
}

TEST(fault, shows_unprintable_characters_as_question_marks) {
    const char name[] = {'a', '\n', '\x1b', '\x7f', '\x80', '~', ' '};
    EXPECT_EQ(told(make_fault("(%s)", text(name, sizeof name))), "mayfly: (a????~ )");
}

TEST(fault, cuts_what_does_not_fit) {
    const std::string name(300, 'x');
    const fault* what = make_fault("%s", text(name.data(), name.size()));
    char small[4] = {'-', '-', '-', '-'};
    EXPECT_EQ(format(*what, small, 3), 3u);
    EXPECT_EQ(small[3], '-');
    EXPECT_EQ(format(*what, small, 0), 0u);
    char whole[sentence_capacity];
    EXPECT_EQ(format(*what, whole, sizeof whole), sentence_capacity);
}

TEST(fault, keeps_only_the_last_one) {
    const fault* first = make_fault("first");
    make_fault("second");
    EXPECT_EQ(told(first), "mayfly: second");
}

TEST(text, ends_a_field_at_its_nul_or_its_end) {
    const char unterminated[4] = {'a', 'b', 'c', 'd'};
    EXPECT_EQ(text::from_field(unterminated).size(), 4u);
    const char terminated[4] = {'a', '\0', 'c', '\0'};
    EXPECT_EQ(text::from_field(terminated).size(), 1u);
}

TEST(text, compares_every_length) {
    const std::string all = "abcdefghijklmnop";
    for (usize length = 0; length <= all.size(); length++) {
        // Exact allocations: a comparison that reads past an end is found.
        const std::vector<char> one(all.begin(), all.begin() + static_cast<long>(length));
        std::vector<char> other = one;
        EXPECT_TRUE(text(one.data(), length) == text(other.data(), length));
        for (usize i = 0; i < length; i++) {
            other[i] ^= 1;
            EXPECT_FALSE(text(one.data(), length) == text(other.data(), length)) << i;
            other[i] ^= 1;
        }
    }
    EXPECT_FALSE(text("ab") == text("abc"));
}

}  // namespace
}  // namespace mayfly::test
