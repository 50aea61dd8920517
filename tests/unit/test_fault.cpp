// SPDX-License-Identifier: MIT
#include "core/fault.hpp"

#include "core/sentences.hpp"
#include "fakes/fake_machine.hpp"
#include "fakes/guarded.hpp"
#include "unit/expect.hpp"

namespace mayfly::test {
namespace {

TEST(fault, fills_in_item_and_numbers) {
    expect_stop([] { fail_wide(sentences::exception, 13, 0xffff1234, 0x10); },
                "mayfly: cpu: exception in the firmware (vector 13, address 0xffff1234, error "
                "code 0x10)");
    EXPECT_EQ(told({sentences::file_too_large, "etc/e820", {7, 8}}),
              "mayfly: fw_cfg: file is too large (etc/e820, 7 bytes, limit 8)");
}

TEST(fault, writes_numbers_of_every_size) {
    EXPECT_EQ(told({"%u %x", {}, {0, 0}}), "mayfly: 0 0x0");
    EXPECT_EQ(told({"%u %x %x", {}, {0xffffffff, ~u64{0}, u64{1} << 32}}),
              "mayfly: 4294967295 0xffffffffffffffff 0x100000000");
    EXPECT_EQ(told({"%u %u %u", {}, {1'000'000'000, 9, 10}}), "mayfly: 1000000000 9 10");
}

TEST(fault, writes_numbers_like_the_host) {
    const auto expect_like_host = [](u64 value) {
        EXPECT_EQ(told({"%x", {}, {value}}), "mayfly: " + fakes::hex(value));
        if (value >> 32 == 0) {
            EXPECT_EQ(told({"%u", {}, {value}}), "mayfly: " + std::to_string(value));
        }
    };
    for (u64 power = 1; power != 0; power <<= 1) {
        for (const u64 near : {power - 1, power, power + 1, power * 3 / 2})
            expect_like_host(near);
    }
    for (u64 power = 1; power < 10 * four_gib; power *= 10) {
        for (const u64 near : {power - 1, power, power + 1, power * 5})
            expect_like_host(near);
    }
}

TEST(fault, shows_unprintable_characters_as_question_marks) {
    const char name[] = {'a', '\n', '\x1b', '\x7f', '\x80', '~', ' '};
    EXPECT_EQ(told({"(%s)", text(name, sizeof name)}), "mayfly: (a????~ )");
}

TEST(fault, cuts_what_does_not_fit) {
    const std::string name(300, 'x');
    const fault what{"%s", text(name.data(), name.size())};
    char small[4] = {'-', '-', '-', '-'};
    EXPECT_EQ(format(what, small, 3), 3u);
    EXPECT_EQ(small[3], '-');
    EXPECT_EQ(format(what, small, 0), 0u);
    char whole[sentence_capacity];
    EXPECT_EQ(format(what, whole, sizeof whole), sentence_capacity);
}

TEST(fault, stops_with_what_it_is_given) {
    EXPECT_EQ(said_by([] { fail("nothing"); }), "mayfly: nothing");
    EXPECT_EQ(said_by([] { fail("%x", 0xffffffff); }), "mayfly: 0xffffffff");
    EXPECT_EQ(said_by([] { fail("%u %u", 1, 0xffffffff); }), "mayfly: 1 4294967295");
    EXPECT_EQ(said_by([] { fail("(%s)", text("item")); }), "mayfly: (item)");
    EXPECT_EQ(said_by([] { fail("(%s) %u", text("item"), 4); }), "mayfly: (item) 4");
    EXPECT_EQ(said_by([] { fail("%u (%s) %u", text("item"), 4, 5); }), "mayfly: 4 (item) 5");
    EXPECT_EQ(said_by([] { fail("%u (%s) %u %u", text("item"), 4, 5, 6); }),
              "mayfly: 4 (item) 5 6");
    EXPECT_EQ(said_by([] { fail_wide("%x %x", u64{1} << 63, 2); }),
              "mayfly: 0x8000000000000000 0x2");
    EXPECT_EQ(said_by([] { fail_wide("%x %x %x", 1, ~u64{0}, 3); }),
              "mayfly: 0x1 0xffffffffffffffff 0x3");
}

TEST(text, ends_a_field_at_its_nul_or_its_end) {
    const char unterminated[4] = {'a', 'b', 'c', 'd'};
    EXPECT_EQ(text::from_field(unterminated).size(), 4u);
    const char terminated[4] = {'a', '\0', 'c', '\0'};
    EXPECT_EQ(text::from_field(terminated).size(), 1u);
    const char empty[4] = {};
    EXPECT_TRUE(text::from_field(empty).size() == 0);
    for (usize length = 0; length <= 56; length++) {
        const fakes::guarded field(56);
        std::memset(field.data(), 'n', length);
        const auto& name = *reinterpret_cast<const char(*)[56]>(field.data());
        EXPECT_EQ(text::from_field(name).size(), length);
        EXPECT_EQ(text::from_field(name).data(), name);
    }
}

TEST(text, compares_every_length) {
    const std::string all = "abcdefghijklmnop";
    for (usize length = 0; length <= all.size(); length++) {
        // A comparison that reads past an end is found.
        const const_bytes part{reinterpret_cast<const u8*>(all.data()), length};
        const fakes::guarded one(part), other(part);
        const auto text_of = [](const fakes::guarded& of) {
            return text(reinterpret_cast<const char*>(of.data()), of.size());
        };
        EXPECT_TRUE(text_of(one) == text_of(other));
        for (usize i = 0; i < length; i++) {
            other.data()[i] ^= 1;
            EXPECT_FALSE(text_of(one) == text_of(other)) << i;
            EXPECT_FALSE(text_of(other) == text_of(one)) << i;
            other.data()[i] ^= 1;
        }
    }
    EXPECT_FALSE(text("ab") == text("abc"));
    EXPECT_FALSE(text("abc") == text("ab"));
    EXPECT_TRUE(text() == text());
    EXPECT_TRUE(text() == text(""));
    EXPECT_TRUE(has_characters("abc", "ab"));
    EXPECT_FALSE(has_characters("abc", "b"));
}

}  // namespace
}  // namespace mayfly::test
