# SPDX-License-Identifier: MIT
"""Boots a kernel, adds devices, CPUs and memory to it while it runs, and takes them away again.

The guest (hotplug.sh) uses what appears and writes a line with all that is there at each change.
"""

import dataclasses
import functools
import re

from harness.qemu import GuestFailure, Qemu

from . import boot as boots
from . import stalls
from .devices import NETWORK_FILE, PCI, Disk, virtio_network

GUEST = boots.BOOTS / "hotplug.sh"
THERE = re.compile(r"^@@ there: (.*)\n", re.MULTILINE)  # whole lines only
GAVE_UP = "@@ gave up"
# The guest's patience ends before the harness's, so that its kernel log is always seen.
GUEST_TENTHS = 300
# Memory that comes later is to be free of what the kernel cannot move.
COMMAND_LINE = "memhp_default_state=online_movable"
BLOCK = 128 << 20  # Linux's unit of hotplug
# A CPU that goes is a thread that ends; with one for all of them QEMU waits for itself and aborts.
THREADS = "tcg,thread=multi"


@dataclasses.dataclass
class Seen:
    """What the guest says is there."""

    names: set
    cpus: int
    blocks: int

    @classmethod
    def read(cls, line):
        """From a line of the guest's."""
        *names, cpus, blocks = line.split()
        return cls(set(names), int(cpus.split("=")[1]), int(blocks.split("=")[1]))


def plugged(vm):
    """The ids of what QEMU has."""
    return {entry["name"] for entry in vm.qmp("qom-list", path="/machine/peripheral")}


class Device:
    """A device of devices.py, of which only the backend is there when QEMU starts."""

    def __init__(self, what, name, place):
        self.what = what
        self.name = name
        self.place = place  # as device_add's arguments
        self.modules = what.modules
        self._options = ""

    def arguments(self, folder):
        """For QEMU's command line: all but the device."""
        *backend, option, self._options = self.what.arguments(folder)
        assert option == "-device"
        return backend

    def add(self, vm):
        """Plugs it in."""
        driver, *options = self._options.split(",")
        options = dict(option.split("=") for option in options)
        vm.qmp("device_add", driver=driver, id=self.name, **options, **self.place)

    def remove(self, vm):
        """Asks the guest to let go of it."""
        vm.qmp("device_del", id=self.name)

    def is_gone(self, vm):
        """Whether QEMU has it no longer."""
        return self.name not in plugged(vm)

    def expect(self, seen):
        """Adds what the guest is to see of it."""
        seen.names.add(self.name)

    def problems(self, folder, report):
        """Whether the guest used it."""
        return self.what.problems(folder, report)


class Part:
    """What is used by being there."""

    name = ""
    modules = ()

    def arguments(self, folder):
        """For QEMU's command line."""
        del folder
        return []

    def remove(self, vm):
        """Asks the guest to let go of it."""
        vm.qmp("device_del", id=self.name)

    def is_gone(self, vm):
        """Whether QEMU has it no longer."""
        return self.name not in plugged(vm)

    def problems(self, folder, report):
        """None: the guest's lines have told all."""
        del folder, report
        return []


class Cpu(Part):
    """The first CPU that the machine has a place for."""

    name = "cpu-later"

    def add(self, vm):
        free = next(c for c in vm.qmp("query-hotpluggable-cpus")[::-1] if "qom-path" not in c)
        vm.qmp("device_add", driver=free["type"], id=self.name, **free["props"])

    def expect(self, seen):
        seen.cpus += 1


class Dimm(Part):
    """A memory module of two blocks."""

    name = "dimm"

    def add(self, vm):
        vm.qmp("object-add", **{"qom-type": "memory-backend-ram", "id": "dimm-ram",
                                "size": 2 * BLOCK})
        vm.qmp("device_add", driver="pc-dimm", id=self.name, memdev="dimm-ram")

    def expect(self, seen):
        seen.blocks += 2


class VirtioMemory(Part):
    """A device that is there from the start and gives memory when it is told to."""

    modules = ("virtio_pci", "virtio_mem")

    def arguments(self, folder):
        return ["-object", f"memory-backend-ram,id=vmem-ram,size={8 * BLOCK}",
                "-device", "virtio-mem-pci,id=vmem,memdev=vmem-ram,requested-size=0"]

    def _request(self, vm, size):
        vm.qmp("qom-set", path="/machine/peripheral/vmem", property="requested-size", value=size)

    def add(self, vm):
        self._request(vm, 4 * BLOCK)

    def remove(self, vm):
        self._request(vm, 0)

    def is_gone(self, vm):
        return vm.qmp("qom-get", path="/machine/peripheral/vmem", property="size") == 0

    def expect(self, seen):
        seen.blocks += 4


class SharedMemory(Part):
    """An ivshmem with a BAR of 1 GiB, for which Debian's kernel has no driver."""

    name = "1af4:1110"  # in the guest

    def __init__(self, bus):
        self._bus = bus

    def arguments(self, folder):
        return ["-object", "memory-backend-ram,id=shared,size=1G,share=on,reserve=off"]

    def add(self, vm):
        vm.qmp("device_add", driver="ivshmem-plain", id="ivshmem", memdev="shared", bus=self._bus)

    def remove(self, vm):
        vm.qmp("device_del", id="ivshmem")

    def is_gone(self, vm):
        return "ivshmem" not in plugged(vm)

    def expect(self, seen):
        seen.names.add(self.name)


def network(**place):
    """A virtio-net."""
    return Device(virtio_network(PCI), "eth0", place)


def nvme(**place):
    """An NVMe controller with a disk."""
    return Device(Disk("nvme0n1", "nvme", ("nvme",), "nvme0q", ",serial=1"), "nvme0n1", place)


def _archive(boot, parts, tenths):
    """The guest's initramfs."""
    tasks = ["load_modules", f"watch_hotplug {tenths} {NETWORK_FILE}", "report", "leave"]
    init = (boots.BOOTS / "guest.sh").read_text() + GUEST.read_text() + "\n".join(tasks) + "\n"
    modules = list(dict.fromkeys(name for part in parts for name in part.modules))
    return boots.initramfs.build(init, None, boots.kernel_folder(boot.kernel) / "modules", modules)


class Guest:
    """A guest that runs, and what it said so far."""

    def __init__(self, vm):
        self.vm = vm

    @property
    def seen(self):
        """What was there, from the start on."""
        return [Seen.read(line) for line in THERE.findall(self.vm.serial)]

    def first(self):
        """What was there at the start."""
        try:
            return self.vm.wait_until(lambda: self.seen, "first line of the guest")[0]
        except GuestFailure as failure:
            raise boots.Stall(str(failure), self.vm.serial) from None

    def reaches(self, expected):
        """Whether just that comes to be there before the guest gives up."""
        self.vm.wait_until(lambda: self.seen[-1] == expected or GAVE_UP in self.vm.serial,
                           f"{expected} in the guest")
        return self.seen[-1] == expected


def _plug_and_unplug(vm, parts):
    """Whether all came, and went."""
    guest = Guest(vm)
    first = guest.first()
    expected = dataclasses.replace(first, names=set(first.names))
    for part in parts:
        part.add(vm)
        part.expect(expected)
    if not guest.reaches(expected):
        return f"expected {expected}, the guest saw {guest.seen}"
    for part in parts:
        part.remove(vm)
    if not guest.reaches(first):
        return f"{first} once more expected, the guest saw {guest.seen}"
    vm.wait_until(lambda: all(part.is_gone(vm) for part in parts), "end of the removal in QEMU")
    return ""


def _end(vm):
    """Waits for the guest's end; till then QEMU answers, though the guest has left."""
    vm.wait_until(lambda: not vm.qmp("query-status")["running"], "end of the guest")
    vm.qmp("quit")
    return vm.wait()


def _once(boot, folder, firmware, parts, tenths):
    archive = folder / "hotplug.cpio"
    archive.write_bytes(_archive(boot, parts, tenths))
    boot = dataclasses.replace(boot, initrd=archive, append=f"{COMMAND_LINE} {boot.append}".strip())
    arguments = [*boots.qemu_arguments(boot, folder), "-no-shutdown"]
    for part in parts:
        arguments += part.arguments(folder)
    accel = THREADS if any(isinstance(part, Cpu) for part in parts) else boot.accel
    with Qemu(boot.machine, arguments, firmware=firmware, accel=accel,
              timeout=boots.TIME_LIMIT_SECONDS) as vm:
        failure = _plug_and_unplug(vm, parts)
        status = _end(vm)
        report = boots.read_report(vm.serial, 0, vm.debug)
        if status != 0 or report is None:
            raise vm.fail(f"QEMU ended with status {status}, no whole report from the guest")
        return report, failure


def run(boot, parts, folder, tenths=GUEST_TENTHS):
    """Boots, adds all parts at once, waits for the guest to use them, and takes them away.

    Returns the guest's report, a sentence where something did not come or go, and the folder with
    what the devices left.
    """
    how = functools.partial(_once, parts=parts, tenths=tenths)
    (report, failure), folder = stalls.run(boot, folder, how)
    return report, failure, folder
