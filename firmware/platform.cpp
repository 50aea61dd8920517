// SPDX-License-Identifier: MIT
// The machine before any payload: chipset, memory below 1 MiB, memory map.
#include "boot/pvh.hpp"
#include "machine.hpp"
#include "resume.hpp"

namespace mayfly {

using tables::memory_type;

void honour_shutdown_code(machine& pc) {
    constexpr u8 jump_with_end_of_interrupt = 0x05, jump = 0x0a;
    constexpr u8 woken = 0xfe;          // set at sleep (QEMU hw/rtc/mc146818rtc.c)
    constexpr u32 far_pointer = 0x467;  // 0040:0067
    if (!hw::has_cmos(pc.bridge.kind))
        return;
    const u8 code = hw::read_shutdown_code(pc.hardware);
    if (code != jump_with_end_of_interrupt && code != jump && code != woken)
        return;
    hw::clear_shutdown_code(pc.hardware);
    if (code == woken)
        resume(pc);
    if (code == jump_with_end_of_interrupt) {
        constexpr u16 first_pic = 0x20, second_pic = 0xa0;
        constexpr u8 end_of_interrupt = 0x20;
        pc.hardware.out8(second_pic, end_of_interrupt);
        pc.hardware.out8(first_pic, end_of_interrupt);
    }
    enter_real_mode(load<u32>(pc.ram.at(far_pointer, sizeof(u32)), 0));
}

bool ran_before(machine& pc, boot::payload_kind kind) {
    const bool is_known_by_memory = has_anchors(pc.ram);
    switch (pc.bridge.kind) {
        case hw::chipset::i440fx:
        case hw::chipset::q35:
            // What opens the F segment to RAM outlives a reset there.
            return (is_known_by_memory || kind != boot::payload_kind::linux_image) &&
                   hw::is_prepared(pc.hardware, pc.bridge.kind);
        case hw::chipset::no_pci:
            return is_known_by_memory;
        case hw::chipset::unknown:
            break;
    }
    return false;
}

void tell_unknown_bridge(machine& pc) {
    if (pc.bridge.kind == hw::chipset::unknown)
        warn(sentences::unknown_bridge, pc.bridge.identity);
}

void prepare_platform(machine& pc) {
    hw::prepare(pc.hardware, pc.bridge.kind);
    prepare_low_memory(pc.ram, pc.bridge.kind);
}

void make_memory_map(machine& pc) {
    constexpr text name = "etc/e820";
    const const_bytes e820 = read_file(pc, name, pc.config.require(name));
    tables::read_e820(e820, pc.map);
    if (pc.bridge.kind == hw::chipset::q35) {
        constexpr u64 ecam = hw::q35_ecam, root_complex = hw::ich9_root_complex;
        pc.map.set({ecam, ecam + hw::q35_ecam_size}, memory_type::reserved);
        pc.map.set({root_complex, root_complex + hw::ich9_root_complex_size},
                   memory_type::reserved);
    }
    pc.map.set({image_begin, four_gib}, memory_type::reserved);
}

void claim_image(machine& pc, const_bytes head, boot::payload_kind kind) {
    if (kind == boot::payload_kind::linux_image)
        return;
    const u32 begin = pc.config.read_u32(abi::fw_cfg_key::kernel_address);
    pc.image = {begin, u64{begin} + pc.config.read_u32(abi::fw_cfg_key::kernel_size)};
    if (kind == boot::payload_kind::pvh_elf)
        boot::claim_image(pc.image, head, pc.map);
    else
        pc.map.claim_payload(pc.image);
}

}  // namespace mayfly
