// SPDX-License-Identifier: MIT
// The plan for any tree of PCI devices is sound. The input: two bytes for each choice of
// fakes::grow(), and zeros where it ends.
#include "fakes/pci_trees.hpp"
#include "fuzz/fuzz.hpp"

using namespace mayfly;

extern "C" int LLVMFuzzerTestOneInput(const u8* data, usize size) {
    pci::host_windows host;
    host.io.add(0xc000, 0x10000);
    host.io.add(0x1000, 0xa000);
    host.low.add(0xe0000, 0xfec00);
    host.high.add(0x140000, 1u << 28);
    usize at = 0;
    fakes::pci_devices devices(2048);
    fakes::grow(devices, [&] {
        const u32 low = at < size ? data[at++] : 0u;
        const u32 high = at < size ? data[at++] : 0u;
        return low | high << 8;
    });
    pci::plan(devices.found, host);
    fuzz::require(fakes::fault_of(devices.found, host).empty());
    return 0;
}
