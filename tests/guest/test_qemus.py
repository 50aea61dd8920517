# SPDX-License-Identifier: MIT
"""The same complete hand-over by newer QEMUs than the installed one: those of Debian's suites."""

import pytest
from test_budget import COUNTS, SHARE_OF_QBOOT
from test_failure import NO_KIND
from test_interrupts import check_timer
from test_machines import (
    NO_DMA, PREPARED_CPUS, PREPARED_DEVICES, PREPARED_WORDS, PROTOCOLS, check, check_prepared,
    preparation)
from test_processors import check_complete

from harness import debian_qemu, paths, pvh
from harness.accesses import by_device, device_accesses, guest_instructions
from harness.failure import check_complaint
from harness.guest import booted, write_kernel

WIDE = pytest.mark.wide
SUITES = ["trixie", pytest.param("sid", marks=WIDE)]
MACHINES = ["pc", "q35", "microvm", "microvm,acpi=off", "microvm,pcie=on"]
OLDEST_EXPECTED = {"trixie": (10, 0), "sid": (11, 0)}

DMA_SINCE = (2, 5)
PVH_SINCE = (4, 0)  # before, QEMU takes an ELF for a bzImage of protocol 0
NOT_A_BZIMAGE = f"{NO_KIND} (first bytes {int.from_bytes(pvh.build()[:4], 'little'):#x})"


@pytest.fixture(name="suite", params=SUITES)
def chosen_suite(request):
    """A suite of Debian."""
    return request.param


@pytest.fixture(name="qemu")
def fetched_qemu(suite):
    """The QEMU of the suite."""
    return debian_qemu.program(suite)


def test_version(suite, qemu):
    """What was fetched is what runs, with machine types of its own version."""
    version = debian_qemu.version(qemu)
    assert version >= OLDEST_EXPECTED[suite]
    assert f"pc-q35-{version[0]}.{version[1]}" in debian_qemu.machines(qemu)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("prepare", ["lean", "full"])
def test_hand_over(tmp_path, qemu, machine, protocol, prepare):
    """Layout, ACPI, SMBIOS and MP table, whatever the kernel is and however much is prepared."""
    args = ["-smp", "2", *preparation(prepare)]
    if not machine.startswith("microvm"):
        args += ["-device", "virtio-rng-pci", "-device", "VGA"]
    with booted(tmp_path, machine, args, kernel=PROTOCOLS[protocol](), program=qemu,
                initrd=bytes(10_000)) as guest:
        check(guest, with_acpi="acpi=off" not in machine, with_smbios="microvm" not in machine)


@pytest.mark.wide
@pytest.mark.parametrize("machine", ["pc", "q35"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_prepared_fully(tmp_path, qemu, machine, protocol):
    """Also PCI and its BIOS, all CPUs, and interrupts by both controllers."""
    args = ["-smp", str(PREPARED_CPUS), *PREPARED_DEVICES, *preparation("full")]
    with booted(tmp_path, machine, args, kernel=PROTOCOLS[protocol](), program=qemu,
                words=PREPARED_WORDS) as guest:
        check(guest)
        check_prepared(guest, machine)


@pytest.mark.wide
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_microvm_prepared_fully(tmp_path, qemu, protocol):
    """It has no ports for PCI, and all CPUs and the timer's interrupt by both controllers."""
    args = ["-smp", str(PREPARED_CPUS), *preparation("full")]
    with booted(tmp_path, "microvm,acpi=off,pit=on,pic=on", args, kernel=PROTOCOLS[protocol](),
                program=qemu, words=f"timer processors={PREPARED_CPUS}") as guest:
        check(guest, with_acpi=False, with_smbios=False)
        check_timer(guest.report)
        check_complete(guest.report, PREPARED_CPUS)


def versions(qemu, chipset: str) -> dict[str, tuple]:
    """The versions of a chipset's machine type that a QEMU lists, by their names."""
    front = f"pc-{chipset}-"
    return {name: tuple(map(int, name.removeprefix(front).split(".")))
            for name in debian_qemu.machines(qemu) if name.startswith(front)}


@pytest.mark.wide
@pytest.mark.parametrize("chipset", ["i440fx", "q35"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("prepare", ["lean", "full"])
def test_versions(tmp_path, qemu, chipset, protocol, prepare):
    """Every version that is listed; one without what it takes ends in a sentence."""
    kernel = PROTOCOLS[protocol]()
    args = ["-smp", "2", *preparation(prepare)]
    found = versions(qemu, chipset)
    assert debian_qemu.version(qemu) in found.values()
    for machine, version in found.items():
        print(machine)
        sentence = (NO_DMA if version < DMA_SINCE else
                    NOT_A_BZIMAGE if protocol == "pvh" and version < PVH_SINCE else None)
        if sentence:
            command = [*args, "-kernel", write_kernel(tmp_path, kernel)]
            check_complaint(machine, command, sentence, program=qemu)
            continue
        with booted(tmp_path, machine, args, kernel=kernel, program=qemu,
                    initrd=bytes(10_000)) as guest:
            check(guest)


@pytest.mark.parametrize("machine", COUNTS)
def test_cost(qemu, machine, record_property):
    """Not one device access more than by the installed one, and half of qboot's instructions."""
    accesses = device_accesses(machine, program=qemu)
    full = device_accesses(machine, preparation("full"), program=qemu)
    ours = guest_instructions(machine, program=qemu)
    theirs = guest_instructions(machine, firmware=paths.QBOOT, program=qemu)
    major, minor = debian_qemu.version(qemu)
    record_property("figures", f"{machine} by QEMU {major}.{minor}: {len(accesses)} accesses "
                               f"({len(full)} to prepare everything), {ours} guest instructions, "
                               f"qboot {theirs}")
    assert len(accesses) == COUNTS[machine], by_device(accesses)
    assert ours <= SHARE_OF_QBOOT * theirs
