// SPDX-License-Identifier: MIT
// A kernel's setup header. The input: image size and end of the RAM (u32 each), the image's head.
#include <memory>

#include "boot/linux.hpp"
#include "boot/payload.hpp"
#include "fuzz/fuzz.hpp"

using namespace mayfly;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fuzz::input from(data, size);
    const u32 image_size = from.number<u32>();
    const u32 ram_end = from.number<u32>();
    auto raw = from.take(boot::payload_head_size);
    const const_bytes head{raw.data(), raw.size()};
    const auto kind = boot::inspect(head);
    fuzz::tell(kind.what());
    if (!kind.ok() || kind.value() != boot::payload_kind::linux_image)
        return 0;
    tables::address_space space;
    for (auto* map : {&space.guest, &space.free}) {
        fuzz::tell(map->set({mib, ram_end}, tables::memory_type::ram).what());
        fuzz::tell(map->set({four_gib, 2 * four_gib}, tables::memory_type::ram).what());
    }
    const auto& header = *view<abi::setup_header>(head, abi::setup_header_offset);
    const auto plan = boot::plan_linux(header, image_size, space);
    fuzz::tell(plan.what());
    if (!plan.ok())
        return 0;
    const auto& where = plan.value();
    const auto in_ram = [&](u64 begin, u64 length) {
        return length == 0 || space.guest.is_all({begin, begin + length}, tables::memory_type::ram);
    };
    const auto apart = [](u64 a, u64 a_size, u64 b, u64 b_size) {
        return a_size == 0 || b_size == 0 || a + a_size <= b || b + b_size <= a;
    };
    fuzz::require(in_ram(where.kernel, where.kernel_size));
    fuzz::require(in_ram(where.initrd, where.initrd_size));
    fuzz::require(in_ram(where.trailer, where.trailer_size));
    fuzz::require(apart(where.kernel, where.kernel_size, where.initrd, where.initrd_size));
    fuzz::require(apart(where.kernel, where.kernel_size, where.trailer, where.trailer_size));
    fuzz::require(apart(where.trailer, where.trailer_size, where.initrd, where.initrd_size));
    auto params = std::make_unique<abi::boot_params>();
    boot::write_boot_params(*params, head, where, space.guest, 0xe1000, 0xe2000);
    return 0;
}
