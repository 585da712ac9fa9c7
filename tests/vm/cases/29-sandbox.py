# SPDX-License-Identifier: GPL-2.0-or-later
"""The sandbox of the units: vm-sandbox runs in place of the program, with every other setting of the installed unit."""

import contextlib
import pathlib
import re
import socket

from lib import journal, service
from lib.case import check_equal, timeout
from lib.sh import run

PROBE = pathlib.Path("/usr/lib/espoffload-tests/vm-sandbox")
METRICS_SOCKET = "espoffloadd-metrics.socket"
METRICS = ("127.0.0.1", 10450)

# ENOSYS is what SystemCallErrorNumber= says. Without the filter the answers are others, or none: ptrace() would succeed.
FORBIDDEN = dict.fromkeys((
    "ptrace", "bpf", "mount", "umount2", "pivot_root", "chroot", "kexec_load", "init_module", "delete_module", "reboot", "swapoff",
    "sethostname", "settimeofday", "unshare", "setns", "perf_event_open", "process_vm_readv", "userfaultfd", "io_uring_setup", "add_key",
    "sched_setscheduler", "setpriority", "setuid", "execveat", "shmget", "mknodat", "symlinkat", "clone3"), "ENOSYS")
RESTRICTED = FORBIDDEN | {
    # Arguments of calls that the filter allows.
    "writable-code": "EPERM", "set-user-id": "EPERM", "new-namespace": "EPERM",
    "write-etc": "EROFS", "write-usr": "EROFS", "write-run": "EACCES", "read-root": "EACCES", "read-shadow": "EACCES",
    "other-process": "ENOENT", "kernel-log": "ENOENT", "disk": "ENOENT",
    "inet": "EAFNOSUPPORT", "inet6": "EAFNOSUPPORT", "packet": "EAFNOSUPPORT", "key": "EAFNOSUPPORT", "alg": "EAFNOSUPPORT",
    "unix": "0",
}
NEEDED = ("memfd", "memfd-size", "memfd-seals", "memfd-map", "mlock", "no-dump", "no-fork", "no-access", "undumpable", "membarrier",
          "thread", "signal-itself")
# CAP_NET_ADMIN alone would permit to write the settings of the network.
DAEMON = RESTRICTED | dict.fromkeys(NEEDED, "0") | {"netlink-xfrm": "0", "read-sysctl": "0", "write-sysctl": "EROFS"}
CLIENT = RESTRICTED | {"netlink-xfrm": "EAFNOSUPPORT", "read-sysctl": "ENOENT", "write-sysctl": "ENOENT",
                       "memfd": "ENOSYS", "mlock": "ENOSYS", "thread": "ENOSYS", "new-namespace": "ENOSYS"}


@contextlib.contextmanager
def probe_in(unit):
    """The unit runs the probe."""
    path = pathlib.Path(f"/run/systemd/system/{unit}.d/sandbox.conf")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"[Service]\nExecStart=\nExecStart={PROBE}\n")
    run("systemctl", "daemon-reload")
    try:
        yield
    finally:
        path.unlink()
        run("systemctl", "daemon-reload")


def check_results(lines, expected):
    results = dict(re.fullmatch(r"tried (\S+): (\S+)", line).groups() for line in lines if line.startswith("tried "))
    print(results, flush=True)
    wrong = {name: f"{results.get(name)} and not {answer}" for name, answer in expected.items() if results.get(name) != answer}
    check_equal(wrong, {}, "answers in the sandbox")


@timeout(60)
def case_sandbox():
    """The daemon's unit refuses all system calls, files and sockets but those that the daemon needs, in an emergency too"""
    with probe_in(service.UNIT):
        since = service.start()
        journal.wait_for("tried signal-itself", since)
        check_results(journal.messages(since), DAEMON)


@timeout(60)
def case_sandbox_metrics():
    """The unit of the metrics refuses the same, and sockets of netlink, locked memory and threads"""
    with probe_in("espoffloadd-metrics@.service"):
        run("systemctl", "start", METRICS_SOCKET)
        with socket.create_connection(METRICS, timeout=30) as connection, connection.makefile() as reader:
            check_results(reader.read().splitlines(), CLIENT)
        run("systemctl", "stop", METRICS_SOCKET)
