// SPDX-License-Identifier: MIT
#include "boot/payload.hpp"

#include "unit/expect.hpp"

namespace mayfly::test {
namespace {

std::vector<u8> head_of(const std::vector<u8>& begin) {
    std::vector<u8> head(begin);
    head.resize(boot::payload_head_size);
    return head;
}

TEST(payload, knows_captured_kernels) {
    for (const std::string name : {"generic", "cloud", "rt", "i386"}) {
        auto head = head_of(captured("kernels/" + name + ".bin"));
        EXPECT_EQ(boot::inspect(span_of(head)), boot::payload_kind::linux_image);
    }
}

TEST(payload, knows_an_elf) {
    auto head = head_of({0x7f, 'E', 'L', 'F'});
    EXPECT_EQ(boot::inspect(span_of(head)), boot::payload_kind::pvh_elf);
}

TEST(payload, says_what_it_cannot_boot) {
    auto efi = head_of({'M', 'Z', 0x12, 0x34});
    expect_stop([&] { (void)boot::inspect(span_of(efi)); },
                "mayfly: kernel: EFI applications are not supported (first bytes 0x34125a4d)");
    auto other = head_of({1, 2, 3, 4});
    EXPECT_EQ(boot::inspect(span_of(other)), boot::payload_kind::none);
}

TEST(payload, checks_the_header_of_a_linux_image) {
    auto head = head_of(captured("kernels/generic.bin"));
    auto& header = *view<abi::setup_header>(span_of(head), abi::setup_header_offset);
    header.init_size = 0;
    expect_stop([&] { (void)boot::inspect(span_of(head)); },
                "mayfly: kernel: damaged header (init_size 0)");
}

TEST(payload, knows_that_nothing_was_given) {
    std::vector<u8> head(boot::payload_head_size);
    EXPECT_EQ(boot::inspect(span_of(head)), boot::payload_kind::none);
}

}  // namespace
}  // namespace mayfly::test
