# SPDX-License-Identifier: GPL-3.0-or-later
"""What memhp takes for QEMU: run under such a name, with QEMU's words as arguments, which it does not read.

FAKE_QEMU tells where to listen: a list of {"path"} or {"tcp": PORT}, each with what differs from a monitor of a VM
without DIMMs: "plugged" (MiB), "silent" (greets nobody), "mute" (greets, and then answers nothing), "counts" (each
connection as the command "connection"), "serial" (the path of the guest's console), "pty" (what it calls its pty). The
command "hang-up" ends a connection. Its end is that of its stdin; then it prints what it was asked.
"""
import contextlib
import json
import os
import pathlib
import socket
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import peer  # noqa: E402 pylint: disable=wrong-import-position


def hang_up(_request):
    """An answer that ends the connection."""
    raise BrokenPipeError


def say_nothing(_request):
    """No answer."""


class Counting(peer.Monitor):
    """A monitor that counts who connects."""

    def serve(self, connection):
        self.requests.append({"execute": "connection"})
        super().serve(connection)


def monitor(where, directory):
    """The monitor of one item."""
    vm = peer.Vm()
    if where.get("plugged"):
        vm.plug("d0", where["plugged"])
    if where.get("serial"):
        vm.connect_console(where["serial"])
    if where.get("pty"):
        vm.chardevs = [{"frontend-open": True, "label": "serial0", "filename": f"pty:{where['pty']}"}]
    path = where.get("path", f"{directory}/tcp")
    pathlib.Path(path).unlink(missing_ok=True)  # of one that has ended, as QEMU has it
    scripts = {"hang-up": [hang_up], **({"qmp_capabilities": [say_nothing]} if where.get("mute") else {})}
    made = (Counting if where.get("counts") else peer.Monitor)(path, vm, on=scripts, **({"greeting": None} if where.get("silent") else {}))
    if "tcp" not in where:
        return made
    made.listener.close()
    made.listener = socket.create_server(("127.0.0.1", where["tcp"]))
    return made


def main():
    """Serve until stdin ends."""
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        made = [monitor(where, directory) for where in json.loads(os.environ["FAKE_QEMU"])]
        for server in made:
            stack.enter_context(server)
        print(os.getpid(), flush=True)
        sys.stdin.read()
        print(json.dumps([command for server in made for command in server.commands]), flush=True)


main()
