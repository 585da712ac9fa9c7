# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's side of tools/demo: the world of the main tests, the daemon as its service, and top on the terminal.

Every SHIFT seconds other SAs become the busy ones. The kernel's own counters are read, so that the summary at the end is based on
the kernel and not on the daemon.
"""

import argparse
import collections
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from lib import journal, nsim, service, xfrm  # noqa: E402
from lib.case import Failure, check  # noqa: E402
from lib.daemon import ENFORCE  # noqa: E402
from lib.world import World, shuffled  # noqa: E402

LOG = "/vm/demo.txt"
SHIFT = 12
SAMPLE = 2
FRAME = 3       # seconds between two plain frames
ROWS = 40       # SAs in a plain frame: more than the NIC has
# Before this time there may have been no move.
ENOUGH = 15


def tell(text):
    """Writes to the terminal. stdout goes to the log, because the library writes its commands there."""
    print(text, file=sys.stderr, flush=True)


class Shares(threading.Thread):
    """Shifts the hot set, and adds up the bytes of the SAs in the NIC. `busiest` is the sum with the best choice at every moment."""

    def __init__(self, world):
        super().__init__(daemon=True)
        self.world = world
        self.ended = threading.Event()
        self.bytes = collections.Counter()
        self.shifts = 0
        self.error = None

    def run(self):
        try:
            self.loop()
        except Exception as error:  # pylint: disable=broad-except
            self.error = error

    def loop(self):
        last, shift_at = xfrm.by_spi(), time.monotonic() + SHIFT
        while not self.ended.wait(SAMPLE):
            now = xfrm.by_spi()
            moved = {spi: sa.bytes - last[spi].bytes for spi, sa in now.items() if spi in last}
            self.bytes["all"] += sum(moved.values())
            self.bytes["nic"] += sum(count for spi, count in moved.items() if last[spi].device and now[spi].device)
            self.bytes["busiest"] += sum(sorted(moved.values(), reverse=True)[:nsim.CAPACITY])
            last = now
            if time.monotonic() >= shift_at:
                self.shifts += 1
                shift_at += SHIFT
                self.shift()

    def shift(self):
        self.world.swap(out_order=shuffled(24, 2 * self.shifts + 1), in_order=shuffled(24, 2 * self.shifts + 2))

    def share(self, name):
        return 100 * self.bytes[name] / max(self.bytes["all"], 1)


def show_top(seconds):
    """Runs top until its time is over or the user quits it. Returns how long it ran."""
    if os.environ.get("TERM", "dumb") == "dumb":
        command = ["espoffloadctl", "top", "-b", "-d", str(FRAME), "-n", str(max(seconds // FRAME, 1)), "--rows", str(ROWS)]
        seconds += 30
    else:
        command = ["espoffloadctl", "top"]
    begin = time.monotonic()
    with subprocess.Popen(command, stdout=sys.stderr) as top:
        try:
            status = top.wait(seconds)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            top.send_signal(signal.SIGTERM)
            top.wait(10)
            status = 0
    check(status == 0, f"{' '.join(command)}: exit status {status}")
    return time.monotonic() - begin


def summary(shares, elapsed):
    status = service.ctl_json("status")
    moves = status["moves"]
    table = nsim.Netdevsim.table(shares.world.nic)
    tell(f"""
In {elapsed:.0f} s, with {len(shares.world.flows)} SAs and a table of {nsim.CAPACITY}:
  moves       {moves["promoted"]} into the NIC, {moves["evicted"]} out of it, {moves["refused"]} refused, {moves["failed"]} failed
  in the NIC  {table.count} SAs by the driver's own count
  traffic     {shares.share("nic"):.0f} % of the bytes were counted on offloaded SAs;
              at every moment the {nsim.CAPACITY} busiest carried {shares.share("busiest"):.0f} %, and they changed {shares.shifts} times
""")
    check(moves["failed"] == 0, f"{moves['failed']} moves failed")
    check(elapsed < ENOUGH or moves["promoted"] > 0, "no SA was moved into the NIC")


def demo(seconds):
    tell("one simulated NIC, 48 SAs, traffic ...")
    world = World()
    world.start_traffic(out_order=shuffled(24, 1), in_order=shuffled(24, 2))
    world.wait_for_traffic()
    tell("espoffloadd ...")
    service.start(ENFORCE)
    shares = Shares(world)
    shares.start()
    elapsed = show_top(seconds)
    shares.ended.set()
    shares.join()
    if shares.error:
        raise shares.error
    summary(shares, elapsed)
    world.stop_traffic()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=60)
    seconds = parser.parse_args().seconds
    sys.stdout = open(LOG, "w")
    try:
        demo(seconds)
    except KeyboardInterrupt:
        return 130
    except (Failure, OSError, subprocess.SubprocessError) as error:
        tell(f"demo: {error}")
        for message in journal.messages()[-10:]:
            tell(f"  journal: {message}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
