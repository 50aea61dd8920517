// SPDX-License-Identifier: MIT
#include "boot/pvh.hpp"

#include "abi/elf.hpp"
#include "boot/payload.hpp"
#include "fakes/fake_ram.hpp"
#include "unit/expect.hpp"

namespace mayfly::test {
namespace {

using tables::memory_type;
using tables::range;

constexpr range firmware{0xe0000, mib};
constexpr u32 ram_end = 4 * mib;

/// An ELF's first 8 KiB, with program headers added one by one.
class image {
  public:
    explicit image(bool wide = true) : wide_(wide), head_(boot::payload_head_size) {
        store<u32>(span_of(head_), 0, abi::elf_magic);
        head_[4] = wide ? 2 : 1;
        set_headers(wide ? 64 : 52, wide ? 56 : 32, 0);
    }

    void set_headers(u64 at, u16 stride, u16 count) {
        if (wide_) {
            auto& header = *mayfly::view<abi::elf64_header>(span_of(head_));
            header.program_headers = at;
            header.program_header_size = stride;
            header.program_header_count = count;
        } else {
            auto& header = *mayfly::view<abi::elf32_header>(span_of(head_));
            header.program_headers = static_cast<u32>(at);
            header.program_header_size = stride;
            header.program_header_count = count;
        }
    }

    image& add(u32 type, u64 address, u64 file_size, u64 memory_size) {
        if (wide_) {
            store(span_of(head_), 64 + 56 * count_,
                  abi::elf64_program_header{type, 0, 0, 0, address, file_size, memory_size, 0});
        } else {
            store(span_of(head_), 52 + 32 * count_,
                  abi::elf32_program_header{type, 0, 0, static_cast<u32>(address),
                                            static_cast<u32>(file_size),
                                            static_cast<u32>(memory_size), 0, 0});
        }
        count_++;
        set_headers(wide_ ? 64 : 52, wide_ ? 56 : 32, count_);
        return *this;
    }

    const_bytes head() const { return {head_.data(), head_.size()}; }

  private:
    bool wide_;
    std::vector<u8> head_;
    u16 count_ = 0;
};

tables::address_space with_ram() {
    tables::address_space out;
    expect_ok(out.guest.set({0, 0x9fc00}, memory_type::ram));
    expect_ok(out.guest.set({0xe0000, mib}, memory_type::reserved));
    expect_ok(out.guest.set({mib, ram_end}, memory_type::ram));
    expect_ok(out.free.set({mib, ram_end}, memory_type::ram));
    return out;
}

outcome claim(const image& elf) {
    auto space = with_ram();
    return boot::claim_segments(elf.head(), space, firmware);
}

TEST(pvh, claims_segments_of_both_classes) {
    for (const bool wide : {false, true}) {
        image elf(wide);
        elf.add(1, mib, 10, 0x1000).add(1, 2 * mib, 0, 0).add(4, ~u64{0}, 1, 1);
        elf.add(1, 0x1000, 1, 0x1000);
        auto space = with_ram();
        expect_ok(boot::claim_segments(elf.head(), space, firmware));
        EXPECT_FALSE(space.free.is_all({mib, mib + 1}, memory_type::ram));
        EXPECT_TRUE(space.free.is_all({mib + 0x1000, ram_end}, memory_type::ram));
        EXPECT_TRUE(space.guest.is_all({mib, ram_end}, memory_type::ram));
    }
}

TEST(pvh, complains_of_program_headers_outside_the_head) {
    const std::string begin = "mayfly: kernel: ELF program headers lie outside the first 8 KiB (";
    image elf;
    elf.set_headers(8192 - 56, 56, 1);
    EXPECT_TRUE(claim(elf).ok());
    elf.set_headers(8192 - 55, 56, 1);
    expect_sentence(claim(elf), begin + "8193 of 8192 bytes)");
    elf.set_headers(64, 56, 0);
    expect_sentence(claim(elf), begin + "64 of 8192 bytes)");
    elf.set_headers(64, 55, 1);
    expect_sentence(claim(elf), begin + "119 of 8192 bytes)");
    elf.set_headers(~u64{0}, 56, 1);
    expect_sentence(claim(elf), begin + "55 of 8192 bytes)");
    elf.set_headers(64, 0xffff, 0xffff);
    expect_sentence(claim(elf), begin + "4294836289 of 8192 bytes)");
    image narrow(false);
    narrow.set_headers(52, 31, 1);
    EXPECT_FALSE(claim(narrow).ok());
    narrow.set_headers(0xffffffff, 32, 1);
    EXPECT_FALSE(claim(narrow).ok());
}

TEST(pvh, complains_of_segments_that_are_not_in_ram) {
    expect_sentence(claim(image().add(1, ram_end - 1, 0, 2)),
                    "mayfly: kernel: ELF segment is not in RAM (address 0x3fffff, 2 bytes)");
    expect_ok(claim(image().add(1, ram_end - 1, 0, 1)));
    expect_sentence(claim(image().add(1, ~u64{0}, 0, 2)),
                    "mayfly: kernel: ELF segment is not in RAM (address 0xffffffffffffffff, 2 "
                    "bytes)");
    expect_sentence(claim(image().add(1, 0x90000, 0, 0x10000)),
                    "mayfly: kernel: ELF segment is not in RAM (address 0x90000, 65536 bytes)");
    EXPECT_FALSE(claim(image().add(1, mib, 0, ~u64{0})).ok());
}

TEST(pvh, complains_of_segments_on_the_firmware) {
    expect_sentence(claim(image().add(1, 0xff000, 0, 0x2000)),
                    "mayfly: kernel: ELF segment lies on the firmware's memory (address 0xff000, "
                    "8192 bytes)");
    EXPECT_FALSE(claim(image().add(1, 0xe0000, 0, 1)).ok());
}

std::vector<u8> note(u32 type, const std::string& name, const std::string& descriptor) {
    std::vector<u8> out(12);
    store<u32>(span_of(out), 0, static_cast<u32>(name.size() + 1));
    store<u32>(span_of(out), 4, static_cast<u32>(descriptor.size() + 1));
    store<u32>(span_of(out), 8, type);
    for (const auto& part : {name, descriptor}) {
        out.insert(out.end(), part.begin(), part.end());
        out.push_back(0);
        out.resize((out.size() + 3) / 4 * 4);
    }
    return out;
}

/// Whether notes at the end of the RAM name Linux.
bool names_linux(const std::vector<u8>& notes) {
    fakes::fake_ram ram(ram_end);
    const u32 at = ram_end - static_cast<u32>(notes.size());
    if (!notes.empty())
        std::memcpy(ram.data() + at, notes.data(), notes.size());
    image elf;
    elf.add(1, at, notes.size(), notes.size()).add(4, at, notes.size(), notes.size());
    return boot::is_linux(elf.head(), ram.view());
}

TEST(pvh, knows_linux_by_its_notes) {
    EXPECT_TRUE(names_linux(note(0, "Linux", "")));
    EXPECT_TRUE(names_linux(note(6, "Xen", "linux")));
    auto second = note(5, "Xen", "linux-2.6");
    const auto last = note(1, "Linux", "abcdefg");
    second.insert(second.end(), last.begin(), last.end());
    EXPECT_TRUE(names_linux(second));
    EXPECT_FALSE(names_linux(note(6, "Xen", "FreeBSD")));
    EXPECT_FALSE(names_linux(note(5, "Xen", "linux")));
    EXPECT_FALSE(names_linux(note(6, "GNU", "linux")));
    EXPECT_FALSE(names_linux({}));
}

TEST(pvh, reads_no_note_past_its_segment) {
    auto whole = note(6, "Xen", "linux");
    for (usize length = 0; length < whole.size(); length++)
        EXPECT_FALSE(names_linux({whole.begin(), whole.begin() + static_cast<long>(length)}));
    for (const u32 size : {0xffffffffu, 0xfffffffdu, 0x80000000u, 64u}) {
        auto damaged = whole;
        store<u32>(span_of(damaged), 0, size);
        EXPECT_FALSE(names_linux(damaged));
        damaged = whole;
        store<u32>(span_of(damaged), 4, size);
        EXPECT_FALSE(names_linux(damaged));
    }
}

TEST(pvh, reads_only_notes_that_were_loaded) {
    fakes::fake_ram ram(ram_end);
    const auto notes = note(0, "Linux", "");
    std::memcpy(ram.data() + mib, notes.data(), notes.size());
    EXPECT_FALSE(boot::is_linux(image().add(4, mib, notes.size(), 0).head(), ram.view()));
    EXPECT_FALSE(boot::is_linux(
        image().add(1, mib, notes.size() - 1, 0x1000).add(4, mib, notes.size(), 0).head(),
        ram.view()));
    EXPECT_FALSE(boot::is_linux(
        image().add(1, mib, 0x1000, 0x1000).add(4, mib - 1, notes.size(), 0).head(), ram.view()));
}

// Disabled: a PT_LOAD segment whose file size is larger than its memory size is taken at its word,
// so the notes are read where nothing was loaded.
TEST(pvh, reads_no_notes_beyond_what_a_segment_has_in_memory) {
    fakes::fake_ram ram(ram_end);
    auto space = with_ram();
    image elf;
    elf.add(1, mib, 0xffffffff, 0x1000).add(4, ram_end, 0x1000, 0);
    const auto claimed = boot::claim_segments(elf.head(), space, firmware);
    EXPECT_TRUE(!claimed.ok() || !boot::is_linux(elf.head(), ram.view()));
}

TEST(pvh, writes_what_the_kernel_is_told) {
    fakes::fake_ram ram(0x4000);
    arena work(ram.view(), 0x1000, 0x4000);
    auto space = with_ram();
    const auto at =
        boot::write_start_info({0x1111, 0x2222, 0x123456789000, 0x3333}, space.guest, work);
    expect_ok(at);
    const auto info = load<abi::pvh_start_info>(ram.at(at.value(), 56), 0);
    EXPECT_EQ(info.magic, abi::pvh_magic);
    EXPECT_EQ(info.version, 1u);
    EXPECT_EQ(info.command_line, 0x1111u);
    EXPECT_EQ(info.rsdp, 0x2222u);
    EXPECT_EQ(info.module_count, 1u);
    const auto module = load<abi::pvh_module>(ram.at(static_cast<u32>(info.modules), 32), 0);
    EXPECT_EQ(module.address, 0x123456789000u);
    EXPECT_EQ(module.size, 0x3333u);
    EXPECT_EQ(module.command_line, 0u);
    ASSERT_EQ(info.memory_map_count, 3u);
    const auto last =
        load<abi::pvh_memory_entry>(ram.at(static_cast<u32>(info.memory_map) + 48, 24), 0);
    EXPECT_EQ(last.address, mib);
    EXPECT_EQ(last.size, 3 * mib);
    EXPECT_EQ(last.type, 1u);
    const auto none = boot::write_start_info({}, space.guest, work);
    const auto empty = load<abi::pvh_start_info>(ram.at(none.value(), 56), 0);
    EXPECT_EQ(empty.module_count, 0u);
    EXPECT_EQ(empty.modules, 0u);
}

TEST(pvh, complains_where_the_work_area_is_full) {
    fakes::fake_ram ram(0x1000);
    auto space = with_ram();
    for (u32 size = 8; size < 3 * 24 + 32 + 56; size += 8) {
        arena work(ram.view(), 0x800, 0x800 + size);
        const auto failed = boot::write_start_info({}, space.guest, work);
        expect_sentence(failed, "mayfly: firmware: work area is full (56 bytes, " +
                                    std::to_string(work.room()) + " left)");
    }
}

}  // namespace
}  // namespace mayfly::test
