// SPDX-License-Identifier: MIT
#include "boot/linux.hpp"

#include "core/fault.hpp"
#include "core/sentences.hpp"

namespace mayfly::boot {
namespace {

using tables::claimed_ram;
using tables::memory_map;
using tables::range;

constexpr u32 syssize_unit = 16;

u32 header_end(const abi::setup_header& header) {
    return 0x202u + header.jump_offset;
}

[[noreturn]] void does_not_fit(u32 size, u64 address, const memory_map& map) {
    fail_wide(sentences::kernel_too_large, size, address, map.low_ram_end());
}

/// Takes RAM where it must be, for a kernel that was not made to be moved.
void claim_fixed(u32 size, u32 address, memory_map& map) {
    const range where{address, u64{address} + size};
    if (!map.is_ram(where))
        does_not_fit(size, address, map);
    map.set(where, claimed_ram);
}

/// Takes the place of the kernel, of `image` bytes, and of the RAM it needs to start.
u32 place_kernel(const abi::setup_header& header, u32 image, memory_map& map) {
    const u32 run_size = header.init_size > image ? u32{header.init_size} : image;
    if (header.pref_address >= memory_map::top)
        does_not_fit(run_size, header.pref_address, map);
    const u32 preferred = static_cast<u32>(header.pref_address);
    u32 where = default_load_address;
    if (header.relocatable_kernel == 0) {
        // It moves itself from the load address to where it runs, so it needs both.
        claim_fixed(image, where, map);
        claim_fixed(run_size, preferred, map);
    } else {
        where = map.claim_lowest(run_size, header.kernel_alignment, preferred);
        if (where == 0)
            does_not_fit(run_size, preferred, map);
    }
    return where;
}

/// As high as the kernel allows; above 4 GiB only where nothing below has room.
u64 place_initrd(const abi::setup_header& header, memory_map& map) {
    const bool anywhere = (header.xloadflags & abi::can_be_loaded_above_4g) != 0;
    const u32 size = header.ramdisk_size;
    u32 limit = memory_map::top;
    if (!anywhere && header.initrd_addr_max < limit)
        limit = header.initrd_addr_max + 1;
    u64 where = map.claim_highest(size, page_size, limit, claimed_ram);
    if (where == 0 && anywhere)
        where = map.claim_above_4g(size);
    if (where == 0)
        fail(sentences::initrd_too_large, size, map.low_ram_end());
    return where;
}

}  // namespace

void check_linux_header(const abi::setup_header& header) {
    if (header.boot_flag != abi::linux_boot_flag)
        fail(sentences::bad_boot_flag, header.boot_flag, abi::linux_boot_flag);
    if (header.version < abi::protocol_2_10 || header_end(header) < abi::end_of_init_size ||
        (header.loadflags & abi::loaded_high) == 0)
        fail(sentences::needs_16_bit_entry, header.version, abi::protocol_2_10);
    if (header.syssize == 0 || header.syssize > memory_map::top / syssize_unit)
        fail(sentences::bad_syssize, header.syssize);
    if (header.relocatable_kernel != 0 && !is_power_of_two(header.kernel_alignment))
        fail(sentences::bad_kernel_alignment, header.kernel_alignment);
    if (header.init_size == 0)
        fail(sentences::bad_init_size, header.init_size);
}

linux_plan plan_linux(const abi::setup_header& header, const linux_trailer& trailer,
                      memory_map& map) {
    linux_plan plan;
    plan.kernel_size = header.syssize * syssize_unit;
    plan.kernel = place_kernel(header, plan.kernel_size, map);
    if (trailer.size != 0) {
        plan.trailer = map.claim_highest(trailer.size, page_size, memory_map::top, claimed_ram);
        if (plan.trailer == 0)
            does_not_fit(trailer.size, 0, map);
        // QEMU puts it behind the kernel, whatever the header says.
        if (plan.kernel_size > trailer.offset)
            fail(sentences::image_cut_short, trailer.offset, plan.kernel_size);
    }
    plan.initrd_size = header.ramdisk_size;
    if (plan.initrd_size != 0)
        plan.initrd = place_initrd(header, map);
    return plan;
}

void write_boot_params(abi::boot_params& params, const abi::setup_header& header,
                       const linux_plan& plan, const memory_map& map, u32 command_line, u32 rsdp) {
    u32 size = header_end(header) - abi::setup_header_offset;
    if (size > sizeof(abi::setup_header))
        size = sizeof(abi::setup_header);
    __builtin_memcpy(&params.hdr, &header, size);

    auto& out = params.hdr;
    if (out.type_of_loader == 0)
        out.type_of_loader = abi::loader_undefined;
    out.code32_start = plan.kernel;
    out.cmd_line_ptr = command_line;
    out.ramdisk_image = static_cast<u32>(plan.initrd);
    params.ext_ramdisk_image = static_cast<u32>(plan.initrd >> 32);
    out.ramdisk_size = plan.initrd_size;
    out.setup_data = plan.trailer;
    params.acpi_rsdp_addr = rsdp;
    const u32 ram_end = map.low_ram_end();
    params.alt_mem_k = ram_end < mib ? 0 : (ram_end - u32{mib}) / u32{kib};
    static_assert(memory_map::capacity < abi::boot_params_e820_capacity);
    params.e820_entries = static_cast<u8>(
        map.write_entries(reinterpret_cast<u8*>(params.e820_table), sizeof(abi::e820_entry)));
}

}  // namespace mayfly::boot
