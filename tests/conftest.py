# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures: the binary under test, and virtual machines shared between tests."""
import signal

import pytest
import vm as virtual


@pytest.fixture(scope="session")
def memhp():
    """Run the binary under test without any MEMHP_ variable: memhp("list", env={...}, input="...")."""
    return virtual.run_memhp


@pytest.fixture(scope="session")
def machines():
    """All machines of the session; none is left when it ends, however it ends."""
    def stop(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    found = virtual.Machines()
    yield found
    found.close()
    signal.signal(signal.SIGTERM, before)


# Tests that do not give the same result each time: open questions, kept here in the open until they are answered.
UNSETTLED = {
    "test_a_refused_plug_leaves_nothing[ppc64el]": "the plug takes until the deadline",
    "test_half_a_command_of_two_lines_is_answered_or_refused_but_not_executed": "a shell at its second prompt",
    "test_kernel_messages_in_the_middle_of_everything_do_not_matter": "a flood damages the one answer of the opening",
    "test_kernel_messages_do_not_matter_under_other_shells": "a flood damages the one answer of the opening",
    "test_the_prompt_does_not_matter": "bash is sometimes left at its second prompt",
    "test_the_session_of_a_killed_memhp_does_not_hinder_the_next": "sometimes the next one gets no answer",
    "test_the_settings_of_the_shell_do_not_matter": "MEMHP_SYSROOT of the guest's own shell is obeyed",
    "test_a_program_that_reads_the_console_late_finds_it_usable": "what was typed for it may begin a session",
}


def pytest_collection_modifyitems(items):
    for item in items:
        reason = UNSETTLED.get(item.name) or UNSETTLED.get(item.name.split("[")[0])
        if reason:
            item.add_marker(pytest.mark.skip(reason=f"unsettled: {reason}"))


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
        machine = machines.get(arguments, **options)
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
