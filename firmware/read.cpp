// SPDX-License-Identifier: MIT
// What several steps read from fw_cfg.
#include "machine.hpp"

namespace mayfly {

bytes read_file(machine& pc, text name, hw::file file) {
    const bytes content = pc.work.allocate(file.size, 16);
    if (content.size() != file.size)
        fail(sentences::file_too_large, name, file.size, pc.work.room());
    pc.config.read(file, content);
    return content;
}

u64 read_number(machine& pc, text name) {
    const hw::file file = pc.config.find(name);
    if (file.size < sizeof(u64))
        return 0;
    const bytes content = pc.work.take(sizeof(u64));
    pc.config.read(file, content);
    return load<u64>(content, 0);
}

void check_entry(const machine& pc, u32 entry) {
    if (!pc.map.is_claimed(entry))
        fail_wide(sentences::entry_outside, entry, pc.image.begin,
                  static_cast<u32>(pc.image.size()));
}

command_line read_command_line(machine& pc, u32 limit, u32 zeros) {
    const u32 capacity = (limit < most_characters ? limit : most_characters) + 1;
    const u32 zeros_at = align_up(capacity, 16u);
    const bytes line = pc.work.take(zeros_at + zeros);
    pc.config.read_item(abi::fw_cfg_key::cmdline_data, line);
    if (line[capacity - 1] != 0) {
        const u32 size = pc.config.read_u32(abi::fw_cfg_key::cmdline_size);
        fail(sentences::command_line_too_long, size - 1, capacity - 1);
    }
    return {pc.work.address_of(line.data()), line.data() + zeros_at};
}

}  // namespace mayfly
