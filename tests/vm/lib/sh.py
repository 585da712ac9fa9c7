# SPDX-License-Identifier: GPL-2.0-or-later
"""Running commands, and waiting for conditions."""

import json
import os
import subprocess
import time

from lib.case import Failure

NETNS = ("ip", "netns", "exec")


def run(*command, check=True, stdin=None, netns=None, timeout=60):
    """Run a command and return its stdout. The command and its output go to the case's output file.

    check=True makes a nonzero exit status the case's failure, with the command's stderr as reason.
    """
    result = attempt(*command, stdin=stdin, netns=netns, timeout=timeout)
    if check and result.returncode != 0:
        said = (result.stderr.strip() or result.stdout.strip()).splitlines()
        raise Failure(f"{' '.join(map(str, command))}: exit status {result.returncode}: {said[-1] if said else 'no output'}")
    return result.stdout


def attempt(*command, stdin=None, netns=None, timeout=60):
    """Like run(), but returns the CompletedProcess also after a failure."""
    command = [str(word) for word in command]
    if netns:
        command = [*NETNS, netns, *command]
    print("+", " ".join(command), flush=True)
    try:
        result = subprocess.run(command, input=stdin, text=True, capture_output=True, timeout=timeout,
                                stdin=None if stdin is not None else subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise Failure(f"{' '.join(command)}: no end after {timeout} s") from None
    for text in (result.stdout, result.stderr):
        if text.strip():
            print(text.rstrip(), flush=True)
    return result


def run_json(*command, **options):
    """Run a command that prints one JSON document."""
    text = run(*command, **options)
    try:
        return json.loads(text)
    except ValueError as error:
        raise Failure(f"{' '.join(map(str, command))}: no JSON: {error}") from None


def ip(words, netns=None, check=True):
    """One ip command, given as one string: ip("link set nsim0 up")."""
    space = ["-n", netns] if netns else []
    return run("ip", *space, *words.split(), check=check)


def ip_batch(lines, netns=None):
    """Many ip commands in one process: a world of 48 SAs then needs one second instead of ten."""
    space = ["-n", netns] if netns else []
    return run("ip", *space, "-batch", "-", stdin="\n".join(lines) + "\n")


def spawn(*command, netns=None, output=None):
    """Start a process that the runner ends with the case. output: path of a file for stdout and stderr."""
    command = [str(word) for word in command]
    if netns:
        command = [*NETNS, netns, *command]
    print("+", " ".join(command), "&", flush=True)
    with open(output or os.devnull, "w") as file:
        # A session of its own: Ctrl-C in tools/demo ends top and not the traffic.
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, start_new_session=True)


def wait_until(function, timeout=30, what="", interval=0.2):
    """Call function until it returns something true, and return that. Failure after timeout seconds, naming what."""
    end = time.monotonic() + timeout
    while True:
        value = function()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"waited {timeout} s in vain for {what or getattr(function, '__name__', 'a condition')}")
        time.sleep(interval)
