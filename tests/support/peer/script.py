# SPDX-License-Identifier: GPL-3.0-or-later
"""What the script of a peer is made of: messages, and what becomes of replies and connections."""
import json


class Default:
    """What the model answers, with the events that follow."""


class Quietly:
    """What the model answers, without the events."""


class Hold:
    """The reply of what follows is kept back ..."""


class Release:
    """... and all that is kept back goes out now, the last first."""


class Close:
    """The connection ends, and no other is greeted any more."""


def reply(value=None):
    """A reply to the command, which the model knows nothing of."""
    return lambda request: {"return": {} if value is None else value, "id": request["id"]}


def error(desc, kind="GenericError"):
    """An error reply."""
    return lambda request: {"error": {"class": kind, "desc": desc}, "id": request["id"]}


def event(name, **data):
    """An event."""
    return {"event": name, "data": data, "timestamp": {"seconds": 1700000000, "microseconds": 1}}


def ost(source, status, slot=0, device=None):
    """ACPI's answer about a slot."""
    info = {"source": source, "status": status, "slot": str(slot), "slot-type": "DIMM"}
    return event("ACPI_DEVICE_OST", info=dict(info, **({"device": device} if device else {})))


def deleted(device, path=None):
    """DEVICE_DELETED by id and path, or by path only."""
    data = {"path": path or f"/machine/peripheral/{device}"}
    return event("DEVICE_DELETED", **(dict(data, device=device) if device else data))


GREETING = {"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""},
                    "capabilities": ["oob"]}}


def encode(message):
    """A message as QEMU sends it."""
    return json.dumps(message).encode() + b"\r\n"


def never(request):
    """An answer to which nothing follows."""
    return {"return": {}, "id": request["id"]}


def silent(request):  # pylint: disable=unused-argument
    """No answer yet."""
    return None
