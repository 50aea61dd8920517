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
        const auto found = config.find(text(name.data(), name.size()));
        expect_ok(found);
        return found.ok() && found.value().present;
    }
};

constexpr u32 select(u32 key) {
    return key << 16 | abi::dma_select;
}

TEST(fw_cfg, reads_the_directory_in_one_transfer) {
    setup it;
    it.add_files(3);
    expect_ok(it.config.open());
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
    expect_sentence(it.config.open(),
                    "mayfly: fw_cfg: no DMA interface (machine types before 2.5 have none)");
}

TEST(fw_cfg, complains_of_a_failed_transfer) {
    setup it;
    it.add_files(1);
    expect_ok(it.config.open());
    it.device.fails = true;
    expect_sentence(it.config.read_item_to(fw_cfg_key::kernel_data, 0x8000, 512),
                    "mayfly: fw_cfg: transfer failed (item 0x11, 512 bytes)");
    EXPECT_FALSE(it.config.read_u32(fw_cfg_key::kernel_size).ok());
}

TEST(fw_cfg, bounds_the_directory) {
    setup it;
    it.add_files(2);
    it.device.set_directory(abi::fw_cfg_max_files);
    expect_ok(it.config.open());
    it.device.set_directory(abi::fw_cfg_max_files + 1);
    expect_sentence(it.config.open(),
                    "mayfly: fw_cfg: directory is too long (16353 files, limit 16352)");
    // Nothing of it is used: not even by the search for pvpanic's port.
    EXPECT_FALSE(it.finds("file/0"));
    it.device.set_directory(0xffffffff);
    expect_sentence(it.config.open(),
                    "mayfly: fw_cfg: directory is too long (4294967295 files, limit 16352)");
}

TEST(fw_cfg, says_which_file_is_missing) {
    setup it;
    expect_ok(it.config.open());
    expect_sentence(it.config.require("etc/e820"), "mayfly: fw_cfg: file is missing (etc/e820)");
}

TEST(fw_cfg, finds_files_behind_the_first_page) {
    for (const u32 count : {62u, 63u, 64u, 126u, 127u, 200u}) {
        setup it;
        it.add_files(count);
        expect_ok(it.config.open());
        for (const u32 i : {0u, 61u, count - 1})
            EXPECT_TRUE(it.finds(it.name_of(i))) << count << " " << i;
        EXPECT_FALSE(it.finds(it.name_of(count)));
        const auto before = it.work.room();
        EXPECT_FALSE(it.finds("none"));
        EXPECT_EQ(it.work.room(), before);
    }
}

TEST(fw_cfg, gives_up_a_long_directory_that_a_device_only_claims_to_have) {
    setup it;
    it.add_files(1);
    it.device.set_directory(abi::fw_cfg_max_files);
    expect_ok(it.config.open());
    EXPECT_FALSE(it.finds("file/1"));
    EXPECT_LT(it.device.transfers().size(), 300u);
}

TEST(fw_cfg, says_that_the_work_area_is_full) {
    setup it(work_begin + 16 + 4 + 63 * 64 + 12);
    it.add_files(64);
    expect_ok(it.config.open());
    expect_sentence(it.config.find("file/63"), "mayfly: firmware: work area is full (4036 bytes, " +
                                                   std::to_string(it.work.room()) + " left)");
    while (it.work.room() != 0)
        (void)it.work.allocate(1, 1);
    expect_sentence(it.config.read_u32(fw_cfg_key::kernel_size),
                    "mayfly: firmware: work area is full (4 bytes, 0 left)");
}

TEST(fw_cfg, does_not_read_past_an_unterminated_name) {
    setup it;
    const std::string longest(56, 'n');
    it.device.add_file(longest, {1});
    it.device.add_file(std::string(55, 'm'), {2});
    expect_ok(it.config.open());
    EXPECT_FALSE(it.finds(longest));
    EXPECT_FALSE(it.finds(std::string(57, 'n')));
    EXPECT_FALSE(it.finds(std::string(55, 'n')));
    EXPECT_TRUE(it.finds(std::string(55, 'm')));
}

TEST(fw_cfg, reads_files_items_and_numbers) {
    setup it;
    it.device.add_file("a", {1, 2, 3});
    it.device.set_u32(fw_cfg_key::kernel_size, 0x12345678);
    it.device.set_item(fw_cfg_key::cpu_count, {7, 0});
    expect_ok(it.config.open());
    const auto file = it.config.require("a");
    EXPECT_EQ(file.value().size, 3u);
    const bytes to = it.ram.at(0x10000, 5);
    expect_ok(it.config.read(file.value(), to));
    EXPECT_EQ(std::vector<u8>(to.begin(), to.end()), (std::vector<u8>{1, 2, 3, 0, 0}));
    EXPECT_EQ(it.config.read_u32(fw_cfg_key::kernel_size).value(), 0x12345678u);
    EXPECT_EQ(it.config.read_u32(fw_cfg_key::cpu_count).value(), 7u);
}

TEST(fw_cfg, skips_and_reads_on) {
    setup it;
    it.device.set_item(fw_cfg_key::kernel_data, {1, 2, 3, 4, 5, 6, 7, 8});
    expect_ok(it.config.read_item_to(fw_cfg_key::kernel_data, 0x10000, 2));
    expect_ok(it.config.skip(3));
    expect_ok(it.config.read_on_to(0x10002, 2));
    const bytes to = it.ram.at(0x10000, 4);
    EXPECT_EQ(std::vector<u8>(to.begin(), to.end()), (std::vector<u8>{1, 2, 6, 7}));
    EXPECT_EQ(it.device.transfers(),
              (std::vector<transfer>{{select(0x11) | abi::dma_read, 2, 0x10000},
                                     {abi::dma_skip, 3, 0},
                                     {abi::dma_read, 2, 0x10002}}));
}

TEST(fw_cfg, reads_to_addresses_above_4_gib) {
    setup it;
    it.device.allow_outside = true;
    it.device.set_item(fw_cfg_key::initrd_data, {9, 8});
    expect_ok(it.config.read_item_to(fw_cfg_key::initrd_data, 0x123456789000, 2));
    EXPECT_EQ(it.device.transfers().back().address, 0x123456789000u);
    EXPECT_EQ(it.device.above_4g, (std::vector<u8>{9, 8}));
}

TEST(fw_cfg, writes_at_an_offset) {
    setup it;
    const u16 key = it.device.add_file("w", {0, 0, 0, 0});
    it.device.allow_writes(key);
    std::memcpy(it.ram.data() + 0x10000, "\x01\x02", 2);
    expect_ok(it.config.write({key, 4}, 2, it.ram.at(0x10000, 2)));
    EXPECT_EQ(it.device.item(key), (std::vector<u8>{0, 0, 1, 2}));
    expect_ok(it.config.write({key, 4}, 0, it.ram.at(0x10000, 2)));
    EXPECT_EQ(it.device.item(key), (std::vector<u8>{1, 2, 1, 2}));
    EXPECT_FALSE(it.config.write({key, 4}, 3, it.ram.at(0x10000, 2)).ok());
    EXPECT_FALSE(it.config.write({0x99, 4}, 0, it.ram.at(0x10000, 2)).ok());
}

TEST(fw_cfg, reads_captured_directories) {
    for (const std::string name : {"pc", "q35", "microvm"}) {
        setup it;
        it.device.set_item(fw_cfg_key::directory, captured(name + "/directory.bin"));
        expect_ok(it.config.open());
        EXPECT_TRUE(it.finds("etc/e820")) << name;
        EXPECT_TRUE(it.finds("etc/table-loader")) << name;
        EXPECT_EQ(it.finds("etc/smbios/smbios-tables"), name != "microvm");
        EXPECT_FALSE(it.finds("etc/extra-pci-roots"));
    }
}

TEST(arena, gives_nothing_that_does_not_fit) {
    fakes::fake_ram ram(0x1000);
    arena work(ram.view(), 0x101, 0x200);
    EXPECT_TRUE(work.allocate(0x100).empty());
    EXPECT_TRUE(work.allocate(0xffffffff, 1).empty());
    EXPECT_TRUE(work.allocate(1, 0x80000000).empty());
    EXPECT_TRUE(work.allocate(1, 0x200).empty());
    EXPECT_EQ(work.room(), 0xffu);
    EXPECT_EQ(work.address_of(work.allocate(1, 16).data()), 0x110u);
    EXPECT_TRUE(work.allocate(0).empty());
    EXPECT_EQ(work.allocate(work.room(), 1).size(), 0xe8u);
    EXPECT_TRUE(work.allocate(1, 1).empty());
}

}  // namespace
}  // namespace mayfly::test
