// SPDX-License-Identifier: MIT
// A bzImage: tables, placing, loading, entering.
#include "boot/enter.hpp"
#include "boot/linux.hpp"
#include "machine.hpp"

namespace mayfly {
namespace {

using abi::fw_cfg_key;

/// A file that ends early reads as zeros. A kernel's last words are never 0 (its checksum), so only
/// such an image costs the question of how long it really is.
void check_kernel_is_whole(machine& pc, const boot::linux_plan& plan) {
    constexpr u32 unit = 16;  // the header counts in these
    const bytes end = pc.ram.at(plan.kernel + plan.kernel_size - unit, unit);
    if ((load<u32>(end, 0) | load<u32>(end, 4) | load<u32>(end, 8) | load<u32>(end, 12)) != 0)
        return;
    const u32 size = pc.config.read_u32(fw_cfg_key::kernel_size);
    if (align_up(size, unit) < plan.kernel_size)
        fail(sentences::image_cut_short, size, plan.kernel_size);
}

void load_linux(machine& pc, const boot::linux_plan& plan, const boot::linux_trailer& trailer) {
    pc.config.read_item_to(fw_cfg_key::kernel_data, plan.kernel, plan.kernel_size);
    if (trailer.size != 0)
        pc.config.read_item_at(fw_cfg_key::kernel_data, trailer.offset,
                               pc.ram.at(plan.trailer, trailer.size));
    else
        check_kernel_is_whole(pc, plan);
    if (plan.initrd_size != 0)
        pc.config.read_item_to(fw_cfg_key::initrd_data, plan.initrd, plan.initrd_size);
}

}  // namespace

void boot_linux(machine& pc, const_bytes head) {
    const auto acpi = make_tables(pc);
    const auto& header = as<abi::setup_header>(head, abi::setup_header_offset);
    const auto trailer = boot::find_trailer(header, pc.config, pc.work);
    const auto plan = boot::plan_linux(header, trailer, pc.map);
    const auto line = read_command_line(pc, header.cmdline_size, sizeof(abi::boot_params));
    mark(pc, step::loading);
    load_linux(pc, plan, trailer);
    mark(pc, step::loaded);
    auto& params = *reinterpret_cast<abi::boot_params*>(line.zeros);
    boot::write_boot_params(params, header, plan, pc.map, line.address, rsdp_address(pc, acpi));
    log(pc, sentences::log_linux, plan.kernel, static_cast<u32>(plan.initrd), plan.initrd_size);
    publish_timeline(pc, acpi, entry_mark::linux_image);
    boot::enter(plan.kernel, pc.work.address_of(&params), 0);
}

}  // namespace mayfly
