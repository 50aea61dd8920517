// SPDX-License-Identifier: MIT
#include "boot/linux.hpp"

#include <cstring>
#include <functional>
#include <memory>

#include "unit/expect.hpp"

namespace mayfly::test {
namespace {

using abi::setup_header;
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

tables::address_space with_ram(u64 end, u64 above_4g = 0) {
    tables::address_space out;
    out.ram_end = end;
    for (auto* map : {&out.guest, &out.free}) {
        expect_ok(map->set({mib, end}, ram));
        if (above_4g != 0)
            expect_ok(map->set({four_gib, four_gib + above_4g}, ram));
    }
    return out;
}

void expect_complaint(const std::function<void(setup_header&)>& damage, const std::string& said) {
    auto header = good_header();
    damage(header);
    expect_sentence(boot::check_linux_header(header), said);
}

TEST(linux_header, is_checked) {
    expect_ok(boot::check_linux_header(good_header()));
    expect_complaint([](auto& h) { h.boot_flag = 0x55aa; },
                     "mayfly: kernel: damaged header (boot_flag 0x55aa, must be 0xaa55)");
    expect_complaint([](auto& h) { h.syssize = 0; }, "mayfly: kernel: damaged header (syssize 0)");
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
    const std::string old =
        "mayfly: kernel: only the 16-bit entry fits, which is not supported yet (protocol ";
    expect_complaint([](auto& h) { h.version = 0x209; }, old + "0x209, at least 0x20a)");
    expect_complaint([](auto& h) { h.version = 0; }, old + "0x0, at least 0x20a)");
    expect_complaint([](auto& h) { h.loadflags = 0x80; }, old + "0x20f, at least 0x20a)");
    expect_complaint([](auto& h) { h.jump_offset = 0x61; }, old + "0x20f, at least 0x20a)");
    auto shortest = good_header();
    shortest.jump_offset = 0x62;
    expect_ok(boot::check_linux_header(shortest));
    auto fixed = good_header();
    fixed.relocatable_kernel = 0;
    fixed.kernel_alignment = 3;
    expect_ok(boot::check_linux_header(fixed));
}

TEST(plan_linux, puts_a_kernel_where_it_wants_to_run) {
    auto space = with_ram(32 * mib);
    const auto plan = boot::plan_linux(good_header(), 0, space);
    expect_ok(plan);
    EXPECT_EQ(plan.value().kernel, 16 * mib);
    EXPECT_EQ(plan.value().kernel_size, mib);
    EXPECT_EQ(plan.value().initrd_size, 0u);
    EXPECT_EQ(plan.value().trailer, 0u);
    EXPECT_FALSE(space.free.is_all({16 * mib, 16 * mib + 1}, ram));
    EXPECT_TRUE(space.free.is_all({20 * mib, 32 * mib}, ram));
    EXPECT_TRUE(space.guest.is_all({mib, 32 * mib}, ram));
}

TEST(plan_linux, uses_the_last_byte_of_ram_and_no_more) {
    auto exact = with_ram(20 * mib);
    expect_ok(boot::plan_linux(good_header(), 0, exact));
    auto less = with_ram(20 * mib - 1);
    expect_sentence(boot::plan_linux(good_header(), 0, less),
                    "mayfly: kernel: does not fit into the RAM (4194304 bytes from 0x1000000, RAM "
                    "ends at 0x13fffff)");
}

TEST(plan_linux, bounds_sizes_and_addresses_that_would_wrap) {
    auto header = good_header();
    header.syssize = 0xffffffff;
    auto space = with_ram(0xc0000000);
    expect_sentence(boot::plan_linux(header, 0, space),
                    "mayfly: kernel: does not fit into the RAM (68719476720 bytes from 0x1000000, "
                    "RAM ends at 0xc0000000)");
    header = good_header();
    header.pref_address = ~u64{0};
    EXPECT_FALSE(boot::plan_linux(header, 0, space).ok());
    header.relocatable_kernel = 0;
    EXPECT_FALSE(boot::plan_linux(header, 0, space).ok());
    header.pref_address = 0 - u64{4 * mib};
    EXPECT_FALSE(boot::plan_linux(header, 0, space).ok());
    header = good_header();
    header.kernel_alignment = 0x80000000;
    const auto aligned = boot::plan_linux(header, 0, space);
    expect_ok(aligned);
    EXPECT_EQ(aligned.value().kernel, 0x80000000u);
}

TEST(plan_linux, loads_a_fixed_kernel_at_1_mib) {
    auto header = good_header();
    header.relocatable_kernel = 0;
    auto space = with_ram(32 * mib);
    const auto plan = boot::plan_linux(header, 0, space);
    expect_ok(plan);
    EXPECT_EQ(plan.value().kernel, mib);
    EXPECT_FALSE(space.free.is_all({16 * mib, 16 * mib + 1}, ram));
    EXPECT_TRUE(space.free.is_all({2 * mib, 16 * mib}, ram));
    auto small = with_ram(mib + 1);
    expect_sentence(boot::plan_linux(header, 0, small),
                    "mayfly: kernel: does not fit into the RAM (1048576 bytes from 0x100000, RAM "
                    "ends at 0x100001)");
}

TEST(plan_linux, puts_the_initrd_as_high_as_the_kernel_allows) {
    auto header = good_header();
    header.ramdisk_size = 5000;
    auto space = with_ram(32 * mib);
    EXPECT_EQ(boot::plan_linux(header, 0, space).value().initrd, 32 * mib - 8192);
    header.initrd_addr_max = 24 * mib - 1;
    auto limited = with_ram(32 * mib);
    EXPECT_EQ(boot::plan_linux(header, 0, limited).value().initrd, 24 * mib - 8192);
    header.initrd_addr_max = 0xffffffff;
    auto whole = with_ram(32 * mib);
    EXPECT_EQ(boot::plan_linux(header, 0, whole).value().initrd, 32 * mib - 8192);
}

TEST(plan_linux, puts_the_initrd_above_4_gib_only_where_it_may) {
    auto header = good_header();
    header.ramdisk_size = 24 * mib;
    auto space = with_ram(32 * mib, gib);
    expect_sentence(boot::plan_linux(header, 0, space),
                    "mayfly: initrd: does not fit into the RAM (25165824 bytes, RAM ends at "
                    "0x2000000)");
    header.xloadflags = 2;
    auto high = with_ram(32 * mib, gib);
    const auto plan = boot::plan_linux(header, 0, high);
    expect_ok(plan);
    EXPECT_EQ(plan.value().initrd, four_gib);
    header.ramdisk_size = 0xffffffff;
    auto none = with_ram(32 * mib, gib);
    EXPECT_FALSE(boot::plan_linux(header, 0, none).ok());
}

TEST(plan_linux, keeps_what_qemu_appended) {
    auto header = good_header();
    header.setup_data = mib + mib;  // behind 1 MiB of kernel
    auto space = with_ram(32 * mib);
    const auto plan = boot::plan_linux(header, mib + 16, space);
    expect_ok(plan);
    EXPECT_EQ(plan.value().trailer_offset, mib);
    EXPECT_EQ(plan.value().trailer_size, 16u);
    EXPECT_EQ(plan.value().trailer, 32 * mib - page_size);
    EXPECT_EQ(plan.value().kernel_size, mib);
}

TEST(plan_linux, complains_of_setup_data_outside_the_image) {
    auto header = good_header();
    const struct {
        u64 setup_data;
        u32 image;
        const char* said;
    } cases[] = {
        {2 * mib, mib + 15, "0x200000 is not in the image, which ends at 0x20000f"},
        {mib - 1, mib, "0xfffff is not in the image, which ends at 0x200000"},
        {1, 0xffffffff, "0x1 is not in the image, which ends at 0x1000fffff"},
        {~u64{0}, 0xffffffff, "0xffffffffffffffff is not in the image, which ends at 0x1000fffff"},
        {four_gib + 2 * mib, 4 * mib, "0x100200000 is not in the image, which ends at 0x500000"},
    };
    for (const auto& one : cases) {
        header.setup_data = one.setup_data;
        auto space = with_ram(32 * mib);
        expect_sentence(
            boot::plan_linux(header, one.image, space),
            std::string("mayfly: kernel: damaged header (setup_data ") + one.said + ")");
    }
}

TEST(boot_params, say_where_everything_is) {
    for (const std::string name : {"generic", "cloud", "rt", "i386"}) {
        auto head = captured("kernels/" + name + ".bin");
        auto space = with_ram(0xc0000000, gib);
        const auto header = load<setup_header>(span_of(head), abi::setup_header_offset);
        const auto plan = boot::plan_linux(header, 0, space);
        expect_ok(plan);
        auto params = std::make_unique<abi::boot_params>();
        std::memset(params.get(), 0, sizeof *params);  // as the firmware takes it
        auto with_initrd = plan.value();
        with_initrd.initrd = 0x123456789000;
        with_initrd.initrd_size = 77;
        boot::write_boot_params(*params, span_of(head), with_initrd, space.guest, 0xe1000, 0xe2000);
        EXPECT_EQ(params->hdr.header, abi::linux_header_magic);
        EXPECT_EQ(params->hdr.version, u16{header.version});
        EXPECT_EQ(params->hdr.type_of_loader, 0xff);
        EXPECT_EQ(params->hdr.code32_start, plan.value().kernel);
        EXPECT_EQ(params->hdr.ramdisk_image, 0x56789000u);
        EXPECT_EQ(params->ext_ramdisk_image, 0x1234u);
        EXPECT_EQ(params->hdr.ramdisk_size, 77u);
        EXPECT_EQ(params->hdr.cmd_line_ptr, 0xe1000u);
        EXPECT_EQ(params->acpi_rsdp_addr, 0xe2000u);
        EXPECT_EQ(params->alt_mem_k, (0xc0000000u - mib) / kib);
        ASSERT_EQ(params->e820_entries, 2);
        EXPECT_EQ(params->e820_table[0].address, mib);
        EXPECT_EQ(params->e820_table[1].address, four_gib);
        EXPECT_EQ(params->e820_table[1].length, gib);
        EXPECT_EQ(params->unused_26c[0], 0);
    }
}

TEST(boot_params, copy_no_more_header_than_the_image_has) {
    std::vector<u8> head(1024, 0x77);
    auto header = good_header();
    header.jump_offset = 0x62;
    header.handover_offset = 0x11223344;
    store(span_of(head), abi::setup_header_offset, header);
    auto params = std::make_unique<abi::boot_params>();
    tables::memory_map map;
    for (u64 i = 0; i < tables::memory_map::capacity; i++)
        expect_ok(map.set({2 * i, 2 * i + 1}, ram));
    boot::write_boot_params(*params, span_of(head), {}, map, 0, 0);
    EXPECT_EQ(params->hdr.init_size, 4 * mib);
    EXPECT_EQ(params->hdr.handover_offset, 0u);
    EXPECT_EQ(params->e820_entries, 126);
    EXPECT_EQ(params->alt_mem_k, 0u);
    header.jump_offset = 0xff;
    store(span_of(head), abi::setup_header_offset, header);
    boot::write_boot_params(*params, span_of(head), {}, map, 0, 0);
    EXPECT_EQ(params->hdr.handover_offset, 0x11223344u);
    EXPECT_EQ(params->unused_26c[0], 0);
}

}  // namespace
}  // namespace mayfly::test
