# SPDX-License-Identifier: MIT
"""Has QEMU run some of a guest's CPUs only, by its GDB stub.

Protocol: GDB manual, appendix E, "Remote Serial Protocol"; QEMU numbers CPUs from 1 on there.
"""

import socket
import time
from pathlib import Path

from .qemu import POLL, Qemu


def arguments(directory: Path) -> list[str]:
    """What has QEMU wait for run_only() before its first instruction."""
    return ["-S", "-gdb", f"unix:{directory / 'gdb'},server=on,wait=off"]


def _connect(vm: Qemu, path: Path) -> socket.socket:
    vm.wait_until(path.exists, "socket of the GDB stub")
    while True:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(vm.timeout)
        try:
            connection.connect(str(path))
            return connection
        except ConnectionRefusedError:
            connection.close()
            vm.wait_until(lambda: True, "GDB stub")
            time.sleep(POLL)


def run_only(vm: Qemu, directory: Path, cpus) -> socket.socket:
    """Runs CPUs, counted from 1; the others stand still while the connection is open."""
    connection = _connect(vm, directory / "gdb")
    packet = "vCont" + "".join(f";c:{cpu:x}" for cpu in cpus)
    checksum = sum(packet.encode()) & 0xFF
    connection.sendall(f"${packet}#{checksum:02x}".encode())
    answer = connection.recv(1)
    assert answer == b"+", f"the GDB stub answered {answer} to {packet}"
    return connection
