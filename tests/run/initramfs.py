# SPDX-License-Identifier: MIT
"""Makes initramfs archives: the same input gives the same bytes, by any user, without cpio.

    initramfs.py OUTPUT --init FILE [--busybox FILE] [--modules FOLDER --load NAME ...]

The archive holds a static busybox, an init, and the kernel modules named, each with what it
depends on, in the order in which init has to load them (listed in /modules/order).
"""

import argparse
import lzma
import os
import pathlib
import shutil
import stat

BUSYBOX_LINKS = ("sh",)
# Compressed forms in which a distribution may keep its modules.
MODULE_SUFFIXES = ("", ".xz")
CPIO_MAGIC = "070701"
CPIO_ALIGNMENT = 4
CPIO_END = "TRAILER!!!"


class Archive:
    """A newc cpio archive in memory. Owner, time and inode numbers are fixed."""

    def __init__(self):
        self._parts = []
        self._inode = 0

    def _entry(self, name, mode, data=b"", device=(0, 0)):
        self._inode += 1
        links = 2 if stat.S_ISDIR(mode) else 1
        path = name.encode() + b"\0"
        fields = (self._inode, mode, 0, 0, links, 0, len(data), 0, 0, *device, len(path), 0)
        header = CPIO_MAGIC + "".join(f"{field:08x}" for field in fields)
        self._parts += [_padded(header.encode() + path), _padded(data)]

    def folder(self, name):
        self._entry(name, stat.S_IFDIR | 0o755)

    def file(self, name, data, mode=0o644):
        self._entry(name, stat.S_IFREG | mode, data)

    def link(self, name, target):
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def character_device(self, name, major, minor):
        self._entry(name, stat.S_IFCHR | 0o600, device=(major, minor))

    def bytes(self):
        self._inode = -1
        self._entry(CPIO_END, 0)
        return b"".join(self._parts)


def _padded(data):
    return data + bytes(-len(data) % CPIO_ALIGNMENT)


def find_busybox():
    """The path of a busybox in PATH; setup.sh made sure that it is a static one."""
    path = shutil.which("busybox")
    if path is None:
        raise SystemExit("initramfs: there is no busybox here")
    return path


def module_key(path):
    """The name by which modprobe knows a module file: `virtio_blk` for virtio-blk.ko.xz."""
    return pathlib.PurePath(path).name.split(".")[0].replace("-", "_")


def module_files(folder):
    """Maps every module's name to its file, compressed or not."""
    files = (path for path in pathlib.Path(folder).rglob("*.ko*") if path.is_file())
    return {module_key(path): path for path in sorted(files)}


def read_module(path):
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


def module_dependencies(image):
    """What a module says it depends on: the `depends=` string of its .modinfo section."""
    start = image.find(b"\0depends=")
    if start < 0:
        return []
    start += len(b"\0depends=")
    names = image[start : image.index(b"\0", start)].decode()
    return [name.replace("-", "_") for name in names.split(",") if name]


def ordered_modules(folder, names):
    """Lists (name, image) for the modules named and what they need, dependencies first.

    A name that the kernel has built in is left out; one it does not know at all is an error.
    """
    files = module_files(folder)
    builtin_list = pathlib.Path(folder, "modules.builtin").read_text().split()
    builtin = {module_key(path) for path in builtin_list}
    images = {}

    def visit(name):
        if name in images or (name in builtin and name not in files):
            return
        if name not in files:
            raise SystemExit(f"initramfs: module {name}: not in {folder}")
        image = read_module(files[name])
        for dependency in module_dependencies(image):
            visit(dependency)
        images[name] = image

    for name in names:
        visit(name.replace("-", "_"))
    return list(images.items())


def build(init, busybox=None, modules=None, load=()):
    """Returns the archive's bytes. `init` is the text of /init."""
    archive = Archive()
    for folder in ("bin", "dev", "proc", "sys", "mnt", "modules", "tmp"):
        archive.folder(folder)
    archive.character_device("dev/console", 5, 1)
    archive.file("bin/busybox", pathlib.Path(busybox or find_busybox()).read_bytes(), 0o755)
    for link in BUSYBOX_LINKS:
        archive.link(f"bin/{link}", "busybox")
    archive.file("init", init.encode(), 0o755)
    order = ordered_modules(modules, load) if load else []
    for name, image in order:
        archive.file(f"modules/{name}.ko", image)
    archive.file("modules/order", "".join(f"{name}\n" for name, _ in order).encode())
    return archive.bytes()


def write_whole(path, data):
    """Writes a file so that nobody ever sees half of it."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_bytes(data)
    temporary.rename(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output")
    parser.add_argument("--init", required=True)
    parser.add_argument("--busybox")
    parser.add_argument("--modules", help="the folder that modprobe would use")
    parser.add_argument("--load", nargs="*", default=[], metavar="NAME")
    options = parser.parse_args()
    init = pathlib.Path(options.init).read_text()
    write_whole(options.output, build(init, options.busybox, options.modules, options.load))


if __name__ == "__main__":
    main()
