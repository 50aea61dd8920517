// SPDX-License-Identifier: MIT
// The boot, from the first C++ instruction to the kernel's first.
#include "boot/payload.hpp"
#include "machine.hpp"

namespace mayfly {
namespace {

using abi::fw_cfg_key;
using boot::payload_kind;

/// The first bytes of the kernel file.
const_bytes read_payload(machine& pc) {
    const bytes head = pc.work.take(boot::payload_head_size);
    pc.config.read_item(fw_cfg_key::setup_data, head);
    return head;
}

/// What does not show in the first bytes: no kernel, or multiboot, which QEMU recognized.
payload_kind inspect_without_head(machine& pc, u32 first) {
    if (pc.config.read_u32(fw_cfg_key::kernel_size) == 0)
        fail(sentences::no_kernel);
    if (pc.config.read_u32(fw_cfg_key::setup_size) != 0)
        fail(sentences::not_a_kernel, first);
    return payload_kind::multiboot;
}

}  // namespace

/// Where the reset code comes to, with nothing known but the contract in reset.S.
extern "C" [[noreturn]] void firmware_main(u64 reset_tsc) {
    store<u32>(memory{}.at(stop_mark, sizeof(u32)), 0, 0);
    machine pc;
    pc.times.tsc[static_cast<u32>(step::reset)] = reset_tsc;
    honour_shutdown_code(pc);
    pc.config.open();
    read_options(pc);
    mark(pc, step::chipset);
    const const_bytes head = read_payload(pc);
    auto kind = boot::inspect(head);
    if (kind == payload_kind::none)
        kind = inspect_without_head(pc, load<u32>(head, 0));
    if (ran_before(pc, kind))
        hw::reset_machine();
    tell_unknown_bridge(pc);
    prepare_platform(pc);
    make_memory_map(pc);
    claim_image(pc, head, kind);
    set_memory_types(pc);
    const bool is_full = is_prepared_fully(pc, head, kind);
    if (is_full) {
        prepare_pci(pc);
        prepare_interrupts(pc, is_linux(pc, head, kind));
        prepare_bios(pc);
    }
    if (is_full || needs_feature_control(pc, head, kind))
        prepare_processors(pc);
    mark(pc, step::platform);
    if (kind == payload_kind::linux_image)
        boot_linux(pc, head);
    if (kind == payload_kind::multiboot)
        boot_multiboot(pc);
    boot_pvh(pc);
}

}  // namespace mayfly
