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
        const auto kind = boot::inspect(span_of(head));
        expect_ok(kind);
        EXPECT_EQ(kind.value(), boot::payload_kind::linux_image);
    }
}

TEST(payload, knows_an_elf) {
    auto head = head_of({0x7f, 'E', 'L', 'F'});
    const auto kind = boot::inspect(span_of(head));
    expect_ok(kind);
    EXPECT_EQ(kind.value(), boot::payload_kind::pvh_elf);
}

TEST(payload, says_what_it_cannot_boot) {
    auto efi = head_of({'M', 'Z', 0x12, 0x34});
    expect_sentence(boot::inspect(span_of(efi)),
                    "mayfly: kernel: an EFI application without a Linux setup header is not "
                    "supported (first bytes 0x34125a4d)");
    auto other = head_of({1, 2, 3, 4});
    expect_sentence(boot::inspect(span_of(other)),
                    "mayfly: kernel: neither a bzImage nor a PVH ELF (first bytes 0x4030201)");
}

TEST(payload, knows_that_nothing_was_given) {
    std::vector<u8> head(boot::payload_head_size);
    EXPECT_TRUE(boot::is_empty(span_of(head)));
    for (const usize at : {usize{0}, usize{0x1f1}, head.size() - 1}) {
        head[at] = 1;
        EXPECT_FALSE(boot::is_empty(span_of(head)));
        head[at] = 0;
    }
}

}  // namespace
}  // namespace mayfly::test
