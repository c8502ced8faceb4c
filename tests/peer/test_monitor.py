# SPDX-License-Identifier: GPL-3.0-or-later
"""Reaching a monitor: addresses, sockets that are none, greetings."""
import os
import socket

import peer
import pytest
from binary import SHORT, host, listed
from peer import Close, Monitor, Quietly, deleted, error


def test_no_such_socket(path):
    result = host(path, "list")
    result.failed(3, f"cannot connect to '{path}': No such file", code="qemu-unreachable", state="unchanged")


def test_a_socket_that_nobody_listens_on(path):
    with socket.socket(socket.AF_UNIX) as unheard:
        unheard.bind(str(path))
        host(path, "plug", "512M").failed(3, str(path), "refused", code="qemu-unreachable", state="unchanged")


def test_a_file_that_is_no_socket(path):
    path.write_text("text")
    host(path, "list").failed(3, str(path), code="qemu-unreachable")


def test_a_path_longer_than_an_address_of_a_socket(path, tmp_path):
    """A socket's address has 107 bytes; QEMU in a container is often further away than that."""
    deep = tmp_path / "/".join(["d" * 100] * 3)
    deep.mkdir(parents=True)
    with Monitor(path):
        path.rename(deep / "m.sock")
        host(deep / "m.sock", "list").succeeded()
    host("/" + "x" * 107, "list").failed(3, "No such file", code="qemu-unreachable")


def test_an_abstract_socket():
    name = f"memhp-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as taken:
        taken.bind(f"\0{name}")  # it listens to nobody
        host(f"unix:@{name}", "list").failed(3, f"'@{name}'", "refused", code="qemu-unreachable")
    host("unix:@" + "x" * 108, "list").failed(3, "107 bytes", code="qemu-unreachable")


@pytest.mark.parametrize("address", ["tcp:", "tcp:localhost", "tcp::4444", "tcp:localhost:", "tcp:4444"])
def test_a_tcp_address_without_host_or_port_is_bad_usage(address):
    host(address, "list").failed(2, "HOST:PORT", code="usage")


def test_a_tcp_port_that_nobody_listens_on():
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        address = f"tcp:127.0.0.1:{unheard.getsockname()[1]}"
        value = host(address, "list").failed(3, address[4:], "refused", code="qemu-unreachable")
    assert not value["error"].get("hint")  # it may be another machine's


def test_who_finds_no_socket_is_told_where_to_look(path):
    assert "memhp vms" in host(path, "list").failed(3, str(path), code="qemu-unreachable")["error"]["hint"]


def test_the_schemes_of_an_address_lead_to_the_same_monitor(path, plugged):
    with Monitor(path, plugged), socket.create_server(("127.0.0.1", 0)) as listener:
        with peer.relayed(lambda: (listener.accept()[0], peer.connected(path))):
            over_tcp = listed(host(f"tcp:127.0.0.1:{listener.getsockname()[1]}", "list"))
        assert over_tcp == listed(host(path, "list")) == listed(host(f"unix:{path}", "list")) == ["d0-dimm"]


@pytest.mark.parametrize("greeting", [
    b"220 mail.example ESMTP ready\r\n",
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"QEMU 7.2.22 monitor - type 'help' for more information\r\n(qemu) ",
    b"\x00\x01\x02\x03\x04\r\n",
    b"\xff\xfe\xfd\r\n",
    b"\033[31m# \033[0m",
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b"[]\r\n", b"7\r\n", b"\"QMP\"\r\n", b"null\r\n", b"true\r\n",
    b"{\"hello\": 1}\r\n", b"{}\r\n", b"{\"QMP\": 7}\r\n", b"{\"QMP\": {}} garbage\r\n", b"}\r\n",
], ids=repr)
def test_a_socket_that_is_not_qmp_is_reported_as_that(path, greeting):
    with Monitor(path, greeting=greeting):
        value = host(path, "plug", "512M", more=SHORT).failed(3, code="qemu-unreachable", state="unchanged")
    assert str(path) in value["error"]["message"]
    assert "QMP" in value["error"]["message"] or "in use" in value["error"]["message"], value


def test_a_monitor_without_a_greeting_is_in_use(path):
    with Monitor(path, greeting=None):
        value = host(path, "list", more=SHORT).failed(3, "another client", code="qemu-unreachable",
                                                      state="unchanged")
    assert "one client" in value["error"]["hint"]


def test_a_monitor_that_serves_another_client_is_in_use(path):
    with Monitor(path), socket.socket(socket.AF_UNIX) as other:
        other.connect(str(path))
        assert other.recv(3)
        host(path, "list", more=SHORT).failed(3, "another client", code="qemu-unreachable")


@pytest.mark.parametrize("greeting", [[Close], [b"{\"QMP\": {\"ver", Close], [b"\r\n", Close]],
                         ids=["at once", "in the greeting", "after a blank line"])
def test_a_monitor_that_closes_before_it_has_greeted(path, greeting):
    with Monitor(path, greeting=greeting):
        host(path, "list").failed(3, "closed", code="qemu-unreachable", state="unchanged")


def test_a_greeting_that_stops_half_way(path):
    with Monitor(path, greeting=b"{\"QMP\": {\"version\": "):
        host(path, "list", more=SHORT).failed(3, code="qemu-unreachable", state="unchanged")


def test_an_event_before_the_greeting_was_for_another_client(path, plugged):
    with Monitor(path, plugged, greeting=[deleted("d0-dimm"), peer.GREETING], on={"device_del": [Quietly]}) as qemu:
        host(path, "unplug", "d0", more=SHORT).failed(6, "d0-dimm", state="pending")
    assert "object-del" not in qemu.commands


def test_a_greeting_without_a_version_will_do(path, plugged):
    with Monitor(path, plugged, greeting={"QMP": {}}):
        assert host(path, "status").succeeded()["qemu"]["version"] is None


def test_capabilities_that_are_refused(path):
    with Monitor(path, on={"qmp_capabilities": [error("no such thing")]}):
        assert host(path, "list").failed(host(path, "list").code, "no such thing")["state"] == "unchanged"
