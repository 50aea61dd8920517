// SPDX-License-Identifier: MIT
#include "hw/fw_cfg.hpp"

#include "fakes/fake_fw_cfg.hpp"
#include "unit/expect.hpp"

namespace mayfly::test {
namespace {

using abi::fw_cfg_key;
using fakes::transfer;

constexpr u32 work_begin = 0x1000;
constexpr u32 ram_size = 0x20000;

/// The driver over the fake device.
struct setup {
    fakes::fake_ram ram{ram_size};
    fakes::fake_machine machine;
    fakes::fake_fw_cfg device{machine, ram};
    arena work;
    hw::fw_cfg<fakes::fake_machine> config;

    explicit setup(u32 work_end = ram_size)
        : work(ram.view(), work_begin, work_end), config(machine, work) {}

    void add_files(u32 count) {
        for (u32 i = 0; i < count; i++)
            device.add_file("file/" + std::to_string(i), {static_cast<u8>(i)});
    }

    std::string name_of(u32 index) const { return "file/" + std::to_string(index); }
    bool finds(const std::string& name) {
        return config.find(text(name.data(), name.size())).exists();
    }
};

constexpr u32 select(u32 key) {
    return key << 16 | abi::dma_select;
}

TEST(fw_cfg, reads_the_directory_in_one_transfer) {
    setup it;
    it.add_files(3);
    it.config.open();
    ASSERT_EQ(it.device.transfers().size(), 1u);
    EXPECT_EQ(it.device.transfers()[0].control, select(0x19) | abi::dma_read);
    EXPECT_EQ(it.machine.log().size(), 1u);
    for (u32 i = 0; i < 3; i++)
        EXPECT_TRUE(it.finds(it.name_of(i)));
    EXPECT_FALSE(it.finds("file/3"));
    EXPECT_FALSE(it.finds("file/"));
    EXPECT_FALSE(it.finds("file/22"));
    EXPECT_FALSE(it.finds(""));
    EXPECT_EQ(it.device.transfers().size(), 1u);
}

TEST(fw_cfg, complains_where_no_dma_interface_answers) {
    setup it;
    it.device.answers = false;
    expect_stop([&] { it.config.open(); },
                "mayfly: fw_cfg: no DMA interface (machine types before 2.5 have none)");
}

TEST(fw_cfg, complains_of_a_failed_transfer) {
    setup it;
    it.add_files(1);
    it.config.open();
    it.device.fails = true;
    expect_stop([&] { it.config.read_item_to(fw_cfg_key::kernel_data, 0x8000, 512); },
                "mayfly: fw_cfg: transfer failed (item 0x11, 512 bytes)");
    expect_stop([&] { (void)it.config.read_u32(fw_cfg_key::kernel_size); },
                "mayfly: fw_cfg: transfer failed (item 0x8, 4 bytes)");
    expect_stop(
        [&] {
            it.config.read({0x20, 1}, it.ram.at(0x8000, 1));
        },
        "mayfly: fw_cfg: transfer failed (item 0x20, 1 bytes)");
    expect_stop([&] { it.config.read_item_at(fw_cfg_key::kernel_data, 3, it.ram.at(0x8000, 7)); },
                "mayfly: fw_cfg: transfer failed (item 0x11, 3 bytes)");
    // What goes on with the item that is selected does not know its number.
    expect_stop([&] { it.config.read_on_to(0x8000, 5); },
                "mayfly: fw_cfg: transfer failed (item 0x0, 5 bytes)");
    expect_stop([&] { it.config.open(); },
                "mayfly: fw_cfg: transfer failed (item 0x19, 4036 bytes)");
}

TEST(fw_cfg, bounds_the_directory) {
    setup it;
    it.add_files(2);
    it.device.set_directory(abi::fw_cfg_max_files);
    it.config.open();
    it.device.set_directory(abi::fw_cfg_max_files + 1);
    expect_stop([&] { it.config.open(); },
                "mayfly: fw_cfg: directory is too long (16353 files, limit 16352)");
    it.device.set_directory(0xffffffff);
    expect_stop([&] { it.config.open(); },
                "mayfly: fw_cfg: directory is too long (4294967295 files, limit 16352)");
}

TEST(fw_cfg, says_which_file_is_missing) {
    setup it;
    it.config.open();
    EXPECT_FALSE(it.config.find("etc/e820").exists());
    expect_stop([&] { (void)it.config.require("etc/e820"); },
                "mayfly: fw_cfg: file is missing (etc/e820)");
    setup many;
    many.add_files(200);
    many.config.open();
    expect_stop([&] { (void)many.config.require("etc/e820"); },
                "mayfly: fw_cfg: file is missing (etc/e820)");
}

TEST(fw_cfg, finds_files_behind_the_first_page) {
    for (const u32 count : {62u, 63u, 64u, 126u, 127u, 200u}) {
        setup it;
        it.add_files(count);
        it.config.open();
        for (const u32 i : {0u, 61u, count - 1})
            EXPECT_TRUE(it.finds(it.name_of(i))) << count << " " << i;
        EXPECT_FALSE(it.finds(it.name_of(count)));
        const auto before = it.work.room();
        EXPECT_FALSE(it.finds("none"));
        EXPECT_EQ(it.work.room(), before);
    }
}

TEST(fw_cfg, searches_the_first_page_without_the_device_and_the_others_one_by_one) {
    setup it;
    it.add_files(63 + 63 + 5);
    it.config.open();
    const auto room = it.work.room();
    EXPECT_TRUE(it.finds(it.name_of(62)));
    EXPECT_EQ(it.device.transfers().size(), 1u);
    EXPECT_EQ(it.work.room(), room);  // no second page yet

    EXPECT_TRUE(it.finds(it.name_of(63)));
    ASSERT_EQ(it.device.transfers().size(), 3u);
    EXPECT_EQ(it.device.transfers()[1], (transfer{select(0x19) | abi::dma_skip, 4 + 63 * 64, 0}));
    EXPECT_EQ(it.device.transfers()[2].control, abi::dma_read);
    EXPECT_EQ(it.device.transfers()[2].length, 63u * 64);
    const auto room_with_page = it.work.room();
    EXPECT_LE(room - room_with_page, 4u + 63 * 64 + 15);

    // Each search begins at the front again; every page is read whole, the last one too.
    EXPECT_TRUE(it.finds(it.name_of(130)));
    ASSERT_EQ(it.device.transfers().size(), 6u);
    EXPECT_EQ(it.device.transfers()[3], (transfer{select(0x19) | abi::dma_skip, 4 + 63 * 64, 0}));
    for (const usize i : {4u, 5u}) {
        EXPECT_EQ(it.device.transfers()[i].control, abi::dma_read);
        EXPECT_EQ(it.device.transfers()[i].length, 63u * 64);
        EXPECT_EQ(it.device.transfers()[i].address, it.device.transfers()[2].address);
    }
    EXPECT_FALSE(it.finds("none"));
    EXPECT_EQ(it.device.transfers().size(), 9u);
    EXPECT_TRUE(it.finds(it.name_of(0)));
    EXPECT_EQ(it.device.transfers().size(), 9u);
    EXPECT_EQ(it.config.find("file/126").key, 0x20 + 126);
    EXPECT_EQ(it.work.room(), room_with_page);
    EXPECT_EQ(it.config.find("file/126").size, 1u);
}

TEST(fw_cfg, finds_no_file_that_the_count_leaves_out) {
    setup it;
    it.add_files(70);
    it.device.set_directory(64);
    it.config.open();
    EXPECT_TRUE(it.finds(it.name_of(63)));
    EXPECT_FALSE(it.finds(it.name_of(64)));
    setup small;
    small.add_files(10);
    small.device.set_directory(4);
    small.config.open();
    EXPECT_TRUE(small.finds(small.name_of(3)));
    EXPECT_FALSE(small.finds(small.name_of(4)));
}

TEST(fw_cfg, gives_up_a_long_directory_that_a_device_only_claims_to_have) {
    setup it;
    it.add_files(1);
    it.device.set_directory(abi::fw_cfg_max_files);
    it.config.open();
    EXPECT_FALSE(it.finds("file/1"));
    EXPECT_LT(it.device.transfers().size(), 300u);
}

TEST(fw_cfg, says_that_the_work_area_is_full) {
    constexpr u32 page = 4 + 63 * 64, shared = 16 + 8 + page;
    expect_stop([] { setup it(work_begin + shared / 16 * 16); },
                "mayfly: firmware: work area is full (4060 bytes, 4048 left)");
    setup it(work_begin + shared + 4 + 16);
    it.add_files(64);
    it.config.open();
    EXPECT_TRUE(it.finds("file/62"));
    expect_stop([&] { it.finds("file/63"); }, "mayfly: firmware: work area is full (4036 bytes, " +
                                                  std::to_string(it.work.room()) + " left)");
    // Everything else needs no room of its own.
    while (it.work.room() != 0)
        (void)it.work.allocate(1, 1);
    it.device.set_u32(fw_cfg_key::kernel_size, 77);
    EXPECT_EQ(it.config.read_u32(fw_cfg_key::kernel_size), 77u);
}

TEST(fw_cfg, does_not_read_past_an_unterminated_name) {
    setup it;
    const std::string longest(56, 'n');
    it.device.add_file(longest, {1});
    it.device.add_file(std::string(55, 'm'), {2});
    it.config.open();
    EXPECT_FALSE(it.finds(longest));
    EXPECT_FALSE(it.finds(std::string(57, 'n')));
    EXPECT_FALSE(it.finds(std::string(55, 'n')));
    EXPECT_TRUE(it.finds(std::string(55, 'm')));
}

TEST(fw_cfg, finds_names_of_1_to_55_characters) {
    const auto name = [](usize length, char last) { return std::string(length - 1, 'x') + last; };
    for (const u32 before : {0u, 62u, 63u, 70u}) {
        setup it;
        it.add_files(before);
        for (usize length = 1; length <= 56; length++)
            it.device.add_file(name(length, 'y'), {1});
        it.config.open();
        const auto key_of = [&](const std::string& name) {
            return it.config.find(text(name.data(), name.size())).key;
        };
        for (usize length = 1; length <= 55; length++) {
            EXPECT_EQ(key_of(name(length, 'y')), 0x20 + before + length - 1);
            EXPECT_EQ(key_of(name(length, 'z')), 0);
            EXPECT_EQ(key_of(name(length, 'x')), 0);
            if (length > 1) {
                EXPECT_EQ(key_of('w' + name(length, 'y').substr(1)), 0);
            }
        }
        for (const usize length : {56u, 57u, 63u, 64u, 1000u})
            EXPECT_EQ(key_of(name(length, 'y')), 0) << length;
        EXPECT_EQ(key_of(""), 0);
    }
}

TEST(fw_cfg, finds_no_name_that_only_begins_or_ends_alike) {
    setup it;
    it.device.add_file("etc/acpi/tables", {1});
    it.device.add_file("", {2});
    it.device.add_file("s", {3});
    it.config.open();
    for (const std::string name : {"etc/acpi/table", "etc/acpi/tables2", "tables", "tc/acpi/tables",
                                   "e", "etc/acpi/tableS", "Etc/acpi/tables", "ss"})
        EXPECT_FALSE(it.finds(name)) << name;
    EXPECT_TRUE(it.finds("etc/acpi/tables"));
    EXPECT_TRUE(it.finds("s"));
    EXPECT_FALSE(it.finds(""));
}

TEST(fw_cfg, finds_the_first_of_two_files_of_one_name) {
    for (const u32 between : {0u, 62u, 63u, 200u}) {
        setup it;
        const u16 first = it.device.add_file("a", {1});
        it.add_files(between);
        it.device.add_file("a", {1, 2});
        it.config.open();
        EXPECT_EQ(it.config.find("a").key, first);
        EXPECT_EQ(it.config.find("a").size, 1u);
    }
}

TEST(fw_cfg, finds_nothing_of_one_page_in_the_next) {
    // The second page is shorter than what was there of the page before.
    setup it;
    it.add_files(63 + 63 + 2);
    it.config.open();
    EXPECT_TRUE(it.finds(it.name_of(127)));
    EXPECT_TRUE(it.finds(it.name_of(125)));
    it.device.set_directory(63 + 2);
    it.config.open();
    EXPECT_TRUE(it.finds(it.name_of(64)));
    EXPECT_FALSE(it.finds(it.name_of(65)));
    EXPECT_FALSE(it.finds(it.name_of(125)));
}

TEST(fw_cfg, reads_files_items_and_numbers) {
    setup it;
    it.device.add_file("a", {1, 2, 3});
    it.device.set_u32(fw_cfg_key::kernel_size, 0x12345678);
    it.device.set_item(fw_cfg_key::cpu_count, {7, 0});
    it.config.open();
    const auto file = it.config.require("a");
    EXPECT_TRUE(file.exists());
    EXPECT_EQ(file.size, 3u);
    const bytes to = it.ram.at(0x10000, 5);
    it.config.read(file, to);
    EXPECT_EQ(std::vector<u8>(to.begin(), to.end()), (std::vector<u8>{1, 2, 3, 0, 0}));
    EXPECT_EQ(it.config.read_u32(fw_cfg_key::kernel_size), 0x12345678u);
    EXPECT_EQ(it.config.read_u32(fw_cfg_key::cpu_count), 7u);
    it.config.read_item(fw_cfg_key::kernel_size, to);
    EXPECT_EQ(std::vector<u8>(to.begin(), to.end()), (std::vector<u8>{0x78, 0x56, 0x34, 0x12, 0}));
}

TEST(fw_cfg, reads_what_begins_at_an_offset) {
    setup it;
    it.device.set_item(fw_cfg_key::kernel_data, {1, 2, 3, 4, 5, 6, 7, 8});
    const auto read_at = [&](u32 offset, u32 size) {
        const bytes to = it.ram.at(0x10000, size);
        it.config.read_item_at(fw_cfg_key::kernel_data, offset, to);
        return std::vector<u8>(to.begin(), to.end());
    };
    EXPECT_EQ(read_at(5, 2), (std::vector<u8>{6, 7}));
    EXPECT_EQ(it.device.transfers(), (std::vector<transfer>{{select(0x11) | abi::dma_skip, 5, 0},
                                                            {abi::dma_read, 2, 0x10000}}));
    EXPECT_EQ(read_at(0, 3), (std::vector<u8>{1, 2, 3}));
    EXPECT_EQ(read_at(7, 3), (std::vector<u8>{8, 0, 0}));
    EXPECT_EQ(read_at(8, 2), (std::vector<u8>{0, 0}));
    EXPECT_EQ(read_at(0xffffffff, 2), (std::vector<u8>{0, 0}));
    // Whatever was read before.
    it.config.read_item_to(fw_cfg_key::kernel_data, 0x10000, 3);
    EXPECT_EQ(read_at(1, 4), (std::vector<u8>{2, 3, 4, 5}));
}

TEST(fw_cfg, reads_on_where_the_last_read_ended) {
    setup it;
    it.device.set_item(fw_cfg_key::kernel_data, {1, 2, 3, 4, 5, 6, 7, 8});
    it.config.read_item_to(fw_cfg_key::kernel_data, 0x10000, 2);
    it.config.read_on_to(0x10002, 3);
    it.config.read_on_to(0x10005, 1);
    const bytes to = it.ram.at(0x10000, 6);
    EXPECT_EQ(std::vector<u8>(to.begin(), to.end()), (std::vector<u8>{1, 2, 3, 4, 5, 6}));
    EXPECT_EQ(it.device.transfers(),
              (std::vector<transfer>{{select(0x11) | abi::dma_read, 2, 0x10000},
                                     {abi::dma_read, 3, 0x10002},
                                     {abi::dma_read, 1, 0x10005}}));
}

TEST(fw_cfg, reads_to_addresses_above_4_gib) {
    setup it;
    it.device.allow_outside = true;
    it.device.set_item(fw_cfg_key::initrd_data, {9, 8});
    it.config.read_item_to(fw_cfg_key::initrd_data, 0x123456789000, 2);
    EXPECT_EQ(it.device.transfers().back().address, 0x123456789000u);
    EXPECT_EQ(it.device.above_4g, (std::vector<u8>{9, 8}));
}

TEST(fw_cfg, writes_at_an_offset) {
    setup it;
    const u16 key = it.device.add_file("w", {0, 0, 0, 0});
    it.device.allow_writes(key);
    it.config.write({key, 4}, 2, 0x0201, 2);
    EXPECT_EQ(it.device.item(key), (std::vector<u8>{0, 0, 1, 2}));
    it.config.write({key, 4}, 0, 0x0201, 2);
    EXPECT_EQ(it.device.item(key), (std::vector<u8>{1, 2, 1, 2}));
    expect_stop(
        [&] {
            it.config.write({key, 4}, 3, 0x0201, 2);
        },
        "mayfly: fw_cfg: transfer failed (item 0x0, 2 bytes)");
    expect_stop(
        [&] {
            it.config.write({0x99, 4}, 0, 0x0201, 2);
        },
        "mayfly: fw_cfg: transfer failed (item 0x99, 2 bytes)");
}

TEST(fw_cfg, writes_in_one_access_at_the_front_and_in_two_behind_it) {
    setup it;
    const u16 key = it.device.add_file("w", std::vector<u8>(16, 0xff));
    it.device.allow_writes(key);
    it.config.write({key, 16}, 0, 0x8877665544332211, 8);
    ASSERT_EQ(it.device.transfers().size(), 1u);
    EXPECT_EQ(it.device.transfers()[0].control, select(key) | abi::dma_write);
    EXPECT_EQ(it.device.transfers()[0].length, 8u);
    it.config.write({key, 16}, 9, 0xaabbccdd, 4);
    ASSERT_EQ(it.device.transfers().size(), 3u);
    EXPECT_EQ(it.device.transfers()[1], (transfer{select(key) | abi::dma_skip, 9, 0}));
    EXPECT_EQ(it.device.transfers()[2].control, abi::dma_write);
    EXPECT_EQ(it.device.transfers()[2].length, 4u);
    EXPECT_EQ(it.machine.log().size(), 3u);
    EXPECT_EQ(it.device.item(key),
              (std::vector<u8>{0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0xff, 0xdd, 0xcc,
                               0xbb, 0xaa, 0xff, 0xff, 0xff}));
    it.config.write({key, 16}, 15, 0x99, 1);
    EXPECT_EQ(it.device.item(key)[15], 0x99);
    EXPECT_EQ(it.device.item(key)[14], 0xff);
}

TEST(fw_cfg, reads_captured_directories) {
    for (const std::string name : {"pc", "q35", "microvm"}) {
        setup it;
        it.device.set_item(fw_cfg_key::directory, captured(name + "/directory.bin"));
        it.config.open();
        EXPECT_TRUE(it.finds("etc/e820")) << name;
        EXPECT_TRUE(it.finds("etc/table-loader")) << name;
        EXPECT_EQ(it.finds("etc/smbios/smbios-tables"), name != "microvm");
        EXPECT_FALSE(it.finds("etc/extra-pci-roots"));
    }
}

TEST(arena, gives_nothing_that_does_not_fit) {
    fakes::fake_ram ram(0x1000);
    arena work(ram.view(), 0x101, 0x200);
    EXPECT_TRUE(work.allocate(0x100, 8).empty());
    EXPECT_TRUE(work.allocate(0xffffffff, 1).empty());
    EXPECT_TRUE(work.allocate(1, 0x80000000).empty());
    EXPECT_TRUE(work.allocate(1, 0x200).empty());
    EXPECT_EQ(work.room(), 0xffu);
    EXPECT_EQ(work.address_of(work.allocate(1, 16).data()), 0x110u);
    EXPECT_TRUE(work.allocate(0, 8).empty());
    EXPECT_EQ(work.allocate(work.room(), 1).size(), 0xe8u);
    EXPECT_TRUE(work.allocate(1, 1).empty());
}

TEST(arena, aligns_no_place_past_4_gib) {
    arena work(mayfly::memory(0), 0xfffff001, 0xfffffff0);
    for (const u32 alignment : {0x1000u, 0x80000000u}) {
        EXPECT_TRUE(work.allocate(1, alignment).empty());
        EXPECT_TRUE(work.allocate(0xffffffff, alignment).empty());
    }
    EXPECT_EQ(work.room(), 0xfefu);
}

TEST(arena, takes_or_stops) {
    fakes::fake_ram ram(0x1000);
    arena work(ram.view(), 0x101, 0x200);
    EXPECT_EQ(work.address_of(work.take(1).data()), 0x110u);
    EXPECT_EQ(work.address_of(&work.take<abi::fw_cfg_dma_descriptor>()), 0x120u);
    EXPECT_EQ(work.room(), 0xd0u);
    expect_stop([&] { (void)work.take(0xd1); },
                "mayfly: firmware: work area is full (209 bytes, 208 left)");
    expect_stop([&] { (void)work.take(0xffffffff); },
                "mayfly: firmware: work area is full (4294967295 bytes, 208 left)");
    EXPECT_EQ(work.take(0xd0).size(), 0xd0u);
    EXPECT_EQ(work.room(), 0u);
    EXPECT_TRUE(work.take(0).empty());
    expect_stop([&] { (void)work.take<abi::fw_cfg_dma_descriptor>(); },
                "mayfly: firmware: work area is full (16 bytes, 0 left)");
}

}  // namespace
}  // namespace mayfly::test
