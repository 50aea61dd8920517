// SPDX-License-Identifier: MIT
// A multiboot image with its modules, one block to QEMU: tables, loading, what it is told,
// entering.
#include "boot/multiboot.hpp"

#include "boot/enter.hpp"
#include "machine.hpp"

namespace mayfly {

using abi::fw_cfg_key;

void boot_multiboot(machine& pc) {
    const u32 entry = pc.config.read_u32(fw_cfg_key::kernel_entry);
    check_entry(pc, entry);
    const u32 begin = static_cast<u32>(pc.image.begin), size = static_cast<u32>(pc.image.size());
    const auto acpi = make_tables(pc);
    mark(pc, step::loading);
    pc.config.read_item_to(fw_cfg_key::kernel_data, begin, size);
    auto& info = pc.work.take<abi::multiboot_info>();
    pc.config.read_item_to(fw_cfg_key::initrd_data, pc.work.address_of(&info), sizeof info);
    mark(pc, step::loaded);
    boot::add_memory(info, pc.map, pc.work);
    log(pc, sentences::log_multiboot, entry, begin, size);
    publish_timeline(pc, acpi, entry_mark::multiboot);
    boot::enter(entry, 0, pc.work.address_of(&info));
}

}  // namespace mayfly
