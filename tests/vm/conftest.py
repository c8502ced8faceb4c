# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines under other shells, and ways to them."""
import os
import shutil
import tempfile

import pytest
from world import world


@pytest.fixture(params=["ash", "dash", "bash"])
def shell_vm(boot, request):
    """A machine under each shell, or those that a test names."""
    return boot(shell=request.param)


@pytest.fixture
def ssh_env(vm, tmp_path):
    """An environment in which "ssh" knows the machine as "lab"."""
    wrapper = tmp_path / "ssh"
    wrapper.write_text(f"#!/bin/sh\nexec /usr/bin/ssh -F '{vm.path('ssh_config')}' \"$@\"\n",
                       encoding="ascii")
    wrapper.chmod(0o755)
    return {"PATH": f"{tmp_path}:{os.environ['PATH']}"}


@pytest.fixture
def here():
    """A world in a directory whose name leaves room for the paths of sockets."""
    directory = tempfile.mkdtemp(prefix="mw", dir="/tmp")
    with world(directory) as made:
        yield made
    shutil.rmtree(directory)
