// SPDX-License-Identifier: MIT
// ACPI tables, the MADT among them, and the MP table made from it.
#include "abi/acpi.hpp"
#include "core/checksum.hpp"
#include "fakes/fake_ram.hpp"
#include "fuzz/fuzz.hpp"
#include "tables/mp_table.hpp"
#include "tables/table_loader.hpp"

using namespace mayfly;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const auto all = fuzz::input(data, size).rest();
    const auto madt = tables::find_table({all.data(), all.size()}, abi::signature("APIC"));
    const auto found = tables::apics_from_madt(madt);
    fuzz::require(found.io_count <= tables::apics::io_limit);
    for (const auto chipset : {hw::chipset::no_pci, hw::chipset::i440fx, hw::chipset::q35}) {
        fakes::fake_ram ram(0x3000);
        arena work(ram.view(), 0x1000, 0x3000);
        const tables::mp_description machine{found, {1, 2, 3}, chipset, true};
        const u32 at = tables::write_mp_table(machine, work);
        const u32 length = load<abi::mp_header>(ram.at(at, sizeof(abi::mp_header)), 0).length;
        fuzz::require(at + length <= 0x3000 - work.room());
        fuzz::require(byte_sum(ram.at(at, length)) == 0);
    }
    return 0;
}
