# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures: the binary under test, and virtual machines shared between tests."""
import importlib
import os
import pathlib
import shutil
import signal
import threading

import pytest
import sshd
import vm as virtual
from bare import Bare, Cgroup

# The folders "peer" and "vm" of tests have the names of packages in support, which come first.
importlib.import_module("peer")

for _number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:  # as in a background job: memhp would keep to it
        signal.signal(_number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL)


# Tests of one file share machines. Those that look for VMs on this host must not meet those of others that do.
LOOKS_FOR_VMS = {"peer/test_vms", "peer/test_reached", "peer/test_foreign", "peer/test_profiles", "peer/test_terminal",
                 "vm/test_find", "vm/test_process", "vm/test_peer"}

# What takes longest begins first, so that no worker is left alone with it in the end.
LONGEST = ("vm/test_console", "vm/test_noise", "vm/test_crash", "vm/test_faults", "vm/test_ending", "vm/test_many", "vm/test_arch",
           "vm/test_hang", "vm/test_interrupt", "vm/test_nested", "vm/test_recipes", "vm/test_backend", "vm/test_virtio_mem",
           "vms", "peer/test_login", "peer/test_hostile", "peer/test_hostile_floods", "peer/test_parts", "shell/test_policy")


def group_of(item):
    """Tests of one group run one after the other, on one worker."""
    name = f"{item.path.parent.name}/{item.path.stem}"
    return "vms" if name in LOOKS_FOR_VMS else name


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(item.path.parent.name)
        item.add_marker(pytest.mark.xdist_group(group_of(item)))
    items.sort(key=lambda item: LONGEST.index(group_of(item)) if group_of(item) in LONGEST else len(LONGEST))


@pytest.fixture(scope="session")
def memhp():
    """Run the binary under test without any MEMHP_ variable: memhp("list", env={...}, input="...")."""
    return virtual.run_memhp


@pytest.fixture(scope="session")
def machines():
    """All machines of the session; none is left when it ends, however it ends."""
    def stop(*_):
        raise KeyboardInterrupt

    # a worker of xdist that was asked for two things as it began runs tests beside its main thread
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, stop) if is_main else None
    found = virtual.Machines()
    yield found
    found.close()
    if is_main:
        signal.signal(signal.SIGTERM, before)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if call.when == "call":
        item.has_passed = report.passed


@pytest.fixture
def boot(machines, request):
    """boot(shell="bash", ...): a running machine of that configuration, clean as at boot.

    A test has to leave the machine as it was: one that does not fails, and the machine is thrown away.
    """
    used = []

    def get(arguments=(), **options):
        try:
            machine = machines.get(arguments, **options)
        except virtual.Unavailable as missing:
            pytest.skip(f"the lab cannot get such a machine here: {missing}")
        if machine not in used:
            used.append(machine)
        return machine

    yield get
    left = None
    for machine in used:
        difference = None if machine.is_discarded else machine.difference()
        if machine.is_discarded or difference:
            machines.drop(machine)
        left = left or difference
    if left and getattr(request.node, "has_passed", False):
        pytest.fail(f"the test left something behind: {left}")


@pytest.fixture
def vm(boot):
    """The default machine: q35, 512 MiB, 32 slots, maxmem 8 GiB, busybox ash."""
    return boot()


@pytest.fixture
def cgroup():
    """cgroup("memory", "name", above=...): one that is removed after the test."""
    made = []

    def make(*words, **options):
        made.append(Cgroup(*words, **options))
        return made[-1]

    yield make
    for group in reversed(made):
        group.remove()


@pytest.fixture
def bare(tmp_path, cgroup):
    """bare(arguments, cgroup=..., prefix=...): a QEMU that ends with the test, before its cgroup does."""
    if not shutil.which("qemu-system-x86_64"):
        pytest.skip("no qemu-system-x86_64")
    made = []

    def start(*arguments, **options):
        directory = tmp_path / f"qemu{len(made)}"
        directory.mkdir()
        made.append(Bare(directory, arguments, **options))
        return made[-1]

    yield start
    for qemu in made:
        qemu.stop()


@pytest.fixture
def huge_pages():
    """huge_pages(MIB): so much of the host in huge pages of 2 MiB, until the test ends."""
    huge = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB")
    knob = huge / "nr_hugepages"
    if not os.access(knob, os.W_OK):
        pytest.skip("the host lets nobody here have huge pages")
    before = knob.read_text()

    def get(mib):
        knob.write_text(str(mib // 2))
        if int(knob.read_text()) < mib // 2:
            pytest.skip("the host has no memory for huge pages")

    yield get
    # QEMU lets go of them a moment after it has said so
    virtual.wait_until(lambda: {(huge / f"{name}_hugepages").read_text() for name in ("nr", "free")} == {knob.read_text()}
                       and (huge / "resv_hugepages").read_text() == "0\n")
    knob.write_text(before)


@pytest.fixture(scope="session")
def ssh_server(tmp_path_factory):
    """The environment in which "far" is this host, by way of an ssh server."""
    with sshd.serving(tmp_path_factory.mktemp("sshd")) as env:
        yield env


@pytest.fixture
def far(ssh_server, tmp_path):
    """That, and a directory for memhp's sockets that has to be empty at the end."""
    run = tmp_path / "run"
    run.mkdir(mode=0o700)
    yield {**ssh_server, "XDG_RUNTIME_DIR": str(run)}
    assert not list(run.iterdir())
