# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines under other shells, and ways to them."""
import os

import pytest


@pytest.fixture
def shell_vm(boot, request):
    return boot() if request.param == "ash" else boot(shell=request.param)


@pytest.fixture
def ssh_env(vm, tmp_path):
    """An environment in which "ssh" knows the machine as "lab"."""
    wrapper = tmp_path / "ssh"
    wrapper.write_text(f"#!/bin/sh\nexec /usr/bin/ssh -F '{vm.path('ssh_config')}' \"$@\"\n",
                       encoding="ascii")
    wrapper.chmod(0o755)
    return {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
