// SPDX-License-Identifier: MIT
#include "tables/table_loader.hpp"

#include <random>
#include <source_location>
#include <tuple>

#include "fakes/captured_files.hpp"
#include "fakes/empty_map.hpp"
#include "unit/expect.hpp"

namespace mayfly::test {
namespace {

using abi::loader_command;
using abi::loader_entry;
using tables::acpi_tables;
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
    tables::memory_map map = fakes::empty_map();

    setup() { map.set({mib, ram_size}, memory_type::ram); }

    void add_script(const std::vector<loader_entry>& script) {
        fakes::fake_fw_cfg::content content;
        for (const auto& entry : script) {
            const auto part = bytes_of(entry);
            content.insert(content.end(), part.begin(), part.end());
        }
        device.add_file("etc/table-loader", content);
    }

    acpi_tables run() {
        config.open();
        tables::table_loader loader(config, map, ram.view(), work);
        return loader.run();
    }

    acpi_tables run(const std::vector<loader_entry>& script) {
        add_script(script);
        return run();
    }

    void expect_complaint(const std::vector<loader_entry>& script, const std::string& said,
                          std::source_location where = std::source_location::current()) {
        expect_stop([&] { (void)run(script); }, said, where);
    }

    /// The type of all of `where`, `none` where it has more than one.
    memory_type type_of(tables::range where) const {
        auto type = memory_type::none;
        for (u32 i = 0; i < map.parts(); i++) {
            if (!fakes::overlap(map.part(i), where))
                continue;
            if (type != memory_type::none && type != map.type(i))
                return memory_type::none;
            type = map.type(i);
        }
        return type;
    }
};

TEST(table_loader, does_nothing_without_a_script) {
    setup none;
    EXPECT_TRUE(none.run().rsdp.empty());
    setup empty;
    EXPECT_TRUE(empty.run({}).rsdp.empty());
    EXPECT_TRUE(empty.run().tables.empty());
}

TEST(table_loader, skips_unknown_commands) {
    setup it;
    loader_entry unknown = {};
    loader_entry also = {};
    also.command = 0xffffffff;
    EXPECT_TRUE(it.run({unknown, also}).rsdp.empty());
    EXPECT_EQ(it.type_of({mib, ram_size}), memory_type::ram);
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
    const u32 tables_at = it.work.address_of(done.tables.data());
    EXPECT_EQ(tables_at, ram_size - page_size);
    EXPECT_EQ(done.tables.size(), 100u);
    EXPECT_EQ(byte_sum(done.tables), 0);
    const bytes rsdp = done.rsdp;
    EXPECT_EQ(rsdp.size(), 36u);
    EXPECT_EQ(it.ram.view().address_of(rsdp.data()) % 16, 0u);
    EXPECT_GE(it.ram.view().address_of(rsdp.data()), work_begin);
    EXPECT_EQ(load<u32>(rsdp, 16), tables_at);
    EXPECT_EQ(load<u64>(rsdp, 24), tables_at);
    EXPECT_EQ(byte_sum(rsdp.part(0, 20)), 0);
    EXPECT_EQ(it.type_of({tables_at, ram_size}), memory_type::nvs);
}

TEST(table_loader, adds_to_what_a_pointer_already_holds) {
    setup it;
    it.device.add_file("a", {0x34, 0x12, 0, 0, 0, 0, 0, 0, 0xff});
    (void)it.run({allocate("a"), add_pointer("a", "a", 0, 8)});
    const u32 at = ram_size - page_size;
    EXPECT_EQ(load<u64>(it.ram.at(at, 9), 0), at + 0x1234u);
    EXPECT_EQ(it.ram.at(at, 9)[8], 0xff);
    EXPECT_EQ(it.type_of({at, ram_size}), memory_type::reserved);
}

TEST(table_loader, reads_no_more_of_the_tables_than_the_script_names) {
    setup it;
    it.device.add_file("etc/acpi/tables", fakes::fake_fw_cfg::content(64, 1), 128 * 1024);
    const auto done =
        it.run({allocate("etc/acpi/tables"), add_checksum("etc/acpi/tables", 9, 0, 64)});
    EXPECT_EQ(done.tables.size(), 64u);
}

TEST(table_loader, complains_of_a_part_of_a_command) {
    setup it;
    it.device.add_file("etc/table-loader", fakes::fake_fw_cfg::content(129));
    expect_stop([&] { (void)it.run(); },
                "mayfly: etc/table-loader: not a whole number of entries (129 bytes, 128 each)");
}

TEST(table_loader, puts_a_large_script_elsewhere_or_complains) {
    setup it;
    it.device.add_file("etc/table-loader", {}, 1 * mib);
    (void)it.run();
    EXPECT_EQ(it.type_of({mib, 3 * mib}), memory_type::ram);
    EXPECT_EQ(it.type_of({3 * mib, ram_size}), tables::claimed_ram);
    EXPECT_TRUE(it.map.is_ram({mib, ram_size}));
    setup full;
    full.device.add_file("etc/table-loader", {}, 0xffffff80);
    expect_stop([&] { (void)full.run(); },
                "mayfly: etc/table-loader: no room below 4096 MiB (4294967168 bytes, "
                "alignment 4096)");
}

TEST(table_loader, complains_of_a_second_allocation) {
    setup it;
    it.device.add_file("a", {1});
    it.expect_complaint({allocate("a"), allocate("a")},
                        "mayfly: table loader: file is allocated twice (a)");
}

TEST(table_loader, complains_of_use_before_allocation) {
    for (const auto& entry : {add_pointer("b", "a", 0, 1), add_pointer("a", "b", 0, 1),
                              add_checksum("b", 0, 0, 1), write_pointer("b", "b", 0, 0, 1)}) {
        setup it;
        it.device.add_file("a", {1});
        it.device.add_file("b", {1});
        it.expect_complaint({allocate("a"), entry},
                            "mayfly: table loader: file is used before it is allocated (b)");
    }
}

TEST(table_loader, complains_of_a_missing_file) {
    setup it;
    it.expect_complaint({allocate("nowhere")}, "mayfly: fw_cfg: file is missing (nowhere)");
    setup other;
    other.device.add_file("a", {1});
    other.expect_complaint({allocate("a"), write_pointer("b", "a", 0, 0, 1)},
                           "mayfly: fw_cfg: file is missing (b)");
}

TEST(table_loader, complains_of_an_alignment_that_is_no_power_of_two) {
    for (const u32 alignment : {0u, 3u, 0xffffffffu}) {
        setup it;
        it.device.add_file("a", {1});
        it.expect_complaint({allocate("a", alignment)},
                            "mayfly: table loader: alignment is not a power of two (a, alignment " +
                                std::to_string(alignment) + ")");
    }
}

TEST(table_loader, complains_of_an_unknown_zone) {
    for (const u8 zone : {0, 3, 255}) {
        setup it;
        it.device.add_file("a", {1});
        it.expect_complaint(
            {allocate("a", 1, zone)},
            "mayfly: table loader: unknown zone (a, zone " + std::to_string(zone) + ", limit 2)");
    }
}

TEST(table_loader, complains_where_a_file_does_not_fit) {
    setup it;
    it.device.add_file("a", {}, 3 * mib + 1);
    it.expect_complaint({allocate("a", 16)},
                        "mayfly: a: no room below 4096 MiB (3145729 bytes, alignment 16)");
    setup largest;
    largest.device.add_file("a", {}, 0xffffffff);
    largest.expect_complaint({allocate("a", 0x80000000)},
                             "mayfly: a: no room below 4096 MiB (4294967295 bytes, "
                             "alignment 2147483648)");
    setup exact;
    exact.device.add_file("a", {}, 3 * mib);
    (void)exact.run({allocate("a", 16)});
    setup aligned;
    aligned.device.add_file("a", {1});
    aligned.expect_complaint({allocate("a", 0x80000000)},
                             "mayfly: a: no room below 4096 MiB (1 bytes, alignment 2147483648)");
    setup below;
    below.device.add_file("a", {}, work_end - work_begin);
    below.expect_complaint({allocate("a", 16, low)},
                           "mayfly: a: no room below 1 MiB (49088 bytes, alignment 16)");
    setup far;
    far.device.add_file("a", {1});
    far.expect_complaint({allocate("a", 0x80000000, low)},
                         "mayfly: a: no room below 1 MiB (1 bytes, alignment 2147483648)");
}

TEST(table_loader, complains_of_a_pointer_of_unknown_size) {
    for (const u8 size : {0, 3, 5, 16, 128, 255}) {
        const std::string bytes_said = std::to_string(size) + " bytes)";
        setup it;
        it.device.add_file("a", fakes::fake_fw_cfg::content(64));
        it.expect_complaint({allocate("a"), add_pointer("a", "a", 0, size)},
                            "mayfly: table loader: pointer has an unknown size (a, " + bytes_said);
        setup other;
        other.device.add_file("a", {1});
        other.device.add_file("w", {1});
        other.expect_complaint(
            {allocate("a"), write_pointer("w", "a", 0, 0, size)},
            "mayfly: table loader: pointer has an unknown size (w, " + bytes_said);
    }
}

TEST(table_loader, complains_of_a_pointer_outside_its_file) {
    for (const u32 offset : {1u, 4u, 5u, 0xfffffffcu, 0xffffffffu}) {
        setup it;
        it.device.add_file("a", {0, 0, 0, 0});
        it.expect_complaint({allocate("a"), add_pointer("a", "a", offset, 4)},
                            "mayfly: table loader: command reaches outside a file (a, offset " +
                                std::to_string(offset) + ", length 4, size 4)");
        setup other;
        other.device.add_file("a", {0, 0, 0, 0});
        other.device.add_file("w", {0, 0, 0, 0});
        other.expect_complaint({allocate("a"), write_pointer("w", "a", offset, 0, 4)},
                               "mayfly: table loader: command reaches outside a file (w, offset " +
                                   std::to_string(offset) + ", length 4, size 4)");
    }
    setup source;
    source.device.add_file("a", {0, 0, 0, 0});
    source.device.add_file("w", {0, 0, 0, 0});
    source.expect_complaint(
        {allocate("a"), write_pointer("w", "a", 0, 4, 4)},
        "mayfly: table loader: command reaches outside a file (a, offset 4, length 1, size 4)");
}

TEST(table_loader, complains_of_a_pointer_that_cannot_hold_the_address) {
    for (const u8 size : {1, 2}) {
        setup it;
        it.device.add_file("a", {0, 0, 0, 0});
        it.expect_complaint({allocate("a"), add_pointer("a", "a", 0, size)},
                            "mayfly: table loader: pointer cannot hold the address (a, address "
                            "0x3ff000, " +
                                std::to_string(size) + " bytes)");
    }
    setup wraps;
    wraps.device.add_file("a", {0, 0, 0xc1, 0xff});
    const std::string said = said_by([&] {
        (void)wraps.run({allocate("a"), add_pointer("a", "a", 0, 4)});
    });
    EXPECT_TRUE(said.starts_with("mayfly: table loader: pointer cannot hold the address (a, "))
        << said;
    EXPECT_TRUE(said.ends_with(", 4 bytes)")) << said;
    for (const u8 size : {1, 2}) {
        setup written;
        written.device.add_file("a", {0, 0, 0, 0});
        written.device.allow_writes(written.device.add_file("w", {0, 0, 0, 0}));
        written.expect_complaint({allocate("a"), write_pointer("w", "a", 0, 1, size)},
                                 "mayfly: table loader: pointer cannot hold the address (w, "
                                 "address 0x3ff001, " +
                                     std::to_string(size) + " bytes)");
    }
    setup fits;
    fits.device.add_file("a", {0, 0, 0xc0, 0xff});
    (void)fits.run({allocate("a"), add_pointer("a", "a", 0, 4)});
}

TEST(table_loader, complains_of_a_checksum_outside_its_file) {
    setup it;
    it.device.add_file("a", {0, 0, 0, 0});
    it.expect_complaint(
        {allocate("a"), add_checksum("a", 4, 0, 4)},
        "mayfly: table loader: command reaches outside a file (a, offset 4, length 4, "
        "size 4)");
    setup covered;
    covered.device.add_file("a", {0, 0, 0, 0});
    covered.expect_complaint(
        {allocate("a"), add_checksum("a", 0, 1, 4)},
        "mayfly: table loader: command reaches outside a file (a, offset 1, length 4, "
        "size 4)");
    setup wraps;
    wraps.device.add_file("a", {0, 0, 0, 0});
    wraps.expect_complaint(
        {allocate("a"), add_checksum("a", 0, 4, 0xffffffff)},
        "mayfly: table loader: command reaches outside a file (a, offset 4, length "
        "4294967295, size 4)");
    setup nothing;
    nothing.device.add_file("a", {7, 0, 0, 0});
    (void)nothing.run({allocate("a"), add_checksum("a", 3, 4, 0)});
}

TEST(table_loader, tells_qemu_an_address) {
    setup it;
    it.device.add_file("a", {0, 0, 0, 0});
    const u16 key = it.device.add_file("w", fakes::fake_fw_cfg::content(10, 0xff));
    it.device.allow_writes(key);
    it.add_script({allocate("a"), write_pointer("w", "a", 1, 3, 8)});
    it.config.open();
    tables::table_loader loader(it.config, it.map, it.ram.view(), it.work);
    (void)loader.run();
    const auto& written = it.device.item(key);
    EXPECT_EQ(load<u64>({written.data(), written.size()}, 1), 0x3ff003u);
    EXPECT_EQ(written[0], 0xff);
    EXPECT_EQ(written[9], 0xff);
    const auto* const told = loader.told();
    ASSERT_NE(told, nullptr);
    EXPECT_EQ(told->to.key, key);
    EXPECT_EQ(std::tuple(told->offset, told->address, told->size), std::tuple(1u, 0x3ff003u, 8u));
    EXPECT_EQ(told->next, nullptr);
    setup refused;
    refused.device.add_file("a", {0});
    const u16 read_only = refused.device.add_file("w", {0, 0, 0, 0});
    refused.expect_complaint(
        {allocate("a"), write_pointer("w", "a", 0, 0, 4)},
        "mayfly: fw_cfg: transfer failed (item " + fakes::hex(read_only) + ", 4 bytes)");
}

TEST(table_loader, adds_pointers_like_numbers) {
    std::mt19937_64 random(3);
    u32 fitted[9] = {}, stopped[9] = {};
    for (const u8 size : {1, 2, 4, 8}) {
        for (int round = 0; round < 200; round++) {
            const u64 mask = ~u64{0} >> (64 - 8 * size);
            // An address of so few bytes that it may fit.
            const u32 most = size == 1 ? 0xf0 : size == 2 ? 0xfff0 : work_begin;
            const u32 at = 1 + static_cast<u32>(random() % (most - 1));
            // Content that a carry runs through, and content near both ends.
            u64 before = random() & mask;
            if (round % 3 == 0)
                before |= (~u64{0} >> (64 - (1 + random() % 8) * 8)) & mask;
            if (round % 5 == 0)
                before = round % 2 == 0 ? (mask - random() % (2 * at)) & mask : random() % 0x40;
            setup it;
            fakes::fake_fw_cfg::content content(16, 0x5a);
            std::memcpy(&content[3], &before, size);
            it.device.add_file("a", content);
            it.add_script({allocate("a", 1, low), add_pointer("a", "a", 3, size)});
            // Too small for the script, so that the file comes first.
            arena below(it.ram.view(), at, align_up(at + 200, 16u));
            it.config.open();
            tables::table_loader loader(it.config, it.map, it.ram.view(), below);
            u64 sum;
            const bool wraps = __builtin_add_overflow(before, u64{at}, &sum) || sum > mask;
            if (wraps) {
                expect_stop([&] { (void)loader.run(); },
                            "mayfly: table loader: pointer cannot hold the address (a, address " +
                                fakes::hex(at) + ", " + std::to_string(size) + " bytes)");
                stopped[size]++;
                continue;
            }
            (void)loader.run();
            std::memcpy(&content[3], &sum, size);
            const bytes after = it.ram.at(at, 16);
            EXPECT_EQ(std::vector<u8>(after.begin(), after.end()), content) << before;
            fitted[size]++;
        }
        EXPECT_GT(fitted[size], 10u) << u32{size};
        EXPECT_GT(stopped[size], 10u) << u32{size};
    }
}

TEST(table_loader, carries_into_every_byte_of_a_pointer_of_8) {
    constexpr u32 at = ram_size - page_size;  // 0x3ff000
    for (u32 ones = 0; ones <= 8; ones++) {
        // So many bytes of ones from the fourth on.
        u64 before = 0xffc01000;
        for (u32 i = 4; i < 8 && i < 4 + ones; i++)
            before |= u64{0xff} << (8 * i);
        setup it;
        fakes::fake_fw_cfg::content content(9, 0x77);
        std::memcpy(content.data(), &before, 8);
        it.device.add_file("a", content);
        const std::vector<loader_entry> script = {allocate("a"), add_pointer("a", "a", 0, 8)};
        if (ones >= 4) {
            it.expect_complaint(script,
                                "mayfly: table loader: pointer cannot hold the address (a, "
                                "address 0x3ff000, 8 bytes)");
            // What is behind it stays.
            EXPECT_EQ(it.ram.at(at, 9)[8], 0x77);
            continue;
        }
        (void)it.run(script);
        EXPECT_EQ(load<u64>(it.ram.at(at, 9), 0), before + at) << ones;
        EXPECT_EQ(it.ram.at(at, 9)[8], 0x77);
    }
}

TEST(table_loader, takes_names_that_nothing_ends) {
    setup it;
    const std::string name(56, 'n');
    it.device.add_file(name, {1});
    it.expect_complaint({allocate(name)}, "mayfly: fw_cfg: file is missing (" + name + ")");
    // The longest one there is.
    setup longest;
    const std::string fits(55, 'n');
    longest.device.add_file(fits, {1});
    (void)longest.run({allocate(fits), add_checksum(fits, 0, 0, 1)});
    setup other;
    other.device.add_file(fits, {1});
    other.expect_complaint(
        {allocate(fits), add_checksum(name, 0, 0, 1)},
        "mayfly: table loader: file is used before it is allocated (" + name + ")");
    setup shorter;
    shorter.device.add_file(fits, {1});
    shorter.expect_complaint(
        {allocate(fits), add_checksum(fits.substr(1), 0, 0, 1)},
        "mayfly: table loader: file is used before it is allocated (" + fits.substr(1) + ")");
}

TEST(table_loader, complains_where_the_list_of_files_has_no_room) {
    setup it;
    std::vector<loader_entry> script(8000, allocate("a"));
    it.device.add_file("a", {1});
    it.expect_complaint(script, "mayfly: table loader: file is allocated twice (a)");

    // Files without content take nothing but their place in the list.
    setup many;
    script.clear();
    for (int i = 0; i < 1600; i++) {
        const std::string name = std::to_string(i);
        many.device.add_file(name, {});
        script.push_back(allocate(name));
    }
    many.add_script(script);
    constexpr u32 entry = sizeof(void*) + sizeof(text) + sizeof(bytes);
    const std::string said = said_by([&] { (void)many.run(); });
    EXPECT_EQ(said, "mayfly: firmware: work area is full (" + std::to_string(entry) + " bytes, " +
                        std::to_string(many.work.room()) + " left)");
}

TEST(table_loader, complains_of_more_places_than_the_map_holds) {
    setup it;
    std::vector<loader_entry> script;
    for (int i = 0; i < 200; i++) {
        const std::string name = std::to_string(i);
        it.device.add_file(name, {1});
        script.push_back(allocate(name));
    }
    it.expect_complaint(script, "mayfly: memory map: too many parts (limit 126)");
}

TEST(table_loader, keeps_a_large_script_apart_from_what_it_places) {
    setup it;
    it.device.add_file("a", {7});
    std::vector<loader_entry> script(8000);
    for (auto& entry : script)
        entry = {};
    script.front() = allocate("a");
    script.back() = add_checksum("a", 0, 0, 1);
    (void)it.run(script);
    const u32 script_at = ram_size - 250 * page_size;
    EXPECT_EQ(it.type_of({script_at, ram_size}), tables::claimed_ram);
    EXPECT_EQ(it.type_of({script_at - page_size, script_at}), memory_type::reserved);
    EXPECT_EQ(it.ram.at(script_at - page_size, 1)[0], 0);
    // The guest may use the script's place.
    std::vector<u8> entries(tables::memory_map::capacity * 20 + 4);
    EXPECT_EQ(it.map.write_entries(entries.data(), 20), 3u);
    EXPECT_TRUE(it.map.is_ram({script_at, ram_size}));
}

TEST(table_loader, places_each_file_as_what_it_is) {
    setup it;
    it.device.add_file("etc/acpi/tables", fakes::fake_fw_cfg::content(36));
    it.device.add_file("etc/tpm/log", fakes::fake_fw_cfg::content(page_size + 1));
    it.device.add_file("empty", {});
    it.device.add_file("etc/acpi/rsdp", fakes::fake_fw_cfg::content(36));
    const auto done = it.run({allocate("etc/acpi/tables"), allocate("etc/tpm/log", 0x10000),
                              allocate("empty"), allocate("etc/acpi/rsdp")});
    EXPECT_EQ(it.type_of({ram_size - page_size, ram_size}), memory_type::nvs);
    const u32 log = ram_size - 0x10000;
    EXPECT_EQ(it.type_of({log, log + 2 * page_size}), memory_type::reserved);
    EXPECT_EQ(it.type_of({log + 2 * page_size, ram_size - 2 * page_size}), memory_type::ram);
    // In the high zone it is placed as any other file is.
    const u32 rsdp = it.ram.view().address_of(done.rsdp.data());
    EXPECT_EQ(rsdp, ram_size - 2 * page_size);
    EXPECT_EQ(it.type_of({rsdp, rsdp + page_size}), memory_type::reserved);
}

TEST(named_end, is_where_the_last_checksum_of_the_tables_ends) {
    const auto end = [](std::vector<loader_entry> script) {
        return tables::named_end({script.data(), script.size()});
    };
    const std::string tables = "etc/acpi/tables";
    EXPECT_EQ(end({}), 0u);
    EXPECT_EQ(end({allocate(tables)}), 0u);
    EXPECT_EQ(end({add_checksum("etc/acpi/rsdp", 0, 0, 100)}), 0u);
    EXPECT_EQ(end({add_checksum("etc/acpi/table", 0, 0, 100)}), 0u);
    EXPECT_EQ(end({add_checksum("etc/acpi/tables2", 0, 0, 100)}), 0u);
    EXPECT_EQ(end({add_checksum(tables, 0, 0, 0)}), 0u);
    EXPECT_EQ(end({add_checksum(tables, 0, 10, 20), add_checksum(tables, 0, 100, 7),
                   add_checksum(tables, 0, 50, 1)}),
              107u);
    // One whose end wraps is not believed.
    EXPECT_EQ(end({add_checksum(tables, 0, 0xfffffff0, 0x20)}), 0u);
    EXPECT_EQ(end({add_checksum(tables, 0, 0xffffffff, 0xffffffff)}), 0u);
    EXPECT_EQ(end({add_checksum(tables, 0, 0xfffffff0, 0xf)}), 0xffffffffu);
    auto other = add_checksum(tables, 0, 0, 100);
    other.command = 2;
    EXPECT_EQ(end({other}), 0u);
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
        const const_bytes all = done.tables;
        EXPECT_LT(all.size(), 10'000u);
        EXPECT_EQ(byte_sum(done.rsdp.part(0, 20)), 0) << name;
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
