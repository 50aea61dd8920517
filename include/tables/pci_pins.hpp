// SPDX-License-Identifier: MIT
// Where the interrupt pins of the devices on PCI bus 0 lead.
#pragma once

#include "hw/chipset.hpp"

namespace mayfly::tables {

inline constexpr u32 pci_devices = 32;
inline constexpr u32 pci_pins = 4;

/// Goes from device to device, from 0 on.
///
/// i440FX: the pins rotate over PIRQ A to D, one behind the device's number (QEMU
/// hw/pci-host/i440fx.c). q35: they rotate over PIRQ E to H; devices from 25 on have PIRQ A to D,
/// but device 30, which has E to H (QEMU hw/isa/lpc_ich9.c, ich9_cc_init).
class pin_wiring {
  public:
    /// `a_to_d` and `e_to_h` are what stands for those PIRQs, a byte each, the first one lowest.
    constexpr pin_wiring(hw::chipset chipset, u32 a_to_d, u32 e_to_h)
        : is_q35_(chipset == hw::chipset::q35),
          a_to_d_(a_to_d),
          e_to_h_(e_to_h),
          rotating_(chipset == hw::chipset::q35 ? e_to_h : a_to_d << 8 | a_to_d >> 24) {}

    /// What stands for the four pins of the next device, `device`, a byte each.
    [[gnu::always_inline]] u32 next(u32 device) {
        u32 pins = rotating_;
        if (is_q35_ && device >= 25)
            pins = device == 30 ? e_to_h_ : a_to_d_;
        rotating_ = rotating_ >> 8 | rotating_ << 24;
        return pins;
    }

  private:
    bool is_q35_;
    u32 a_to_d_;
    u32 e_to_h_;
    u32 rotating_;
};

}  // namespace mayfly::tables
