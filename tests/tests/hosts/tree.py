"""A tree with everything that Linux can set, and a list of all that can be seen of one.

`tree.py make DIR` makes it with the numbers below; `tree.py list DIR ROOT` prints it as JSON, with the names that ROOT/etc gives to
numbers, so that two roots with other numbers for the same names give the same list. What this machine does not allow is left out.
"""

import fcntl
import hashlib
import json
import os
import socket
import stat
import struct
import sys

FIRST, SECOND, THIRD, GROUP = 4101, 4102, 4103, 4201
GET_FLAGS, SET_FLAGS = 0x80086601, 0x40086602
APPEND, IMMUTABLE, NO_DUMP = 0x20, 0x10, 0x40


def write(name, data=b"x\n", owner=None, mode=0o644):
    with open(name, "wb") as file:
        file.write(data)
    if owner:
        os.chown(name, *owner)
    os.chmod(name, mode)


def acl(entries):
    data = struct.pack("<I", 2)
    for tag, permissions, number in entries:
        data += struct.pack("<HHI", tag, permissions, number)
    return data


def try_to(action, *arguments, **named):
    try:
        action(*arguments, **named)
    except OSError as error:
        print("left out: %s%r: %s" % (action.__name__, arguments, error), file=sys.stderr)


def set_flags(name, flags):
    file = os.open(name, os.O_RDONLY)
    fcntl.ioctl(file, SET_FLAGS, struct.pack("l", flags))
    os.close(file)


def sparse(name, size, parts):
    with open(name, "wb") as file:
        for offset, data in parts:
            file.seek(offset)
            file.write(data)
        file.truncate(size)


def make(top):
    os.makedirs(top + b"/a")
    os.makedirs(top + b"/b")
    os.chdir(top + b"/a")
    write("plain", b"hello\n", (FIRST, GROUP), 0o640)
    for mode in (0o4755, 0o2755, 0o6755, 0o1755, 0o7777, 0, 0o4000, 0o2070):
        write("mode%04o" % mode, b"m", (FIRST, GROUP), mode)
    for mode in (0o2775, 0o1777, 0o3771, 0, 0o500):
        os.mkdir("directory%04o" % mode)
        write("directory%04o/file" % mode)
        os.chown("directory%04o" % mode, SECOND, GROUP)
        os.chmod("directory%04o" % mode, mode)
    write("capable", b"program", (SECOND, GROUP), 0o755)
    # cap_net_raw+ep, as setcap writes it.
    try_to(os.setxattr, "capable", "security.capability", struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0))
    nobody = 0xFFFFFFFF
    lists = [(1, 6, nobody), (2, 6, THIRD), (4, 4, nobody), (8, 4, GROUP), (16, 6, nobody), (32, 4, nobody)]
    write("list", owner=(FIRST, GROUP))
    try_to(os.setxattr, "list", "system.posix_acl_access", acl(lists))
    os.mkdir("lists")
    try_to(os.setxattr, "lists", "system.posix_acl_default", acl(lists))
    write("attributes")
    try_to(os.setxattr, "attributes", b"user.binary", b"\0\xff\n\0")
    try_to(os.setxattr, "attributes", b"user.empty", b"")
    try_to(os.setxattr, "attributes", b"user.\xff\xfe", b"1")
    try_to(os.setxattr, "attributes", b"trusted.one", b"t")
    os.symlink("plain", "link")
    os.lchown("link", SECOND, GROUP)
    os.utime("link", ns=(0, 981173106123456789), follow_symlinks=False)
    try_to(os.setxattr, "link", b"trusted.link", b"t", follow_symlinks=False)
    os.link("link", "link2", follow_symlinks=False)
    os.symlink("/nonexistent", "dangling")
    os.symlink(b"new\nline\xff", "strange")
    sparse("sparse", 16 << 20, [(0, b"A" * 4096), (8 << 20, b"B" * 8192)])
    sparse("hole", 1 << 20, [])
    sparse("end", 1 << 20, [(0, b"C" * 100)])
    write("zeros", b"\0" * (1 << 20))
    write("one", b"linked", (FIRST, GROUP))
    os.link("one", "two")
    os.link("one", "../b/three")
    os.mkfifo("fifo")
    os.chown("fifo", FIRST, GROUP)
    os.chmod("fifo", 0o620)
    os.link("fifo", "fifo2")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")
    os.chmod("socket", 0o710)
    try_to(os.mknod, "character", stat.S_IFCHR | 0o660, os.makedev(300, 70000))
    try_to(os.mknod, "block", stat.S_IFBLK | 0o660, os.makedev(7, 200))
    for name in (b"new\nline", b"\xff\xfeutf", b"back\\slash", b"\x01\x1b[31m", b" lead", b"nfc\xc3\xa9", b"nfde\xcc\x81", b"L" * 255, b"\\x41"):
        write(name)
    os.mkdir(b"bad\xffdir")
    write(b"bad\xffdir/file")
    os.mkdir("empty")
    write("empty_file", b"")
    write("large", b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(100000)))
    for name, seconds in (("t1960", -301190400), ("t0", 0), ("t2040", 2208988800), ("t2110", 4417977600)):
        write(name)
        os.utime(name, ns=(0, seconds * 10**9 + 250000001))
    write("unnamed", owner=(55001, 55002))
    write("immutable")
    os.mkdir("immutable_directory")
    write("immutable_directory/file")
    write("append")
    write("no_dump")
    for name, flags in (("immutable", IMMUTABLE), ("immutable_directory", IMMUTABLE), ("append", APPEND), ("no_dump", NO_DUMP)):
        try_to(set_flags, name, flags)
    os.mkdir("many")
    write("many/0")
    for number in range(1, 300):
        os.link("many/0", "many/%d" % number)
    directory = os.open(".", os.O_RDONLY)
    for _ in range(24):
        os.mkdir("p" * 200, dir_fd=directory)
        directory = os.open("p" * 200, os.O_RDONLY, dir_fd=directory)
    os.close(os.open("leaf", os.O_CREAT | os.O_WRONLY, dir_fd=directory))
    os.chown(top + b"/a", FIRST, GROUP)
    os.chmod(top + b"/a", 0o2751)
    os.utime(top + b"/a", ns=(0, 1286705410101010101))
    os.utime(top + b"/b", ns=(0, 1252487349090909090))


def names(root, file):
    with open(os.path.join(root, b"etc", file), encoding="utf-8") as lines:
        fields = [line.split(":") for line in lines]
    return {int(field[2]): field[0] for field in fields}


class Lister:
    def __init__(self, root):
        self.users, self.groups = names(root, b"passwd"), names(root, b"group")
        self.found, self.inodes = {}, {}

    def attributes(self, directory, name):
        path = b"/proc/self/fd/%d/%s" % (directory, name)
        found = {}
        for key in os.listxattr(path, follow_symlinks=False):
            value = os.getxattr(path, os.fsencode(key), follow_symlinks=False)
            if key.startswith("system.posix_acl"):
                found[key] = self.list(value)
            else:
                found[os.fsencode(key).decode("utf-8", "backslashreplace")] = value.hex()
        return found

    def list(self, value):
        entries = []
        for tag, permissions, number in struct.iter_unpack("<HHI", value[4:]):
            known = {2: self.users, 8: self.groups}.get(tag, {})
            entries.append([tag, permissions, known.get(number, number)])
        return sorted(entries, key=str)

    def entry(self, directory, name, path):
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        entry = {
            "type": stat.S_IFMT(found.st_mode),
            "mode": "%04o" % stat.S_IMODE(found.st_mode),
            "user": self.users.get(found.st_uid, found.st_uid),
            "group": self.groups.get(found.st_gid, found.st_gid),
            "modified": found.st_mtime_ns,
            "attributes": self.attributes(directory, name),
        }
        if stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode):
            file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=directory)
            try:
                entry["flags"] = struct.unpack("i", fcntl.ioctl(file, GET_FLAGS, b"\0" * 4))[0] & 0x70
            except OSError:
                pass
            if stat.S_ISREG(found.st_mode):
                self.content(file, found.st_size, entry)
            os.close(file)
        if stat.S_ISLNK(found.st_mode):
            entry["target"] = os.readlink(name, dir_fd=directory).decode("utf-8", "backslashreplace")
        if stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode):
            entry["device"] = found.st_rdev
        if not stat.S_ISDIR(found.st_mode):
            entry["names"] = found.st_nlink
            first = self.inodes.setdefault((found.st_dev, found.st_ino), path)
            entry["first_name"] = first.decode("utf-8", "backslashreplace")
        self.found[path.decode("utf-8", "backslashreplace")] = entry
        return stat.S_ISDIR(found.st_mode)

    def content(self, file, size, entry):
        extents, at = [], 0
        while at < size:
            try:
                begins = os.lseek(file, at, os.SEEK_DATA)
            except OSError:
                break
            at = os.lseek(file, begins, os.SEEK_HOLE)
            extents.append([begins, at])
        os.lseek(file, 0, os.SEEK_SET)
        digest = hashlib.sha256()
        while True:
            data = os.read(file, 1 << 20)
            if not data:
                break
            digest.update(data)
        entry.update(size=size, extents=extents, sha256=digest.hexdigest())

    def walk(self, directory, path):
        for name in sorted(os.fsencode(name) for name in os.listdir(directory)):
            below = path + b"/" + name
            if self.entry(directory, name, below):
                child = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=directory)
                self.walk(child, below)
                os.close(child)


def main():
    command, top = sys.argv[1], os.fsencode(sys.argv[2])
    if command == "make":
        make(top)
    else:
        lister = Lister(os.fsencode(sys.argv[3]))
        lister.walk(os.open(top, os.O_RDONLY), b"")
        json.dump(lister.found, sys.stdout)


main()
