// SPDX-License-Identifier: MIT
// The fw_cfg directory, and searches in it.
#include "fakes/fake_fw_cfg.hpp"
#include "fuzz/fuzz.hpp"
#include "hw/fw_cfg.hpp"

using namespace mayfly;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fakes::fake_ram ram(0x8000);
    fakes::fake_machine machine;
    fakes::fake_fw_cfg device(machine, ram);
    device.set_item(abi::fw_cfg_key::directory, fuzz::input(data, size).rest());
    arena work(ram.view(), 0x1000, 0x8000);
    hw::fw_cfg config(machine, work);
    fuzz::tell(config.open().what());
    fuzz::tell(config.require("etc/e820").what());
    fuzz::tell(config.require("etc/table-loader").what());
    fuzz::tell(config.find("").what());
    fuzz::require(device.transfers().size() < 2000);
    return 0;
}
