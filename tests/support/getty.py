# SPDX-License-Identifier: GPL-3.0-or-later
"""A getty and login that do on demand what real ones do now and then: python3 getty.py JSON, on a terminal.

What it is told and what it does, one word a line, goes to the file "log": "name NAME", "password TEXT", "in", "out".
"""
import json
import os
import select
import signal
import subprocess
import sys
import termios
import time
import tty

DEFAULTS = {
    "log": None,
    "users": {"root": "secret"},  # name: password; None for no password
    "shell": ["dash", "-i"],
    "prompt": "guest login: ",
    "password": "Password: ",
    "motd": "\r\nLast login: Wed Nov 25 11:00:00 UTC 2026 on ttyS0\r\nWelcome.\r\n",
    "delay": 0.2,  # after a wrong password
    "slow": 0,  # before each thing that is said
    "piece": 0,  # bytes that are said at once, with a moment in between; 0: all
    "twice": False,  # the prompt for a name comes again while it is typed
    "echo": False,  # the password is echoed
    "endless": False,  # motd that never ends
    "patience": 60,  # seconds for a password
    "start": "name",  # or "password": somebody has typed a name
    "expired": False,  # a new password is wanted
    "behind": "",  # follows each prompt, as a kernel message does
}
how = {**DEFAULTS, **json.loads(sys.argv[1])}


def note(*words):
    with open(how["log"], "a", encoding="utf-8") as log:
        print(*words, file=log)


def say(text):
    time.sleep(how["slow"])
    data = text.encode()
    size = how["piece"] or max(len(data), 1)
    for i in range(0, len(data), size):
        os.write(1, data[i:i + size])
        if how["piece"]:
            time.sleep(0.02)


def read_name():
    """As agetty and busybox getty have it: no line editing of the terminal's."""
    tty.setraw(0)
    while True:
        say("\r\n" + how["prompt"] + how["behind"])
        name = b""
        while True:
            c = os.read(0, 1)
            if not c:
                sys.exit()
            if c == b"\4":  # init starts another one
                break
            if c in b"\r\n":
                break
            if c in b"\b\x7f":
                os.write(1, b"\b \b" if name else b"")
                name = name[:-1]
            elif c == b"\25":
                os.write(1, b"\b \b" * len(name))
                name = b""
            else:
                os.write(1, c)
                name += c
                if how["twice"]:
                    how["twice"] = False
                    time.sleep(0.2)
                    break
        os.write(1, b"\r\n")
        if name and c in b"\r\n":
            return name.decode(errors="replace")


def cook():
    """The terminal's modes for a login."""
    modes = termios.tcgetattr(0)
    modes[0] |= termios.ICRNL
    modes[1] |= termios.OPOST | termios.ONLCR
    modes[3] |= termios.ICANON | termios.ISIG | termios.ECHO | termios.ECHOE | termios.ECHOK | termios.IEXTEN
    modes[6][termios.VERASE] = b"\x7f"
    termios.tcsetattr(0, termios.TCSANOW, modes)


def ask_password(prompt):
    cook()
    modes = termios.tcgetattr(0)
    if not how["echo"]:
        modes[3] &= ~termios.ECHO
    termios.tcsetattr(0, termios.TCSAFLUSH, modes)
    say(prompt + how["behind"])
    if not select.select([0], [], [], how["patience"])[0]:
        say("\r\nLogin timed out.\r\n")
        note("timeout")  # now that it can be read
        return None
    line = os.read(0, 512)
    cook()
    say("\r\n")
    if not line:
        note("end")
        return None
    return line.decode(errors="replace").rstrip("\n")


def session(name):
    """The user's shell, until it ends."""
    cook()
    say(how["motd"])
    while how["endless"]:
        say("The motd goes on.\r\n")
        time.sleep(0.01)
    if how["expired"]:
        say("You are required to change your password immediately.\n")
        ask_password("Current password: ")
        return
    note("in", name)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    shell = subprocess.Popen(how["shell"], preexec_fn=lambda: signal.signal(signal.SIGTTOU, signal.SIG_DFL))
    shell.wait()
    os.tcsetpgrp(0, os.getpgrp())
    note("out")


def login(name):
    """Three attempts, as login gives them; the prompts after the first are the terminal's."""
    for _ in range(3):
        note("name", name)
        right = how["users"].get(name, "")
        if right is not None:
            password = ask_password(how["password"])
            if password is None:
                return
            note("password", password)
            if password != right or not right:
                time.sleep(how["delay"])
                say("Login incorrect\n" + how["prompt"])
                line = os.read(0, 512).decode(errors="replace")
                if not line:
                    return
                name = line.rstrip("\n")
                continue
        session(name)
        return


if how["start"] == "password":
    login("somebody")
while True:
    login(read_name())
