// SPDX-License-Identifier: MIT
// ACPI tables, the MADT among them, and the MP table made from it.
#include "abi/acpi.hpp"
#include "core/checksum.hpp"
#include "fuzz/fuzz.hpp"
#include "tables/mp_table.hpp"
#include "tables/table_loader.hpp"

using namespace mayfly;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const auto all = fuzz::input(data, size).rest();
    const auto madt = tables::find_table({all.data(), all.size()}, abi::signature("APIC"));
    for (const auto chipset : {hw::chipset::no_pci, hw::chipset::i440fx, hw::chipset::q35}) {
        const tables::mp_description machine{
            tables::apic_ids_from_madt(madt), {1, 2, 3}, chipset, madt, true};
        std::vector<u8> to(tables::mp_table_capacity(machine));
        const u32 length = tables::write_mp_table(machine, {to.data(), to.size()});
        fuzz::require(length <= to.size());
        fuzz::require(byte_sum({to.data(), length}) == 0);
    }
    return 0;
}
