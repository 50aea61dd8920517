// SPDX-License-Identifier: MIT
#include "boot/linux.hpp"

namespace mayfly::boot {
namespace {

using tables::memory_type;
using tables::range;

/// Where a kernel that cannot be relocated is loaded; also QEMU's own load address.
constexpr u32 default_load_address = 0x100000;

u32 header_end(const abi::setup_header& header) {
    return 0x202u + header.jump_offset;
}

u64 syssize_bytes(const abi::setup_header& header) {
    return u64{header.syssize} * 16;
}

const fault* does_not_fit(u64 size, u64 address, const tables::address_space& space) {
    return make_wide_fault(sentences::kernel_too_large, size, address, space.ram_end);
}

/// Takes the place of the kernel and of the RAM it needs to start.
result<u32> place_kernel(const abi::setup_header& header, tables::address_space& space) {
    const u64 image = syssize_bytes(header);
    const u64 run_size = header.init_size > image ? u64{header.init_size} : image;
    const u64 preferred = header.pref_address;

    if (header.relocatable_kernel != 0) {
        const range where = space.free.find_lowest(run_size, header.kernel_alignment, preferred,
                                                   four_gib, memory_type::ram);
        if (where.empty())
            return does_not_fit(run_size, preferred, space);
        TRY(space.claim(where, memory_type::ram));
        return static_cast<u32>(where.begin);
    }

    // It moves itself from the load address to where it runs, so it needs both.
    const range loaded{default_load_address, default_load_address + image};
    const range running{preferred, preferred + run_size};
    if (!space.free.is_all(loaded, memory_type::ram))
        return does_not_fit(image, default_load_address, space);
    if (running.end < running.begin || running.end > four_gib ||
        !space.free.is_all(running, memory_type::ram))
        return does_not_fit(run_size, preferred, space);
    TRY(space.claim(loaded, memory_type::ram));
    TRY(space.claim(running, memory_type::ram));
    return default_load_address;
}

/// As high as the kernel allows; above 4 GiB only where nothing below has room.
result<u64> place_initrd(const abi::setup_header& header, tables::address_space& space) {
    const bool anywhere = (header.xloadflags & abi::can_be_loaded_above_4g) != 0;
    const u64 size = header.ramdisk_size;
    const u64 limit = anywhere ? four_gib : u64{header.initrd_addr_max} + 1;
    range where = space.free.find_highest(size, page_size, limit, memory_type::ram);
    if (where.empty() && anywhere)
        where = space.free.find_lowest(size, page_size, four_gib, ~u64{0}, memory_type::ram);
    if (where.empty())
        return make_wide_fault(sentences::initrd_too_large, size, space.ram_end);
    TRY(space.claim(where, memory_type::ram));
    return where.begin;
}

void write_memory_map(abi::boot_params& params, const tables::memory_map& map) {
    static_assert(tables::memory_map::capacity <= abi::boot_params_e820_capacity);
    const auto ranges = map.ranges();
    for (usize i = 0; i < ranges.size(); i++) {
        params.e820_table[i] = {ranges[i].where.begin, ranges[i].where.size(),
                                static_cast<u32>(ranges[i].type)};
    }
    params.e820_entries = static_cast<u8>(ranges.size());
    const u64 above_1m = map.low_ram_end() > mib ? map.low_ram_end() - mib : 0;
    params.alt_mem_k = static_cast<u32>(above_1m / kib);
}

}  // namespace

outcome check_linux_header(const abi::setup_header& header) {
    if (header.boot_flag != abi::linux_boot_flag)
        return make_fault(sentences::bad_boot_flag, u16{header.boot_flag}, abi::linux_boot_flag);
    if (header.version < abi::protocol_2_10 || header_end(header) < abi::end_of_init_size ||
        (header.loadflags & abi::loaded_high) == 0)
        return make_fault(sentences::needs_16_bit_entry, u16{header.version}, abi::protocol_2_10);
    if (header.syssize == 0)
        return make_fault(sentences::bad_syssize, u32{header.syssize});
    if (header.relocatable_kernel != 0 && !is_power_of_two(header.kernel_alignment))
        return make_fault(sentences::bad_kernel_alignment, u32{header.kernel_alignment});
    if (header.init_size == 0)
        return make_fault(sentences::bad_init_size, u32{header.init_size});
    return {};
}

u64 trailer_offset(const abi::setup_header& header) {
    return u64{header.setup_data} - default_load_address;
}

result<linux_plan> plan_linux(const abi::setup_header& header, u32 image_size,
                              tables::address_space& space) {
    linux_plan plan;
    plan.kernel = TRY(place_kernel(header, space));
    plan.kernel_size = static_cast<u32>(syssize_bytes(header));
    if (header.setup_data != 0) {
        const u64 offset = trailer_offset(header);
        if (offset == 0 || offset >= image_size ||
            image_size - offset < sizeof(abi::setup_data_node))
            return make_wide_fault(sentences::bad_setup_data, header.setup_data,
                                   u64{default_load_address} + image_size);
        plan.trailer_offset = static_cast<u32>(offset);
        plan.trailer_size = image_size - plan.trailer_offset;
        const range where = TRY(space.claim_high(plan.trailer_size, page_size, memory_type::ram));
        if (where.empty())
            return does_not_fit(plan.trailer_size, 0, space);
        plan.trailer = static_cast<u32>(where.begin);
        if (plan.kernel_size > plan.trailer_offset)
            plan.kernel_size = plan.trailer_offset;
    }
    if (header.ramdisk_size != 0) {
        plan.initrd = TRY(place_initrd(header, space));
        plan.initrd_size = header.ramdisk_size;
    }
    return plan;
}

void write_boot_params(abi::boot_params& params, const_bytes head, const linux_plan& plan,
                       const tables::memory_map& map, u32 command_line, u32 rsdp) {
    const auto& source = *view<abi::setup_header>(head, abi::setup_header_offset);
    u32 size = header_end(source) - abi::setup_header_offset;
    if (size > sizeof(abi::setup_header))
        size = sizeof(abi::setup_header);
    __builtin_memcpy(&params.hdr, &source, size);

    if (params.hdr.type_of_loader == 0)
        params.hdr.type_of_loader = abi::loader_undefined;
    params.hdr.code32_start = plan.kernel;
    params.hdr.cmd_line_ptr = command_line;
    params.hdr.ramdisk_image = static_cast<u32>(plan.initrd);
    params.ext_ramdisk_image = static_cast<u32>(plan.initrd >> 32);
    params.hdr.ramdisk_size = plan.initrd_size;
    params.hdr.setup_data = plan.trailer;
    params.acpi_rsdp_addr = rsdp;
    write_memory_map(params, map);
}

}  // namespace mayfly::boot
