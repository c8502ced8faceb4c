# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes passed between two ends."""
import contextlib
import os
import select
import socket
import threading


@contextlib.contextmanager
def relayed(connect):
    """A thread that passes bytes between two ends until one of them ends or the block does.

    @connect:	called in the thread; returns both ends, each a socket or a descriptor's number
    """
    stopper, stopped = socket.socketpair()

    def number(end):
        return end if isinstance(end, int) else end.fileno()

    def run():
        ends = connect()
        other = dict(zip(ends, reversed(ends)))
        while True:
            ready = select.select([stopped, *ends], [], [])[0]
            if stopped in ready:
                break
            for end in ready:
                data = os.read(number(end), 65536)
                if not data:
                    return
                os.write(number(other[end]), data)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopper.close()
        thread.join()
        stopped.close()


def connected(path):
    """A connection to a UNIX socket."""
    end = socket.socket(socket.AF_UNIX)
    end.connect(str(path))
    return end
