# SPDX-License-Identifier: GPL-2.0-or-later
"""An SA that the kernel cannot put back because its algorithm was unloaded, and a daemon that is restarted in this state.

seqiv, the template around AES-GCM, is unloaded right after the daemon deleted the only SA that uses it. Until it is loaded again,
the kernel refuses every attempt with the errno of a missing algorithm.
"""

import json
import os
import pathlib
import platform
import signal
import time

from lib import journal, service, xfrm
from lib.case import Failure, check, check_equal, timeout
from lib.daemon import fast, listed
from lib.sh import attempt, ip, run, spawn, wait_until
from lib.world import World

ROOT = "restarts"
SPI, PEER = 0x701, "10.9.3.1"
IDLE = fast() + "rules:\n  - offload: never\n"
INTO_NIC = fast() + "rules:\n  - offload: always\n"
# How long the daemon's requests are delayed, so that there is time between the deletion and the first attempt to put the SA back.
# Newer kernels release the memory of a deleted SA, and so the module, later.
HELD_UP = "4000ms" if int(platform.release().split(".")[0]) >= 7 else "1500ms"
NO_SEQIV = pathlib.Path("/run/modprobe.d/no-seqiv.conf")
BACK_SECONDS = 10


def current():
    """The SA, None if it is gone or larval."""
    sa = xfrm.by_spi().get(SPI)
    return sa if sa and not sa.larval else None


def hold_up_requests():
    """Delays the daemon's requests; returns the strace process that does this."""
    pid = service.pid()
    strace = spawn("strace", "-p", pid, "-o", "/run/owed-trace.txt", "-e", "trace=sendto", "-e", f"inject=sendto:delay_enter={HELD_UP}",
                   output="/run/owed-strace.txt")
    wait_until(lambda: "TracerPid:\t0\n" not in pathlib.Path(f"/proc/{pid}/status").read_text(), 20, "strace to be attached")
    return strace


def unload_seqiv():
    """From now on no AES-GCM SA can be added. The deleted SA holds a reference to the module until its memory is freed."""
    NO_SEQIV.parent.mkdir(exist_ok=True)
    NO_SEQIV.write_text("install seqiv /bin/false\n")
    wait_until(lambda: attempt("rmmod", "seqiv").returncode == 0, 30, "seqiv to be unloaded", interval=0.02)


def load_seqiv():
    NO_SEQIV.unlink(missing_ok=True)
    run("modprobe", "seqiv")


def is_owed():
    """Whether the daemon reports that it owes the SA. While its requests are delayed it does not answer; when it is degraded, the
    exit status is not 0."""
    status = attempt("espoffloadctl", "--json", "status")
    return status.stdout.startswith("{") and "owed" in [condition["name"] for condition in json.loads(status.stdout)["conditions"]]


def owe():
    """The daemon moves the SA, and cannot put it back."""
    service.CONFIGURATION.write_text(INTO_NIC)
    strace = hold_up_requests()
    os.kill(service.pid(), signal.SIGHUP)
    wait_until(lambda: not current(), 90, "the SA to be deleted", interval=0.01)
    unload_seqiv()
    strace.terminate()
    strace.wait(10)
    wait_until(is_owed, 20, "the daemon to say that it owes an SA")
    check(not current(), "the SA is there although its algorithm is not")


def check_back(before):
    """The SA is as before, its sequence number is not lower, and it carries packets."""
    try:
        now = wait_until(current, BACK_SECONDS, "the SA to be back")
    except Failure:
        attempt("espoffloadctl", "status")
        raise
    for name in ("src", "dst", "reqid", "mode", "add_time", "limits", "replay_window", "flags"):
        check_equal(getattr(now, name), getattr(before, name), name)
    check(now.oseq >= before.oseq and now.packets >= before.packets, f"it was {before}, it is {now}")
    wait_until(lambda: current() and current().packets > now.packets, 20, "packets through the SA")
    wait_until(lambda: not is_owed(), 10, "the daemon to owe nothing any more")
    check_equal(listed()[SPI]["state"] == "foreign", False, "that the SA is foreign")


def check_still_owed():
    check(not current(), "the SA is there although its algorithm is not")
    check(is_owed(), "the daemon does not know that it owes an SA")


def upgrade():
    """An upgrade by an administrator who does not wait: a restart would wait up to a minute. Returns a journal cursor from
    before."""
    since, pid = journal.cursor(), service.pid()
    run("systemctl", "--no-block", "restart", service.UNIT)
    time.sleep(2)
    check_equal(service.show("MainPID"), str(pid), "the daemon that waits for the SA")
    service.kill("TERM")
    wait_until(lambda: service.active() and service.pid() != pid, 30, "the new daemon")
    return since


def restart():
    """The image is passed on, and the new daemon owes the SA."""
    since = upgrade()
    time.sleep(1)
    check_still_owed()
    check(not [text for text in journal.messages(since) if "back in software" in text], "the SA is said to be back")
    load_seqiv()


def stop():
    """The daemon waits until the SA is back, and ends then."""
    run("systemctl", "--no-block", "stop", service.UNIT)
    time.sleep(2)
    check_still_owed()
    load_seqiv()
    wait_until(current, BACK_SECONDS, "the SA to be back before the daemon ends")
    wait_until(lambda: service.show("ActiveState") == "inactive", 20, "the daemon to end")
    check(current(), "the SA is gone after the daemon has ended")
    service.start()


@timeout(180)
def case_owed():
    """The daemon is stopped or restarted while an SA is owed: the SA comes back as soon as the kernel can add it"""
    World(out=0, inbound=0)
    ip(f"neighbour replace {PEER} lladdr 02:00:00:00:00:01 nud permanent dev nsim0")
    xfrm.add_state("10.9.0.1", PEER, SPI, SPI, xfrm.gcm_key())
    ip("xfrm policy add " + xfrm.policy_words("10.9.0.1/32", PEER + "/32", "out", "10.9.0.1", PEER, SPI))
    # The larval SA in its place must not expire before the module is back.
    pathlib.Path("/proc/sys/net/core/xfrm_acq_expires").write_text("120")
    spawn("ping", "-i", "0.1", PEER)
    service.start(IDLE)
    wait_until(lambda: current().packets > 10, 20, "packets")
    try:
        for leave in (restart, stop):
            before = current()
            owe()
            leave()
            check_back(before)
            service.reload(IDLE)
            wait_until(lambda: current() and not current().device, 20, "the SA to be in software")
    finally:
        load_seqiv()
        pathlib.Path("/proc/sys/net/core/xfrm_acq_expires").write_text("30")
