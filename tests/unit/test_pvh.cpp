// SPDX-License-Identifier: MIT
#include "boot/pvh.hpp"

#include <source_location>

#include "abi/elf.hpp"
#include "boot/payload.hpp"
#include "fakes/empty_map.hpp"
#include "fakes/fake_ram.hpp"
#include "unit/expect.hpp"

namespace mayfly::test {
namespace {

using tables::memory_map;
using tables::memory_type;
using tables::range;

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

memory_map with_ram() {
    memory_map out = fakes::empty_map();
    out.set({0, 0x9fc00}, memory_type::ram);
    out.set({0, 0x500}, tables::our_ram);
    out.set({0x9fc00, 0xa0000}, memory_type::reserved);
    out.set({0xe0000, mib}, tables::our_reserved);
    out.set({mib, ram_end}, memory_type::ram);
    out.note_low_ram_end(ram_end);
    return out;
}

bool is_free(const memory_map& map, range where) {
    for (u32 i = 0; i < map.parts(); i++) {
        if (fakes::overlap(map.part(i), where) && map.type(i) != memory_type::ram)
            return false;
    }
    return map.is_ram(where);
}

/// What is no RAM has the segments count alone.
constexpr range no_extent{ram_end, ram_end + 1};

void claim_segments(const_bytes head, memory_map& map) {
    boot::claim_image(no_extent, head, map);
}

void claim(const image& elf) {
    auto map = with_ram();
    claim_segments(elf.head(), map);
}

void expect_complaint(const image& elf, const std::string& said,
                      std::source_location where = std::source_location::current()) {
    expect_stop([&] { claim(elf); }, said, where);
}

TEST(pvh, claims_segments_of_both_classes) {
    for (const bool wide : {false, true}) {
        image elf(wide);
        elf.add(1, mib, 10, 0x1000).add(1, 2 * mib, 0, 0).add(4, ~u64{0}, 1, 1);
        elf.add(1, 0x1000, 1, 0x1000);
        auto map = with_ram();
        claim_segments(elf.head(), map);
        EXPECT_FALSE(is_free(map, {mib, mib + 1}));
        EXPECT_FALSE(is_free(map, {mib + 0xfff, mib + 0x1000}));
        EXPECT_TRUE(is_free(map, {mib + 0x1000, ram_end}));
        EXPECT_FALSE(is_free(map, {0x1000, 0x1001}));
        EXPECT_TRUE(is_free(map, {0x500, 0x1000}));
        EXPECT_TRUE(is_free(map, {0x2000, 0x9fc00}));
        EXPECT_TRUE(map.is_ram({mib, ram_end}));
        EXPECT_TRUE(map.is_ram({0x500, 0x9fc00}));
        EXPECT_FALSE(map.is_ram({0, 0x9fc00}));
    }
}

TEST(pvh, lets_segments_lie_on_each_other) {
    auto map = with_ram();
    image elf;
    elf.add(1, mib, 0, 0x3000).add(1, mib + 0x1000, 0, 0x1000).add(1, mib + 0x2000, 0, 0x2000);
    claim_segments(elf.head(), map);
    EXPECT_FALSE(is_free(map, {mib + 0x3fff, mib + 0x4000}));
    EXPECT_TRUE(is_free(map, {mib + 0x4000, ram_end}));
}

TEST(pvh, claims_segments_above_4_gib) {
    auto map = with_ram();
    map.set({four_gib, four_gib + gib}, memory_type::ram);
    claim_segments(image().add(1, four_gib + mib, 1, mib).head(), map);
    EXPECT_FALSE(is_free(map, {four_gib + mib, four_gib + mib + 1}));
    EXPECT_TRUE(is_free(map, {four_gib + 2 * mib, four_gib + gib}));
    EXPECT_TRUE(is_free(map, {mib, ram_end}));
}

TEST(pvh, finds_no_program_headers_outside_the_head) {
    // Then the extent counts.
    const std::string no_extent_in_ram =
        "mayfly: kernel: image is not in RAM, or in the firmware's (address 0x400000, 0x1 bytes, "
        "RAM ends at 0x400000)";
    image elf;
    elf.set_headers(8192 - 56, 56, 1);
    claim(elf);
    elf.set_headers(8192 - 55, 56, 1);
    expect_complaint(elf, no_extent_in_ram);
    elf.set_headers(64, 56, 0);
    expect_complaint(elf, no_extent_in_ram);
    elf.set_headers(64, 55, 1);
    expect_complaint(elf, no_extent_in_ram);
    elf.set_headers(64, 0, 1);
    expect_complaint(elf, no_extent_in_ram);
    elf.set_headers(~u64{0}, 56, 1);
    expect_complaint(elf, no_extent_in_ram);
    elf.set_headers(64, 0xffff, 0xffff);
    expect_complaint(elf, no_extent_in_ram);
    // What its low half alone would allow.
    elf.set_headers(four_gib + 64, 56, 1);
    expect_complaint(elf, no_extent_in_ram);
    elf.set_headers(u64{1} << 63 | 64, 56, 1);
    expect_complaint(elf, no_extent_in_ram);
    elf.set_headers(0 - u64{56}, 56, 1);
    expect_complaint(elf, no_extent_in_ram);
    image narrow(false);
    narrow.set_headers(8192 - 32, 32, 1);
    claim(narrow);
    narrow.set_headers(8192 - 31, 32, 1);
    expect_complaint(narrow, no_extent_in_ram);
    narrow.set_headers(52, 31, 1);
    expect_complaint(narrow, no_extent_in_ram);
    narrow.set_headers(0xffffffff, 32, 1);
    expect_complaint(narrow, no_extent_in_ram);
    // is_linux() reads the same headers.
    EXPECT_FALSE(boot::is_linux(narrow.head(), with_ram(), mayfly::memory(0)));
}

TEST(pvh, claims_the_whole_extent_where_that_is_ram) {
    for (const bool has_headers : {true, false}) {
        image elf;
        if (has_headers)  // overwritten: not even RAM, and something else's
            elf.add(1, ~u64{0}, 0, 2).add(1, 3 * mib, 0, 0x1000);
        auto map = with_ram();
        boot::claim_image({mib, 2 * mib}, elf.head(), map);
        EXPECT_FALSE(is_free(map, {mib, mib + 1}));
        EXPECT_FALSE(is_free(map, {2 * mib - 1, 2 * mib}));
        EXPECT_TRUE(is_free(map, {2 * mib, 3 * mib}));
        EXPECT_EQ(is_free(map, {3 * mib, 3 * mib + 1}), !has_headers);
    }
}

TEST(pvh, takes_longer_program_headers_as_they_come) {
    image elf;
    elf.add(1, mib, 0, 0x1000).add(1, mib + 0x4000, 0, 0x1000).add(1, mib + 0x8000, 0, 0x1000);
    elf.set_headers(64, 112, 2);  // every second one
    auto map = with_ram();
    claim_segments(elf.head(), map);
    EXPECT_FALSE(is_free(map, {mib, mib + 1}));
    EXPECT_TRUE(is_free(map, {mib + 0x4000, mib + 0x5000}));
    EXPECT_FALSE(is_free(map, {mib + 0x8000, mib + 0x8001}));
}

TEST(pvh, complains_of_segments_that_are_not_in_ram) {
    const std::string begin = "mayfly: kernel: image is not in RAM, or in the firmware's (address ";
    expect_complaint(image().add(1, ram_end - 1, 0, 2),
                     begin + "0x3fffff, 0x2 bytes, RAM ends at 0x400000)");
    claim(image().add(1, ram_end - 1, 0, 1));
    expect_complaint(image().add(1, ~u64{0}, 0, 2),
                     begin + "0xffffffffffffffff, 0x2 bytes, RAM ends at 0x400000)");
    expect_complaint(image().add(1, 0x90000, 0, 0x10000),
                     begin + "0x90000, 0x10000 bytes, RAM ends at 0x400000)");
    expect_complaint(image().add(1, mib, 0, ~u64{0}),
                     begin + "0x100000, 0xffffffffffffffff bytes, RAM ends at 0x400000)");
    // What their low halves alone would allow.
    expect_complaint(image().add(1, four_gib + mib, 0, 1),
                     begin + "0x100100000, 0x1 bytes, RAM ends at 0x400000)");
    expect_complaint(image().add(1, mib, 0, four_gib + 1),
                     begin + "0x100000, 0x100000001 bytes, RAM ends at 0x400000)");
    expect_complaint(image().add(1, mib, 0, 0 - u64{mib}),
                     begin + "0x100000, 0xfffffffffff00000 bytes, RAM ends at 0x400000)");
    // The first one that is wrong is told.
    expect_complaint(image().add(1, mib, 0, 1).add(1, ram_end, 0, 3).add(1, ram_end, 0, 4),
                     begin + "0x400000, 0x3 bytes, RAM ends at 0x400000)");
}

TEST(pvh, complains_of_segments_on_the_firmware) {
    const std::string begin = "mayfly: kernel: image is not in RAM, or in the firmware's (address ";
    expect_complaint(image().add(1, 0xff000, 0, 0x2000),
                     begin + "0xff000, 0x2000 bytes, RAM ends at 0x400000)");
    expect_complaint(image().add(1, 0xe0000, 0, 1),
                     begin + "0xe0000, 0x1 bytes, RAM ends at 0x400000)");
    // Also what is written below 1 MiB before the kernel starts, though the guest is told of RAM.
    expect_complaint(image().add(1, 0x4ff, 0, 2),
                     begin + "0x4ff, 0x2 bytes, RAM ends at 0x400000)");
    expect_complaint(image().add(1, 0, 0, 0x9fc00),
                     begin + "0x0, 0x9fc00 bytes, RAM ends at 0x400000)");
    expect_complaint(image().add(1, 0xfffff, 0, 1),
                     begin + "0xfffff, 0x1 bytes, RAM ends at 0x400000)");
    expect_complaint(image().add(1, 0x9f000, 0, mib),
                     begin + "0x9f000, 0x100000 bytes, RAM ends at 0x400000)");
    expect_complaint(image().add(1, 0xdffff, 0, 1),
                     "mayfly: kernel: image is not in RAM, or in the firmware's (address "
                     "0xdffff, 0x1 bytes, RAM ends at 0x400000)");
}

TEST(pvh, complains_of_more_segments_than_the_map_holds) {
    image elf;
    for (u32 i = 0; i < 100; i++)
        elf.add(1, mib + 0x2000 * u64{i}, 0, 0x1000);
    expect_complaint(elf, "mayfly: memory map: too many parts (limit 126)");
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

/// Whether notes at the end of the RAM name Linux. What is read past them is found.
bool names_linux(const std::vector<u8>& notes, bool wide = true) {
    fakes::fake_ram ram(ram_end);
    const u32 at = ram_end - static_cast<u32>(notes.size());
    if (!notes.empty())
        std::memcpy(ram.data() + at, notes.data(), notes.size());
    image elf(wide);
    elf.add(1, at, notes.size(), notes.size()).add(4, at, notes.size(), notes.size());
    auto map = with_ram();
    claim_segments(elf.head(), map);
    return boot::is_linux(elf.head(), map, ram.view());
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
    EXPECT_TRUE(names_linux(note(0, "Linux", ""), false));
    EXPECT_FALSE(names_linux(note(6, "Xen", "FreeBSD"), false));
    // Names and descriptors of another length, and empty ones.
    EXPECT_FALSE(names_linux(note(0, "Linux2", "")));
    EXPECT_FALSE(names_linux(note(0, "Linu", "")));
    EXPECT_FALSE(names_linux(note(6, "Xen", "linu")));
    EXPECT_FALSE(names_linux(note(6, "Xe", "linux")));
    std::vector<u8> empty(24);
    EXPECT_FALSE(names_linux(empty));
    const auto linux = note(0, "Linux", "");
    empty.insert(empty.end(), linux.begin(), linux.end());
    EXPECT_TRUE(names_linux(empty));
}

TEST(pvh, reads_no_note_past_its_segment) {
    for (const auto& whole : {note(6, "Xen", "linux"), note(0, "Linux", "abc")}) {
        for (usize length = 0; length < whole.size(); length++)
            EXPECT_FALSE(names_linux({whole.begin(), whole.begin() + static_cast<long>(length)}));
    }
    // Sizes that wrap when they are rounded up or added, in either place and in both.
    const auto whole = note(6, "Xen", "linux");
    for (const u32 size : {0xffffffffu, 0xfffffffdu, 0xfffffffcu, 0xfffffff8u, 0xfffffff0u,
                           0xffffffe0u, 0x80000000u, 0x7ffffffcu, 64u}) {
        auto damaged = whole;
        store<u32>(span_of(damaged), 0, size);
        EXPECT_FALSE(names_linux(damaged)) << size;
        for (const u32 other : {size, 0u - size, 0u - size - 12, 4u}) {
            store<u32>(span_of(damaged), 4, other);
            EXPECT_FALSE(names_linux(damaged)) << size << " " << other;
        }
        damaged = whole;
        store<u32>(span_of(damaged), 4, size);
        EXPECT_FALSE(names_linux(damaged)) << size;
        // Nothing that follows it is found either.
        const auto linux = note(0, "Linux", "");
        damaged.insert(damaged.end(), linux.begin(), linux.end());
        if (size != 64) {
            EXPECT_FALSE(names_linux(damaged)) << size;
        }
    }
}

TEST(pvh, ends_at_a_note_whose_size_wraps_when_it_is_rounded_up) {
    for (const usize field : {0, 4}) {
        for (const u32 size : {0xffffffffu, 0xfffffffeu, 0xfffffffdu, 0u}) {
            std::vector<u8> notes(12);
            store<u32>(span_of(notes), field, size);
            const auto linux = note(0, "Linux", "");
            notes.insert(notes.end(), linux.begin(), linux.end());
            EXPECT_EQ(names_linux(notes), size == 0) << field << " " << size;
        }
    }
}

TEST(pvh, reads_only_notes_that_are_in_ram) {
    fakes::fake_ram ram(ram_end);
    const auto notes = note(0, "Linux", "");
    const auto found = [&](u64 address, u64 size) {
        return boot::is_linux(image().add(4, address, size, 0).head(), with_ram(), ram.view());
    };
    std::memcpy(ram.data() + mib, notes.data(), notes.size());
    EXPECT_TRUE(found(mib, notes.size()));
    EXPECT_TRUE(found(mib, ram_end - mib));
    EXPECT_FALSE(found(mib, 0));
    EXPECT_FALSE(found(mib, notes.size() - 1));
    EXPECT_FALSE(found(mib - 1, notes.size()));
    EXPECT_FALSE(found(mib, ram_end - mib + 1));
    // What low halves alone would allow, and ends that wrap.
    EXPECT_FALSE(found(four_gib + mib, notes.size()));
    EXPECT_FALSE(found(mib, four_gib + notes.size()));
    EXPECT_FALSE(found(mib, ~u64{0}));
    EXPECT_FALSE(found(mib, 0 - u64{mib}));
    EXPECT_FALSE(found(~u64{0}, 1));
    EXPECT_FALSE(found(~u64{0}, mib));
    // Not a segment of notes.
    EXPECT_FALSE(boot::is_linux(image().add(1, mib, notes.size(), notes.size()).head(), with_ram(),
                                ram.view()));
    // Claimed or not.
    auto claimed = with_ram();
    const image elf = image().add(1, mib, 16, 16).add(4, mib, notes.size(), 0);
    claim_segments(elf.head(), claimed);
    EXPECT_TRUE(boot::is_linux(elf.head(), claimed, ram.view()));
    // The last one of several.
    EXPECT_TRUE(boot::is_linux(
        image().add(4, mib + 0x1000, 12, 0).add(4, ram_end, 64, 0).add(4, mib, 64, 0).head(),
        with_ram(), ram.view()));
}

TEST(pvh, reads_no_notes_above_the_last_page_below_4_gib) {
    // Addresses there could not be read here: that nothing faults is the test.
    memory_map map = fakes::empty_map();
    map.set({0xffffe000, four_gib + gib}, memory_type::ram);
    for (const u64 address : {u64{0xfffff000}, u64{0xffffffff}, four_gib, four_gib + mib})
        EXPECT_FALSE(boot::is_linux(image().add(4, address, 64, 0).head(), map, mayfly::memory(0)));
    EXPECT_FALSE(boot::is_linux(image().add(4, 0xffffefff, 2, 0).head(), map, mayfly::memory(0)));
}

TEST(pvh, reads_no_notes_beyond_what_a_segment_has_in_memory) {
    fakes::fake_ram ram(ram_end);
    auto map = with_ram();
    image elf;
    elf.add(1, mib, 0xffffffff, 0x1000).add(4, ram_end, 0x1000, 0);
    claim_segments(elf.head(), map);
    EXPECT_FALSE(boot::is_linux(elf.head(), map, ram.view()));
}

TEST(pvh, writes_what_the_kernel_is_told) {
    fakes::fake_ram ram(0x4000);
    arena work(ram.view(), 0x1000, 0x4000);
    auto map = with_ram();
    map.set({2 * mib, 3 * mib}, tables::claimed_ram);
    const u32 at = boot::write_start_info({0x1111, 0x2222, 0x56789000, 0x3333}, map, work);
    const auto info = load<abi::pvh_start_info>(ram.at(at, 56), 0);
    EXPECT_EQ(info.magic, abi::pvh_magic);
    EXPECT_EQ(info.version, 1u);
    EXPECT_EQ(info.flags, 0u);
    EXPECT_EQ(info.reserved, 0u);
    EXPECT_EQ(info.command_line, 0x1111u);
    EXPECT_EQ(info.rsdp, 0x2222u);
    EXPECT_EQ(info.module_count, 1u);
    const auto module = load<abi::pvh_module>(ram.at(static_cast<u32>(info.modules), 32), 0);
    EXPECT_EQ(module.address, 0x56789000u);
    EXPECT_EQ(module.size, 0x3333u);
    EXPECT_EQ(module.command_line, 0u);
    EXPECT_EQ(module.reserved, 0u);
    ASSERT_EQ(info.memory_map_count, 4u);
    const auto last =
        load<abi::pvh_memory_entry>(ram.at(static_cast<u32>(info.memory_map) + 72, 24), 0);
    EXPECT_EQ(last.address, mib);
    EXPECT_EQ(last.size, 3 * mib);
    EXPECT_EQ(last.type, 1u);
    EXPECT_EQ(last.reserved, 0u);
    const u32 none = boot::write_start_info({}, map, work);
    const auto empty = load<abi::pvh_start_info>(ram.at(none, 56), 0);
    EXPECT_EQ(empty.module_count, 0u);
    EXPECT_EQ(empty.modules, 0u);
}

TEST(pvh, has_room_for_the_largest_map) {
    memory_map map = fakes::empty_map();
    for (u64 i = 0; i < memory_map::capacity; i++)
        map.set({i, i + 1}, i % 2 == 0 ? memory_type::ram : memory_type::reserved);
    fakes::fake_ram ram(0x3000);
    arena work(ram.view(), 0x1000, 0x3000);
    const u32 at = boot::write_start_info({0, 0, 1, 2}, map, work);
    const auto info = load<abi::pvh_start_info>(ram.at(at, 56), 0);
    EXPECT_EQ(info.memory_map_count, 126u);
    const u32 entries = static_cast<u32>(info.memory_map);
    EXPECT_EQ(load<abi::pvh_memory_entry>(ram.at(entries + 125 * 24, 24), 0).address, 125u);
    EXPECT_GE(info.modules, entries + 126 * 24);
    EXPECT_EQ(load<abi::pvh_module>(ram.at(static_cast<u32>(info.modules), 32), 0).size, 2u);
}

TEST(pvh, complains_where_the_work_area_is_full) {
    constexpr u32 entries = 126 * 24 + 4, module = 32, info = 56;
    constexpr u32 before_module = align_up(entries, 16u), before_info = before_module + module;
    fakes::fake_ram ram(0x2000);
    const auto map = with_ram();
    for (u32 size = 0; size <= before_info + info + 16; size += 16) {
        arena work(ram.view(), 0x800, 0x800 + size);
        if (size >= before_info + info) {
            (void)boot::write_start_info({}, map, work);
            continue;
        }
        const u32 wanted = size < entries ? entries : size < before_info ? module : info;
        const u32 left = size < entries       ? size
                         : size < before_info ? size - entries
                                              : size - before_info;
        expect_stop([&] { (void)boot::write_start_info({}, map, work); },
                    "mayfly: firmware: work area is full (" + std::to_string(wanted) + " bytes, " +
                        std::to_string(left) + " left)");
    }
}

}  // namespace
}  // namespace mayfly::test
