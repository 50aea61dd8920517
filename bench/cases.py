# SPDX-License-Identifier: MIT
"""What is booted: a base case on each machine, and from it one factor at a time."""

import fnmatch
from dataclasses import dataclass

MACHINES = ("pc", "q35", "microvm")
MIB = 1 << 20
BASE_INITRD = 100_000  # bytes, as in harness.accesses

# What the kernel of a case is, see kernels.py.
STUB = "stub"
ENTRY = "debian-entry"
INIT = "debian-init"
PVH = "pvh"
PVH_INIT = "pvh-init"

DEFAULT_ROUNDS = 25
LARGE_ROUNDS = 10
INIT_ROUNDS = 6  # the least for an interval, see statistics.py
BASE_ROUNDS = 40


@dataclass(frozen=True)
class Case:
    """One row of the table, for every firmware."""

    id: str
    machine: str
    factor: str
    value: str
    title: str
    kernel: str = STUB
    initrd: int = BASE_INITRD  # bytes, 0: there is none
    arguments: tuple = ()
    rounds: int = DEFAULT_ROUNDS

    @property
    def to_init(self) -> bool:
        """Whether Linux runs, so that nothing can be counted up to the kernel."""
        return self.kernel in (INIT, PVH_INIT)

    def describe(self) -> dict:
        """Its entry in the results."""
        return {key: getattr(self, key) for key in ("id", "machine", "factor", "value", "title")}


def _kernels(machine: str) -> list[Case]:
    def case(kernel: str, title: str, **choices) -> Case:
        return Case(f"{machine}-kernel-{kernel}", machine, "kernel", kernel,
                    f"{machine}, {title}", kernel, **choices)

    found = [
        case(ENTRY, "Debian bzImage to its 32-bit entry (its 16-bit set-up runs where the "
                    "firmware uses it)"),
        case(INIT, "Debian bzImage to init", rounds=INIT_ROUNDS),
        case(PVH, "PVH ELF stub"),
    ]
    # It takes a minute a machine, and pc has no other way to load an ELF than q35.
    if machine != "pc":
        found.append(case(PVH_INIT, "Debian vmlinux by PVH to init", rounds=INIT_ROUNDS))
    return found


def _initrds(machine: str) -> list[Case]:
    return [Case(f"{machine}-initrd-{size}", machine, "initrd", str(size),
                 f"{machine}, initrd of {size} MiB" if size else f"{machine}, no initrd",
                 initrd=size * MIB, rounds=LARGE_ROUNDS if size >= 100 else DEFAULT_ROUNDS)
            for size in (0, 8, 100, 500)]


def _devices(machine: str) -> list[Case]:
    # microvm has no PCI unless asked for; virtio-mmio is what it is used with.
    kind, bus = (("virtio-rng-device", "virtio-mmio") if machine == "microvm" else
                 ("virtio-rng-pci", "virtio-pci"))
    return [Case(f"{machine}-devices-{count}", machine, "devices", str(count),
                 f"{machine}, {count} {bus} devices", arguments=("-device", kind) * count)
            for count in (4, 16)]


def _cpus(machine: str) -> list[Case]:
    return [Case(f"{machine}-cpus-{count}", machine, "cpus", str(count),
                 f"{machine}, {count} CPUs", arguments=("-smp", str(count)))
            for count in (4, 64)]


def all_cases() -> list[Case]:
    """All cases, in the order of the tables."""
    cases = []
    for machine in MACHINES:
        cases.append(Case(machine, machine, "base", "base",
                          f"{machine}, bzImage stub, 100 kB of initrd, no devices, 1 CPU",
                          rounds=BASE_ROUNDS))
        cases += _kernels(machine) + _initrds(machine) + _devices(machine) + _cpus(machine)
    return cases


def select(patterns: list[str]) -> list[Case]:
    """The cases whose IDs match one of these shell patterns; all, if there are none."""
    return [case for case in all_cases()
            if not patterns or any(fnmatch.fnmatchcase(case.id, p) for p in patterns)]
