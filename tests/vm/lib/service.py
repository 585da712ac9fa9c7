# SPDX-License-Identifier: GPL-2.0-or-later
"""espoffloadd under systemd, as on a gateway."""

import pathlib

from lib import journal
from lib.case import Failure
from lib.sh import attempt, run, run_json, wait_until

UNIT = "espoffloadd.service"
ORDERS = pathlib.Path("/run/espoffloadd/orders")
CONFIGURATION = pathlib.Path("/etc/espoffloadd.conf")


def installed():
    return attempt("systemctl", "cat", UNIT).returncode == 0


def configure(yaml):
    """Write the configuration, readable by all, because it contains no secrets."""
    print(f"{CONFIGURATION}:\n{yaml}", flush=True)
    CONFIGURATION.write_text(yaml)
    CONFIGURATION.chmod(0o644)


def start(yaml=None, timeout=60):
    """Start the service and wait until it is ready (Type=notify). Returns a journal cursor from just before."""
    return _systemctl("start", yaml, timeout)


def restart(yaml=None, timeout=60):
    return _systemctl("restart", yaml, timeout)


def reload(yaml=None, timeout=60):
    return _systemctl("reload", yaml, timeout)


def _systemctl(verb, yaml, timeout):
    if yaml is not None:
        configure(yaml)
    since = journal.cursor()
    result = attempt("systemctl", verb, UNIT, timeout=timeout)
    if result.returncode != 0:
        said = [text for text in journal.messages(since) if text]
        raise Failure(f"systemctl {verb} {UNIT}: {result.stderr.strip()}; journal: {' | '.join(said[-3:]) or 'silent'}")
    return since


def stop(timeout=60):
    run("systemctl", "stop", UNIT, timeout=timeout)


def kill(signal="KILL"):
    """Kill the main process; systemd then acts according to the unit."""
    run("systemctl", "kill", "--kill-whom=main", f"--signal={signal}", UNIT)


def active():
    return attempt("systemctl", "is-active", UNIT).stdout.strip() == "active"


def pid():
    return int(show("MainPID"))


def show(name):
    """One property of the unit, from systemctl show."""
    return run("systemctl", "show", "--value", "-p", name, UNIT).strip()


def wait_active(timeout=30):
    wait_until(active, timeout, f"{UNIT} to be active")


def ctl(*arguments, check=True):
    """espoffloadctl; returns its stdout."""
    return run("espoffloadctl", *arguments, check=check)


def ctl_json(*arguments):
    """espoffloadctl --json; returns the document."""
    return run_json("espoffloadctl", "--json", *arguments)
