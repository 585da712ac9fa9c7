# SPDX-License-Identifier: GPL-2.0-or-later
"""Slows down functions of the kernel: each probe on them makes a stack trace, which is not used."""

import os
import pathlib

from lib.sh import run

TRACING = pathlib.Path("/sys/kernel/tracing")
INSTANCE = TRACING / "instances/slow"
PROBES = 200


def hold_up(function, probes=PROBES):
    """Makes each call slow until release()."""
    if not (TRACING / "kprobe_events").exists():
        run("mount", "-t", "tracefs", "none", TRACING)
    if not (TRACING / f"events/slow_{function}").exists():
        # Not by open(), which would seek to the end.
        events = os.open(TRACING / "kprobe_events", os.O_WRONLY | os.O_APPEND)
        for number in range(probes):
            os.write(events, f"p:slow_{function}/{function}{number} {function}\n".encode())
        os.close(events)
    INSTANCE.mkdir(exist_ok=True)
    (INSTANCE / "options/stacktrace").write_text("1\n")
    (INSTANCE / f"events/slow_{function}/enable").write_text("1\n")


def calls(function):
    """How often the kernel called the function since then."""
    counts = (line.split() for line in (TRACING / "kprobe_profile").read_text().splitlines())
    return next(int(count) for name, count, _ in counts if name == f"{function}0")


def release():
    """Ends the delay of all functions. The probes stay; they cost nothing while they are disabled."""
    for enable in INSTANCE.glob("events/slow_*/enable"):
        enable.write_text("0\n")
