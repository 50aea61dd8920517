// SPDX-License-Identifier: MIT
// A kernel's setup header. The input: image size and end of the RAM (u32 each), the image's head,
// and the node that QEMU appended. Its type says whether its length is made right at the first (0)
// or the second (2) place that is looked at, or is as it is.
#include <memory>

#include "boot/linux.hpp"
#include "boot/payload.hpp"
#include "fakes/empty_map.hpp"
#include "fakes/fake_ram.hpp"
#include "fuzz/fuzz.hpp"

using namespace mayfly;

namespace {

/// fw_cfg with the kernel alone: what find_trailer() asks for.
class kernel_files {
  public:
    kernel_files(u32 size, const abi::setup_data_node& node) : size_(size), node_(node) {}

    u32 read_u32(abi::fw_cfg_key key) const {
        fuzz::require(key == abi::fw_cfg_key::kernel_size);
        return size_;
    }

    /// Nothing outside the image is read.
    void read_item_at(abi::fw_cfg_key key, u32 offset, bytes to) {
        fuzz::require(key == abi::fw_cfg_key::kernel_data && ++reads_ <= 2);
        fuzz::require(offset != 0 && offset < size_ && to.size() <= size_ - offset);
        fuzz::require(to.size() == sizeof node_);
        auto node = node_;
        const u32 kind = node.type & 3;
        if (kind == 0 || (kind == 2 && reads_ == 2))
            node.length = size_ - offset - static_cast<u32>(to.size());
        if (node.length == size_ - offset - to.size())
            good_ = good_ == 0 ? offset : good_;
        store(to, 0, node);
    }

    /// Where the first node lies that was read and ends where the image ends; 0: none.
    u32 good() const { return good_; }

  private:
    u32 size_;
    abi::setup_data_node node_;
    u32 reads_ = 0;
    u32 good_ = 0;
};

/// What find_trailer() finds, with all that must be true of it. False where it stops.
bool find_trailer(const abi::setup_header& header, kernel_files files, boot::linux_trailer& found) {
    fakes::fake_ram ram(0x100);
    arena work(ram.view(), 0x10, 0x100);
    const bool done = fuzz::finishes([&] { found = boot::find_trailer(header, files, work); });
    fuzz::require(done == (header.setup_data == 0 || files.good() != 0));
    if (!done)
        return false;
    const u32 image = files.read_u32(abi::fw_cfg_key::kernel_size);
    fuzz::require(found.offset == files.good() && (found.size == 0) == (found.offset == 0));
    if (found.size == 0)
        return true;
    fuzz::require(u64{found.offset} + found.size == image);
    const u32 sectors = 1 + (header.setup_sects == 0 ? 4 : header.setup_sects);
    const u64 address = mib + found.offset;
    fuzz::require(header.setup_data == address || header.setup_data == address + 512 * sectors);
    return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fuzz::input from(data, size);
    const u32 image_size = from.number<u32>();
    const u32 ram_end = from.number<u32>();
    auto raw = from.take(boot::payload_head_size);
    const const_bytes head{raw.data(), raw.size()};
    auto kind = boot::payload_kind::none;
    (void)fuzz::finishes([&] { kind = boot::inspect(head); });
    if (kind != boot::payload_kind::linux_image)
        return 0;
    const auto raw_node = from.take(sizeof(abi::setup_data_node));
    const auto node = load<abi::setup_data_node>({raw_node.data(), raw_node.size()}, 0);
    const auto& header = *view<abi::setup_header>(head, abi::setup_header_offset);
    boot::linux_trailer trailer;
    if (!find_trailer(header, kernel_files(image_size, node), trailer))
        return 0;
    tables::memory_map map = fakes::empty_map();
    map.note_low_ram_end(ram_end);
    map.set({mib, ram_end}, tables::memory_type::ram);
    map.set({four_gib, 2 * four_gib}, tables::memory_type::ram);
    boot::linux_plan where;
    if (!fuzz::finishes([&] { where = boot::plan_linux(header, trailer, map); }))
        return 0;
    const auto in_ram = [&](u64 begin, u64 length) {
        return length == 0 || (begin >= mib && map.is_ram({begin, begin + length}));
    };
    const auto is_free = [&](u64 begin, u64 length) {
        for (u32 i = 0; i < map.parts(); i++) {
            if (map.type(i) == tables::memory_type::ram &&
                fakes::overlap(map.part(i), {begin, begin + length}))
                return length != 0;
        }
        return false;
    };
    const auto apart = [](u64 a, u64 a_size, u64 b, u64 b_size) {
        return a_size == 0 || b_size == 0 || a + a_size <= b || b + b_size <= a;
    };
    const struct {
        u64 at;
        u64 size;
    } places[] = {{where.kernel, where.kernel_size},
                  {where.initrd, where.initrd_size},
                  {where.trailer, trailer.size}};
    for (const auto& one : places) {
        fuzz::require(in_ram(one.at, one.size) && !is_free(one.at, one.size));
        for (const auto& other : places)
            fuzz::require(&one == &other || apart(one.at, one.size, other.at, other.size));
    }
    fuzz::require(where.kernel_size != 0);
    fuzz::require(trailer.size == 0 || where.kernel_size <= trailer.offset);
    if (header.relocatable_kernel != 0) {
        fuzz::require(where.kernel >= header.pref_address &&
                      where.kernel % header.kernel_alignment == 0);
        fuzz::require(in_ram(where.kernel, header.init_size));
        fuzz::require(!is_free(where.kernel, header.init_size));
    } else {
        fuzz::require(in_ram(header.pref_address, header.init_size));
        fuzz::require(!is_free(header.pref_address, header.init_size));
    }
    auto params = std::make_unique<abi::boot_params>();
    boot::write_boot_params(*params, header, where, map, 0xe1000, 0xe2000);
    fuzz::require(params->e820_entries != 0);
    fuzz::require(params->alt_mem_k == 0 || params->alt_mem_k * kib + mib <= map.low_ram_end());
    return 0;
}
