# SPDX-License-Identifier: MIT
"""Where Linux objects to what the full preparation leaves, it does so after SeaBIOS too."""

import collections

import pytest

from harness import paths

from . import stalls
from .boot import Boot
from .complaints import normalised
from .test_pci import FULL, devices, objections

ARGUMENTS = {
    # Of 64 KiB of ports 14 windows of 4 KiB are left on q35. An IDE controller behind a bridge has
    # its legacy ports, which are never in that bridge's window.
    "q35": devices(*(f"pcie-root-port,chassis={i + 2},port={i},addr={4 + i // 8:x}.{i % 8},"
                     "multifunction=on" for i in range(20)),
                   "pci-bridge,id=bridge,chassis_nr=1,addr=9", "piix3-ide,bus=bridge,addr=3"),
    # There is no I/O for PCI.
    "microvm,pcie=on": devices("pcie-root-port,id=port1,chassis=1", "virtio-rng-pci,bus=port1",
                               "virtio-rng-pci"),
}


def said(report):
    """What Linux objects to, and how often, whichever of the functions it meets."""
    return collections.Counter(normalised(line.partition("pci ")[2]) for line in objections(report)
                               if ": assigned" not in line and ": releasing" not in line)


@pytest.mark.parametrize("machine", ARGUMENTS)
def test_no_more_objections_than_after_seabios(machine, tmp_path):
    """Linux wants I/O that there is not, and objects to nothing else."""
    boot = Boot("cloud", machine, arguments=(*FULL, *ARGUMENTS[machine]))
    ours, _ = stalls.run(boot, tmp_path)
    folder = tmp_path / "seabios"
    folder.mkdir()
    theirs = stalls.run_reference(Boot("cloud", machine, arguments=ARGUMENTS[machine]), folder,
                                  paths.seabios(boot.machine_type))
    assert said(ours) == said(theirs)
    assert len(said(ours)) >= 3 and all("[io " in line for line in said(ours))
