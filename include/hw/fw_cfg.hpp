// SPDX-License-Identifier: MIT
// Reading and writing QEMU's firmware configuration, by DMA only.
#pragma once

#include "abi/fw_cfg.hpp"
#include "core/arena.hpp"
#include "core/result.hpp"
#include "core/sentences.hpp"
#include "hw/hardware.hpp"

namespace mayfly::hw {

/// A named file of the device's directory.
struct file {
    u16 key = 0;
    u32 size = 0;  ///< bytes
};

/// A file that may be absent.
struct found_file {
    bool present = false;
    file what = {};
};

/// True where the NUL-terminated wire name `field` is `wanted`.
[[gnu::always_inline]] inline bool is_named(const char (&field)[56], const text& wanted) {
    // Most names differ in length, which the place of the NUL tells at once.
    return wanted.size() < sizeof field && field[wanted.size()] == '\0' &&
           has_characters(field, wanted);
}

/// The device. One transfer is one device access, whatever its length.
template <machine Hardware>
class fw_cfg {
  public:
    /// Takes room for a DMA descriptor and the directory from `work`; nothing is read yet.
    fw_cfg(Hardware& hardware, arena& work)
        : hardware_(hardware),
          work_(work),
          descriptor_(work.allocate<abi::fw_cfg_dma_descriptor>()),
          page_(work.allocate<directory_page>()) {}

    /// Reads the directory. Fails where no DMA interface answers: machine types before 2.5 have
    /// none, and the guest has no other device that could tell.
    outcome open() {
        TRY(read_item(abi::fw_cfg_key::directory,
                      bytes(reinterpret_cast<u8*>(page_), sizeof(directory_page))));
        if (page_->count > abi::fw_cfg_max_files) {
            const u32 count = page_->count;
            page_->count = 0;
            return make_fault(sentences::directory_too_long, count, abi::fw_cfg_max_files);
        }
        return {};
    }

    /// The file called `name`. A directory of more files than one page holds is read on from the
    /// device, page by page, at each such search.
    result<found_file> find(const text& name) {
        const u32 cached = page_->count < files_per_page ? u32{page_->count} : files_per_page;
        if (const auto* entry = search({page_->files, cached}, name))
            return found_file{true, {entry->key, entry->size}};
        if (page_->count <= files_per_page)
            return found_file{};
        return find_beyond_first_page(name);
    }

    /// The same where the file must exist.
    result<file> require(const text& name) {
        const auto found = TRY(find(name));
        if (!found.present)
            return make_fault(sentences::file_missing, name);
        return found.what;
    }

    /// Reads the first `to.size()` bytes of a file or item; what lies past its end reads as 0.
    outcome read(file from, bytes to) {
        return read_to(from.key, work_.address_of(to.data()), size_of(to));
    }
    outcome read_item(abi::fw_cfg_key key, bytes to) {
        return read_to(static_cast<u16>(key), work_.address_of(to.data()), size_of(to));
    }

    /// The same to any physical address, also above 4 GiB.
    outcome read_item_to(abi::fw_cfg_key key, u64 address, u32 length) {
        return read_to(static_cast<u16>(key), address, length);
    }

    /// Reads on where the last read ended.
    outcome read_on_to(u64 address, u32 length) { return transfer(abi::dma_read, address, length); }

    /// Leaves out `length` bytes where the last read ended.
    outcome skip(u32 length) { return transfer(abi::dma_skip, 0, length); }

    /// A 32-bit scalar item.
    result<u32> read_u32(abi::fw_cfg_key key) {
        auto* value = work_.allocate<le32>();
        if (value == nullptr)
            return make_fault(sentences::work_area_full, sizeof(u32), work_.room());
        TRY(read_item(key, {reinterpret_cast<u8*>(value), sizeof(u32)}));
        return u32{*value};
    }

    /// Writes `from` into a writable file at `offset`.
    outcome write(file to, u32 offset, const_bytes from) {
        if (offset != 0)
            TRY(transfer(select(to.key) | abi::dma_skip, 0, offset));
        const u32 selected = offset != 0 ? 0 : select(to.key);
        return transfer(selected | abi::dma_write, work_.address_of(from.data()), size_of(from));
    }

  private:
    static u32 size_of(const_bytes part) { return static_cast<u32>(part.size()); }

    static constexpr u32 files_per_page = 63;

    struct directory_page {
        be32 count;
        abi::fw_cfg_file files[files_per_page];
    };

    static constexpr u32 select(u16 key) { return u32{key} << 16 | abi::dma_select; }

    outcome read_to(u16 key, u64 address, u32 length) {
        return transfer(select(key) | abi::dma_read, address, length);
    }

    outcome transfer(u32 control, u64 address, u32 length) {
        *descriptor_ = {control, length, address};
        hardware_.out32(abi::fw_cfg_dma_port, byte_swap(work_.address_of(descriptor_)));
        const u32 answer = descriptor_->control;
        if (answer == 0)
            return {};
        if (answer == control)
            return make_fault(sentences::no_dma);
        return make_fault(sentences::dma_failed, control >> 16, length);
    }

    static const abi::fw_cfg_file* search(span<abi::fw_cfg_file> files, const text& name) {
        for (const auto& entry : files) {
            if (is_named(entry.name, name))
                return &entry;
        }
        return nullptr;
    }

    result<found_file> find_beyond_first_page(const text& name) {
        // Into a page of its own, so that the first one stays.
        if (overflow_ == nullptr)
            overflow_ = work_.allocate<directory_page>();
        if (overflow_ == nullptr)
            return make_fault(sentences::work_area_full, sizeof(directory_page), work_.room());
        u32 done = files_per_page;
        TRY(transfer(select(static_cast<u16>(abi::fw_cfg_key::directory)) | abi::dma_skip, 0,
                     sizeof(directory_page)));
        while (done < page_->count) {
            u32 count = page_->count - done;
            if (count > files_per_page)
                count = files_per_page;
            TRY(read_on_to(work_.address_of(overflow_->files), count * sizeof(abi::fw_cfg_file)));
            if (const auto* entry = search({overflow_->files, count}, name))
                return found_file{true, {entry->key, entry->size}};
            done += count;
        }
        return found_file{};
    }

    Hardware& hardware_;
    arena& work_;
    abi::fw_cfg_dma_descriptor* descriptor_;
    directory_page* page_;
    directory_page* overflow_ = nullptr;
};

}  // namespace mayfly::hw
