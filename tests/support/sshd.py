# SPDX-License-Identifier: GPL-3.0-or-later
"""A real ssh server on this host."""
import contextlib
import os
import socket
import subprocess

import pytest
from vm import wait_until

SSHD = "/usr/sbin/sshd"
# Its package would start a server for everybody: it is used where it is, not installed for the tests.
with_server = pytest.mark.skipif(not os.path.exists(SSHD), reason="no sshd: install openssh-server")


@contextlib.contextmanager
def serving(root):
    """The environment in which "far" is a host that ssh reaches: this one."""
    for key in ("host", "id"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", root / key], check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (root / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {root}/host\nAuthorizedKeysFile {root}/id.pub\n"
        "StrictModes no\nPidFile none\nUsePAM no\n", encoding="ascii")
    (root / "known").write_text(f"[127.0.0.1]:{port} {(root / 'host.pub').read_text(encoding='ascii')}",
                                encoding="ascii")
    (root / "ssh_config").write_text(
        f"Host far stranger\nHostName 127.0.0.1\nPort {port}\nIdentityFile {root}/id\nIdentitiesOnly yes\n"
        f"Host far\nUserKnownHostsFile {root}/known\nHost stranger\nUserKnownHostsFile {root}/unknown\n",
        encoding="ascii")
    wrapper = root / "bin" / "ssh"
    wrapper.parent.mkdir()
    wrapper.write_text(f"#!/bin/sh\nexec /usr/bin/ssh -F {root}/ssh_config \"$@\"\n", encoding="ascii")
    wrapper.chmod(0o755)
    os.makedirs("/run/sshd", exist_ok=True)
    with subprocess.Popen([SSHD, "-D", "-f", root / "sshd_config"], stderr=subprocess.DEVNULL) as sshd:

        def listens():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        wait_until(listens, what="the ssh server")
        yield {"PATH": f"{wrapper.parent}:{os.environ['PATH']}"}
        sshd.terminate()
