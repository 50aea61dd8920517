# SPDX-License-Identifier: MIT
"""What QEMU maps where, from the monitor's `info mtree`: as regions, and as what is reached."""

import re

from . import pci
from .memory import FOUR_GIB, Range

REGION = re.compile(r"^ +([0-9a-f]{16})-([0-9a-f]{16}) \(prio (-?\d+), [^)]+\): (.*)$",
                    re.MULTILINE)
VIEW_OF = re.compile(r'^ AS "([^"]+)", root', re.MULTILINE)
OF_A_BAR = 1  # priority
WINDOW = "alias pci_bridge_"
BACKGROUND = "gpex_"  # microvm's windows, where there is nothing else
NOTHING_INSIDE = {"e1000e-flash"}
HOTPLUG = "device-memory"  # where QEMU puts DIMMs; it ends before etc/reserved-memory-end
LEAST_BAR = 16  # pvpanic-pci has 2 bytes, less than a memory BAR can say


def _regions(text: str) -> list[tuple[Range, int, str]]:
    return [(Range(int(m[1], 16), int(m[2], 16) + 1), int(m[3]), m[4].strip())
            for m in REGION.finditer(text)]


def _views(text: str) -> dict[str, list[Range]]:
    """What each address space reaches, without gaps and overlaps."""
    return {name: [where for where, _, what in _regions(view) if not what.startswith(BACKGROUND)]
            for view in text.split("FlatView #") for name in VIEW_OF.findall(view)}


def check_mapped(tree: pci.Tree, vm) -> None:
    """Each BAR is a region of just its size, and all bridges lead to something of it."""
    regions = {}
    for where, priority, name in _regions(vm.hmp("info mtree")):
        if priority == OF_A_BAR and not name.startswith(WINDOW) and "[disabled]" not in name:
            regions.setdefault(where.begin, {})[where.end - where.begin] = name
    views = _views(vm.hmp("info mtree -f"))
    for function, bar in tree.bars().values():
        if bar.number == pci.ROM or bar.address == 0:
            continue
        what = f"{function} {bar}"
        sizes = {max(size, LEAST_BAR) if bar.kind != pci.IO else size
                 for size in regions.get(bar.address, ())}
        assert bar.size in sizes, f"{what}: QEMU maps sizes {sizes} there"
        if NOTHING_INSIDE & set(regions[bar.address].values()):
            continue
        reached = [r for r in views["I/O" if bar.kind == pci.IO else "memory"]
                   if r.begin < bar.range.end and bar.range.begin < r.end]
        assert reached, f"{what}: nothing of it is reached"
        assert all(bar.range.begin <= r.begin and r.end <= bar.range.end for r in reached), (
            f"{what}: reached is {list(map(str, reached))}")


def hotplug_window(vm) -> Range | None:
    """Where memory may be plugged in, None on a machine without slots."""
    return next((where for where, _, name in _regions(vm.hmp("info mtree")) if name == HOTPLUG),
                None)


def check_outside_hotplug(tree: pci.Tree, vm) -> None:
    """No BAR and no window is where memory may be plugged in; the high ones are behind that."""
    window = hotplug_window(vm)
    if window is None:
        return
    for what, used in pci.memory_used(tree):
        assert used.end <= FOUR_GIB or used.begin >= window.end, (
            f"{what} {used}: memory may be plugged in at {window}")
