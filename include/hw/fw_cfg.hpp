// SPDX-License-Identifier: MIT
// Reading and writing QEMU's firmware configuration, by DMA only.
#pragma once

#include "abi/fw_cfg.hpp"
#include "core/arena.hpp"
#include "core/fault.hpp"
#include "core/sentences.hpp"
#include "hw/hardware.hpp"

namespace mayfly::hw {

/// A named file of the device's directory, or none.
struct file {
    u32 key = 0;   ///< 16 bits; 0: absent (files begin at 0x20)
    u32 size = 0;  ///< bytes

    constexpr bool exists() const { return key != 0; }
};

/// As one number.
inline u16 two_characters(const char* first) {
    return load<u16>({reinterpret_cast<const u8*>(first), sizeof(u16)}, 0);
}

/// True where the NUL-terminated wire name `field` is `wanted`, of 1 to 55 characters.
[[gnu::always_inline]] inline bool is_named(const char (&field)[56], text wanted) {
    const usize last = wanted.size() - 1;
    return two_characters(field + last) == static_cast<u8>(wanted[last]) &&
           has_characters(field, wanted);
}

/// The device. One transfer is one device access, whatever its length. A transfer that fails ends
/// the boot, as nothing can be done without what it should have brought.
template <machine Hardware>
class fw_cfg {
  public:
    /// Takes room for a DMA descriptor and the directory from `work`; nothing is read yet.
    fw_cfg(Hardware& hardware, arena& work)
        : hardware_(hardware), work_(work), shared_(work.take<shared>()) {}

    /// Reads the directory. Stops where no DMA interface answers: machine types before 2.5 have
    /// none, and the guest has no other device that could tell.
    void open() {
        read_to(static_cast<u32>(abi::fw_cfg_key::directory), work_.address_of(&shared_.directory),
                sizeof(directory_page));
        if (count() > abi::fw_cfg_max_files)
            fail(sentences::directory_too_long, count(), abi::fw_cfg_max_files);
    }

    /// The file called `name`, behind which is a NUL, as behind every literal. A directory of more
    /// files than one page holds is read on from the device, page by page, at each such search.
    file find(text name) { return find_beginning({name.data(), name.size() + 1}); }

    /// True where there may be a file of ours, since some name begins with "opt/", as only a user's
    /// do: most boots need not look for any.
    bool has_options() {
        constexpr u32 options = 'o' | 'p' << 8 | 't' << 16 | u32{'/'} << 24;
        u32 left = count();
        if (left > files_per_page)
            return find_in_pages("opt/org.mayfly/").exists();
        if (left == 0)
            return false;
        const auto* next = shared_.directory.files;
        do {
            if (load<u32>({reinterpret_cast<const u8*>(next->name), sizeof(u32)}, 0) == options)
                return true;
            next++;
        } while (--left != 0);
        return false;
    }

    /// The same where the file must exist; stops where it does not.
    file require(text name) {
        const file found = find(name);
        if (!found.exists())
            fail(sentences::file_missing, name);
        return found;
    }

    /// Reads the first `to.size()` bytes of a file or item; what lies past its end reads as 0.
    void read(file from, bytes to) { read_to(from.key, work_.address_of(to.data()), to.size()); }
    void read_item(abi::fw_cfg_key key, bytes to) { read({static_cast<u32>(key)}, to); }

    /// The same to any physical address, also above 4 GiB.
    void read_item_to(abi::fw_cfg_key key, u64 address, u32 length) {
        read_to(static_cast<u32>(key), address, length);
    }

    /// Reads what begins at `offset` of an item.
    void read_item_at(abi::fw_cfg_key key, u32 offset, bytes to) {
        transfer(select(static_cast<u32>(key)) | abi::dma_skip, offset, 0);
        read_on_to(work_.address_of(to.data()), to.size());
    }

    /// Reads on where the last read ended.
    void read_on_to(u32 address, u32 length) { transfer(abi::dma_read, length, address); }

    /// A 32-bit scalar item.
    u32 read_u32(abi::fw_cfg_key key) {
        read_to(static_cast<u32>(key), work_.address_of(&shared_.scalar), sizeof(u32));
        return static_cast<u32>(shared_.scalar);
    }

    /// Writes the low `size` (at most 8) bytes of `value` into a writable file at `offset`.
    void write(file to, u32 offset, u64 value, u32 size) {
        shared_.scalar = value;
        u32 control = select(to.key);
        if (offset != 0) {
            transfer(control | abi::dma_skip, offset, 0);
            control = 0;
        }
        transfer(control | abi::dma_write, size, work_.address_of(&shared_.scalar));
    }

  private:
    static constexpr u32 files_per_page = 63;

    struct directory_page {
        be32 count;
        abi::fw_cfg_file files[files_per_page];
    };

    /// What the device reads and writes.
    struct shared {
        abi::fw_cfg_dma_descriptor descriptor;
        le64 scalar;
        directory_page directory;
    };

    static constexpr u32 select(u32 key) { return key << 16 | abi::dma_select; }

    u32 count() const { return shared_.directory.count; }

    void read_to(u32 key, u64 address, u32 length) {
        transfer(select(key) | abi::dma_read, length, address);
    }

    [[gnu::noinline]] void transfer(u32 control, u32 length, u64 address) {
        auto& descriptor = shared_.descriptor;
        descriptor = {control, length, address};
        hardware_.out32(abi::fw_cfg_dma_port, byte_swap(work_.address_of(&descriptor)));
        const u32 answer = descriptor.control;
        if (answer == 0)
            return;
        if (answer == control)
            fail(sentences::no_dma);
        fail(sentences::dma_failed, control >> 16, length);
    }

    /// The first file whose name's field begins with `characters`, of which there are at least 2.
    file find_beginning(text characters) {
        if (count() > files_per_page)
            return find_in_pages(characters);
        return search(shared_.directory, characters);
    }

    /// Most names differ in the last two characters or in their place, so that few need to be
    /// compared as a whole.
    static file search(const directory_page& page, text characters) {
        u32 left = page.count;
        if (left > files_per_page)
            left = files_per_page;
        const usize last = characters.size() - sizeof(u16);
        if (last > sizeof page.files->name - sizeof(u16) || left == 0)
            return {};  // no file has such a name
        const u16 end = two_characters(characters.data() + last);
        const auto* next = page.files;
        do {
            if (two_characters(next->name + last) == end && has_characters(next->name, characters))
                [[unlikely]]
                return {next->key, next->size};
            next++;
        } while (--left != 0);
        return {};
    }

    /// In the first page, which stays, and then in the others.
    [[gnu::noinline]] file find_in_pages(text characters) {
        file found = search(shared_.directory, characters);
        if (found.exists())
            return found;
        if (further_ == nullptr)
            further_ = &work_.take<directory_page>();
        transfer(select(static_cast<u32>(abi::fw_cfg_key::directory)) | abi::dma_skip,
                 sizeof(directory_page), 0);
        for (u32 left = count(); left > files_per_page && !found.exists();) {
            left -= files_per_page;
            further_->count = left;
            read_on_to(work_.address_of(further_->files), sizeof further_->files);
            found = search(*further_, characters);
        }
        return found;
    }

    Hardware& hardware_;
    arena& work_;
    shared& shared_;
    directory_page* further_ = nullptr;
};

}  // namespace mayfly::hw
