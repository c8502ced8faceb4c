#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file system that does not answer, and a process whose memory it keeps locked.

dead_fs.py DIRECTORY [UID]: mount it, become a process that whoever reads /proc/PID/cmdline waits for, of that user.
For root: the file system is FUSE's, served by another process; when that is killed, all of it ends."""
import ctypes
import errno
import mmap
import os
import pathlib
import stat
import struct
import sys
import threading

LOOKUP, FORGET, GETATTR, OPEN, READ, STATFS, INIT, INTERRUPT, BATCH_FORGET = 1, 2, 3, 14, 15, 17, 26, 36, 42
PAGES = {b"page1": 2, b"page2": 3, b"page3": 4}  # and their nodes
ENTRY_SECONDS = 3600
SIZE = 4096


def attributes(node):
    """struct fuse_attr"""
    mode = stat.S_IFDIR | 0o755 if node == 1 else stat.S_IFREG | 0o644
    return struct.pack("<6Q10I", node, SIZE, 8, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


class Server:
    """Of the files in it the first reads fail, one, two or three, and no other is answered; nor is any question for a
    name that begins with "stuck"."""

    def __init__(self, device):
        self.device = device
        self.fails = dict(zip(PAGES.values(), (1, 2, 3)))

    def reply(self, unique, body=b"", error=0):
        """struct fuse_out_header, and what follows"""
        try:
            os.write(self.device, struct.pack("<IiQ", 16 + len(body), -error, unique) + body)
        except FileNotFoundError:
            pass  # it has been interrupted

    def look_up(self, unique, name):
        """A name in the only directory."""
        node = PAGES.get(name)
        if node:
            self.reply(unique, struct.pack("<4Q2I", node, 0, ENTRY_SECONDS, ENTRY_SECONDS, 0, 0) + attributes(node))
        elif not name.startswith(b"stuck"):
            self.reply(unique, error=errno.ENOENT)

    def read(self, unique, node):
        """Of a file."""
        self.fails[node] -= 1
        if self.fails[node] >= 0:
            self.reply(unique, error=errno.EIO)

    def answer(self, code, unique, node, body):
        """One question."""
        if code == INIT:
            self.reply(unique, struct.pack("<4I2H2I2H8I", 7, 31, 4096, 0, 16, 12, 4096, 1, 1, 0, *[0] * 8)[:64])
        elif code == LOOKUP:
            self.look_up(unique, body.split(b"\0")[0])
        elif code == GETATTR:
            self.reply(unique, struct.pack("<Q2I", ENTRY_SECONDS, 0, 0) + attributes(node))
        elif code == OPEN:
            self.reply(unique, struct.pack("<Q2I", 1, 0, 0))
        elif code == READ:
            self.read(unique, node)
        elif code == STATFS:
            self.reply(unique, struct.pack("<5Q10I", 0, 0, 0, 0, 0, 4096, 255, *[0] * 8))
        elif code not in (FORGET, BATCH_FORGET, INTERRUPT):
            self.reply(unique, error=errno.ENOSYS)

    def serve(self):
        """Until it is unmounted."""
        while True:
            try:
                question = os.read(self.device, 1 << 17)
            except OSError as error:
                if error.errno == errno.EINTR:
                    continue
                return
            _, code, unique, node = struct.unpack_from("<IIQQ", question)
            self.answer(code, unique, node, question[40:])


def start(directory):
    """Mount it; returns the pid of its server."""
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"memhp", os.fsencode(directory), b"fuse", 0, options):
        raise OSError(ctypes.get_errno(), "mount")
    pid = os.fork()
    if not pid:
        Server(device).serve()
        os._exit(0)
    os.close(device)
    return pid


def lock_memory(files):
    """Keep the lock of this process's memory for ever. A fault that is tried again waits for the file with that lock,
    or with that of its mapping, and this waits for the fault: then no other process gets it. How often it is tried
    before is the kernel's business."""
    libc = ctypes.CDLL(None)
    for file in files:
        _, out = os.pipe()
        page = mmap.mmap(file, SIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE, flags=mmap.MAP_PRIVATE)
        place = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(page)))
        threading.Thread(target=libc.write, args=(out, place, ctypes.c_size_t(SIZE)), daemon=True).start()
        threading.Event().wait(0.3)  # if that was not enough, the next ones are tried
        libc.mprotect(place, ctypes.c_size_t(SIZE), mmap.PROT_READ)
    print("not locked", flush=True)
    threading.Event().wait()


def main():
    directory, *uid = sys.argv[1:]
    print(os.getpid(), start(directory), flush=True)
    files = [os.open(pathlib.Path(directory, os.fsdecode(name)), os.O_RDONLY) for name in PAGES]
    if uid:
        os.setuid(int(uid[0]))
    print("mounted", flush=True)
    lock_memory(files)


if __name__ == "__main__":
    main()
