# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads the journal from a given position."""

import json

from lib.sh import attempt, wait_until


def cursor():
    """The journal's end, as of now."""
    lines = attempt("journalctl", "--no-pager", "-q", "-n", "0", "--show-cursor").stdout.splitlines()
    return lines[-1].removeprefix("-- cursor: ") if lines else ""


def entries(since=None, unit="espoffloadd.service"):
    """Entries of a unit as dictionaries, from a cursor() on; without one, since boot. unit=None: everything.

    The messages of systemd about the unit are included, as journalctl -u does.
    """
    command = ["journalctl", "--no-pager", "-q", "-o", "json"]
    if since:
        command += ["--after-cursor", since]
    if unit:
        command += ["-u", unit]
    text = attempt("journalctl", "--sync") and attempt(*command).stdout
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def messages(since=None, unit="espoffloadd.service"):
    return [entry.get("MESSAGE", "") for entry in entries(since, unit)]


def wait_for(part, since=None, unit="espoffloadd.service", timeout=30):
    """Wait until a message contains part; returns that message."""
    return wait_until(lambda: next((text for text in messages(since, unit) if part in text), None), timeout,
                      f"{part!r} in the journal of {unit}", interval=0.5)
