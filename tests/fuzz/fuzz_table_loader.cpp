// SPDX-License-Identifier: MIT
// The table loader's script, and an FPDT into what it leaves. The input: sizes of four files (u32
// each), then the script.
#include "core/tick_scale.hpp"
#include "fakes/empty_map.hpp"
#include "fakes/fake_fw_cfg.hpp"
#include "fuzz/fuzz.hpp"
#include "tables/fpdt.hpp"

using namespace mayfly;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    constexpr u32 ram_size = 0x180000;
    static fakes::fake_ram ram(ram_size);
    fakes::fake_machine machine;
    fakes::fake_fw_cfg device(machine, ram);
    fuzz::input from(data, size);
    for (const char* name : {"etc/acpi/tables", "etc/acpi/rsdp", "etc/tpm/log", "etc/vmgenid"}) {
        const u32 file_size = from.number<u32>();
        device.allow_writes(device.add_file(name, std::vector<u8>(64, 1), file_size));
    }
    device.add_file("etc/table-loader", from.rest());
    arena work(ram.view(), 0xe0000, 0xebfc0);
    hw::fw_cfg config(machine, work);
    tables::memory_map map = fakes::empty_map();
    map.set({mib, ram_size}, tables::memory_type::ram);
    (void)fuzz::finishes([&] {
        config.open();
        tables::table_loader loader(config, map, ram.view(), work);
        const auto acpi = loader.run();
        (void)tables::find_table(acpi.tables, abi::signature("APIC"));
        tables::publish_fpdt({}, tick_scale::slowest_khz, acpi, work);
    });
    return 0;
}
