# SPDX-License-Identifier: MIT
"""Devices that a guest really uses in the boot tests.

Each device knows QEMU's arguments for it, the kernel modules and the line of guest.sh that use it,
and how to tell from outside that the use was real: `problems` lists, as sentences, what is not as
it has to be.
"""

import dataclasses
import hashlib
import random

DISK_BYTES = 8 << 20
MARKER_BYTES = 64 << 10
NETWORK_FILE_BYTES = 200_000
NETWORK_FILE = "fetched.bin"
SHARE_FILE_BYTES = 300_000
SHARE_TAG = "tests"
RANDOM_SOURCE_BYTES = 1 << 20
RANDOM_BYTES_READ = 64
CHECKSUM_DIGITS = 64

PCI = "pci"
# QEMU calls a virtio device without a bus of its own just "device"; on microvm that is virtio-mmio.
MMIO = "device"
TRANSPORT_MODULES = {PCI: ("virtio_pci",), MMIO: ("virtio_mmio",)}


def _random_bytes(seed, count):
    """Always the same bytes for the same seed, without any period that a disk may share."""
    return random.Random(seed).randbytes(count)


def _checksum(data):
    return hashlib.sha256(data).hexdigest()


def _compare(what, expected, text):
    """A list with one sentence when the guest's line of sha256sum is not the expected one."""
    got = (text.split() or ["nothing"])[0]
    return [] if got == expected else [f"{what}: checksum {got}, expected {expected}"]


@dataclasses.dataclass(frozen=True)
class Disk:
    """A disk that is read entire, checksummed, and written to."""

    name: str
    device: str
    modules: tuple
    # A regular expression for its line in /proc/interrupts.
    interrupt: str
    extra: str = ""

    def _path(self, folder):
        return folder / f"{self.name}.img"

    def arguments(self, folder):
        self._path(folder).write_bytes(_random_bytes(self.name, DISK_BYTES))
        drive = f"id={self.name},if=none,format=raw,file={self._path(folder)}"
        return ["-drive", drive, "-device", f"{self.device},drive={self.name}{self.extra}"]

    def task(self):
        return f"use_disk {self.name}"

    def problems(self, folder, report):
        expected = _checksum(_random_bytes(self.name, DISK_BYTES))
        found = _compare(f"disk {self.name}", expected, report.text(f"disk.{self.name}"))
        with self._path(folder).open("rb") as image:
            written = image.read(CHECKSUM_DIGITS).decode(errors="replace")
        if written != expected:
            found.append(f"disk {self.name}: the guest's write did not arrive")
        return found


@dataclasses.dataclass(frozen=True)
class RebootMarker:
    """A disk that carries over a reboot that the guest was there before."""

    transport: str
    interrupt: str = r"virtio\d+"

    @property
    def modules(self):
        return (*TRANSPORT_MODULES[self.transport], "virtio_blk")

    def arguments(self, folder):
        image = folder / "marker.img"
        image.write_bytes(bytes(MARKER_BYTES))
        drive = f"id=marker,if=none,format=raw,file={image}"
        return ["-drive", drive, "-device", f"virtio-blk-{self.transport},drive=marker"]

    def task(self):
        return "reboot_once vda"

    def problems(self, folder, report):
        del folder
        return [] if report.text("rebooted") else ["the guest reported without its reboot"]


def virtio_disk(transport, name="vda", extra=""):
    return Disk(
        name,
        f"virtio-blk-{transport}",
        (*TRANSPORT_MODULES[transport], "virtio_blk"),
        r"virtio\d+",
        extra,
    )


def ide_disk():
    """A disk at the PIIX3's own controller, which pc has built in."""
    return Disk("sda", "ide-hd", ("ata_piix", "sd_mod"), "ata_piix", ",bus=ide.0,unit=0")


def ahci_disk():
    """A disk at the ICH9's own controller, which q35 has built in."""
    return Disk("sda", "ide-hd", ("ahci", "sd_mod"), "ahci", ",bus=ide.0")


@dataclasses.dataclass(frozen=True)
class Network:
    """A network card over which a file is fetched from QEMU's user network."""

    device: str
    modules: tuple
    interrupt: str

    def arguments(self, folder):
        served = folder / "served"
        served.mkdir()
        (served / NETWORK_FILE).write_bytes(_random_bytes("network", NETWORK_FILE_BYTES))
        user = f"user,id=net0,restrict=on,tftp={served}"
        # No option ROM: it would be the firmware's business, and SeaBIOS would run it.
        return ["-netdev", user, "-device", f"{self.device},netdev=net0,romfile="]

    def task(self):
        return f"use_network {NETWORK_FILE}"

    def problems(self, folder, report):
        del folder
        expected = _checksum(_random_bytes("network", NETWORK_FILE_BYTES))
        return _compare("network", expected, report.text("network"))


@dataclasses.dataclass(frozen=True)
class MmioNetwork(Network):
    """A card without a place for an option ROM."""

    def arguments(self, folder):
        return [part.removesuffix(",romfile=") for part in super().arguments(folder)]


def virtio_network(transport, extra=""):
    modules = (*TRANSPORT_MODULES[transport], "virtio_net")
    kind = Network if transport == PCI else MmioNetwork
    return kind(f"virtio-net-{transport}{extra}", modules, r"virtio\d+")


def e1000():
    return Network("e1000", ("e1000",), "eth0")


@dataclasses.dataclass(frozen=True)
class Random:
    """A random number generator whose bytes come from a file that the host knows."""

    transport: str
    interrupt: str = r"virtio\d+"

    @property
    def modules(self):
        return (*TRANSPORT_MODULES[self.transport], "virtio_rng")

    def arguments(self, folder):
        source = folder / "random.bin"
        source.write_bytes(_random_bytes("random", RANDOM_SOURCE_BYTES))
        backend = f"rng-random,id=rng0,filename={source}"
        return ["-object", backend, "-device", f"virtio-rng-{self.transport},rng=rng0"]

    def task(self):
        return f"use_random {RANDOM_BYTES_READ}"

    def problems(self, folder, report):
        del folder
        got = report.data("random")
        if len(got) != RANDOM_BYTES_READ:
            return [f"random: {len(got)} bytes read, expected {RANDOM_BYTES_READ}"]
        # The kernel took an unknown number of bytes before.
        if got not in _random_bytes("random", RANDOM_SOURCE_BYTES):
            return ["random: the bytes read are not from the host's source"]
        return []


@dataclasses.dataclass(frozen=True)
class Share:
    """A folder of the host by 9p: one file is read and checksummed, one is written."""

    transport: str
    interrupt: str = r"virtio\d+"

    @property
    def modules(self):
        return (*TRANSPORT_MODULES[self.transport], "9pnet_virtio", "9p")

    def arguments(self, folder):
        shared = folder / "shared"
        shared.mkdir()
        (shared / "given").write_bytes(_random_bytes("share", SHARE_FILE_BYTES))
        backend = f"local,id=fs0,security_model=none,path={shared}"
        device = f"virtio-9p-{self.transport},fsdev=fs0,mount_tag={SHARE_TAG}"
        return ["-fsdev", backend, "-device", device]

    def task(self):
        return f"use_share {SHARE_TAG}"

    def problems(self, folder, report):
        expected = _checksum(_random_bytes("share", SHARE_FILE_BYTES))
        found = _compare("9p share", expected, report.text("share"))
        returned = folder / "shared" / "returned"
        text = returned.read_text(errors="replace") if returned.exists() else ""
        return found + _compare("9p share, file written by the guest", expected, text)


def virtio(transport):
    """The four virtio devices of a kernel that has 9p."""
    return (*virtio_without_share(transport), Share(transport))


def virtio_without_share(transport):
    return (virtio_disk(transport), virtio_network(transport), Random(transport))
