// SPDX-License-Identifier: MIT
#include "tables/table_loader.hpp"

#include "fakes/captured_files.hpp"
#include "unit/expect.hpp"

namespace mayfly::test {
namespace {

using abi::loader_command;
using abi::loader_entry;
using tables::memory_type;

constexpr u32 ram_size = 4 * mib;
constexpr u32 work_begin = 0xe0000;
constexpr u32 work_end = 0xebfc0;
constexpr u8 high = 1;
constexpr u8 low = 2;

void set_name(abi::file_name& field, const std::string& name) {
    std::memcpy(field, name.data(), std::min(name.size(), sizeof field));
}

loader_entry allocate(const std::string& file, u32 alignment = 16, u8 zone = high) {
    loader_entry out = {};
    out.command = 1;
    set_name(out.allocate.file, file);
    out.allocate.alignment = alignment;
    out.allocate.zone = zone;
    return out;
}

loader_entry add_pointer(const std::string& to, const std::string& from, u32 offset, u8 size) {
    loader_entry out = {};
    out.command = 2;
    set_name(out.add_pointer.destination, to);
    set_name(out.add_pointer.source, from);
    out.add_pointer.offset = offset;
    out.add_pointer.size = size;
    return out;
}

loader_entry add_checksum(const std::string& file, u32 offset, u32 start, u32 length) {
    loader_entry out = {};
    out.command = 3;
    set_name(out.add_checksum.file, file);
    out.add_checksum.offset = offset;
    out.add_checksum.start = start;
    out.add_checksum.length = length;
    return out;
}

loader_entry write_pointer(const std::string& to, const std::string& from, u32 to_offset,
                           u32 from_offset, u8 size) {
    loader_entry out = {};
    out.command = 4;
    set_name(out.write_pointer.destination, to);
    set_name(out.write_pointer.source, from);
    out.write_pointer.destination_offset = to_offset;
    out.write_pointer.source_offset = from_offset;
    out.write_pointer.size = size;
    return out;
}

/// A loader over a fake device.
struct setup {
    fakes::fake_ram ram{ram_size};
    fakes::fake_machine machine;
    fakes::fake_fw_cfg device{machine, ram};
    arena work{ram.view(), work_begin, work_end};
    hw::fw_cfg<fakes::fake_machine> config{machine, work};
    tables::address_space space;

    setup() {
        expect_ok(space.guest.set({mib, ram_size}, memory_type::ram));
        expect_ok(space.free.set({mib, ram_size}, memory_type::ram));
    }

    void add_script(const std::vector<loader_entry>& script) {
        fakes::fake_fw_cfg::content content;
        for (const auto& entry : script) {
            const auto part = bytes_of(entry);
            content.insert(content.end(), part.begin(), part.end());
        }
        device.add_file("etc/table-loader", content);
    }

    result<tables::acpi_tables> run() {
        expect_ok(config.open());
        tables::table_loader loader(config, space, ram.view(), work);
        return loader.run();
    }

    result<tables::acpi_tables> run(const std::vector<loader_entry>& script) {
        add_script(script);
        return run();
    }
};

TEST(table_loader, does_nothing_without_a_script) {
    setup none;
    const auto nothing = none.run();
    expect_ok(nothing);
    EXPECT_EQ(nothing.value().rsdp, 0u);
    setup empty;
    expect_ok(empty.run({}));
}

TEST(table_loader, skips_unknown_commands) {
    setup it;
    loader_entry unknown = {};
    loader_entry also = {};
    also.command = 0xffffffff;
    expect_ok(it.run({unknown, also}));
}

TEST(table_loader, places_links_and_sums) {
    setup it;
    it.device.add_file("etc/acpi/tables", fakes::fake_fw_cfg::content(100, 1));
    it.device.add_file("etc/acpi/rsdp", fakes::fake_fw_cfg::content(36, 0));
    const auto done = it.run({allocate("etc/acpi/rsdp", 16, low), allocate("etc/acpi/tables", 64),
                              add_pointer("etc/acpi/rsdp", "etc/acpi/tables", 16, 4),
                              add_pointer("etc/acpi/rsdp", "etc/acpi/tables", 24, 8),
                              add_checksum("etc/acpi/tables", 9, 0, 100),
                              add_checksum("etc/acpi/rsdp", 8, 0, 20)});
    expect_ok(done);
    const u32 tables_at = it.work.address_of(done.value().tables.data());
    EXPECT_EQ(tables_at, ram_size - page_size);
    EXPECT_EQ(done.value().tables.size(), 100u);
    EXPECT_EQ(byte_sum(done.value().tables), 0);
    EXPECT_EQ(done.value().rsdp % 16, 0u);
    EXPECT_GE(done.value().rsdp, work_begin);
    const bytes rsdp = it.ram.at(done.value().rsdp, 36);
    EXPECT_EQ(load<u32>(rsdp, 16), tables_at);
    EXPECT_EQ(load<u64>(rsdp, 24), tables_at);
    EXPECT_EQ(byte_sum(rsdp.part(0, 20)), 0);
    EXPECT_TRUE(it.space.guest.is_all({tables_at, ram_size}, memory_type::nvs));
}

TEST(table_loader, adds_to_what_a_pointer_already_holds) {
    setup it;
    it.device.add_file("a", {0x34, 0x12, 0, 0, 0, 0, 0, 0, 0xff});
    const auto done = it.run({allocate("a"), add_pointer("a", "a", 0, 8)});
    expect_ok(done);
    const u32 at = ram_size - page_size;
    EXPECT_EQ(load<u64>(it.ram.at(at, 9), 0), at + 0x1234u);
    EXPECT_EQ(it.ram.at(at, 9)[8], 0xff);
    EXPECT_TRUE(it.space.guest.is_all({at, ram_size}, memory_type::reserved));
}

TEST(table_loader, reads_no_more_of_the_tables_than_the_script_names) {
    setup it;
    it.device.add_file("etc/acpi/tables", fakes::fake_fw_cfg::content(64, 1), 128 * 1024);
    const auto done =
        it.run({allocate("etc/acpi/tables"), add_checksum("etc/acpi/tables", 9, 0, 64)});
    expect_ok(done);
    EXPECT_EQ(done.value().tables.size(), 64u);
}

TEST(table_loader, complains_of_a_part_of_a_command) {
    setup it;
    it.device.add_file("etc/table-loader", fakes::fake_fw_cfg::content(129));
    expect_sentence(it.run(),
                    "mayfly: table loader: script is not a whole number of commands (129 "
                    "bytes, 128 each)");
}

TEST(table_loader, puts_a_large_script_elsewhere_or_complains) {
    setup it;
    it.device.add_file("etc/table-loader", {}, 1 * mib);
    expect_ok(it.run());
    EXPECT_TRUE(it.space.guest.is_all({mib, ram_size}, memory_type::ram));
    setup full;
    full.device.add_file("etc/table-loader", {}, 0xffffff80);
    expect_sentence(full.run(), "mayfly: table loader: no room for the script (4294967168 bytes)");
}

TEST(table_loader, complains_of_a_second_allocation) {
    setup it;
    it.device.add_file("a", {1});
    expect_sentence(it.run({allocate("a"), allocate("a")}),
                    "mayfly: table loader: file is allocated twice (a)");
}

TEST(table_loader, complains_of_use_before_allocation) {
    for (const auto& entry : {add_pointer("b", "a", 0, 1), add_pointer("a", "b", 0, 1),
                              add_checksum("b", 0, 0, 1), write_pointer("b", "b", 0, 0, 1)}) {
        setup it;
        it.device.add_file("a", {1});
        it.device.add_file("b", {1});
        expect_sentence(it.run({allocate("a"), entry}),
                        "mayfly: table loader: file is used before it is allocated (b)");
    }
}

TEST(table_loader, complains_of_a_missing_file) {
    setup it;
    expect_sentence(it.run({allocate("nowhere")}), "mayfly: fw_cfg: file is missing (nowhere)");
    setup other;
    other.device.add_file("a", {1});
    expect_sentence(other.run({allocate("a"), write_pointer("b", "a", 0, 0, 1)}),
                    "mayfly: fw_cfg: file is missing (b)");
}

TEST(table_loader, complains_of_an_alignment_that_is_no_power_of_two) {
    for (const u32 alignment : {0u, 3u, 0xffffffffu}) {
        setup it;
        it.device.add_file("a", {1});
        expect_sentence(it.run({allocate("a", alignment)}),
                        "mayfly: table loader: alignment is not a power of two (a, alignment " +
                            std::to_string(alignment) + ")");
    }
}

TEST(table_loader, complains_of_an_unknown_zone) {
    for (const u8 zone : {0, 3, 255}) {
        setup it;
        it.device.add_file("a", {1});
        expect_sentence(
            it.run({allocate("a", 1, zone)}),
            "mayfly: table loader: unknown zone (a, zone " + std::to_string(zone) + ", limit 2)");
    }
}

TEST(table_loader, complains_where_a_file_does_not_fit) {
    setup it;
    it.device.add_file("a", {}, 3 * mib + 1);
    expect_sentence(it.run({allocate("a", 16)}),
                    "mayfly: table loader: no room below 4 GiB (a, 3145729 bytes, alignment 16)");
    setup largest;
    largest.device.add_file("a", {}, 0xffffffff);
    EXPECT_FALSE(largest.run({allocate("a", 0x80000000)}).ok());
    setup exact;
    exact.device.add_file("a", {}, 3 * mib);
    expect_ok(exact.run({allocate("a", 16)}));
    setup aligned;
    aligned.device.add_file("a", {1});
    expect_sentence(aligned.run({allocate("a", 0x80000000)}),
                    "mayfly: table loader: no room below 4 GiB (a, 1 bytes, alignment 2147483648)");
    setup below;
    below.device.add_file("a", {}, work_end - work_begin);
    expect_sentence(below.run({allocate("a", 16, low)}),
                    "mayfly: table loader: no room below 1 MiB (a, 49088 bytes, alignment 16)");
    setup far;
    far.device.add_file("a", {1});
    expect_sentence(far.run({allocate("a", 0x80000000, low)}),
                    "mayfly: table loader: no room below 1 MiB (a, 1 bytes, alignment 2147483648)");
}

TEST(table_loader, complains_of_a_pointer_of_unknown_size) {
    for (const u8 size : {0, 3, 5, 16, 128, 255}) {
        const std::string bytes_said = std::to_string(size) + " bytes)";
        setup it;
        it.device.add_file("a", fakes::fake_fw_cfg::content(64));
        expect_sentence(it.run({allocate("a"), add_pointer("a", "a", 0, size)}),
                        "mayfly: table loader: pointer has an unknown size (a, " + bytes_said);
        setup other;
        other.device.add_file("a", {1});
        other.device.add_file("w", {1});
        expect_sentence(other.run({allocate("a"), write_pointer("w", "a", 0, 0, size)}),
                        "mayfly: table loader: pointer has an unknown size (w, " + bytes_said);
    }
}

TEST(table_loader, complains_of_a_pointer_outside_its_file) {
    for (const u32 offset : {1u, 4u, 5u, 0xfffffffcu, 0xffffffffu}) {
        setup it;
        it.device.add_file("a", {0, 0, 0, 0});
        expect_sentence(it.run({allocate("a"), add_pointer("a", "a", offset, 4)}),
                        "mayfly: table loader: pointer lies outside its file (a, offset " +
                            std::to_string(offset) + ", size 4)");
        setup other;
        other.device.add_file("a", {0, 0, 0, 0});
        other.device.add_file("w", {0, 0, 0, 0});
        expect_sentence(other.run({allocate("a"), write_pointer("w", "a", offset, 0, 4)}),
                        "mayfly: table loader: pointer lies outside its file (w, offset " +
                            std::to_string(offset) + ", size 4)");
    }
    setup source;
    source.device.add_file("a", {0, 0, 0, 0});
    source.device.add_file("w", {0, 0, 0, 0});
    expect_sentence(source.run({allocate("a"), write_pointer("w", "a", 0, 4, 4)}),
                    "mayfly: table loader: pointer lies outside its file (a, offset 4, size 4)");
}

TEST(table_loader, complains_of_a_pointer_that_cannot_hold_the_address) {
    for (const u8 size : {1, 2}) {
        setup it;
        it.device.add_file("a", {0, 0, 0, 0});
        expect_sentence(it.run({allocate("a"), add_pointer("a", "a", 0, size)}),
                        "mayfly: table loader: pointer cannot hold the address (a, address "
                        "0x3ff000, " +
                            std::to_string(size) + " bytes)");
    }
    setup wraps;
    wraps.device.add_file("a", {0, 0, 0xc1, 0xff});
    EXPECT_FALSE(wraps.run({allocate("a"), add_pointer("a", "a", 0, 4)}).ok());
    setup fits;
    fits.device.add_file("a", {0, 0, 0xc0, 0xff});
    expect_ok(fits.run({allocate("a"), add_pointer("a", "a", 0, 4)}));
}

TEST(table_loader, complains_of_a_checksum_outside_its_file) {
    setup it;
    it.device.add_file("a", {0, 0, 0, 0});
    expect_sentence(it.run({allocate("a"), add_checksum("a", 4, 0, 4)}),
                    "mayfly: table loader: checksum lies outside its file (a, offset 4, length 4, "
                    "size 4)");
    setup covered;
    covered.device.add_file("a", {0, 0, 0, 0});
    expect_sentence(covered.run({allocate("a"), add_checksum("a", 0, 1, 4)}),
                    "mayfly: table loader: checksum lies outside its file (a, offset 1, length 4, "
                    "size 4)");
    setup wraps;
    wraps.device.add_file("a", {0, 0, 0, 0});
    expect_sentence(wraps.run({allocate("a"), add_checksum("a", 0, 4, 0xffffffff)}),
                    "mayfly: table loader: checksum lies outside its file (a, offset 4, length "
                    "4294967295, size 4)");
    setup nothing;
    nothing.device.add_file("a", {7, 0, 0, 0});
    expect_ok(nothing.run({allocate("a"), add_checksum("a", 3, 4, 0)}));
}

TEST(table_loader, tells_qemu_an_address) {
    setup it;
    it.device.add_file("a", {0, 0, 0, 0});
    const u16 key = it.device.add_file("w", fakes::fake_fw_cfg::content(10, 0xff));
    it.device.allow_writes(key);
    expect_ok(it.run({allocate("a"), write_pointer("w", "a", 1, 3, 8)}));
    const auto& written = it.device.item(key);
    EXPECT_EQ(load<u64>({written.data(), written.size()}, 1), 0x3ff003u);
    EXPECT_EQ(written[0], 0xff);
    EXPECT_EQ(written[9], 0xff);
    setup refused;
    refused.device.add_file("a", {0});
    refused.device.add_file("w", {0});
    EXPECT_FALSE(refused.run({allocate("a"), write_pointer("w", "a", 0, 0, 1)}).ok());
}

TEST(table_loader, takes_names_that_nothing_ends) {
    setup it;
    const std::string name(56, 'n');
    it.device.add_file(name, {1});
    const auto done = it.run({allocate(name)});
    expect_sentence(done, "mayfly: fw_cfg: file is missing (" + name + ")");
}

// Disabled: the list is not checked and the loader writes through a null pointer.
TEST(table_loader, complains_where_the_list_of_files_has_no_room) {
    setup it;
    std::vector<loader_entry> script(8000, allocate("a"));
    it.device.add_file("a", {1});
    EXPECT_FALSE(it.run(script).ok());
}

TEST(table_loader, runs_captured_scripts) {
    for (const std::string name : {"pc", "pc-smp", "q35", "q35-smbios3", "microvm"}) {
        setup it;
        fakes::add_captured_files(
            it.device, captured(name + "/directory.bin"), [&](const std::string& file) {
                const bool wanted =
                    file == "table-loader.bin" || file == "tables.bin" || file == "rsdp.bin";
                return wanted ? captured(name + "/" + file) : std::vector<u8>{};
            });
        const auto done = it.run();
        expect_ok(done);
        ASSERT_TRUE(done.ok());
        const const_bytes all = done.value().tables;
        EXPECT_LT(all.size(), 10'000u);
        EXPECT_EQ(byte_sum(it.ram.at(done.value().rsdp, 20)), 0) << name;
        for (const char* signature : {"APIC", "FACP", "DSDT"}) {
            const u32 wanted = load<u32>({reinterpret_cast<const u8*>(signature), 4}, 0);
            const auto table = tables::find_table(all, wanted);
            EXPECT_GE(table.size(), sizeof(abi::acpi_header)) << name << " " << signature;
            EXPECT_EQ(byte_sum(table), 0) << name << " " << signature;
        }
    }
}

TEST(find_table, walks_no_further_than_lengths_make_sense) {
    std::vector<u8> content(36 + 40);
    store<u32>(span_of(content), 0, abi::signature("AAAA"));
    store<u32>(span_of(content), 4, 36);
    store<u32>(span_of(content), 36, abi::signature("BBBB"));
    store<u32>(span_of(content), 40, 40);
    EXPECT_EQ(tables::find_table(span_of(content), abi::signature("BBBB")).size(), 40u);
    for (const u32 length : {0u, 7u, 41u, 0xffffffffu}) {
        store<u32>(span_of(content), 40, length);
        EXPECT_TRUE(tables::find_table(span_of(content), abi::signature("BBBB")).empty());
    }
    store<u32>(span_of(content), 4, 0);
    EXPECT_TRUE(tables::find_table(span_of(content), abi::signature("BBBB")).empty());
    EXPECT_TRUE(tables::find_table({}, 0).empty());
}

}  // namespace
}  // namespace mayfly::test
