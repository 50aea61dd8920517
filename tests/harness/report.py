# SPDX-License-Identifier: MIT
"""Reads the payload's report, see tests/payload/report.hpp."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Memory:
    """A piece of guest memory as the payload saw it."""

    address: int
    data: bytes

    def __repr__(self) -> str:
        return f"{len(self.data)} bytes at {self.address:#x}"

    @property
    def end(self) -> int:
        """The first address behind it."""
        return self.address + len(self.data)


@dataclass(frozen=True)
class Processor:
    """What one processor said of itself, see tests/payload/processors.hpp."""

    started: int  # 0: it is the boot processor; 1: by a SIPI alone; 2: by INIT and SIPI
    apic_id: int
    msr: dict[int, int]


@dataclass(repr=False)
class Report:
    """One boot."""

    entry: str = ""
    values: dict[str, dict[str, int]] = field(default_factory=dict)
    memory: dict[str, list[Memory]] = field(default_factory=dict)
    msr: dict[int, int] = field(default_factory=dict)
    apic: dict[int, int] = field(default_factory=dict)
    port: dict[int, int] = field(default_factory=dict)
    cpuid: dict[int, list[int]] = field(default_factory=dict)
    pci: dict[tuple[int, int], bytes] = field(default_factory=dict)
    functions: dict[int, list[int]] = field(default_factory=dict)
    processors: list["Processor"] = field(default_factory=list)
    initrd: tuple[int, int, int, int] | None = None
    modules: list[tuple[int, int, int, int]] = field(default_factory=list)

    def one(self, name: str) -> Memory:
        """The only piece of memory of this name."""
        pieces = self.memory.get(name, [])
        assert len(pieces) == 1, f"{len(pieces)} x {name} in the report instead of one"
        return pieces[0]

    def register(self, name: str) -> int:
        """A register at entry."""
        return self.values["register"][name]

    @property
    def command_line(self) -> str:
        """The command line without its terminator."""
        data = self.one("command_line").data
        assert data[-1] == 0
        return data[:-1].decode("latin-1")


def _numbers(words: list[str]) -> list[int]:
    return [int(w, 16) for w in words]


def _add(report: Report, line: str) -> None:
    keyword, *words = line.split(" ")
    if keyword == "memory":
        name, address, *content = words
        piece = Memory(int(address, 16), bytes.fromhex(content[0] if content else ""))
        report.memory.setdefault(name, []).append(piece)
    elif keyword == "entry":
        report.entry = words[0]
    elif keyword in ("msr", "apic", "port"):
        index, value = _numbers(words)
        getattr(report, keyword)[index] = value
    elif keyword == "cpuid":
        leaf, *registers = _numbers(words)
        report.cpuid[leaf] = registers
    elif keyword == "pci":
        device, function, *dwords = _numbers(words)
        report.pci[device, function] = b"".join(d.to_bytes(4, "little") for d in dwords)
    elif keyword == "function":
        number, *registers = _numbers(words)
        report.functions[number] = registers
    elif keyword == "processor":
        started, apic_id, *registers = _numbers(words)
        msr = dict(zip(registers[::2], registers[1::2]))
        report.processors.append(Processor(started, apic_id, msr))
    elif keyword == "initrd":
        report.initrd = tuple(_numbers(words))
    elif keyword == "module":
        report.modules.append(tuple(_numbers(words)))
    else:
        name, value = words
        report.values.setdefault(keyword, {})[name] = int(value, 16)


def parse(text: str) -> list[Report]:
    """All complete boots in the text, in order."""
    reports = []
    current = Report()
    for line in text.splitlines():
        if line == "end":
            reports.append(current)
            current = Report()
        elif line.startswith("exception"):
            raise AssertionError(f"the payload met a CPU exception: {line}")
        else:
            _add(current, line)
    return reports
