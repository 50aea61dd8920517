// SPDX-License-Identifier: MIT
// A fw_cfg device with the files that a real QEMU had (tests/data).
#pragma once

#include <string>

#include "core/text.hpp"
#include "fakes/fake_fw_cfg.hpp"

namespace mayfly::fakes {

/// Adds the files of `directory` to `device`. `read` gives the content of one by its last name
/// part, empty where it was not captured.
template <typename Read>
void add_captured_files(fake_fw_cfg& device, const std::vector<u8>& directory, Read read) {
    for (usize at = sizeof(be32); at + sizeof(abi::fw_cfg_file) <= directory.size();
         at += sizeof(abi::fw_cfg_file)) {
        const auto entry = load<abi::fw_cfg_file>({directory.data(), directory.size()}, at);
        const text field = text::from_field(entry.name);
        const std::string name(field.data(), field.size());
        device.add_file(name, read(name.substr(name.rfind('/') + 1) + ".bin"), entry.size);
    }
}

}  // namespace mayfly::fakes
