// SPDX-License-Identifier: MIT
#include "tables/fpdt.hpp"

#include <cstring>

#include "core/tick_scale.hpp"
#include "fakes/fake_ram.hpp"
#include "unit/expect.hpp"

namespace mayfly::test {
namespace {

constexpr u32 low_begin = 0x1000, low_end = 0x2000;
constexpr u32 rsdp_at = 0x3000, tables_at = 0x4000;
constexpr u32 rsdt_at = tables_at + 0x40, xsdt_at = tables_at + 0x80, tables_size = 0x100;

// A counter of 1 GHz shows nanoseconds.
constexpr u64 reset = 0x1122334455667788;
constexpr u64 since[] = {0, 100, 200, 300, 400, 500, 0x123456789a};
constexpr u32 khz = 1'000'000;

timeline times() {
    timeline result;
    for (u32 i = 0; i < step_count; i++)
        result.tsc[i] = reset + since[i];
    return result;
}

struct setup {
    fakes::fake_ram ram{0x8000, 0};
    arena low{ram.view(), low_begin, low_end};
    tables::acpi_tables acpi{ram.at(rsdp_at, 20), ram.at(tables_at, tables_size)};

    /// A root table of two entries.
    void put_root(u32 at, const char* signature, u32 entry_size) {
        const u32 length = 36 + 2 * entry_size;
        const bytes table = ram.at(at, length);
        std::memcpy(table.data(), signature, 4);
        store<u32>(table, 4, length);
        store<u32>(table, 36, 0x11110000);
        store<u32>(table, 36 + entry_size, 0x22220000);
        store<u8>(table, 9, static_cast<u8>(0 - byte_sum(table)));
    }
    void put_rsdp(u8 revision, u32 rsdt, u64 xsdt) {
        if (revision != 0)
            acpi.rsdp = ram.at(rsdp_at, 36);
        std::memcpy(acpi.rsdp.data(), "RSD PTR ", 8);
        store<u8>(acpi.rsdp, 15, revision);
        store<u32>(acpi.rsdp, 16, rsdt);
        store<u8>(acpi.rsdp, 8, static_cast<u8>(0 - byte_sum(acpi.rsdp.part(0, 20))));
        if (revision == 0)
            return;
        store<u32>(acpi.rsdp, 20, 36);
        store<u64>(acpi.rsdp, 24, xsdt);
        store<u8>(acpi.rsdp, 32, static_cast<u8>(0 - byte_sum(acpi.rsdp)));
    }
    void publish() { tables::publish_fpdt(times(), khz, acpi, low); }
    const_bytes table(u32 at) { return ram.at(at, load<u32>(ram.at(at, 8), 4)); }
    /// The bytes of the RSDP, the tables and everything else that must not change.
    std::string state() {
        return {reinterpret_cast<const char*>(ram.at(rsdp_at, 0x2000).data()), 0x2000};
    }
};

void expect_fpdt(setup& it, u32 at) {
    const const_bytes fpdt = it.table(at);
    EXPECT_GE(at, low_begin);
    ASSERT_EQ(fpdt.size(), 52u);
    EXPECT_EQ(std::memcmp(fpdt.data(), "FPDT", 4), 0);
    EXPECT_EQ(byte_sum(fpdt), 0);
    EXPECT_EQ(load<u16>(fpdt, 36), 0u);
    EXPECT_EQ(load<u8>(fpdt, 38), 16u);
    EXPECT_EQ(load<u8>(fpdt, 39), 1u);
    const u32 boot_at = static_cast<u32>(load<u64>(fpdt, 44));
    const const_bytes boot = it.table(boot_at);
    ASSERT_EQ(boot.size(), 128u);
    EXPECT_EQ(std::memcmp(boot.data(), "FBPT", 4), 0);
    EXPECT_EQ(load<u32>(boot, 8), 0x02300002u);  // basic boot record, 48 bytes, revision 2
    EXPECT_EQ(load<u64>(boot, 16), 0u);
    EXPECT_EQ(load<u64>(boot, 24), 0u);  // not UEFI
    EXPECT_EQ(load<u64>(boot, 32), 400u);
    EXPECT_NEAR(static_cast<double>(load<u64>(boot, 40)), 0x123456789a, 0x123456789a * 2e-6);
    EXPECT_EQ(load<u64>(boot, 48), load<u64>(boot, 40));
    EXPECT_EQ(load<u32>(boot, 56), 0x01483000u);  // ours, 72 bytes, revision 1
    EXPECT_EQ(load<u32>(boot, 60), khz);
    EXPECT_EQ(load<u64>(boot, 64), reset);
    for (u32 i = 0; i < 7; i++)
        EXPECT_EQ(load<u64>(boot, 72 + 8 * i), tick_scale(khz).nanoseconds(since[i]));
}

TEST(fpdt, goes_into_an_rsdt) {
    setup it;
    it.put_root(rsdt_at, "RSDT", 4);
    it.put_rsdp(0, rsdt_at, 0);
    it.publish();
    EXPECT_EQ(byte_sum(it.acpi.rsdp), 0);
    const const_bytes rsdt = it.table(load<u32>(it.acpi.rsdp, 16));
    ASSERT_EQ(rsdt.size(), 36u + 3 * 4);
    EXPECT_EQ(byte_sum(rsdt), 0);
    EXPECT_EQ(load<u32>(rsdt, 36), 0x11110000u);
    EXPECT_EQ(load<u32>(rsdt, 40), 0x22220000u);
    expect_fpdt(it, load<u32>(rsdt, 44));
}

TEST(fpdt, goes_into_an_xsdt) {
    setup it;
    it.put_root(xsdt_at, "XSDT", 8);
    it.put_rsdp(2, 0, xsdt_at);
    it.publish();
    EXPECT_EQ(byte_sum(it.acpi.rsdp.part(0, 20)), 0);
    EXPECT_EQ(byte_sum(it.acpi.rsdp), 0);
    EXPECT_EQ(load<u32>(it.acpi.rsdp, 16), 0u);
    const const_bytes xsdt = it.table(load<u32>(it.acpi.rsdp, 24));
    ASSERT_EQ(xsdt.size(), 36u + 3 * 8);
    EXPECT_EQ(byte_sum(xsdt), 0);
    EXPECT_EQ(load<u64>(xsdt, 36), 0x11110000u);
    EXPECT_EQ(load<u64>(xsdt, 44), 0x22220000u);
    expect_fpdt(it, static_cast<u32>(load<u64>(xsdt, 52)));
}

TEST(fpdt, goes_into_both) {
    setup it;
    it.put_root(rsdt_at, "RSDT", 4);
    it.put_root(xsdt_at, "XSDT", 8);
    it.put_rsdp(2, rsdt_at, xsdt_at);
    it.publish();
    const u32 by_rsdt = load<u32>(it.table(load<u32>(it.acpi.rsdp, 16)), 44);
    const u64 by_xsdt = load<u64>(it.table(load<u32>(it.acpi.rsdp, 24)), 52);
    EXPECT_EQ(by_rsdt, by_xsdt);
    expect_fpdt(it, by_rsdt);
}

TEST(fpdt, does_nothing_without_acpi) {
    setup it;
    it.acpi = {};
    const std::string before = it.state();
    it.publish();
    EXPECT_EQ(it.state(), before);
}

TEST(fpdt, leaves_tables_alone_that_it_cannot_follow) {
    struct {
        u8 revision;
        u32 rsdt;
        u64 xsdt;
        u32 length;  ///< of the root table
    } const cases[] = {
        {0, rsdp_at, 0, 44},                             // below the tables
        {0, tables_at + tables_size, 0, 44},             // above
        {0, tables_at + tables_size - 35, 0, 44},        // its header is cut off
        {0, 0xfffffff0, 0, 44},                          //
        {0, rsdt_at, 0, 35},                             // shorter than its header
        {0, rsdt_at, 0, tables_size - 0x40 + 1},         // longer than the tables
        {0, rsdt_at, 0, 0xffffffff},                     //
        {2, rsdt_at, 0x100000000 + tables_at + 64, 44},  // above 4 GiB
        {2, 0xffff0000, xsdt_at, 44},                    // one of two
        {2, rsdt_at, rsdp_at, 44},                       // the other
    };
    for (const auto& what : cases) {
        setup it;
        it.put_root(rsdt_at, "RSDT", 4);
        it.put_root(xsdt_at, "XSDT", 8);
        it.put_rsdp(what.revision, what.rsdt, what.xsdt);
        store<u32>(it.ram.at(rsdt_at, 8), 4, what.length);
        const std::string before = it.state();
        it.publish();
        EXPECT_EQ(it.state(), before) << what.rsdt << " " << what.xsdt << " " << what.length;
    }
}

TEST(fpdt, does_not_believe_in_an_xsdt_behind_the_end_of_the_root_pointer) {
    setup it;
    it.put_root(rsdt_at, "RSDT", 4);
    it.put_root(xsdt_at, "XSDT", 8);
    it.put_rsdp(2, rsdt_at, xsdt_at);
    it.acpi.rsdp = it.ram.at(rsdp_at, 20);
    it.publish();
    EXPECT_EQ(load<u64>(it.ram.at(rsdp_at, 36), 24), xsdt_at);
    EXPECT_NE(load<u32>(it.acpi.rsdp, 16), rsdt_at);
}

TEST(fpdt, does_nothing_where_there_is_no_room) {
    for (const u32 room : {0u, 176u, 192u + 32u}) {
        setup it;
        it.put_root(rsdt_at, "RSDT", 4);
        it.put_rsdp(0, rsdt_at, 0);
        it.low.take(it.low.room() - room);
        const std::string before = it.state();
        it.publish();
        EXPECT_EQ(it.state(), before) << room;
    }
}

}  // namespace
}  // namespace mayfly::test
