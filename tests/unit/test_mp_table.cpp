// SPDX-License-Identifier: MIT
#include "tables/mp_table.hpp"

#include <algorithm>

#include "abi/acpi.hpp"
#include "core/checksum.hpp"
#include "fakes/fake_machine.hpp"
#include "fakes/fake_ram.hpp"
#include "tables/table_loader.hpp"
#include "unit/expect.hpp"

namespace mayfly::test {
namespace {

using tables::apics;
using tables::mp_description;

std::vector<u8> write(const mp_description& machine) {
    fakes::fake_ram ram(0x4000, 0xee);
    arena work(ram.view(), 0x1000, 0x4000);
    const u32 at = tables::write_mp_table(machine, work);
    EXPECT_EQ(at % 16, 0u);
    const u32 length = load<abi::mp_header>(ram.at(at, sizeof(abi::mp_header)), 0).length;
    EXPECT_LE(at + length, 0x4000 - work.room());
    const bytes table = ram.at(at, length);
    EXPECT_EQ(byte_sum(table), 0);
    return {table.begin(), table.end()};
}

u32 count_cpus(const apics& of) {
    u32 out = 0;
    for (u32 id = 0; id < 256; id++)
        out += of.has_cpu(id) ? 1 : 0;
    return out;
}

/// The IDs of the I/O APICs that a table names.
std::vector<u8> io_apic_ids(std::vector<u8>& table) {
    std::vector<u8> out;
    for (usize at = sizeof(abi::mp_header); at < table.size(); at += table[at] == 0 ? 20 : 8) {
        if (table[at] == 2)
            out.push_back(table[at + 1]);
    }
    return out;
}

/// How many entries of each type; checks that they fill the table exactly.
std::vector<u32> count(std::vector<u8>& table) {
    std::vector<u32> out(5);
    usize at = sizeof(abi::mp_header);
    u32 all = 0;
    while (at < table.size()) {
        EXPECT_LT(table[at], 5);
        out[table[at]]++;
        at += table[at] == 0 ? 20 : 8;
        all++;
    }
    EXPECT_EQ(at, table.size());
    EXPECT_EQ(load<abi::mp_header>(span_of(table), 0).entry_count, all);
    return out;
}

mp_description one_cpu(hw::chipset chipset) {
    mp_description out{{}, {0x663, 0x12345678, 0}, chipset, 1, false};
    out.controllers.add_cpu(0);
    out.controllers.add_io(0xfec00000);
    return out;
}

TEST(mp_table, has_every_entry) {
    auto pc = write(one_cpu(hw::chipset::i440fx));
    EXPECT_EQ(count(pc), (std::vector<u32>{1, 2, 1, 128 + 13, 2}));
    auto q35 = write(one_cpu(hw::chipset::q35));
    EXPECT_EQ(count(q35), (std::vector<u32>{1, 2, 1, 128 + 15, 2}));
    auto microvm = write(one_cpu(hw::chipset::no_pci));
    EXPECT_EQ(count(microvm), (std::vector<u32>{1, 1, 1, 15, 2}));
}

TEST(mp_table, is_the_same_whatever_was_there_before) {
    for (const auto chipset : {hw::chipset::no_pci, hw::chipset::i440fx, hw::chipset::q35}) {
        fakes::fake_ram ram(0x4000);
        arena work(ram.view(), 0, 0x4000);
        const u32 at = tables::write_mp_table(one_cpu(chipset), work);
        const auto other = write(one_cpu(chipset));
        const bytes table = ram.at(at, static_cast<u32>(other.size()));
        EXPECT_EQ(std::vector<u8>(table.begin(), table.end()), other);
    }
}

TEST(mp_table, says_that_the_work_area_is_full) {
    constexpr u32 capacity = 44 + 255 * 20 + 2 * 8 + 16 * 8 + (32 * 4 + 16 + 2) * 8;
    fakes::fake_ram ram(0x4000);
    arena full(ram.view(), 0, capacity / 16 * 16);
    expect_stop([&] { (void)tables::write_mp_table(one_cpu(hw::chipset::q35), full); },
                "mayfly: firmware: work area is full (" + std::to_string(capacity) + " bytes, " +
                    std::to_string(capacity / 16 * 16) + " left)");
}

/// The entries of `type`, as they stand in the table.
template <typename Entry>
std::vector<Entry> entries_of(std::vector<u8>& table, u8 type) {
    std::vector<Entry> out;
    for (usize at = sizeof(abi::mp_header); at < table.size(); at += table[at] == 0 ? 20 : 8) {
        if (table[at] == type)
            out.push_back(load<Entry>(span_of(table), at));
    }
    return out;
}

TEST(mp_table, describes_the_boot_cpu_and_where_everything_is) {
    auto machine = one_cpu(hw::chipset::q35);
    machine.boot_cpu.apic_id = 5;
    machine.controllers.add_cpu(5);
    auto table = write(machine);
    const auto header = load<abi::mp_header>(span_of(table), 0);
    EXPECT_EQ(std::string(header.signature, 4), "PCMP");
    EXPECT_EQ(header.specification, 4);
    EXPECT_EQ(header.local_apic_address, 0xfee00000u);
    EXPECT_EQ(header.oem_table, 0u);
    EXPECT_EQ(header.extended_length, 0);
    const auto cpus = entries_of<abi::mp_processor>(table, 0);
    ASSERT_EQ(cpus.size(), 2u);
    EXPECT_EQ(cpus[0].apic_id, 0);
    EXPECT_EQ(cpus[0].flags, abi::mp_processor_enabled);
    EXPECT_EQ(cpus[1].apic_id, 5);
    EXPECT_EQ(cpus[1].flags, abi::mp_processor_enabled | abi::mp_processor_boot);
    EXPECT_EQ(cpus[1].signature, 0x663u);
    EXPECT_EQ(cpus[1].features, 0x12345678u);
    const auto buses = entries_of<abi::mp_bus>(table, 1);
    ASSERT_EQ(buses.size(), 2u);
    EXPECT_EQ(std::string(buses[0].name, 6), "PCI   ");
    EXPECT_EQ(std::string(buses[1].name, 6), "ISA   ");
    EXPECT_EQ(buses[0].id, 0);
    EXPECT_EQ(buses[1].id, 1);
    const auto io = entries_of<abi::mp_io_apic>(table, 2);
    ASSERT_EQ(io.size(), 1u);
    EXPECT_EQ(io[0].id, 1);
    EXPECT_EQ(io[0].flags, 1);
    EXPECT_EQ(io[0].address, 0xfec00000u);
    const auto local = entries_of<abi::mp_interrupt>(table, 4);
    ASSERT_EQ(local.size(), 2u);
    EXPECT_EQ(local[0].kind, abi::mp_external);
    EXPECT_EQ(local[0].destination_id, 5);
    EXPECT_EQ(local[1].kind, abi::mp_nmi);
    EXPECT_EQ(local[1].destination_id, 0xff);
    EXPECT_EQ(local[1].destination_pin, 1);
}

TEST(mp_table, gives_isa_the_number_it_is_told) {
    for (const auto chipset : {hw::chipset::no_pci, hw::chipset::i440fx, hw::chipset::q35}) {
        auto machine = one_cpu(chipset);
        machine.isa_bus = 0xc3;
        auto table = write(machine);
        const u8 isa = chipset == hw::chipset::no_pci ? 0 : 0xc3;
        EXPECT_EQ(entries_of<abi::mp_bus>(table, 1).back().id, isa);
        EXPECT_EQ(entries_of<abi::mp_interrupt>(table, 3).back().source_bus, isa);
        for (const auto& line : entries_of<abi::mp_interrupt>(table, 4))
            EXPECT_EQ(line.source_bus, isa);
    }
}

TEST(mp_table, routes_every_line) {
    for (const auto chipset :
         {hw::chipset::no_pci, hw::chipset::unknown, hw::chipset::i440fx, hw::chipset::q35}) {
        for (const bool virtio_mmio : {false, true}) {
            auto machine = one_cpu(chipset);
            machine.virtio_mmio = virtio_mmio;
            auto table = write(machine);
            const bool pci = chipset == hw::chipset::i440fx || chipset == hw::chipset::q35;
            const u8 isa = pci ? 1 : 0;
            u32 seen_pci = 0, seen_isa = 0;
            for (const auto& line : entries_of<abi::mp_interrupt>(table, 3)) {
                EXPECT_EQ(line.kind, abi::mp_vectored);
                EXPECT_EQ(line.destination_id, 1);
                if (pci && line.source_bus == 0) {
                    const u32 device = line.source_line >> 2, pin = line.source_line & 3;
                    EXPECT_EQ(line.source_line, seen_pci++);
                    EXPECT_EQ(line.flags, 0xd);
                    const u32 routes[] = {10, 10, 11, 11};
                    u32 input = routes[(device + pin + 3) % 4];
                    if (chipset == hw::chipset::q35)
                        input = device < 25    ? 20 + (device + pin) % 4
                                : device == 30 ? 20 + pin
                                               : 16 + pin;
                    EXPECT_EQ(line.destination_pin, input) << device << " " << pin;
                    continue;
                }
                EXPECT_EQ(line.source_bus, isa);
                const u32 irq = line.source_line;
                seen_isa |= 1u << irq;
                EXPECT_EQ(line.destination_pin, irq == 0 ? 2 : irq);
                const bool level = virtio_mmio ? irq >= 5 && irq <= 12 : pci && irq == 9;
                EXPECT_EQ(line.flags, level ? 0xd : 0) << irq;
            }
            EXPECT_EQ(seen_pci, pci ? 128u : 0u);
            EXPECT_EQ(seen_isa, chipset == hw::chipset::i440fx ? 0xf3fbu : 0xfffbu);
        }
    }
}

TEST(mp_table, names_no_cpu_twice_and_gives_the_io_apic_an_id_of_its_own) {
    auto machine = one_cpu(hw::chipset::i440fx);
    for (const u32 id : {0u, 1u, 2u, 4u, 4u, 254u, 255u, 0xffffffffu})
        machine.controllers.add_cpu(id);
    EXPECT_EQ(count_cpus(machine.controllers), 5u);
    auto table = write(machine);
    EXPECT_EQ(count(table)[0], 5u);
    EXPECT_EQ(table[sizeof(abi::mp_header) + 3], 3);  // enabled, boot
    EXPECT_EQ(table[sizeof(abi::mp_header) + 20 + 3], 1);
    EXPECT_EQ(io_apic_ids(table), (std::vector<u8>{3}));
    for (u32 i = 0; i < 3; i++)
        machine.controllers.add_io(0xfec01000 + 0x1000 * i);
    auto more = write(machine);
    EXPECT_EQ(io_apic_ids(more), (std::vector<u8>{3, 5, 6, 7}));
}

TEST(mp_table, holds_255_cpus) {
    auto machine = one_cpu(hw::chipset::q35);
    for (u32 id = 0; id < 300; id++)
        machine.controllers.add_cpu(id);
    EXPECT_EQ(count_cpus(machine.controllers), 255u);
    auto table = write(machine);
    EXPECT_EQ(count(table)[0], 255u);
    const auto cpus = entries_of<abi::mp_processor>(table, 0);
    for (u32 id = 0; id < 255; id++) {
        EXPECT_EQ(cpus[id].apic_id, id);
        EXPECT_EQ(cpus[id].flags, id == 0 ? 3 : 1);
    }
    EXPECT_EQ(io_apic_ids(table), (std::vector<u8>{0}));
    // The largest table there is.
    for (u32 i = 0; i < 100; i++)
        machine.controllers.add_io(i);
    auto largest = write(machine);
    EXPECT_EQ(count(largest), (std::vector<u32>{255, 2, 16, 128 + 15, 2}));
    auto ids = io_apic_ids(largest);
    EXPECT_EQ(ids.size(), 16u);
    std::sort(ids.begin(), ids.end());
    EXPECT_EQ(std::unique(ids.begin(), ids.end()), ids.end());
}

TEST(mp_table, floating_pointer_sums_to_zero) {
    abi::mp_floating_pointer pointer;
    std::memset(&pointer, 0xee, sizeof pointer);
    tables::write_mp_floating_pointer(pointer, 0xe1230);
    EXPECT_EQ(std::string(pointer.signature, 4), "_MP_");
    EXPECT_EQ(pointer.table_address, 0xe1230u);
    EXPECT_EQ(pointer.length, 1);
    EXPECT_EQ(byte_sum({reinterpret_cast<const u8*>(&pointer), sizeof pointer}), 0);
}

TEST(mp_table, follows_a_captured_madt) {
    const struct {
        const char* machine;
        std::vector<u32> ids;
        u32 io_apics;
    } cases[] = {{"pc", {0}, 1}, {"pc-smp", {0, 1, 2}, 1}, {"q35", {0}, 1}, {"microvm", {0}, 2}};
    for (const auto& one : cases) {
        auto all = captured(std::string(one.machine) + "/tables.bin");
        const auto madt = tables::find_table(span_of(all), abi::signature("APIC"));
        ASSERT_FALSE(madt.empty()) << one.machine;
        auto machine = one_cpu(hw::chipset::no_pci);
        machine.controllers = tables::apics_from_madt(madt);
        EXPECT_EQ(count_cpus(machine.controllers), one.ids.size()) << one.machine;
        for (const u32 id : one.ids)
            EXPECT_TRUE(machine.controllers.has_cpu(id));
        EXPECT_EQ(machine.controllers.io_count, one.io_apics);
        EXPECT_EQ(machine.controllers.io_addresses[0], 0xfec00000u);
        auto table = write(machine);
        EXPECT_EQ(count(table)[2], one.io_apics);
    }
}

/// What a MADT with these entries says. What is read past its end is found.
apics read_madt(const std::vector<u8>& entries) {
    std::vector<u8> madt(sizeof(abi::madt_header));
    madt.insert(madt.end(), entries.begin(), entries.end());
    return tables::apics_from_madt({madt.data(), madt.size()});
}

std::vector<u8> cpu_entry(u8 id, u32 flags = 1) {
    return bytes_of(abi::madt_local_apic{{0, 8}, 0, id, flags});
}

std::vector<u8> io_entry(u32 address) {
    return bytes_of(abi::madt_io_apic{{1, 12}, 0, 0, address, 0});
}

std::vector<u8> operator+(std::vector<u8> left, const std::vector<u8>& right) {
    left.insert(left.end(), right.begin(), right.end());
    return left;
}

TEST(mp_table, stops_at_a_damaged_madt) {
    for (const u8 length : {0, 1, 2, 7, 9, 255}) {
        std::vector<u8> madt(sizeof(abi::madt_header) + 8);
        madt[sizeof(abi::madt_header) + 1] = length;
        madt[sizeof(abi::madt_header) + 4] = 1;
        EXPECT_EQ(count_cpus(tables::apics_from_madt(span_of(madt))), 0u) << u32{length};
    }
    for (usize size = 0; size < 52; size++) {
        std::vector<u8> madt(size, 8);
        (void)tables::apics_from_madt(span_of(madt));
    }
    EXPECT_EQ(tables::apics_from_madt({}).io_count, 0u);
}

TEST(mp_table, takes_what_comes_before_a_truncated_entry) {
    const auto whole = cpu_entry(7) + io_entry(0x1000) + cpu_entry(9) + io_entry(0x2000);
    for (usize length = 0; length <= whole.size(); length++) {
        const auto found = read_madt({whole.begin(), whole.begin() + static_cast<long>(length)});
        EXPECT_EQ(found.has_cpu(7), length >= 8) << length;
        EXPECT_EQ(found.has_cpu(9), length >= 28) << length;
        EXPECT_EQ(count_cpus(found), (length >= 8 ? 1u : 0u) + (length >= 28 ? 1u : 0u));
        EXPECT_EQ(found.io_count, length >= 40 ? 2u : length >= 20 ? 1u : 0u) << length;
    }
    // A length of 0 or 1 ends it; it would never end else.
    for (const u8 length : {0, 1}) {
        const auto found =
            read_madt(cpu_entry(7) + std::vector<u8>{0, length} + cpu_entry(9) + io_entry(1));
        EXPECT_EQ(count_cpus(found), 1u);
        EXPECT_EQ(found.io_count, 0u);
    }
}

TEST(mp_table, skips_entries_that_are_too_short_and_of_other_types) {
    auto short_cpu = cpu_entry(3);
    short_cpu.resize(7);
    short_cpu[1] = 7;
    auto short_io = io_entry(0x3000);
    short_io.resize(11);
    short_io[1] = 11;
    const std::vector<u8> smallest = {0, 2},
                          other = {9, 16, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    auto long_cpu = cpu_entry(5) + std::vector<u8>{1, 1};
    long_cpu[1] = 10;
    const auto found =
        read_madt(short_cpu + short_io + smallest + other + long_cpu + cpu_entry(6, 0) +
                  cpu_entry(8, 2) + cpu_entry(10, 0xffffffff) + cpu_entry(255) + io_entry(0x4000));
    EXPECT_EQ(count_cpus(found), 2u);
    EXPECT_TRUE(found.has_cpu(5));
    EXPECT_TRUE(found.has_cpu(10));
    ASSERT_EQ(found.io_count, 1u);
    EXPECT_EQ(found.io_addresses[0], 0x4000u);
}

TEST(mp_table, names_no_more_io_apics_than_it_has_room_for) {
    std::vector<u8> entries;
    for (u32 i = 0; i < 100; i++)
        entries = entries + io_entry(0xfec00000 + i);
    auto machine = one_cpu(hw::chipset::q35);
    machine.controllers = read_madt(entries);
    EXPECT_EQ(machine.controllers.io_count, 16u);
    EXPECT_EQ(machine.controllers.io_addresses[15], 0xfec0000fu);
    auto table = write(machine);
    EXPECT_EQ(count(table)[2], 16u);
}

TEST(topology, numbers_cpus_as_qemu_does) {
    tables::topology three;  // 3 cores of 1 thread in a package
    three.add(0, 1);
    three.add(2, 3);
    const auto ids = tables::apics_from_topology(three, 6);
    for (const u32 id : {0u, 1u, 2u, 4u, 5u, 6u})
        EXPECT_TRUE(ids.has_cpu(id)) << id;
    EXPECT_EQ(count_cpus(ids), 6u);
    ASSERT_EQ(ids.io_count, 1u);
    EXPECT_EQ(ids.io_addresses[0], 0xfec00000u);
    EXPECT_EQ(count_cpus(tables::apics_from_topology({}, 0)), 0u);
    EXPECT_EQ(count_cpus(tables::apics_from_topology({}, 5)), 5u);
    EXPECT_EQ(count_cpus(tables::apics_from_topology({}, 255)), 255u);
    EXPECT_LE(count_cpus(tables::apics_from_topology({}, 0xffffffff)), 255u);
    tables::topology wild;
    wild.add(0xffffffff, 0xffff);
    wild.add(31, 1);
    for (int i = 0; i < 10; i++)
        wild.add(3, 2);
    EXPECT_EQ(wild.count, tables::topology::max_levels);
    (void)tables::apics_from_topology(wild, 255);
}

TEST(topology, comes_from_leaf_0xb_or_from_leaves_1_and_4) {
    fakes::fake_machine modern;
    modern.set_cpuid(0, 0, {0xb, 0, 0, 0});
    modern.set_cpuid(0xb, 0, {1, 2, 0x100, 0});
    modern.set_cpuid(0xb, 1, {3, 6, 0x201, 0});
    modern.set_cpuid(0xb, 2, {0, 0, 2, 0});
    const auto shape = tables::read_topology(modern);
    ASSERT_EQ(shape.count, 2u);
    EXPECT_EQ(shape.levels[0].shift, 1u);
    EXPECT_EQ(shape.levels[1].threads, 6u);

    fakes::fake_machine old;
    old.set_cpuid(0, 0, {4, 0, 0, 0});
    old.set_cpuid(1, 0, {0, 6 << 16, 0, 1u << 28});
    old.set_cpuid(4, 0, {2u << 26, 0, 0, 0});
    const auto legacy = tables::read_topology(old);
    ASSERT_EQ(legacy.count, 2u);
    EXPECT_EQ(legacy.levels[0].shift, 1u);
    EXPECT_EQ(legacy.levels[0].threads, 2u);
    EXPECT_EQ(legacy.levels[1].shift, 3u);
    EXPECT_EQ(legacy.levels[1].threads, 6u);

    fakes::fake_machine single;
    single.set_cpuid(0, 0, {1, 0, 0, 0});
    single.set_cpuid(1, 0, {0, 0, 0, 0});
    EXPECT_EQ(tables::read_topology(single).count, 0u);
}

}  // namespace
}  // namespace mayfly::test
