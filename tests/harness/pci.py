# SPDX-License-Identifier: MIT
"""PCI as the payload saw it (its word `buses`), and what must hold of it.

Formats: PCI 3.0, 6.1 and 6.2.5; PCI-to-PCI Bridge Architecture 1.2, 3.2.
"""

from dataclasses import dataclass, field
from itertools import combinations

from .memory import FOUR_GIB, GIB, Range

HEADER = 16  # registers
IO, LOW, PREFETCHABLE = "I/O", "memory", "prefetchable memory"
ROM = 6
HOST_BRIDGE = 0x0600
COMMAND_IO, COMMAND_MEMORY = 1, 2
PM_PIIX4 = 0x71138086


@dataclass(frozen=True)
class Bar:
    """A BAR or, with number ROM, an expansion ROM."""

    number: int
    kind: str
    is_wide: bool
    address: int
    size: int

    @property
    def range(self) -> Range:
        """What it decodes."""
        return Range(self.address, self.address + self.size)


@dataclass
class Function:
    """One function of one device."""

    number: int
    registers: list[int]
    bars: list[Bar] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.bus:02x}:{self.device:02x}.{self.number & 7}"

    @property
    def bus(self) -> int:
        """The bus it is on."""
        return self.number >> 8

    @property
    def device(self) -> int:
        """Its device number there."""
        return self.number >> 3 & 31

    @property
    def is_bridge(self) -> bool:
        """A bridge to another bus."""
        return self.registers[3] >> 16 & 0x7F == 1

    @property
    def buses(self) -> range:
        """The buses behind a bridge."""
        register = self.registers[6]
        return range(register >> 8 & 0xFF, (register >> 16 & 0xFF) + 1)

    def windows(self) -> dict[str, Range]:
        """What a bridge passes on; closed windows are left out."""
        io, low, high, begin, end = self.registers[7:12]
        ranges = {
            IO: Range((io & 0xF0) << 8, (io & 0xF000) + 0x1000),
            LOW: Range((low & 0xFFF0) << 16, (low & 0xFFF00000) + 0x100000),
            PREFETCHABLE: Range((high & 0xFFF0) << 16 | begin << 32,
                                (end << 32 | high & 0xFFF00000) + 0x100000)}
        if self.registers[1] & COMMAND_IO == 0:
            del ranges[IO]  # a port with io-reserve=0 has no such window
        return {kind: r for kind, r in ranges.items() if r.begin < r.end}

    @property
    def interrupt(self) -> tuple[int, int]:
        """Line and pin."""
        return self.registers[15] & 0xFF, self.registers[15] >> 8 & 0xFF


def _bar(number: int, value: int, answer: int, high: tuple[int, int] | None) -> Bar | None:
    if number != ROM and answer & 1:
        size = -(answer & 0xFFFC) & 0xFFFF
        return Bar(number, IO, False, value & 0xFFFC, size) if size else None
    bits = answer & (0xFFFFF800 if number == ROM else 0xFFFFFFF0)
    address = value & (0xFFFFF800 if number == ROM else 0xFFFFFFF0)
    if high is not None:
        bits |= high[1] << 32
        address |= high[0] << 32
    size = bits & -bits
    kind = PREFETCHABLE if number != ROM and answer & 8 else LOW
    return Bar(number, kind, high is not None, address, size) if size else None


def _read(number: int, words: list[int]) -> Function:
    function = Function(number, words[:HEADER])
    answers = words[HEADER:]
    if not answers:
        return function
    values = [*function.registers[4 : 3 + len(answers)],
              function.registers[14 if function.is_bridge else 12]]
    i = 0
    while i < len(answers):
        bar_number = ROM if i == len(answers) - 1 else i
        is_wide = bar_number != ROM and answers[i] & 7 == 4
        high = (values[i + 1], answers[i + 1]) if is_wide else None
        bar = _bar(bar_number, values[i], answers[i], high)
        if bar:
            function.bars.append(bar)
        i += 2 if is_wide else 1
    return function


class Tree:
    """All functions of a machine."""

    def __init__(self, report):
        self.functions = [_read(n, words) for n, words in sorted(report.functions.items())]

    def bridge_of(self, bus: int) -> Function | None:
        """The bridge right above a bus, None for a root bus."""
        above = [f for f in self.functions if f.is_bridge and f.buses and f.buses[0] == bus]
        assert len(above) <= 1, f"two bridges lead to bus {bus}: {[str(f) for f in above]}"
        return above[0] if above else None

    def root_of(self, bus: int) -> int:
        """The root bus that leads to a bus."""
        while bridge := self.bridge_of(bus):
            bus = bridge.bus
        return bus

    def bars(self) -> dict[tuple[int, int], tuple[Function, Bar]]:
        """Every BAR, by function and number."""
        return {(f.number, b.number): (f, b) for f in self.functions for b in f.bars}

    def missing(self) -> set[tuple[int, int]]:
        """The BARs that have no address."""
        return {key for key, (_, bar) in self.bars().items() if bar.address == 0}


def check_buses(tree: Tree) -> None:
    """Every bridge has buses behind it, inside its own bridge's and nobody else's."""
    bridges = [f for f in tree.functions if f.is_bridge]
    for bridge in bridges:
        assert bridge.registers[6] & 0xFF == bridge.bus, f"{bridge}: primary bus"
        assert bridge.buses and bridge.buses[0] > bridge.bus, f"{bridge}: {bridge.buses}"
        above = tree.bridge_of(bridge.bus)
        assert above is None or (bridge.buses[0] > above.buses[0]
                                 and bridge.buses[-1] <= above.buses[-1]), f"{bridge} in {above}"
    for one, other in combinations(bridges, 2):
        if one.bus == other.bus:
            assert not set(one.buses) & set(other.buses), f"{one} and {other}: {one.buses}"


def _home(tree: Tree, function: Function, what: str, used: Range, kind: str,
          host: dict[str, list[Range]]) -> None:
    bridge = tree.bridge_of(function.bus)
    if bridge is None:
        homes = host[IO if kind == IO else LOW]
    else:
        windows = bridge.windows()
        homes = [windows[k] for k in ({IO} if kind == IO else
                                      {LOW, PREFETCHABLE} if kind == PREFETCHABLE else {LOW})
                 if k in windows]
    assert any(h.begin <= used.begin and used.end <= h.end for h in homes), (
        f"{function} {what} {used} is in none of {homes}")


def _disjoint(pieces: list[tuple[str, Range]]) -> None:
    pieces = sorted(pieces, key=lambda piece: piece[1].begin)
    for (name, one), (other_name, other) in zip(pieces, pieces[1:]):
        assert one.end <= other.begin, f"{name} {one} and {other_name} {other}"


def check_places(tree: Tree, host: dict[str, list[Range]],
                 without: set[tuple[int, int]] = frozenset()) -> None:
    """Everything but `without` has an address, aligned, its own, and reached; `host` says where."""
    bars = tree.bars()
    assert tree.missing() == set(without), (
        [f"{bars[key][0]} {bars[key][1]}" for key in tree.missing() ^ set(without)])
    by_bus: dict[tuple[int, bool], list[tuple[str, Range]]] = {}
    for f, bar in tree.bars().values():
        if bar.address == 0:
            continue
        assert bar.address % bar.size == 0, f"{f} {bar}"
        _home(tree, f, f"BAR {bar.number}", bar.range, bar.kind, host)
        by_bus.setdefault((f.bus, bar.kind == IO), []).append((f"{f} BAR {bar.number}", bar.range))
        decoded = COMMAND_IO if bar.kind == IO else COMMAND_MEMORY
        assert f.registers[1] & decoded, f"{f} decodes no {bar.kind}"
        assert bar.number != ROM or f.registers[14 if f.is_bridge else 12] & 1 == 0, "ROM is off"
    for bridge in tree.functions:
        if not bridge.is_bridge:
            continue
        for kind, window in bridge.windows().items():
            _home(tree, bridge, kind, window, kind, host)
            by_bus.setdefault((bridge.bus, kind == IO), []).append((f"{bridge} {kind}", window))
            assert bridge.registers[1] & (COMMAND_IO if kind == IO else COMMAND_MEMORY), bridge
    for (_, is_io), pieces in by_bus.items():
        _disjoint(pieces)
    for is_io in (True, False):  # root buses share the host's windows
        _disjoint([p for (bus, io), pieces in by_bus.items()
                   if io == is_io and tree.bridge_of(bus) is None for p in pieces])


def memory_used(tree: Tree) -> list[tuple[str, Range]]:
    """Every BAR and every bridge's window in memory that is anywhere, by name."""
    bars = [(f"{f} BAR {bar.number}", bar.range) for f, bar in tree.bars().values()
            if bar.kind != IO and bar.address != 0]
    return bars + [(f"{f} {kind}", window) for f in tree.functions if f.is_bridge
                   for kind, window in f.windows().items() if kind != IO]


def expected_line(tree: Tree, machine: str, function: Function) -> int:
    """The interrupt of a function's pin, with the routes 10, 10, 11, 11."""
    turn = function.interrupt[1] - 1
    bus, device = function.bus, function.device
    while bridge := tree.bridge_of(bus):
        turn += device
        bus, device = bridge.bus, bridge.device
    if machine == "pc":
        turn += device - 1
    elif device < 25 or bus != 0:
        turn += device
    return (10, 10, 11, 11)[turn % 4]


def check_interrupts(tree: Tree, machine: str) -> None:
    """Every function with a pin has its line."""
    for f in tree.functions:
        line, pin = f.interrupt
        if pin != 0:
            expected = 9 if f.registers[0] == PM_PIIX4 else expected_line(tree, machine, f)
            assert line == expected, f"{f}: line {line}, pin {pin}"


def path_of(tree: Tree, function: Function) -> tuple[int, ...]:
    """The root bus, and device and function at each step from there."""
    bridge = tree.bridge_of(function.bus)
    above = (function.bus,) if bridge is None else path_of(tree, bridge)
    return (*above, function.number & 0xFF)


def check_lines(tree: Tree, other: Tree, machine: str) -> None:
    """Where another firmware has the same function on the same path, its interrupt line is ours."""
    theirs = {(path_of(other, f), f.registers[0]): f for f in other.functions}
    compared = 0
    for f in tree.functions:
        their = theirs.get((path_of(tree, f), f.registers[0]))
        # SeaBIOS turns no pin of devices from 25 on, on q35; QEMU does where it is an extra root.
        is_odd = machine == "q35" and path_of(tree, f)[0] != 0 and path_of(tree, f)[1] >> 3 >= 25
        if their is not None and not is_odd:
            compared += 1
            assert f.interrupt == their.interrupt, f"{f}: {f.interrupt}, {their.interrupt}"
    assert compared > 0


def check_coverage(tree: Tree, other: Tree,
                   without: set[tuple[int, int]] = frozenset()) -> None:
    """What another firmware gave an address here has one, of the same size, but for `without`."""
    ours = {path_of(tree, f): f for f in tree.functions}
    for their in other.functions:
        function = ours.get(path_of(other, their))
        assert function is not None, f"{their} is not found"
        assert function.registers[0] == their.registers[0], f"{function} is another"
        bars = {bar.number: bar for bar in function.bars}
        assert bars.keys() == {bar.number for bar in their.bars}, function
        for bar in their.bars:
            mine = bars[bar.number]
            assert (mine.kind, mine.size) == (bar.kind, bar.size), f"{function} {bar}"
            is_placed = mine.address != 0 or (function.number, bar.number) in without
            assert is_placed or bar.address == 0, f"{function} {bar} has none of ours"


def host_windows(machine: str, low_ram_end: int, high_begin: int = FOUR_GIB,
                 address_bits: int = 40) -> dict[str, list[Range]]:
    """Where devices may be: QEMU's _CRS of the host bridge without what QEMU keeps."""
    high = Range(high_begin, 1 << address_bits)
    if machine == "microvm":
        return {IO: [], LOW: [Range(0xC0000000, 0xE0000000), Range(3 << address_bits - 2,
                                                                   1 << address_bits)]}
    low = [Range(max(low_ram_end, 2 * GIB), 0xFEC00000)]
    io = [Range(0x1000, 0xAE00), Range(0xB140, 0x10000)]
    if machine == "q35":
        io = [Range(0x1000, 0x10000)]
        low = [Range(max(low_ram_end, 2 * GIB), 0xB0000000), Range(0xC0000000, 0xFEC00000)]
    return {IO: io, LOW: [*low, high]}
