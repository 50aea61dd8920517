# SPDX-License-Identifier: MIT
"""Boots the distribution's own systemd, unpacked into an initramfs, and asks what it knows of time.

The stock units of the systemd package run as they are, up to multi-user.target; one unit of ours
waits for the end of the boot, reports and switches the machine off. There is no D-Bus, udev or
login, for which the guest would need many more packages and tell nothing more.
"""

import os
import pathlib
import re
import subprocess

from . import boot as boots
from .boot import initramfs

GUEST = boots.BOOTS / "userspace.sh"
# What of the packages goes into the guest, with or without usr/ in front, which is as old or new as
# the distribution; the libraries follow from the programs.
TAKEN = (
    "bin/systemctl", "bin/systemd-tmpfiles", "bin/systemd-sysusers", "bin/systemd-notify",
    "bin/systemd-analyze", "bin/journalctl", "lib/systemd", "lib/tmpfiles.d", "lib/sysctl.d",
    "lib/os-release",
)  # fmt: skip
# What finds nothing to do here, but costs an emulated CPU two seconds to find that out; and what no
# guest of a test reads.
LEFT_OUT = tuple(
    f"lib/systemd/{name}"
    for name in ("system-generators", "system/modprobe@.service", "catalog", "user")
)
LIBRARIES = ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu")
LOADER = "ld-linux-x86-64.so.2"
MERGED = ("bin", "sbin", "lib", "lib64")
BUSYBOX_LINKS = ("sh", "mount", "umount")
SERVICE = """\
[Unit]
Description=Report of the test
DefaultDependencies=no
After=multi-user.target
[Service]
ExecStart=/bin/sh /report.sh
StandardOutput=null
StandardError=null
"""
# A machine ID keeps systemd from asking on the console what a first boot asks.
SETTINGS = {
    "etc/machine-id": "4d6179666c7920746573742067756573\n",
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "etc/group": "root:x:0:\nadm:x:4:\nutmp:x:43:\nsystemd-journal:x:101:\n",
    "etc/hostname": "guest\n",
    "etc/systemd/system/report.service": SERVICE,
}
# logind lacks D-Bus, getty.target agetty, and Ubuntu has ldconfig.service, without its program here.
MASKED = ("systemd-logind.service", "getty.target", "ldconfig.service")
COMMAND_LINE = "systemd.show_status=0"
NEEDED = re.compile(r"\(NEEDED\)\s+Shared library: \[(.*)\]")


def packages():
    """The folder with the unpacked packages."""
    script = boots.SETUP / "fetch_userspace.sh"
    command = [script, boots.BUILD / "userspace"]
    said = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return pathlib.Path(said.stdout.decode().strip()).resolve()


def merged(path):
    """A path in a system whose /bin, /sbin and /lib are links into /usr."""
    return f"usr/{path}" if path.split("/")[0] in MERGED else path


def is_elf(path):
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def needed_libraries(programs):
    """The names of the libraries that these files say they need."""
    command = ["readelf", "-dW", *programs]
    said = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return set(NEEDED.findall(said.stdout.decode()))


def with_libraries(root, files):
    """All of the files, and the libraries that the programs among them need, and so on, by name."""
    known = {
        path.name: path for folder in LIBRARIES for path in sorted((root / folder).rglob("*.so*"))
    }
    result = {path.relative_to(root).as_posix(): path for path in files}
    new = [path for path in files if not path.is_symlink() and is_elf(path)]
    while new:
        added = []
        for name in sorted(needed_libraries(new)):
            place = known[name].relative_to(root).as_posix()
            if place not in result:
                result[place] = known[name].resolve()
                assert result[place].is_relative_to(root), f"{place} is a link out of the packages"
                added.append(result[place])
        new = added
    return result


def taken_files(root):
    """The files and links of the packages that are wanted."""
    for place in (root / prefix / name for name in TAKEN for prefix in ("", "usr")):
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            name = path.relative_to(root).as_posix().removeprefix("usr/")
            if not name.startswith(LEFT_OUT) and (path.is_symlink() or path.is_file()):
                yield path


class Tree:
    """An archive that makes the folders which its files need."""

    def __init__(self):
        self.archive = initramfs.Archive()
        self._made = set()

    def folder(self, name):
        for parent in reversed(pathlib.PurePosixPath(name).parents):
            self._make(parent.as_posix())
        self._make(name)

    def _make(self, name):
        if name not in self._made and name != ".":
            self._made.add(name)
            self.archive.folder(name)

    def file(self, name, data, mode=0o644):
        self.folder(os.path.dirname(name))
        self.archive.file(name, data, mode)

    def link(self, name, target):
        self.folder(os.path.dirname(name))
        self.archive.link(name, target)


def _add_package_files(tree, root):
    for name, path in with_libraries(root, list(taken_files(root))).items():
        if path.is_symlink():
            tree.link(merged(name), os.readlink(path))
        else:
            tree.file(merged(name), path.read_bytes(), path.stat().st_mode & 0o777)


def boot(machine, folder, **fields):
    """A Boot of this guest; `fields` as in Boot."""
    path = folder / "userspace.cpio"
    path.write_bytes(build())
    return boots.Boot("cloud", machine, 512, initrd=path, append=COMMAND_LINE, **fields)


def build():
    """The initramfs's bytes."""
    tree = Tree()
    for name in ("dev", "proc", "sys", "run", "tmp", "root", "var", "usr/sbin", "usr/bin"):
        tree.folder(name)
    for name in MERGED:
        tree.link(name, f"usr/{name}")
    tree.archive.character_device("dev/console", 5, 1)
    root = packages()
    _add_package_files(tree, root)
    tree.link(f"usr/lib64/{LOADER}", f"../lib/x86_64-linux-gnu/{LOADER}")
    tree.file("usr/bin/busybox", pathlib.Path(initramfs.find_busybox()).read_bytes(), 0o755)
    for name in BUSYBOX_LINKS:
        tree.link(f"usr/bin/{name}", "busybox")
    for name, text in SETTINGS.items():
        tree.file(name, text.encode())
    for name in MASKED:
        tree.link(f"etc/systemd/system/{name}", "/dev/null")
    tree.link("etc/os-release", "../usr/lib/os-release")
    tree.link("etc/systemd/system/multi-user.target.wants/report.service", "../report.service")
    tree.file("report.sh", GUEST.read_bytes())
    tree.link("init", "usr/lib/systemd/systemd")
    return tree.archive.bytes()
