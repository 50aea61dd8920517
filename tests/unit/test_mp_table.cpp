// SPDX-License-Identifier: MIT
#include "tables/mp_table.hpp"

#include "abi/acpi.hpp"
#include "core/checksum.hpp"
#include "fakes/fake_machine.hpp"
#include "tables/table_loader.hpp"
#include "unit/expect.hpp"

namespace mayfly::test {
namespace {

using tables::apic_ids;
using tables::mp_description;

std::vector<u8> write(const mp_description& machine) {
    std::vector<u8> out(tables::mp_table_capacity(machine), 0xee);
    const u32 length = tables::write_mp_table(machine, span_of(out));
    EXPECT_LE(length, out.size());
    out.resize(length);
    EXPECT_EQ(byte_sum(span_of(out)), 0);
    EXPECT_EQ(load<abi::mp_header>(span_of(out), 0).length, length);
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
    mp_description out{{}, {0x663, 0x12345678, 0}, chipset, {}, false};
    out.cpus.add(0);
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

TEST(mp_table, names_no_cpu_twice_and_gives_the_io_apic_an_id_of_its_own) {
    auto machine = one_cpu(hw::chipset::i440fx);
    for (const u32 id : {0u, 1u, 2u, 4u, 4u, 254u, 255u, 0xffffffffu})
        machine.cpus.add(id);
    EXPECT_EQ(machine.cpus.count(), 5u);
    EXPECT_EQ(machine.cpus.lowest_unused(), 3);
    auto table = write(machine);
    EXPECT_EQ(count(table)[0], 5u);
    EXPECT_EQ(table[sizeof(abi::mp_header) + 3], 3);  // enabled, boot
    EXPECT_EQ(table[sizeof(abi::mp_header) + 20 + 3], 1);
}

TEST(mp_table, holds_255_cpus) {
    auto machine = one_cpu(hw::chipset::q35);
    for (u32 id = 0; id < 300; id++)
        machine.cpus.add(id);
    EXPECT_EQ(machine.cpus.count(), 255u);
    EXPECT_EQ(machine.cpus.lowest_unused(), 0);
    auto table = write(machine);
    EXPECT_EQ(count(table)[0], 255u);
}

TEST(mp_table, floating_pointer_sums_to_zero) {
    abi::mp_floating_pointer pointer;
    tables::write_mp_floating_pointer(pointer, 0xe1230);
    EXPECT_EQ(std::string(pointer.signature, 4), "_MP_");
    EXPECT_EQ(pointer.table_address, 0xe1230u);
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
        machine.madt = madt;
        machine.cpus = tables::apic_ids_from_madt(madt);
        EXPECT_EQ(machine.cpus.count(), one.ids.size()) << one.machine;
        for (const u32 id : one.ids)
            EXPECT_TRUE(machine.cpus.has(id));
        auto table = write(machine);
        EXPECT_EQ(count(table)[2], one.io_apics);
    }
}

TEST(mp_table, stops_at_a_damaged_madt) {
    for (const u8 length : {0, 1, 2, 7, 9, 255}) {
        std::vector<u8> madt(sizeof(abi::madt_header) + 8);
        madt[sizeof(abi::madt_header) + 1] = length;
        madt[sizeof(abi::madt_header) + 4] = 1;
        EXPECT_EQ(tables::apic_ids_from_madt(span_of(madt)).count(), 0u) << u32{length};
    }
    for (usize size = 0; size < 52; size++) {
        std::vector<u8> madt(size, 8);
        (void)tables::apic_ids_from_madt(span_of(madt));
    }
}

TEST(mp_table, names_no_more_io_apics_than_it_has_room_for) {
    std::vector<u8> madt(sizeof(abi::madt_header));
    for (int i = 0; i < 100; i++) {
        const auto part = bytes_of(abi::madt_io_apic{{1, 12}, 0, 0, 0xfec00000, 0});
        madt.insert(madt.end(), part.begin(), part.end());
    }
    auto machine = one_cpu(hw::chipset::q35);
    machine.madt = span_of(madt);
    auto table = write(machine);
    EXPECT_EQ(count(table)[2], 16u);
}

TEST(topology, numbers_cpus_as_qemu_does) {
    tables::topology three;  // 3 cores of 1 thread in a package
    three.add(0, 1);
    three.add(2, 3);
    const auto ids = tables::apic_ids_from_topology(three, 6);
    for (const u32 id : {0u, 1u, 2u, 4u, 5u, 6u})
        EXPECT_TRUE(ids.has(id)) << id;
    EXPECT_EQ(ids.count(), 6u);
    EXPECT_EQ(tables::apic_ids_from_topology({}, 5).count(), 5u);
    EXPECT_LE(tables::apic_ids_from_topology({}, 0xffffffff).count(), 255u);
    tables::topology wild;
    wild.add(0xffffffff, 0xffff);
    wild.add(31, 1);
    for (int i = 0; i < 10; i++)
        wild.add(3, 2);
    EXPECT_EQ(wild.count, tables::topology::max_levels);
    (void)tables::apic_ids_from_topology(wild, 255);
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
