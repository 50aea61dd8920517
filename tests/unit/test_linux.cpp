// SPDX-License-Identifier: MIT
#include "boot/linux.hpp"

#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <source_location>

#include "fakes/empty_map.hpp"
#include "fakes/fake_fw_cfg.hpp"
#include "hw/fw_cfg.hpp"
#include "unit/expect.hpp"

namespace mayfly::test {
namespace {

using abi::setup_header;
using boot::linux_trailer;
using tables::claimed_ram;
using tables::memory_map;
using tables::memory_type;
using tables::range;

constexpr auto ram = memory_type::ram;

/// A small relocatable kernel of 1 MiB that wants to run at 16 MiB.
setup_header good_header() {
    setup_header out = {};
    out.boot_flag = 0xaa55;
    out.jump = 0xeb;
    out.jump_offset = 0x6a;
    out.header = abi::linux_header_magic;
    out.version = 0x20f;
    out.loadflags = 1;
    out.syssize = 0x10000;
    out.kernel_alignment = 0x200000;
    out.relocatable_kernel = 1;
    out.pref_address = 16 * mib;
    out.init_size = 4 * mib;
    out.initrd_addr_max = 0x7fffffff;
    return out;
}

memory_map with_ram(u64 end, u64 above_4g = 0) {
    memory_map out = fakes::empty_map();
    out.note_low_ram_end(end);
    out.set({mib, end}, ram);
    out.set({four_gib, four_gib + above_4g}, ram);
    return out;
}

/// Whether all of `where` is of one type.
bool is_all(const memory_map& map, range where, memory_type type) {
    for (u32 i = 0; i < map.parts(); i++) {
        if (fakes::overlap(map.part(i), where) && map.type(i) != type)
            return false;
    }
    return map.parts() != 0 && map.part(map.parts() - 1).end >= where.end;
}

/// What the plan complains of.
void expect_no_plan(const setup_header& header, const linux_trailer& trailer, memory_map map,
                    const std::string& said,
                    std::source_location where = std::source_location::current()) {
    expect_stop([&] { (void)boot::plan_linux(header, trailer, map); }, said, where);
}

void expect_complaint(const std::function<void(setup_header&)>& damage, const std::string& said) {
    auto header = good_header();
    damage(header);
    expect_stop([&] { boot::check_linux_header(header); }, said);
}

TEST(linux_header, is_checked) {
    boot::check_linux_header(good_header());
    expect_complaint([](auto& h) { h.boot_flag = 0x55aa; },
                     "mayfly: kernel: damaged header (boot_flag 0x55aa, must be 0xaa55)");
    expect_complaint([](auto& h) { h.syssize = 0; }, "mayfly: kernel: damaged header (syssize 0)");
    expect_complaint([](auto& h) { h.syssize = 0xfffff01; },
                     "mayfly: kernel: damaged header (syssize 268435201)");
    expect_complaint([](auto& h) { h.syssize = 0x10000000; },
                     "mayfly: kernel: damaged header (syssize 268435456)");
    expect_complaint([](auto& h) { h.syssize = 0xffffffff; },
                     "mayfly: kernel: damaged header (syssize 4294967295)");
    auto largest = good_header();
    largest.syssize = 0xfffff00;
    boot::check_linux_header(largest);
    for (const u32 alignment : {0u, 3u, 0xffffffffu}) {
        expect_complaint(
            [&](auto& h) { h.kernel_alignment = alignment; },
            alignment == 0 ? "mayfly: kernel: damaged header (kernel_alignment 0x0 is "
                             "not a power of two)"
            : alignment == 3
                ? "mayfly: kernel: damaged header (kernel_alignment 0x3 is not a power "
                  "of two)"
                : "mayfly: kernel: damaged header (kernel_alignment 0xffffffff is not "
                  "a power of two)");
    }
    expect_complaint([](auto& h) { h.init_size = 0; },
                     "mayfly: kernel: damaged header (init_size 0)");
    const std::string old = "mayfly: kernel: the 16-bit entry is not supported yet (protocol ";
    expect_complaint([](auto& h) { h.version = 0x209; }, old + "0x209, at least 0x20a)");
    expect_complaint([](auto& h) { h.version = 0; }, old + "0x0, at least 0x20a)");
    expect_complaint([](auto& h) { h.loadflags = 0x80; }, old + "0x20f, at least 0x20a)");
    expect_complaint([](auto& h) { h.jump_offset = 0x61; }, old + "0x20f, at least 0x20a)");
    auto shortest = good_header();
    shortest.jump_offset = 0x62;
    boot::check_linux_header(shortest);
    auto fixed = good_header();
    fixed.relocatable_kernel = 0;
    fixed.kernel_alignment = 3;
    boot::check_linux_header(fixed);
}

TEST(plan_linux, puts_a_kernel_where_it_wants_to_run) {
    auto map = with_ram(32 * mib);
    const auto plan = boot::plan_linux(good_header(), {}, map);
    EXPECT_EQ(plan.kernel, 16 * mib);
    EXPECT_EQ(plan.kernel_size, mib);
    EXPECT_EQ(plan.initrd, 0u);
    EXPECT_EQ(plan.initrd_size, 0u);
    EXPECT_EQ(plan.trailer, 0u);
    EXPECT_TRUE(is_all(map, {mib, 16 * mib}, ram));
    EXPECT_TRUE(is_all(map, {16 * mib, 20 * mib}, claimed_ram));
    EXPECT_TRUE(is_all(map, {20 * mib, 32 * mib}, ram));
    EXPECT_TRUE(map.is_ram({mib, 32 * mib}));
}

TEST(plan_linux, claims_what_a_kernel_needs_to_start_or_is_whatever_is_more) {
    auto header = good_header();
    header.syssize = (4 * mib + 32) / 16;
    auto map = with_ram(32 * mib);
    EXPECT_EQ(boot::plan_linux(header, {}, map).kernel_size, 4 * mib + 32);
    EXPECT_TRUE(is_all(map, {16 * mib, 20 * mib + 32}, claimed_ram));
    EXPECT_TRUE(is_all(map, {20 * mib + 32, 32 * mib}, ram));
}

TEST(plan_linux, puts_a_kernel_behind_what_is_taken) {
    auto map = with_ram(32 * mib);
    map.set({17 * mib, 17 * mib + 1}, memory_type::nvs);
    EXPECT_EQ(boot::plan_linux(good_header(), {}, map).kernel, 18 * mib);
    auto claimed = with_ram(32 * mib);
    claimed.set({17 * mib, 17 * mib + 1}, claimed_ram);
    EXPECT_EQ(boot::plan_linux(good_header(), {}, claimed).kernel, 18 * mib);
    // Never below where it wants to run, and never above 4 GiB.
    auto below = with_ram(17 * mib, gib);
    expect_no_plan(good_header(), {}, below,
                   "mayfly: kernel: does not fit into the RAM (4194304 bytes from 0x1000000, RAM "
                   "ends at 0x1100000)");
}

TEST(plan_linux, uses_the_last_byte_of_ram_and_no_more) {
    auto exact = with_ram(20 * mib);
    EXPECT_EQ(boot::plan_linux(good_header(), {}, exact).kernel, 16 * mib);
    expect_no_plan(good_header(), {}, with_ram(20 * mib - 1),
                   "mayfly: kernel: does not fit into the RAM (4194304 bytes from 0x1000000, RAM "
                   "ends at 0x13fffff)");
}

TEST(plan_linux, bounds_sizes_and_addresses_that_would_wrap) {
    const std::string begin = "mayfly: kernel: does not fit into the RAM (";
    const std::string end = ", RAM ends at 0xc0000000)";
    auto header = good_header();
    header.syssize = 0xfffff00;
    const auto map = with_ram(0xc0000000);
    expect_no_plan(header, {}, map, begin + "4294963200 bytes from 0x1000000" + end);
    header.relocatable_kernel = 0;
    expect_no_plan(header, {}, map, begin + "4294963200 bytes from 0x100000" + end);
    header = good_header();
    header.init_size = 0xffffffff;
    expect_no_plan(header, {}, map, begin + "4294967295 bytes from 0x1000000" + end);
    for (const bool relocatable : {true, false}) {
        header = good_header();
        header.relocatable_kernel = relocatable ? 1 : 0;
        header.pref_address = ~u64{0};
        expect_no_plan(header, {}, map, begin + "4194304 bytes from 0xffffffffffffffff" + end);
        header.pref_address = 0 - u64{4 * mib};
        expect_no_plan(header, {}, map, begin + "4194304 bytes from 0xffffffffffc00000" + end);
        header.pref_address = four_gib + 16 * mib;
        expect_no_plan(header, {}, with_ram(0xc0000000, gib),
                       begin + "4194304 bytes from 0x101000000" + end);
        header.pref_address = 0xfffff000;
        expect_no_plan(header, {}, map, begin + "4194304 bytes from 0xfffff000" + end);
        header.pref_address = 0xffffffff;
        expect_no_plan(header, {}, map, begin + "4194304 bytes from 0xffffffff" + end);
    }
    header = good_header();
    header.kernel_alignment = 0x80000000;
    auto aligned = with_ram(0xc0000000);
    EXPECT_EQ(boot::plan_linux(header, {}, aligned).kernel, 0x80000000u);
    header.pref_address = 0x80000001;
    expect_no_plan(header, {}, map, begin + "4194304 bytes from 0x80000001" + end);
}

TEST(plan_linux, places_nothing_where_the_image_is) {
    auto map = with_ram(four_gib);
    map.set({0xffff0000, four_gib}, memory_type::reserved);  // as the firmware makes it
    auto header = good_header();
    for (const bool relocatable : {true, false}) {
        header.relocatable_kernel = relocatable ? 1 : 0;
        header.kernel_alignment = 1;
        header.pref_address = 0xffff0000 - 4 * mib;
        auto exact = map;
        EXPECT_EQ(boot::plan_linux(header, {}, exact).kernel, relocatable ? 0xffbf0000 : mib);
        EXPECT_TRUE(is_all(exact, {0xffbf0000, 0xffff0000}, claimed_ram));
        header.pref_address = header.pref_address + 1;
        expect_no_plan(header, {}, map,
                       "mayfly: kernel: does not fit into the RAM (4194304 bytes from 0xffbf0001, "
                       "RAM ends at 0xfffff000)");
    }
}

TEST(plan_linux, loads_a_fixed_kernel_at_1_mib) {
    auto header = good_header();
    header.relocatable_kernel = 0;
    auto map = with_ram(32 * mib);
    const auto plan = boot::plan_linux(header, {}, map);
    EXPECT_EQ(plan.kernel, mib);
    EXPECT_TRUE(is_all(map, {mib, 2 * mib}, claimed_ram));
    EXPECT_TRUE(is_all(map, {2 * mib, 16 * mib}, ram));
    EXPECT_TRUE(is_all(map, {16 * mib, 20 * mib}, claimed_ram));
    EXPECT_TRUE(is_all(map, {20 * mib, 32 * mib}, ram));
    expect_no_plan(header, {}, with_ram(mib + 1),
                   "mayfly: kernel: does not fit into the RAM (1048576 bytes from 0x100000, RAM "
                   "ends at 0x100001)");
    // The two places may overlap: it moves itself.
    header.pref_address = mib;
    auto same = with_ram(5 * mib);
    EXPECT_EQ(boot::plan_linux(header, {}, same).kernel, mib);
    EXPECT_TRUE(is_all(same, {mib, 5 * mib}, claimed_ram));
}

TEST(plan_linux, refuses_a_fixed_kernel_whose_place_is_taken) {
    auto header = good_header();
    header.relocatable_kernel = 0;
    auto load_address = with_ram(32 * mib);
    load_address.set({2 * mib - 1, 2 * mib}, memory_type::reserved);
    expect_no_plan(header, {}, load_address,
                   "mayfly: kernel: does not fit into the RAM (1048576 bytes from 0x100000, RAM "
                   "ends at 0x2000000)");
    auto run_address = with_ram(32 * mib);
    run_address.set({20 * mib - 1, 20 * mib}, memory_type::nvs);
    expect_no_plan(header, {}, run_address,
                   "mayfly: kernel: does not fit into the RAM (4194304 bytes from 0x1000000, RAM "
                   "ends at 0x2000000)");
}

TEST(plan_linux, puts_the_initrd_as_high_as_the_kernel_allows) {
    auto header = good_header();
    header.ramdisk_size = 5000;
    const auto initrd = [&](u64 end) {
        auto map = with_ram(end);
        const auto plan = boot::plan_linux(header, {}, map);
        EXPECT_EQ(plan.initrd_size, 5000u);
        EXPECT_TRUE(is_all(map, {plan.initrd, plan.initrd + 5000}, claimed_ram));
        return plan.initrd;
    };
    EXPECT_EQ(initrd(32 * mib), 32 * mib - 8192);
    EXPECT_EQ(initrd(four_gib), 0x80000000u - 8192);
    header.initrd_addr_max = 24 * mib - 1;
    EXPECT_EQ(initrd(32 * mib), 24 * mib - 8192);
    // Whole pages: what is behind its last byte must be allowed too.
    header.initrd_addr_max = 24 * mib - 2;
    EXPECT_EQ(initrd(32 * mib), 24 * mib - 8192 - 4096);
    header.initrd_addr_max = 24 * mib - 8192 + 4998;
    EXPECT_EQ(initrd(32 * mib), 24 * mib - 8192 - 4096);
    for (const u32 most : {0xffffffffu, 0xfffffffeu, 0xfffff000u, 0xffffefffu}) {
        header.initrd_addr_max = most;
        EXPECT_EQ(initrd(32 * mib), 32 * mib - 8192);
        EXPECT_EQ(initrd(four_gib), 0xfffff000u - 8192);
    }
    header.initrd_addr_max = 0xffffeffe;
    EXPECT_EQ(initrd(four_gib), 0xfffff000u - 8192 - 4096);
    header.initrd_addr_max = 0;
    expect_no_plan(header, {}, with_ram(32 * mib),
                   "mayfly: initrd: does not fit into the RAM (5000 bytes, RAM ends at 0x2000000)");
}

TEST(plan_linux, puts_the_initrd_above_4_gib_only_where_it_may) {
    auto header = good_header();
    header.ramdisk_size = 24 * mib;
    expect_no_plan(header, {}, with_ram(32 * mib, gib),
                   "mayfly: initrd: does not fit into the RAM (25165824 bytes, RAM ends at "
                   "0x2000000)");
    header.xloadflags = 2;
    auto high = with_ram(32 * mib, gib);
    EXPECT_EQ(boot::plan_linux(header, {}, high).initrd, four_gib);
    EXPECT_TRUE(is_all(high, {four_gib, four_gib + 24 * mib}, claimed_ram));
    EXPECT_TRUE(is_all(high, {four_gib + 24 * mib, four_gib + gib}, ram));
    // Below wherever there is room, whatever the header says of the highest address.
    header.initrd_addr_max = 17 * mib;
    auto low = with_ram(64 * mib, gib);
    EXPECT_EQ(boot::plan_linux(header, {}, low).initrd, 40 * mib);
    header.ramdisk_size = 0xffffffff;
    expect_no_plan(header, {}, with_ram(32 * mib, gib),
                   "mayfly: initrd: does not fit into the RAM (4294967295 bytes, RAM ends at "
                   "0x2000000)");
    auto large = with_ram(32 * mib, four_gib);
    EXPECT_EQ(boot::plan_linux(header, {}, large).initrd, four_gib);
}

TEST(plan_linux, keeps_what_qemu_appended) {
    auto header = good_header();
    const linux_trailer trailer{mib, 16};  // behind 1 MiB of kernel
    auto map = with_ram(32 * mib);
    const auto plan = boot::plan_linux(header, trailer, map);
    EXPECT_EQ(plan.trailer, 32 * mib - page_size);
    EXPECT_EQ(plan.kernel_size, mib);
    EXPECT_TRUE(is_all(map, {20 * mib, 32 * mib - page_size}, ram));
    EXPECT_TRUE(is_all(map, {32 * mib - page_size, 32 * mib}, claimed_ram));
    // An initrd comes below it.
    header.ramdisk_size = 1;
    auto both = with_ram(32 * mib);
    EXPECT_EQ(boot::plan_linux(header, trailer, both).initrd, 32 * mib - 2 * page_size);
    // As high as anything, whatever the kernel says of the initrd.
    header.initrd_addr_max = 24 * mib - 1;
    auto apart = with_ram(32 * mib);
    const auto other = boot::plan_linux(header, trailer, apart);
    EXPECT_EQ(other.initrd, 24 * mib - page_size);
    EXPECT_EQ(other.trailer, 32 * mib - page_size);
}

TEST(plan_linux, complains_of_a_kernel_that_ends_behind_what_qemu_appended) {
    for (const u32 offset : {16u, u32{mib} - 1}) {
        expect_no_plan(good_header(), {offset, 16}, with_ram(32 * mib),
                       "mayfly: kernel: image is cut short (" + std::to_string(offset) +
                           " bytes, the header says 1048576)");
    }
    for (const u32 offset : {u32{mib}, u32{mib} + 1, u32{3 * mib}, 0xffffffe0u}) {
        auto behind = with_ram(32 * mib);
        EXPECT_EQ(boot::plan_linux(good_header(), {offset, 16}, behind).kernel_size, mib);
    }
}

TEST(plan_linux, complains_where_what_qemu_appended_does_not_fit) {
    expect_no_plan(good_header(), {mib, 0xffeffff0}, with_ram(32 * mib),
                   "mayfly: kernel: does not fit into the RAM (4293918704 bytes from 0x0, RAM ends "
                   "at 0x2000000)");
    auto low = with_ram(20 * mib);
    low.set({mib, 16 * mib}, memory_type::reserved);
    expect_no_plan(good_header(), {mib, 16}, low,
                   "mayfly: kernel: does not fit into the RAM (16 bytes from 0x0, RAM ends at "
                   "0x1400000)");
}

/// fw_cfg with a kernel that something may be appended to.
struct kernel_files {
    fakes::fake_ram ram{0x4000};
    fakes::fake_machine machine;
    fakes::fake_fw_cfg device{machine, ram};
    arena work{ram.view(), 0x1000, 0x4000};
    hw::fw_cfg<fakes::fake_machine> config{machine, work};
    std::vector<u8> image;
    setup_header header = good_header();

    explicit kernel_files(u32 size) : image(size, 0xcc) {}

    /// Puts a node of `length` bytes and its head at `offset`.
    void put_node(u32 offset, u32 length) {
        store(span_of(image), offset, abi::setup_data_node{0, 2, length});
    }
    /// One that ends where the image ends.
    void put_last_node(u32 offset) {
        put_node(offset, static_cast<u32>(image.size()) - offset - sizeof(abi::setup_data_node));
    }

    linux_trailer find(u64 setup_data, u32 size) {
        device.set_u32(abi::fw_cfg_key::kernel_size, size);
        device.set_item(abi::fw_cfg_key::kernel_data, image);
        header.setup_data = setup_data;
        return boot::find_trailer(header, config, work);
    }
    linux_trailer find(u64 setup_data) { return find(setup_data, static_cast<u32>(image.size())); }

    void expect_none(u64 setup_data, u32 size,
                     std::source_location where = std::source_location::current()) {
        expect_stop([&] { (void)find(setup_data, size); },
                    "mayfly: kernel: damaged header (setup_data " + fakes::hex(setup_data) +
                        " is not in the image, which ends at " + fakes::hex(mib + size) + ")",
                    where);
    }
    void expect_none(u64 setup_data, std::source_location where = std::source_location::current()) {
        expect_none(setup_data, static_cast<u32>(image.size()), where);
    }
};

/// By how much QEMU 10 and later are off.
u32 setup_size(const setup_header& header) {
    return 512u * (1 + (header.setup_sects == 0 ? 4 : header.setup_sects));
}

TEST(find_trailer, asks_nothing_where_nothing_was_appended) {
    kernel_files it(64);
    const auto none = it.find(0);
    EXPECT_EQ(none.offset, 0u);
    EXPECT_EQ(none.size, 0u);
    EXPECT_TRUE(it.device.transfers().empty());
}

TEST(find_trailer, follows_every_version_of_qemu) {
    for (const u32 sectors : {0u, 1u, 4u, 15u, 39u, 64u, 255u}) {
        for (const u32 offset : {1u, 16u, 2559u, 2560u, 2561u, 0x8000u, 0x30000u}) {
            for (const u32 length : {0u, 1u, 100u, 2560u, 0x40000u}) {
                for (const bool since_10 : {false, true}) {
                    kernel_files it(offset + sizeof(abi::setup_data_node) + length);
                    it.header.setup_sects = static_cast<u8>(sectors);
                    it.put_last_node(offset);
                    const u32 off_by = since_10 ? setup_size(it.header) : 0;
                    const auto found = it.find(mib + offset + off_by);
                    EXPECT_EQ(found.offset, offset) << sectors << " " << length << " " << since_10;
                    EXPECT_EQ(found.size, sizeof(abi::setup_data_node) + length);
                }
            }
        }
    }
}

TEST(find_trailer, counts_4_setup_sectors_where_the_header_says_0) {
    kernel_files it(0x4000);
    it.put_last_node(0x100);
    it.header.setup_sects = 0;
    EXPECT_EQ(it.find(mib + 0x100 + 5 * 512).offset, 0x100u);
    it.header.setup_sects = 4;
    EXPECT_EQ(it.find(mib + 0x100 + 5 * 512).offset, 0x100u);
    it.header.setup_sects = 255;
    it.expect_none(mib + 0x100 + 5 * 512);
    it.header.setup_sects = 3;
    it.expect_none(mib + 0x100 + 5 * 512);
    EXPECT_EQ(it.find(mib + 0x100 + 4 * 512).offset, 0x100u);
}

TEST(find_trailer, reads_no_more_than_it_must) {
    constexpr u32 kernel_size_read = 0x08 << 16 | abi::dma_select | abi::dma_read;
    constexpr u32 skip = 0x11 << 16 | abi::dma_select | abi::dma_skip;
    const auto controls = [](const kernel_files& it) {
        std::vector<std::pair<u32, u32>> out;
        for (const auto& one : it.device.transfers())
            out.emplace_back(one.control, one.length);
        return out;
    };
    kernel_files first(0x4000);
    first.put_last_node(0x3000);
    EXPECT_EQ(first.find(mib + 0x3000).offset, 0x3000u);
    EXPECT_EQ(controls(first), (std::vector<std::pair<u32, u32>>{
                                   {kernel_size_read, 4}, {skip, 0x3000}, {abi::dma_read, 16}}));
    // Where it cannot be, nothing is read.
    kernel_files second(0x4000);
    second.put_last_node(0x3800);
    EXPECT_EQ(second.find(mib + 0x3800 + 2560).offset, 0x3800u);
    EXPECT_EQ(controls(second), (std::vector<std::pair<u32, u32>>{
                                    {kernel_size_read, 4}, {skip, 0x3800}, {abi::dma_read, 16}}));
    kernel_files none(0x1000);
    none.expect_none(0x1000);
    EXPECT_EQ(none.device.transfers().size(), 1u);
}

TEST(find_trailer, takes_the_first_of_two_that_both_end_well) {
    kernel_files it(0x4000);
    it.put_last_node(0x2000);
    it.put_last_node(0x2000 - 2560);
    EXPECT_EQ(it.find(mib + 0x2000).offset, 0x2000u);
}

TEST(find_trailer, refuses_a_node_that_ends_elsewhere) {
    kernel_files it(0x4000);
    constexpr u32 good = 0x4000 - 0x3000 - 16;
    for (const u32 length : {good - 1, good + 1, 0u, good + 16, 0x4000u, 0xffffffffu, 0u - 0x3000u,
                             good | 0x80000000u}) {
        it.put_node(0x3000, length);
        it.expect_none(mib + 0x3000);
        it.expect_none(mib + 0x3000 + 2560);
    }
    it.put_node(0x3000, good);
    EXPECT_EQ(it.find(mib + 0x3000).size, good + 16);
    // The image is as long as KERNEL_SIZE says.
    it.expect_none(mib + 0x3000, 0x3fff);
    it.expect_none(mib + 0x3000, 0x4001);
}

TEST(find_trailer, refuses_offset_0) {
    kernel_files it(0x4000);
    it.put_last_node(0);
    it.expect_none(mib);
    it.expect_none(mib + 2560);
    it.put_last_node(1);
    EXPECT_EQ(it.find(mib + 1).offset, 1u);
    EXPECT_EQ(it.find(mib + 2561).offset, 1u);
}

TEST(find_trailer, refuses_what_is_not_in_the_image) {
    kernel_files it(0x4000);
    it.put_last_node(0x4000 - 16);
    EXPECT_EQ(it.find(mib + 0x4000 - 16).size, 16u);
    EXPECT_EQ(it.find(mib + 0x4000 - 16 + 2560).size, 16u);
    for (const u64 setup_data :
         {u64{1}, u64{2560}, mib - 1, mib - 0x4000, mib + 0x4000 - 15, mib + 0x4000 - 1,
          mib + 0x4000, mib + 0x4001, mib + 0x4000 - 15 + 2560, mib + 0x4000 + 2560, 2 * mib,
          u64{0xffffffff}, ~u64{0}, ~u64{0} - 15})
        it.expect_none(setup_data);
    it.expect_none(1, 0xffffffff);
    it.expect_none(~u64{0}, 0xffffffff);
}

TEST(find_trailer, compares_all_of_a_pointer) {
    kernel_files it(0x4000);
    it.put_last_node(0x2000);
    for (const u64 high : {u64{1} << 32, u64{1} << 33, u64{1} << 63, ~u64{0} << 32}) {
        it.expect_none(high | (mib + 0x2000));
        it.expect_none(high | (mib + 0x2000 + 2560));
    }
    EXPECT_EQ(it.find(mib + 0x2000).offset, 0x2000u);
}

TEST(find_trailer, bounds_an_image_smaller_than_a_node) {
    kernel_files it(0x100);
    it.put_node(1, 0);
    for (u32 size = 0; size < 17; size++) {
        it.expect_none(mib + 1, size);
        it.expect_none(mib + 1 + 2560, size);
        it.expect_none(mib + size, size);
        it.expect_none(mib - 1 + size, size);
    }
    for (const auto& one : it.device.transfers())
        EXPECT_EQ(one.control >> 16, 0x08u);  // the size, never the content
    const auto found = it.find(mib + 1, 17);
    EXPECT_EQ(found.offset, 1u);
    EXPECT_EQ(found.size, 16u);
}

TEST(find_trailer, says_that_the_work_area_is_full) {
    kernel_files it(0x100);
    it.put_last_node(0x80);
    while (it.work.room() != 0)
        (void)it.work.allocate(1, 1);
    expect_stop([&] { (void)it.find(mib + 0x80); },
                "mayfly: firmware: work area is full (16 bytes, 0 left)");
}

TEST(find_trailer, finds_what_trying_both_places_finds) {
    std::mt19937 random(6);
    u32 count = 0;
    for (int round = 0; round < 2000; round++) {
        kernel_files it(17 + random() % 6000);
        const u32 size = static_cast<u32>(it.image.size());
        it.header.setup_sects = static_cast<u8>(random() % 8);
        const u64 pointed = random() % (size + 4000);
        const u64 candidates[] = {pointed, pointed - setup_size(it.header)};
        // A node at either place, or at none, whose end is right or not.
        for (const u64 at : candidates) {
            if (at >= size || size - at < sizeof(abi::setup_data_node) || random() % 3 == 0)
                continue;
            it.put_last_node(static_cast<u32>(at));
            if (random() % 4 == 0)
                it.put_node(static_cast<u32>(at), random());
        }
        linux_trailer expected;
        for (const u64 at : candidates) {
            if (expected.size != 0 || at == 0 || at >= size || size - at < 16)
                continue;
            if (load<u32>(span_of(it.image), at + 12) + u64{16} == size - at)
                expected = {static_cast<u32>(at), static_cast<u32>(size - at)};
        }
        if (expected.size == 0) {
            it.expect_none(mib + pointed);
            continue;
        }
        count++;
        const auto found = it.find(mib + pointed);
        EXPECT_EQ(found.offset, expected.offset);
        EXPECT_EQ(found.size, expected.size);
    }
    EXPECT_GT(count, 500u);
    EXPECT_LT(count, 1800u);
}

TEST(linux_image, is_told_from_other_programs_in_its_format) {
    for (const std::string name : {"generic", "cloud", "rt", "i386"}) {
        auto head = captured("kernels/" + name + ".bin");
        EXPECT_TRUE(boot::is_linux(as<setup_header>(span_of(head), abi::setup_header_offset)));
    }
    EXPECT_FALSE(boot::is_linux(good_header()));
}

TEST(boot_params, say_where_everything_is) {
    for (const std::string name : {"generic", "cloud", "rt", "i386"}) {
        auto head = captured("kernels/" + name + ".bin");
        auto map = with_ram(0xc0000000, gib);
        const auto header = load<setup_header>(span_of(head), abi::setup_header_offset);
        boot::check_linux_header(header);
        const auto plan = boot::plan_linux(header, {}, map);
        auto params = std::make_unique<abi::boot_params>();
        std::memset(params.get(), 0, sizeof *params);  // as the firmware takes it
        auto with_initrd = plan;
        with_initrd.initrd = 0x123456789000;
        with_initrd.initrd_size = 77;
        with_initrd.trailer = 0x7654000;
        boot::write_boot_params(*params, header, with_initrd, map, 0xe1000, 0xe2000);
        EXPECT_EQ(params->hdr.header, abi::linux_header_magic);
        EXPECT_EQ(params->hdr.version, u16{header.version});
        EXPECT_EQ(params->hdr.type_of_loader, 0xff);
        EXPECT_EQ(params->hdr.code32_start, plan.kernel);
        EXPECT_EQ(params->hdr.ramdisk_image, 0x56789000u);
        EXPECT_EQ(params->ext_ramdisk_image, 0x1234u);
        EXPECT_EQ(params->hdr.ramdisk_size, 77u);
        EXPECT_EQ(params->hdr.setup_data, 0x7654000u);
        EXPECT_EQ(params->hdr.cmd_line_ptr, 0xe1000u);
        EXPECT_EQ(params->acpi_rsdp_addr, 0xe2000u);
        EXPECT_EQ(params->alt_mem_k, (0xc0000000u - mib) / kib);
        // The kernel's place is RAM for the guest.
        ASSERT_EQ(params->e820_entries, 2);
        EXPECT_EQ(params->e820_table[0].address, mib);
        EXPECT_EQ(params->e820_table[0].length, 0xc0000000u - mib);
        EXPECT_EQ(params->e820_table[0].type, 1u);
        EXPECT_EQ(params->e820_table[1].address, four_gib);
        EXPECT_EQ(params->e820_table[1].length, gib);
        EXPECT_EQ(params->unused_26c[0], 0);
    }
}

TEST(boot_params, keep_the_number_of_a_loader) {
    auto header = good_header();
    header.type_of_loader = 0xb0;
    auto params = std::make_unique<abi::boot_params>();
    boot::write_boot_params(*params, header, {}, with_ram(2 * mib), 0, 0);
    EXPECT_EQ(params->hdr.type_of_loader, 0xb0);
    EXPECT_EQ(params->alt_mem_k, 1024u);
}

TEST(boot_params, copy_no_more_header_than_the_image_has) {
    auto header = good_header();
    header.jump_offset = 0x62;
    header.handover_offset = 0x11223344;
    auto params = std::make_unique<abi::boot_params>();
    memory_map map = fakes::empty_map();
    map.note_low_ram_end(mib);
    for (u64 i = 0; i < memory_map::capacity; i++)
        map.set({i, i + 1}, i % 2 == 0 ? ram : memory_type::reserved);
    boot::write_boot_params(*params, header, {}, map, 0, 0);
    EXPECT_EQ(params->hdr.init_size, 4 * mib);
    EXPECT_EQ(params->hdr.handover_offset, 0u);
    EXPECT_EQ(params->e820_entries, 126);
    EXPECT_EQ(params->e820_table[125].address, 125u);
    EXPECT_EQ(params->e820_table[126].length, 0u);
    EXPECT_EQ(params->unused_cd0[0], 0);
    EXPECT_EQ(params->alt_mem_k, 0u);
    header.jump_offset = 0xff;
    boot::write_boot_params(*params, header, {}, map, 0, 0);
    EXPECT_EQ(params->hdr.handover_offset, 0x11223344u);
    EXPECT_EQ(params->unused_26c[0], 0);
}

}  // namespace
}  // namespace mayfly::test
