// SPDX-License-Identifier: MIT
// What the user asks for with -fw_cfg name=opt/org.mayfly/...
#include "machine.hpp"

namespace mayfly {
namespace {

/// The content of an option, empty where it was not given.
text read_option(machine& pc, text name) {
    const hw::file option = pc.config.find(name);
    if (!option.exists())
        return {};
    const bytes value = read_file(pc, name, option);
    return {reinterpret_cast<const char*>(value.data()), value.size()};
}

/// One word of the trace list.
void ask_for_trace(options& asked, text word) {
    if (word == "timeline")
        asked.timeline = true;
    else if (word == "marks")
        asked.marks = true;
    else
        fail(sentences::unknown_trace, word);
}

void read_trace_list(options& asked, text list) {
    const char* word = list.begin();
    for (const char* next = word; next != list.end(); next++) {
        if (*next != ',')
            continue;
        ask_for_trace(asked, {word, static_cast<usize>(next - word)});
        word = next + 1;
    }
    if (list.size() != 0)
        ask_for_trace(asked, {word, static_cast<usize>(list.end() - word)});
}

preparation preparation_of(text word) {
    if (word == "full")
        return preparation::full;
    if (word == "lean")
        return preparation::lean;
    if (word.size() != 0)
        fail(sentences::unknown_preparation, word);
    return preparation::unsaid;
}

}  // namespace

void read_options(machine& pc) {
    if (!pc.config.has_options())
        return;
    pc.asked.log = read_option(pc, "opt/org.mayfly/log") == "debug";
    read_trace_list(pc.asked, read_option(pc, "opt/org.mayfly/trace"));
    pc.asked.prepare = preparation_of(read_option(pc, "opt/org.mayfly/prepare"));
}

}  // namespace mayfly
