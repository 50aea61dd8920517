// SPDX-License-Identifier: MIT
// QEMU's fw_cfg device over a fake RAM, as its specification has it (docs/specs/fw_cfg.rst).
#pragma once

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "abi/fw_cfg.hpp"
#include "fakes/fake_machine.hpp"
#include "fakes/fake_ram.hpp"

namespace mayfly::fakes {

/// One DMA transfer as the device saw it.
struct transfer {
    u32 control;
    u32 length;
    u64 address;

    bool operator==(const transfer&) const = default;
};

class fake_fw_cfg {
  public:
    using content = std::vector<u8>;

    fake_fw_cfg(fake_machine& machine, fake_ram& ram) : ram_(ram) {
        machine.accept(abi::fw_cfg_dma_port, [this](u32 value) { start(byte_swap(value)); });
    }

    void set_item(u16 key, content data) { items_[key] = std::move(data); }
    void set_item(abi::fw_cfg_key key, content data) {
        set_item(static_cast<u16>(key), std::move(data));
    }
    void set_u32(abi::fw_cfg_key key, u32 value) {
        content data(sizeof value);
        std::memcpy(data.data(), &value, sizeof value);
        set_item(key, std::move(data));
    }

    /// Adds a file to the directory; what it has less than `size` reads as zeros. Returns its key.
    u16 add_file(const std::string& name, content data, u32 size) {
        abi::fw_cfg_file entry = {};
        const u16 key = next_key_++;
        entry.size = size;
        entry.key = key;
        std::memcpy(entry.name, name.data(), std::min(name.size(), sizeof entry.name));
        directory_.push_back(entry);
        set_item(key, std::move(data));
        set_directory(static_cast<u32>(directory_.size()));
        return key;
    }
    u16 add_file(const std::string& name, content data) {
        const u32 size = static_cast<u32>(data.size());
        return add_file(name, std::move(data), size);
    }
    /// Makes the directory item, which claims to have `count` files.
    void set_directory(u32 count) {
        const be32 big = count;
        content data(sizeof big + directory_.size() * sizeof(abi::fw_cfg_file));
        std::memcpy(data.data(), &big, sizeof big);
        if (!directory_.empty())
            std::memcpy(data.data() + sizeof big, directory_.data(), data.size() - sizeof big);
        set_item(abi::fw_cfg_key::directory, std::move(data));
    }
    void allow_writes(u16 key) { writable_.push_back(key); }

    const content& item(u16 key) { return items_[key]; }
    const std::vector<transfer>& transfers() const { return transfers_; }

    bool answers = true;  ///< false: no DMA interface, the descriptor stays as it is
    bool fails = false;   ///< every transfer ends in an error
    content above_4g;     ///< the last read to an address outside the RAM
    bool allow_outside = false;

  private:
    void start(u32 descriptor_address) {
        if (!answers)
            return;
        if (!ram_.has(descriptor_address, sizeof(abi::fw_cfg_dma_descriptor))) {
            unexpected("fw_cfg descriptor at " + hex(descriptor_address));
            return;
        }
        auto& descriptor = *mayfly::view<abi::fw_cfg_dma_descriptor>(
            ram_.at(descriptor_address, sizeof(abi::fw_cfg_dma_descriptor)));
        const transfer now{descriptor.control, descriptor.length, descriptor.address};
        transfers_.push_back(now);
        if (transfers_.size() > most_transfers) {
            unexpected("endless transfers");
            return;
        }
        descriptor.control = fails || !run(now) ? abi::dma_error : 0;
    }

    bool run(const transfer& now) {
        if ((now.control & abi::dma_select) != 0) {
            selected_ = static_cast<u16>(now.control >> 16);
            position_ = 0;
        }
        const u64 begin = position_;
        position_ += now.length;
        if ((now.control & abi::dma_write) != 0)
            return write(now, begin);
        if ((now.control & abi::dma_read) == 0)
            return true;
        const content& from = items_[selected_];
        content out(ram_.has(now.address, now.length) || allow_outside ? now.length : 0);
        if (begin < from.size() && !out.empty()) {
            const u64 count = std::min<u64>(out.size(), from.size() - begin);
            std::memcpy(out.data(), from.data() + begin, static_cast<usize>(count));
        }
        if (ram_.has(now.address, now.length)) {
            if (now.length != 0)
                std::memcpy(ram_.data() + now.address, out.data(), out.size());
        } else if (now.length != 0) {
            if (!allow_outside)
                unexpected("fw_cfg read to " + hex(now.address) + ", length " + hex(now.length));
            above_4g = out;
        }
        return true;
    }

    bool write(const transfer& now, u64 begin) {
        if (std::find(writable_.begin(), writable_.end(), selected_) == writable_.end())
            return false;
        content& to = items_[selected_];
        if (!ram_.has(now.address, now.length) || begin + now.length > to.size())
            return false;
        std::memcpy(to.data() + begin, ram_.data() + now.address, now.length);
        return true;
    }

    static constexpr usize most_transfers = 100'000;

    fake_ram& ram_;
    std::map<u16, content> items_;
    std::vector<abi::fw_cfg_file> directory_;
    std::vector<u16> writable_;
    std::vector<transfer> transfers_;
    u16 next_key_ = 0x20;
    u16 selected_ = 0;
    u64 position_ = 0;
};

}  // namespace mayfly::fakes
