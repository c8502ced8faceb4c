# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run was made on."""
import os
import pathlib
import re
import subprocess


def first_line(*words):
    return subprocess.run(words, text=True, capture_output=True, check=True).stdout.splitlines()[0]


def found(lab, memhp, has_libvirt):
    """Names and values, for people."""
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    words = lab.command_line()
    after = dict(zip(words, words[1:]))
    release = dict(line.split("=") for line in pathlib.Path(lab.path("info")).read_text("utf-8").splitlines())
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return {
        "host": f"{model[1] if model else 'unknown processor'}, {os.cpu_count()} CPUs, Linux {os.uname().release}",
        "load average at the end": load,
        "QEMU": f"{first_line(words[0], '--version')}, {after['-accel']}, -m {after['-m']}",
        "guest": f"Linux {release['release']}, busybox ash",
        "memhp": first_line(memhp, "--version"),
        "libvirt": first_line("virsh", "--version") if has_libvirt else "not measured",
    }
