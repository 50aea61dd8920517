// SPDX-License-Identifier: MIT
// A PVH ELF, which QEMU has loaded: tables, what it is told, entering.
#include "abi/elf.hpp"
#include "boot/enter.hpp"
#include "boot/pvh.hpp"
#include "machine.hpp"

namespace mayfly {
namespace {

using abi::fw_cfg_key;

/// Takes the place of the initrd and reads it there.
u32 load_initrd(machine& pc, u32 size) {
    if (size == 0)
        return 0;
    const u32 where =
        pc.map.claim_highest(size, page_size, tables::memory_map::top, tables::claimed_ram);
    if (where == 0)
        fail(sentences::initrd_too_large, size, pc.map.low_ram_end());
    pc.config.read_item_to(fw_cfg_key::initrd_data, where, size);
    return where;
}

}  // namespace

void boot_pvh(machine& pc) {
    const u32 entry = pc.config.read_u32(fw_cfg_key::kernel_entry);
    if (entry == 0)  // machine types before 4.0 do not load it
        fail(sentences::not_a_kernel, abi::elf_magic);
    check_entry(pc, entry);
    const auto acpi = make_tables(pc);
    boot::pvh_handover handover;
    handover.rsdp = rsdp_address(pc, acpi);
    const u32 line_size = pc.config.read_u32(fw_cfg_key::cmdline_size);
    handover.command_line = read_command_line(pc, line_size, 0).address;
    handover.initrd_size = pc.config.read_u32(fw_cfg_key::initrd_size);
    mark(pc, step::loading);
    handover.initrd = load_initrd(pc, handover.initrd_size);
    mark(pc, step::loaded);
    const u32 start_info = boot::write_start_info(handover, pc.map, pc.work);
    log(pc, sentences::log_pvh, entry, handover.initrd, handover.initrd_size);
    publish_timeline(pc, acpi, entry_mark::pvh);
    boot::enter(entry, 0, start_info);
}

}  // namespace mayfly
