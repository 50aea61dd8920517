// SPDX-License-Identifier: MIT
#include "resume.hpp"

#include "hw/mtrr.hpp"

namespace mayfly {
namespace {

static_assert(__STDC_HOSTED__ || resume_place + sizeof(resume_record) <= stop_mark);

/// Where the guest wants to go on, below 1 MiB.
u32 waking_vector(const_bytes tables) {
    const auto table = tables::find_table(tables, abi::signature("FACS"));
    const u32 vector = table.empty() ? 0 : u32{as<abi::facs>(table).waking_vector};
    if (vector == 0 || vector >= mib)
        fail(sentences::no_waking_vector, vector);
    return vector;
}

/// As prepare_pci() left it.
void restore_pci(machine& pc, span<const pci::config_write> registers) {
    const u32 ecam = pc.bridge.kind == hw::chipset::q35 ? hw::q35_ecam : 0;
    pci::config_space<hw::hardware>(pc.hardware, ecam).replay(registers);
}

}  // namespace

void remember(machine& pc, const_bytes tables, const tables::told_pointer* told) {
    if (pc.bridge.kind == hw::chipset::unknown)
        return;
    auto& record = record_of(pc.ram);
    record.mark = resume_record::whole;
    record.low_ram_end = pc.map.low_ram_end();
    record.tables = tables;
    record.told = told;
}

void resume(machine& pc) {
    hw::prepare(pc.hardware, pc.bridge.kind);
    if (!hw::is_wake_up(pc.hardware))
        hw::reset_machine();
    const auto& record = record_of(pc.ram);
    if (record.mark != resume_record::whole)
        fail(sentences::no_boot_to_resume, record.mark);
    const u32 vector = waking_vector(record.tables);
    hw::set_memory_types(pc.hardware, record.low_ram_end, pc.cpu.edx);
    if (record.has_orders)
        give_orders(pc);
    restore_pci(pc, record.registers);
    if (record.has_interrupts)
        prepare_interrupts(pc, false);
    for (const auto* told = record.told; told != nullptr; told = told->next)
        pc.config.write(told->to, told->offset, told->address, told->size);
    enter_real_mode(vector >> 4 << 16 | (vector & 0xf));
}

}  // namespace mayfly
