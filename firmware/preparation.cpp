// SPDX-License-Identifier: MIT
// How much of the machine is set up before the kernel.
#include "boot/linux.hpp"
#include "boot/pvh.hpp"
#include "machine.hpp"

namespace mayfly {
namespace {

#ifdef MAYFLY_PREPARE_FULL
constexpr bool prepare_fully = true;
#else
constexpr bool prepare_fully = false;
#endif

}  // namespace

u32 count_extra_roots(machine& pc) {
    if (pc.bridge.kind != hw::chipset::i440fx && pc.bridge.kind != hw::chipset::q35)
        return 0;
    return static_cast<u32>(read_number(pc, "etc/extra-pci-roots"));
}

bool is_linux(const machine& pc, const_bytes head, boot::payload_kind kind) {
    if (kind == boot::payload_kind::linux_image)
        return boot::is_linux(as<abi::setup_header>(head, abi::setup_header_offset));
    // The head of a multiboot image reads as zeros.
    return boot::is_linux(head, pc.map, pc.ram);
}

bool is_prepared_fully(machine& pc, const_bytes head, boot::payload_kind kind) {
    if (pc.asked.prepare != preparation::unsaid)
        return pc.asked.prepare == preparation::full;
    return prepare_fully || !is_linux(pc, head, kind) || count_extra_roots(pc) != 0;
}

bool needs_feature_control(machine& pc, const_bytes head, boot::payload_kind kind) {
    return pc.asked.prepare == preparation::lean && !is_linux(pc, head, kind) &&
           pc.config.find(feature_control_file).exists();
}

}  // namespace mayfly
