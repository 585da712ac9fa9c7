# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the cases in the guest, one after the other, each in its own process, and prints each result at once.

Lines on stdout that begin with @ are for tests/vm/run on the host: "@begin NAME SECONDS" sets its watchdog, "@end" means that all
cases were run. All other output of a case goes to /vm/cases/NAME.txt.
"""

import ctypes
import importlib.util
import os
import pathlib
import select
import signal
import sys
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from lib import cleanup, journal  # noqa: E402
from lib.case import Failure  # noqa: E402

OUTPUT = pathlib.Path("/vm/cases")
DEFAULT_TIMEOUT = 120
CLEANUP_TIMEOUT = 120
PR_SET_CHILD_SUBREAPER = 36


def load(path):
    spec = importlib.util.spec_from_file_location("case_" + path.stem.replace("-", "_"), path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def reason_of(error):
    if isinstance(error, Failure):
        return str(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({pathlib.Path(frame.filename).name}:{frame.lineno})"


def in_child(function, output, limit):
    """Run function in a child with its output in a file. Returns None, or the reason why it failed."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        os.setsid()
        fd = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(fd, 1)
        os.dup2(fd, 2)
        status = 0
        try:
            function()
        except BaseException as error:  # pylint: disable=broad-except
            traceback.print_exc()
            os.write(writer, (" ".join(reason_of(error).split()) or "no reason given").encode())
            status = 1
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    os.close(writer)
    # Processes that the case starts do not inherit the pipe (PEP 446), so the pipe closes when the case ends.
    reason = None
    if select.select([reader], [], [], limit)[0]:
        reason = os.read(reader, 4096).decode(errors="replace")
    else:
        os.killpg(pid, signal.SIGKILL)
        reason = f"no end after {limit} s"
    os.close(reader)
    _, status = os.waitpid(pid, 0)
    if not reason and status != 0:
        reason = f"the case's process ended with status {os.waitstatus_to_exitcode(status)}"
    return reason or None


def run_case(path, name):
    begin = time.monotonic()
    output = OUTPUT / f"{name}.txt"
    try:
        function = getattr(load(path), "case_" + name.replace("-", "_"))
        limit = getattr(function, "timeout", DEFAULT_TIMEOUT)
    except Exception as error:  # pylint: disable=broad-except
        output.write_text(traceback.format_exc())
        return reason_of(error), 0
    print(f"@begin {name} {limit + CLEANUP_TIMEOUT}", flush=True)
    since = journal_cursor()
    reason = in_child(function, output, limit)
    elapsed = time.monotonic() - begin
    if reason:
        with output.open("a") as file:
            file.write(f"\n--- journal since the case began ---\n{journal_text(since)}")
    return reason, elapsed


def journal_cursor():
    return quietly(journal.cursor)


def journal_text(since):
    result = quietly(lambda: journal.attempt("journalctl", "--no-pager", "-o", "short-precise", "--after-cursor", since))
    return result.stdout if since else ""


def quietly(function):
    """Hides the commands that the library prints: stdout belongs to the host here."""
    saved = sys.stdout
    sys.stdout = open(os.devnull, "w")
    try:
        return function()
    finally:
        sys.stdout = saved


def main():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    cleanup.remember()
    failed = 0
    cases = [line.split() for line in pathlib.Path(sys.argv[1]).read_text().splitlines()]
    for file, name in cases:
        reason, elapsed = run_case(HERE / "cases" / file, name)
        cleanup.kill_descendants()
        unclean = in_child(cleanup.everything, OUTPUT / f"{name}.txt", CLEANUP_TIMEOUT)
        if unclean and not reason:
            reason = f"cleaning up: {unclean}"
        if reason:
            failed += 1
            print(f"FAIL {name}: {reason}", flush=True)
        else:
            print(f"PASS {name} ({elapsed:.1f} s)", flush=True)
    print("@end", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
