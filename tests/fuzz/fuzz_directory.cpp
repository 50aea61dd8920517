// SPDX-License-Identifier: MIT
// The fw_cfg directory, and searches in it.
#include <string>

#include "fakes/fake_fw_cfg.hpp"
#include "fuzz/fuzz.hpp"
#include "hw/fw_cfg.hpp"

using namespace mayfly;

namespace {

constexpr size_t per_page = 63;

/// The file called `name`, by a plain search: page by page, the first one of that name in each. A
/// file of key 0 is none.
hw::file find_plainly(const std::vector<u8>& directory, const std::string& name) {
    const const_bytes content{directory.data(), directory.size()};
    std::vector<u8> padded(directory);
    padded.resize(directory.size() + sizeof(be32) + sizeof(abi::fw_cfg_file));
    const size_t count = load<be32>({padded.data(), padded.size()}, 0);
    hw::file found;
    bool in_page = false;
    for (size_t i = 0; i < count; i++) {
        const size_t at = sizeof(be32) + i * sizeof(abi::fw_cfg_file);
        if (at >= content.size())
            break;  // zeros
        if (i % per_page == 0) {
            if (found.exists())
                break;
            in_page = false;
        }
        const auto entry = load<abi::fw_cfg_file>({padded.data(), padded.size()}, at);
        const text field = text::from_field(entry.name);
        const bool ended = field.size() < sizeof entry.name && field.size() != 0;
        if (!in_page && ended && std::string(field.data(), field.size()) == name) {
            found = {entry.key, entry.size};
            in_page = true;
        }
    }
    return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const auto directory = fuzz::input(data, size).rest();
    fakes::fake_ram ram(0x8000);
    fakes::fake_machine machine;
    fakes::fake_fw_cfg device(machine, ram);
    device.set_item(abi::fw_cfg_key::directory, directory);
    arena work(ram.view(), 0x1000, 0x8000);
    hw::fw_cfg config(machine, work);
    if (!fuzz::finishes([&] { config.open(); }))
        return 0;
    const auto find = [&](const std::string& name) {
        const text wanted(name.data(), name.size());
        hw::file found;
        fuzz::require(fuzz::finishes([&] { found = config.find(wanted); }));
        const bool required = fuzz::finishes([&] { (void)config.require(wanted); });
        fuzz::require(required == found.exists());
        const hw::file expected = find_plainly(directory, name);
        fuzz::require(found.exists() == expected.exists());
        fuzz::require(!found.exists() ||
                      (found.key == expected.key && found.size == expected.size));
    };
    find("etc/e820");
    find("etc/table-loader");
    find("");
    find(std::string(55, 'n'));
    find(std::string(56, 'n'));
    fuzz::require(device.transfers().size() < 4000);
    return 0;
}
