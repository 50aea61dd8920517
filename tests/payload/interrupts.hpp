// SPDX-License-Identifier: MIT
// Takes interrupts as a kernel does that trusts the firmware: through the 8259s as they are, and
// through the I/O APIC by the MP table.
#pragma once

#include "words.hpp"

namespace interrupts {

// `timer`: the PIT's. `edu`: INTx of an edu device. `virtio`: of each virtio-mmio device that is an
// entropy source. Each is reported as how often it came (more than once cannot be: its line is
// closed by the first), and by which line or pin. `key`: the codes of a key, as it is pressed and
// as it is released, after a word that it is waited for. `nopic`: none is waited for by way of the
// 8259s, of which there are none.
void report(const words& command_line);

}  // namespace interrupts
