# SPDX-License-Identifier: GPL-2.0-or-later
"""Between two cases: the first must leave nothing for the second."""

import os
import pathlib
import signal
import time

from lib import espsim, nsim, probes, service
from lib.sh import attempt

ACQUIRES_EXPIRE = pathlib.Path("/proc/sys/net/core/xfrm_acq_expires")
OWN_LINKS = ("vp", "dummy", "bond", "ipsec", "xfrm", "vrf")
_pristine = {}


def remember():
    """Called once before the first case: records the state of the machine."""
    if service.CONFIGURATION.exists():
        _pristine["configuration"] = service.CONFIGURATION.read_bytes()
    _pristine["acquires expire"] = ACQUIRES_EXPIRE.read_text()


def descendants():
    """Processes that the case left. They are the runner's children, because it is their subreaper."""
    mine = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        mine.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found, new = [], [os.getpid()]
    while new:
        new = [child for parent in new for child in mine.get(parent, [])]
        found += new
    return found


def kill_descendants():
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in descendants():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        end = time.monotonic() + 2
        while time.monotonic() < end:
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    time.sleep(0.02)
            except ChildProcessError:
                return


def everything():
    """Stop the service, end processes, and remove SAs, policies, devices and namespaces."""
    kill_descendants()
    # Otherwise the next case would read these counts as those of its own sinks, until its sinks write for the first time.
    for path in pathlib.Path("/run").glob("*-sink*.json"):
        path.unlink()
    probes.release()
    if service.installed():
        attempt("systemctl", "stop", service.UNIT, service.unit("*"))
        attempt("systemctl", "reset-failed", service.UNIT)
        service.ORDERS.unlink(missing_ok=True)
        for path in (*pathlib.Path("/run").glob("espoffloadd-*/*"), *pathlib.Path("/etc").glob("espoffloadd-*.conf")):
            path.unlink()
        if "configuration" in _pristine:
            service.CONFIGURATION.write_bytes(_pristine["configuration"])
        else:
            service.CONFIGURATION.unlink(missing_ok=True)
    attempt("ip", "-all", "netns", "delete")
    attempt("ip", "xfrm", "state", "flush")
    attempt("ip", "xfrm", "policy", "flush")
    ACQUIRES_EXPIRE.write_text(_pristine["acquires expire"])
    nsim.delete_all()
    espsim.remove()
    attempt("ip", "address", "flush", "dev", "lo", "scope", "global")
    for path in pathlib.Path("/sys/class/net").iterdir():
        if path.name.startswith(OWN_LINKS) and path.name != "bonding_masters":
            attempt("ip", "link", "delete", path.name)
