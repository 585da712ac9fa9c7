# SPDX-License-Identifier: GPL-2.0-or-later
"""espoffloadd under systemd, as on a gateway. netns: the instance for another network namespace."""

import pathlib

from lib import journal
from lib.case import Failure
from lib.sh import attempt, run, run_json, wait_until

UNIT = "espoffloadd.service"
ORDERS = pathlib.Path("/run/espoffloadd/orders")
CONFIGURATION = pathlib.Path("/etc/espoffloadd.conf")


def unit(netns=None):
    return f"espoffloadd@{netns}.service" if netns else UNIT


def configuration(netns=None):
    """The path of its configuration."""
    return pathlib.Path(f"/etc/espoffloadd-{netns}.conf") if netns else CONFIGURATION


def installed():
    return attempt("systemctl", "cat", UNIT).returncode == 0


def configure(yaml, netns=None):
    """Write the configuration, readable by all, because it contains no secrets."""
    path = configuration(netns)
    print(f"{path}:\n{yaml}", flush=True)
    path.write_text(yaml)
    path.chmod(0o644)


def start(yaml=None, timeout=60, netns=None):
    """Start the service and wait until it is ready (Type=notify). Returns a journal cursor from just before."""
    return _systemctl("start", yaml, timeout, netns)


def restart(yaml=None, timeout=60):
    return _systemctl("restart", yaml, timeout)


def reload(yaml=None, timeout=60):
    return _systemctl("reload", yaml, timeout)


def _systemctl(verb, yaml, timeout, netns=None):
    if yaml is not None:
        configure(yaml, netns)
    since = journal.cursor()
    result = attempt("systemctl", verb, unit(netns), timeout=timeout)
    if result.returncode != 0:
        said = [text for text in journal.messages(since, unit(netns)) if text]
        raise Failure(f"systemctl {verb} {unit(netns)}: {result.stderr.strip()}; journal: {' | '.join(said[-3:]) or 'silent'}")
    return since


def stop(timeout=60, netns=None):
    run("systemctl", "stop", unit(netns), timeout=timeout)


def kill(signal="KILL"):
    """Kill the main process; systemd then acts according to the unit."""
    run("systemctl", "kill", "--kill-whom=main", f"--signal={signal}", UNIT)


def active():
    return attempt("systemctl", "is-active", UNIT).stdout.strip() == "active"


def pid(netns=None):
    return int(show("MainPID", netns))


def show(name, netns=None):
    """One property of the unit, from systemctl show."""
    return run("systemctl", "show", "--value", "-p", name, unit(netns)).strip()


def wait_active(timeout=30):
    wait_until(active, timeout, f"{UNIT} to be active")


def ctl(*arguments, check=True):
    """espoffloadctl; returns its stdout."""
    return run("espoffloadctl", *arguments, check=check)


def ctl_json(*arguments, netns=None):
    """espoffloadctl --json; returns the document."""
    where = ("--socket", f"/run/espoffloadd-{netns}/io.espoffload") if netns else ()
    return run_json("espoffloadctl", *where, "--json", *arguments)
