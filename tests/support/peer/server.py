# SPDX-License-Identifier: GPL-3.0-or-later
"""A thread that serves one client of a UNIX socket after the other."""
import pathlib
import select
import socket
import threading


class Server:
    """A thread that serves one client of a UNIX socket after the other."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen(4)
        self.stopper, self.stopped = socket.socketpair()
        self.failure = None
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def stop(self):
        """Serve nobody any more."""
        self.stopper.close()
        self.thread.join()

    def __exit__(self, kind, value, traceback):
        self.stop()
        self.listener.close()
        self.stopped.close()
        if self.failure and not kind:
            raise AssertionError(f"the peer failed: {self.failure!r}") from self.failure

    def readable(self, *others):
        """Wait until one of the sockets is readable; an empty list when the server is to stop."""
        ready = select.select([self.stopped, *others], [], [])[0]
        return [] if self.stopped in ready else ready

    def run(self):
        """The thread."""
        while self.readable(self.listener):
            connection = self.listener.accept()[0]
            with connection:
                try:
                    self.serve(connection)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # the client's right
                except Exception as failure:  # pylint: disable=broad-except
                    self.failure = failure
                    return

    def serve(self, connection):
        """Serve one client."""
        raise NotImplementedError
