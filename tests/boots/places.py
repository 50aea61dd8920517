# SPDX-License-Identifier: MIT
"""Where PCI has its places: as the firmware leaves them, and as they are after Linux."""

import struct

from harness import guest, pci

from . import boot as boots

# Linux's numbers of a bridge's windows, which follow 6 BARs, the ROM and 6 BARs of SR-IOV.
WINDOWS = {pci.IO: 13, pci.LOW: 14, pci.PREFETCHABLE: 15}
# By register, the bits that say where something is: a bridge's other bits are a latency timer, the
# secondary status and its control; bit 0 of a ROM turns it on.
ENDPOINT = {**dict.fromkeys(range(4, 10), 0xFFFFFFFF), 12: 0xFFFFFFFE}
BRIDGE = {**dict.fromkeys((4, 5, 8, 9, 10, 11, 12), 0xFFFFFFFF), 6: 0xFFFFFF, 7: 0xFFFF,
          14: 0xFFFFFFFE}
# What Linux shows in place of the ROM of its console's VGA.
SHADOW_ROM = 0xC0000, 0xDFFFF
VGA = 0x0300


def left_by_firmware(boot, folder):
    """The tree that a payload, which Linux may be taken for, finds on the same machine."""
    folder = folder / "payload"
    folder.mkdir()
    arguments = boots.hardware_arguments(boot, folder)
    return pci.Tree(guest.boot(folder, boot.machine, arguments, words="buses"))


def _registers(function, report):
    """What is not as before in the registers of a function."""
    now = struct.unpack("<16I", report.data(f"pci_config.0000:{function}"))
    for number, mask in (BRIDGE if function.is_bridge else ENDPOINT).items():
        before = function.registers[number] & mask
        if now[number] & mask != before:
            yield f"{function} register {4 * number:#x}: {before:#x}, now {now[number] & mask:#x}"


def _resources(function, report):
    """What Linux takes to be elsewhere."""
    lines = report.lines(f"pci_resource.0000:{function}")
    now = [tuple(int(word, 16) for word in line.split()[:2]) for line in lines]
    places = {bar.number: bar.range if bar.address else None for bar in function.bars}
    if function.is_bridge:
        windows = function.windows()
        places |= {number: windows.get(kind) for kind, number in WINDOWS.items()}
    for number, place in places.items():
        expected = (place.begin, place.end - 1) if place else (0, 0)
        if number == pci.ROM and function.registers[2] >> 16 == VGA and now[number] == SHADOW_ROM:
            continue
        if now[number] != expected:
            was, is_now = ("{:#x}-{:#x}".format(*pair) for pair in (expected, now[number]))
            yield f"{function} resource {number}: {was}, for Linux {is_now}"


def moved(tree, report):
    """Every place that is not, in the device and for Linux, where it was, as sentences."""
    then = {f"pci_config.0000:{function}" for function in tree.functions}
    now = {name for name in report.files if name.startswith("pci_config.")}
    found = [f"{name}: seen by one only" for name in sorted(then ^ now)]
    for function in tree.functions:
        if f"pci_config.0000:{function}" in now:
            found += [*_registers(function, report), *_resources(function, report)]
    return found
