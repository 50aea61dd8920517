// SPDX-License-Identifier: MIT
// Configuration space of a machine that a test makes up: functions with BARs, and bridges that
// lead where their bus registers say.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "pci/config_space.hpp"

namespace mayfly::fakes {

class fake_pci {
  public:
    struct device {
        std::map<u32, u32> registers;  ///< what is not here reads 0
        std::map<u32, u32> writable;   ///< the bits that can be set; all of the bus register
        bool is_bridge = false;
        std::map<u32, device> behind;  ///< by device and function

        /// A BAR that answers `answer` to all ones, of which `fixed` bits are its type.
        device& bar(u32 reg, u32 answer, u32 fixed) {
            registers[reg] = fixed;
            writable[reg] = answer & ~fixed;
            return *this;
        }
        device& set(u32 reg, u32 value) {
            registers[reg] = value;
            return *this;
        }
    };

    using bus = std::map<u32, device>;

    static device function(u32 identity, u32 device_class, bool has_more = false) {
        device one;
        one.registers[0x00] = identity;
        one.registers[0x08] = device_class << 16;
        one.registers[0x0c] = has_more ? 0x800000 : 0;
        one.writable[0x04] = 0x107;
        one.writable[0x3c] = 0xff;
        return one;
    }

    /// With an I/O window and a 64-bit prefetchable one.
    static device bridge(u32 identity = 0x00011b36) {
        device one = function(identity, 0x0604);
        one.registers[0x0c] = 0x010000;
        one.is_bridge = true;
        one.registers[0x24] = 0x00010001;
        for (const u32 reg : {0x18, 0x20, 0x28, 0x2c})
            one.writable[reg] = ~0u;
        one.writable[0x1c] = 0xf0f0;
        one.writable[0x24] = 0xfff0fff0;
        one.writable[0x3c] = 0xffff00ff;
        return one;
    }

    void at(u32 function) { here_ = function; }

    u32 read(u32 offset) {
        accesses++;
        const device* found = find(here_);
        if (found == nullptr)
            return ~0u;
        const auto at = found->registers.find(offset);
        return at == found->registers.end() ? 0 : at->second;
    }

    void write(u32 offset, u32 value) {
        kept.push_back({here_, offset, value});
        write_for_now(offset, value);
    }

    void write_for_now(u32 offset, u32 value) {
        accesses++;
        device* found = find(here_);
        if (found == nullptr)
            return;
        const auto bits = found->writable.find(offset);
        if (bits == found->writable.end())
            return;
        u32& now = found->registers[offset];
        now = (now & ~bits->second) | (value & bits->second);
    }

    device& device_at(u32 function) { return *find(function); }

    struct kept_write {
        u32 function, offset, value;
    };

    std::map<u32, bus> roots;  ///< by number
    u32 accesses = 0;
    std::vector<kept_write> kept;  ///< every write() but those for now

  private:
    u32 here_ = 0;

    device* find(u32 function) {
        const u32 number = function >> 8;
        for (auto& [root, devices] : roots) {
            if (bus* const found = root == number ? &devices : find_bus(devices, number)) {
                const auto at = found->find(function & 0xff);
                return at == found->end() ? nullptr : &at->second;
            }
        }
        return nullptr;
    }

    static bus* find_bus(bus& devices, u32 number) {
        for (auto& [place, one] : devices) {
            const u32 buses = one.is_bridge ? one.registers[0x18] : 0;
            const u32 first = buses >> 8 & 0xff, last = buses >> 16 & 0xff;
            if (number < first || number > last || first == 0)
                continue;
            return number == first ? &one.behind : find_bus(one.behind, number);
        }
        return nullptr;
    }
};

static_assert(pci::configuration<fake_pci>);

}  // namespace mayfly::fakes
