# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon is killed at every step of its moves, by SIGKILL, under systemd and under traffic; no SA may be lost."""

import collections
import contextlib
import os
import pathlib
import re
import signal

from lib import service, xfrm
from lib.case import check, check_equal, timeout
from lib.daemon import Continuity, fast, listed, sides, wait_full, wait_no_larval
from lib.sh import attempt, spawn, wait_until
from lib.world import World, shuffled

ROOT = "restarts"
FAST = fast()
XFRM_MESSAGES = {0x11: "DELSA", 0x12: "GETSA", 0x15: "GETPOLICY", 0x16: "ALLOCSPI", 0x1a: "UPDSA", 0x29: "MIGRATE_STATE"}
GUARDS = 255            # SPIs up to this are reserved: no SA that is moved has one
TRACE = pathlib.Path("/run/strike.txt")
SEEN = 272              # bytes of a buffer that strace shows: the second message after an ALLOCSPI, but no key of an UPDSA after a GETSA


def attach(call, number):
    """From now on the daemon is killed when it enters its call with this number, before the kernel executes the call."""
    pid = service.pid()
    TRACE.unlink(missing_ok=True)
    spawn("strace", "-p", pid, "-o", TRACE, "-xx", "-s", str(SEEN), "-e", "trace=sendto,recvmsg",
          "-e", f"inject={call}:signal=SIGKILL:when={number}",
          output="/run/strace.txt")

    def traced():
        try:
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return True     # it was killed already
        return not re.search(r"^TracerPid:\s+0$", status, re.MULTILINE)
    wait_until(traced, 20, "strace to be attached", interval=0.05)
    return pid


def died(pid):
    """Wait for the daemon's death; returns the type of the message that it was about to send, or None if that is unknown."""
    wait_until(lambda: not pathlib.Path(f"/proc/{pid}").exists(), 30, "the daemon to be killed", interval=0.05)
    calls = [line for line in TRACE.read_text().splitlines() if line.startswith("sendto(")]
    return message_type(calls[-1]) if calls else None


def message_type(call):
    """The purpose of a send: the type of its most important message. Read from strace's output, which may have only bytes: the
    beginning of the buffer, where each message has its length in four bytes and its type in two."""
    types = [name or XFRM_MESSAGES.get(int(number, 16), number)
             for name, number in re.findall(r"nlmsg_type=(?:XFRM_MSG_(\w+)|0x([0-9a-f]+))", call)]
    octets = bytes.fromhex("".join(re.findall(r"\\x([0-9a-f]{2})", call)))
    offset = 0
    while len(types) < 2 and offset + 6 <= len(octets):
        number = int.from_bytes(octets[offset + 4:offset + 6], "little")
        types.append(XFRM_MESSAGES.get(number, hex(number)))
        offset += max(16, int.from_bytes(octets[offset:offset + 4], "little") + 3 & ~3)
    for weighty in ("UPDSA", "DELSA"):
        if weighty in types:
            return weighty
    return types[0] if types else None


def back(restarts):
    """Wait until the restarted daemon works."""
    def working():
        return (int(service.show("NRestarts")) > restarts and service.active()
                and attempt("espoffloadctl", "status").returncode == 0)
    wait_until(working, 60, "the daemon to come back")


def strike(call, number, configuration, continuity):
    """One kill, and the checks after it."""
    restarts = int(service.show("NRestarts"))
    service.CONFIGURATION.write_text(configuration)
    pid = attach(call, number)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGHUP)
    step = died(pid)
    at_death = {spi for spi, sa in xfrm.by_spi().items() if sa.larval and spi > GUARDS}
    back(restarts)
    continuity.check()
    foreign = [hex(spi) for spi, sa in listed().items() if sa["state"] == "foreign"]
    check(not foreign, f"after a kill at {call} number {number}, foreign: {foreign}")
    return step, at_death


def kill_many(call, numbers, enough=lambda _: False):
    """Kills the daemon at each of these numbers, until enough(steps) is true."""
    world = World()
    world.start_traffic(out_order=shuffled(24, 1), in_order=shuffled(24, 2), pps=200)
    world.wait_for_traffic()
    service.start(FAST)
    wait_full()
    configurations = list(sides(world, FAST))
    continuity = Continuity()
    check_equal(len(continuity.before), 48, "SAs")
    steps, on_their_way = collections.Counter(), 0
    for turn, number in enumerate(numbers):
        step, at_death = strike(call, number, configurations[turn % 2], continuity)
        print(f"killed at {call} {number}: {step}, absent: {sorted(map(hex, at_death))}", flush=True)
        steps[step] += 1
        on_their_way += len(at_death)
        # A DELSA alone is not enough: it may be that of a larval SA.
        if enough(steps) and on_their_way > 0:
            break
    print(f"{sum(steps.values())} kills, before {dict(steps)}; {on_their_way} SAs were absent", flush=True)
    # Where the kernel moves an SA by itself, the SA is never absent.
    check(on_their_way > 0 or (steps["MIGRATE_STATE"] > 0 and steps["DELSA"] == 0), "no kill fell into the middle of a move")
    # The daemon must still work.
    service.configure(FAST)
    service.ctl("reload")
    wait_full(seconds=60)
    continuity.check()
    wait_no_larval()
    world.stop_traffic()
    return steps


@timeout(420)
def case_kill_before_send():
    """Killed before each of its sends of several moves, the daemon comes back, completes the move, and loses no SA"""
    def all_struck(steps):
        return sum(steps.values()) >= 12 and steps["DELSA"] + steps["ALLOCSPI"] > 0 and steps["UPDSA"] > 0
    # The number of the call for each step depends on the kernel: where the kernel evicts by itself, promotions begin after about
    # ninety calls. The numbers are consecutive: a move has four calls, so in steps of two the same two would be hit each time.
    steps = kill_many("sendto", [*range(1, 19), *range(92, 140)], all_struck)
    check(all_struck(steps), f"not every step was hit: {dict(steps)}")


@timeout(300)
def case_kill_after_send():
    """Killed before it reads the kernel's answers, the daemon comes back, completes the move, and loses no SA"""
    def all_struck(steps):
        return sum(steps.values()) >= 12 and steps["DELSA"] > 0
    # Where the kernel evicts by itself, promotions begin after more calls.
    kill_many("recvmsg", [*range(12, 132, 5), *range(211, 400, 3)], all_struck)
