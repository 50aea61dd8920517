# SPDX-License-Identifier: MIT
"""What QEMU's ACPI tables say of PCI, and that the payload found just that.

Formats: ACPI 6.4 (18.5 for ERST); Intel VT-d 3.3, 8; AMD I/O Virtualization 3.05, 5.2.2; VIOT 0.9.
"""

import struct
from itertools import combinations

from . import acpi
from .memory import Range
from .pci import IO, LOW, Function, Tree

BUSES = "buses"
ERST_FUNCTION, VIRTIO_IOMMU = 0x00121B36, 0x10571AF4
AMD_IOMMUS = (0x00081022, 0x14191022)  # the latter by newer QEMUs than 7.2
PCIE_TO_PCI = 0x000E1B36
IO_APIC_BUS = 0xFF  # by DMAR; no bridge may have it


def _templates(aml: bytes) -> list[bytes]:
    """The resource templates that are named _CRS."""
    result = []
    at = -1
    while (at := aml.find(b"\x08_CRS\x11", at + 1)) >= 0:
        begin = at + 6
        begin += 1 + (aml[begin] >> 6)  # the package's length
        width = {0x0A: 1, 0x0B: 2, 0x0C: 4}[aml[begin]]
        size = int.from_bytes(aml[begin + 1 : begin + 1 + width], "little")
        result.append(aml[begin + 1 + width : begin + 1 + width + size])
    return result


# Address space descriptors, ACPI 6.4, 6.4.3.5: how wide each number is.
ADDRESS_SPACES = {0x88: 2, 0x87: 4, 0x8A: 8}
MEMORY_SPACE, IO_SPACE, BUS_SPACE = 0, 1, 2


def declared(dsdt: bytes) -> dict[int, dict[str, list[Range]]]:
    """What QEMU's tables say of each root bus, by its number: buses and windows of its _CRS."""
    result = {}
    for template in _templates(dsdt):
        windows = {MEMORY_SPACE: [], IO_SPACE: [], BUS_SPACE: []}
        at = 0
        while template[at] != 0x79:  # end tag
            tag = template[at]
            size = 3 + int.from_bytes(template[at + 1 : at + 3], "little") if tag & 0x80 else \
                1 + (tag & 7)
            if width := ADDRESS_SPACES.get(tag):
                low, high = (int.from_bytes(template[at + 6 + i * width : at + 6 + (i + 1) * width],
                                            "little") for i in (1, 2))
                windows[template[at + 3]].append(Range(low, high + 1))
            at += size
        for buses in windows[BUS_SPACE]:
            assert buses.begin not in result, f"two roots are bus {buses.begin}"
            result[buses.begin] = {BUSES: [buses], IO: windows[IO_SPACE],
                                   LOW: windows[MEMORY_SPACE]}
    return result


def _roots_are_apart(roots: dict[int, dict[str, list[Range]]]) -> None:
    for (one, mine), (other, theirs) in combinations(roots.items(), 2):
        for kind in (BUSES, IO, LOW):
            for a in mine[kind]:
                for b in theirs[kind]:
                    assert not a.overlaps(b), f"roots {one} and {other}: {kind} {a} and {b}"


def _buses_of(tree: Tree, root: int) -> range:
    """The bus numbers that lead to a root bus, used or kept."""
    behind = [f.buses[-1] for f in tree.functions if f.is_bridge and f.bus == root]
    return range(root, max([root, *behind]) + 1)


def _roots(tree: Tree) -> set[int]:
    return {tree.root_of(f.bus) for f in tree.functions}


def check_declared(tree: Tree, dsdt: bytes) -> None:
    """What is on a root bus or behind lies in the buses and windows that the tables name for it."""
    roots = declared(dsdt)
    _roots_are_apart(roots)
    for root in _roots(tree):
        buses = _buses_of(tree, root)
        assert any(r.begin <= buses[0] and buses[-1] < r.end for r in roots[root][BUSES]), (
            f"root {root} has {buses}, declared are {list(map(str, roots[root][BUSES]))}")
    for f in tree.functions:
        if tree.bridge_of(f.bus) is not None:
            continue
        pieces = [(b.kind, b.range) for b in f.bars if b.address != 0]
        pieces += f.windows().items() if f.is_bridge else []
        for kind, used in pieces:
            homes = roots[f.bus][IO if kind == IO else LOW]
            assert any(h.begin <= used.begin and used.end <= h.end for h in homes), (
                f"{f} {kind} {used} is in none of {list(map(str, homes))}")


def _with_identity(tree: Tree, *identities: int) -> Function:
    found, = (f for f in tree.functions if f.registers[0] in identities)
    return found


def check_erst(tree: Tree, data: bytes) -> None:
    """Every action goes to one of the two registers in the device's BAR."""
    bar = next(b for b in _with_identity(tree, ERST_FUNCTION).bars if b.number == 0)
    first, size = 48, 32
    count, = struct.unpack_from("<I", data, first - 4)
    assert len(data) == first + count * size and count > 0
    for at in range(first, len(data), size):
        address, = struct.unpack_from("<Q", data, at + 8)
        assert address in (bar.address, bar.address + 8), f"action {data[at]}: {address:#x}, {bar}"


def check_dmar(tree: Tree, data: bytes) -> None:
    """QEMU names each function of the root buses, and the I/O APIC on a bus that nobody has."""
    endpoint, bridge, io_apic = 1, 2, 3
    found = {}
    kind, = struct.unpack_from("<H", data, 48)
    size, = struct.unpack_from("<H", data, 50)
    assert kind == 0, "no remapping unit comes first"
    for scope in acpi.subtables(data[48 : 48 + size], 16):
        bus, device, function = scope[5:8]
        if scope[0] == io_apic:
            assert bus == IO_APIC_BUS
        else:
            found[bus << 8 | device << 3 | function] = scope[0]
    assert found == {f.number: bridge if f.is_bridge else endpoint for f in tree.functions
                     if tree.bridge_of(f.bus) is None}
    assert not any(IO_APIC_BUS in f.buses for f in tree.functions if f.is_bridge)


def _ivhd_entries(data: bytes) -> list[tuple[int, int, int | None]]:
    """Type, function and alias of each entry: 4 bytes below type 64, 8 with an alias from there."""
    result = []
    at = 48 + 24
    end = 48 + struct.unpack_from("<H", data, 50)[0]
    while at < end:
        is_long = data[at] >= 64
        result.append((data[at], struct.unpack_from("<H", data, at + 1)[0],
                       struct.unpack_from("<H", data, at + 5)[0] if is_long else None))
        at += 8 if is_long else 4
    return result


def check_ivrs(tree: Tree, data: bytes) -> None:
    """Each function is named, or is on a bus that is: all buses behind a bridge, just those."""
    select, begin_range, end_range, alias_range = 2, 3, 4, 0x43
    functions = {f.number for f in tree.functions}
    # Behind PCIe-to-PCI bridges requests come from the bus behind, else from the bridge.
    bridges = {(f.buses[0] << 8, f.buses[-1] << 8 | 0xFF):
               f.buses[0] << 8 if f.registers[0] == PCIE_TO_PCI else f.number
               for f in tree.functions if f.is_bridge}
    assert struct.unpack_from("<H", data, 52)[0] == _with_identity(tree, *AMD_IOMMUS).number
    named = set()
    first = alias = None
    for kind, number, other in _ivhd_entries(data):
        if kind == select:
            assert number in functions, f"there is no {number:#x}"
            named.add(number)
        elif kind in (begin_range, alias_range):
            first, alias = number, other
        elif kind == end_range:
            source = bridges.get((first, number))
            assert source is not None, f"no bridge leads to {first:#x} to {number:#x}"
            assert alias in (None, source), f"{first:#x} to {number:#x} appear as {alias:#x}"
            named.update(range(first, number + 1))
    assert functions <= named, f"not named: {[hex(f) for f in functions - named]}"


def check_viot(tree: Tree, data: bytes) -> None:
    """The IOMMU is where it is, and each range is a root with all buses behind it."""
    pci_range, virtio_pci = 1, 3
    count, at = struct.unpack_from("<HH", data, 36)
    found = set()
    for _ in range(count):
        kind, size = data[at], struct.unpack_from("<H", data, at + 2)[0]
        if kind == pci_range:
            found.add(struct.unpack_from("<HH", data, at + 12))
        else:
            assert kind == virtio_pci
            where, = struct.unpack_from("<H", data, at + 6)
            assert where == _with_identity(tree, VIRTIO_IOMMU).number
        at += size
    assert found == {(buses[0] << 8, buses[-1] << 8 | 0xFF)
                     for buses in (_buses_of(tree, root) for root in _roots(tree))}


CHECKS = {"ERST": check_erst, "DMAR": check_dmar, "IVRS": check_ivrs, "VIOT": check_viot}


def check(tree: Tree, report) -> None:
    """Every table that names functions or their addresses."""
    check_declared(tree, acpi.table(report, "DSDT").data)
    for table in acpi.all_tables(report):
        if table.signature in CHECKS:
            CHECKS[table.signature](tree, table.data)
