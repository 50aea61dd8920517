// SPDX-License-Identifier: MIT
// The tables that the guest finds: ACPI, SMBIOS and MP.
#include "abi/mp_table.hpp"
#include "machine.hpp"
#include "resume.hpp"
#include "tables/mp_table.hpp"
#include "tables/smbios.hpp"
#include "tables/table_loader.hpp"

namespace mayfly {
namespace {

using tables::memory_type;

void make_smbios(machine& pc, bytes anchor_place) {
    const hw::file anchor_file = pc.config.find(tables::smbios_anchor_file);
    if (anchor_file.size == 0)
        return;
    const hw::file tables_file = pc.config.require(tables::smbios_tables_file);
    if (anchor_file.size > anchor_place.size())
        fail(sentences::smbios_anchor, anchor_file.size);
    u32 added = tables::bios_information_size();
    u32 size = tables_file.size + added;
    if (size < added)  // then not even the file fits
        size = tables_file.size;
    u32 where = tables::take_or_claim(tables::smbios_tables_file, size, memory_type::reserved,
                                      pc.work, pc.map);

    const bytes anchor = anchor_place.part(0, anchor_file.size);
    const bytes structures = pc.ram.at(where + added, tables_file.size);
    pc.config.read(anchor_file, anchor);
    pc.config.read(tables_file, structures);
    if (tables::has_bios_information(structures)) {
        where += added;
        size -= added;
        added = 0;
    } else {
        tables::write_bios_information(pc.ram.at(where, added));
    }
    tables::finish_smbios_anchor(anchor, where, size, added);
}

/// The CPUs by MADT where QEMU gives one, else by their number and CPUID.
tables::apics find_apics(machine& pc, const_bytes madt) {
    if (!madt.empty())
        return tables::apics_from_madt(madt);
    return tables::apics_from_topology(tables::read_topology(pc.hardware),
                                       pc.config.read_u32(abi::fw_cfg_key::cpu_count));
}

void make_mp_table(machine& pc, const_bytes acpi, bytes floating_pointer) {
    const auto madt = tables::find_table(acpi, abi::signature("APIC"));
    const tables::mp_description description{
        .controllers = find_apics(pc, madt),
        .boot_cpu = {pc.cpu.eax, pc.cpu.edx, static_cast<u8>(pc.cpu.ebx >> 24)},
        .chipset = pc.bridge.kind,
        .isa_bus = pc.isa_bus,
        .virtio_mmio = madt.empty() && has_virtio_lines(pc)};
    tables::write_mp_floating_pointer(as<abi::mp_floating_pointer>(floating_pointer),
                                      tables::write_mp_table(description, pc.work));
}

}  // namespace

tables::acpi_tables make_tables(machine& pc) {
    tables::table_loader loader(pc.config, pc.map, pc.ram, pc.work);
    const auto acpi = loader.run();
    // A machine without PCI is a microvm, which QEMU describes by ACPI or else by a device tree, or
    // an isapc, which has no I/O APIC.
    bool has_io_apic = true;
    if (pc.bridge.kind != hw::chipset::no_pci) {
        remember(pc, acpi.tables, loader.told());
    } else if (acpi.rsdp.empty() && !pc.config.find("etc/fdt").exists()) {
        has_io_apic = false;
        warn(sentences::unknown_bridge, pc.bridge.identity);
    }
    const bytes anchors = clear_anchor_window(pc.ram);
    make_smbios(pc, anchors.part(0, mp_floating_pointer_offset));
    if (has_io_apic)
        make_mp_table(pc, acpi.tables,
                      anchors.part(mp_floating_pointer_offset, sizeof(abi::mp_floating_pointer)));
    log(pc, sentences::log_tables, rsdp_address(pc, acpi), acpi.tables.size());
    mark(pc, step::tables);
    return acpi;
}

}  // namespace mayfly
