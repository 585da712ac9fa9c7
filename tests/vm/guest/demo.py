# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's side of tools/demo: two gateways with a NIC that encrypts, the daemon as its service, and top on the terminal.

Every SHIFT seconds other SAs become the busy ones. The summary at the end is based on the counters of the NIC, of the kernel and of
the programs that send and receive, and not on those of the daemon, except for its moves.
"""

import argparse
import collections
import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from lib import journal, service, xfrm  # noqa: E402
from lib.case import Failure, check  # noqa: E402
from lib.daemon import ENFORCE  # noqa: E402
from lib.espsim_world import EspsimWorld  # noqa: E402
from lib.world import shuffled  # noqa: E402

LOG = "/vm/demo.txt"
SHIFT = 12
SAMPLE = 2
FRAME = 3       # seconds between two plain frames
ROWS = 24       # SAs in a plain frame: more than the NIC has
SLOTS = 8       # of each direction
PAIRS = 24      # of SAs
# Of each direction. Each packet is encrypted and decrypted, by emulated CPUs.
PPS = 120
# Before this time there may have been no move.
ENOUGH = 15
CONFIGURATION = f"{ENFORCE.replace('nsim0', 'espsim0')}    capacity: {{in: {SLOTS}, out: {SLOTS}}}\n"


def tell(text):
    """Writes to the terminal. stdout goes to the log, because the library writes its commands there."""
    print(text, file=sys.stderr, flush=True)


class Shares(threading.Thread):
    """Shifts the hot set, and adds up the bytes that the kernel counted on SAs.

    "busiest": with the best choice at every moment. "first": had the SAs that were there first kept the slots. "resident": of SAs that
    were in the NIC at both ends of a sample; "moved": of those that were there at one end.
    """

    def __init__(self, world):
        super().__init__(daemon=True)
        self.world = world
        self.ended = threading.Event()
        self.bytes = collections.Counter()
        self.shifts = 0
        self.error = None
        self.last = {}
        self.sample()

    def run(self):
        try:
            shift_at = time.monotonic() + SHIFT
            while not self.ended.wait(SAMPLE):
                self.sample()
                if time.monotonic() >= shift_at:
                    self.shifts += 1
                    shift_at += SHIFT
                    shift(self.world, self.shifts)
        except Exception as error:  # pylint: disable=broad-except
            self.error = error

    def sample(self):
        # An SA that is being moved may be missing, or larval. Its bytes are counted in the next sample.
        now = {sa.spi: sa for sa in xfrm.sas() if not sa.larval}
        grown = {spi: sa.bytes - self.last[spi].bytes for spi, sa in now.items() if spi in self.last}
        self.bytes["all"] += sum(grown.values())
        for spi, count in grown.items():
            ends = bool(self.last[spi].device) + bool(now[spi].device)
            self.bytes[("software", "moved", "resident")[ends]] += count
        for flows in (self.world.out, self.world.inbound):
            counts = [grown.get(flow.spi, 0) for flow in flows]
            self.bytes["first"] += sum(counts[:self.world.slots])
            self.bytes["busiest"] += sum(sorted(counts, reverse=True)[:self.world.slots])
        self.last |= now

    def end(self):
        self.ended.set()
        self.join()
        if self.error:
            raise self.error


def shift(world, number):
    world.swap(out_order=shuffled(PAIRS, 2 * number + 1), in_order=shuffled(PAIRS, 2 * number + 2), pps=PPS)


@dataclasses.dataclass(frozen=True)
class Result:
    """What was counted from the start of the service until the end of the traffic; flows: from the beginning of the traffic."""
    seconds: float
    slots: int
    shifts: int
    bytes: dict             # by the kernel's counters: see Shares
    nic: dict               # stats of the NIC
    peer: dict              # and of the peer's
    held: tuple             # occupied slots at the end: sending, receiving
    errors: dict            # of xfrm, by name, of both ends
    sent: dict              # by kind ("udp", "tcp"): sums of the senders' counters
    arrived: dict           # and of the sinks'
    moves: dict             # by the daemon

    def dropped(self):
        return sum(self.errors.values())

    def failures(self):
        """Of authentication and of the replay check. An SA's own counters of these begin again when it is moved."""
        return self.errors["XfrmInStateProtoError"] + self.errors["XfrmInStateSeqError"]

    def nic_packets(self):
        return self.nic["tx_encrypted"] + self.nic["rx_decrypted"]

    def nic_bytes(self):
        return self.nic["tx_encrypted_bytes"] + self.nic["rx_decrypted_bytes"]

    def wire_packets(self):
        return self.nic["tx_packets"] + self.nic["rx_packets"]

    def wire_bytes(self):
        return self.nic["tx_bytes"] + self.nic["rx_bytes"]


class Measurement:
    """Begins when it is made: before the service moves SAs, because a dump of SAs waits for moves. end() stops the traffic."""

    def __init__(self, world):
        self.world = world
        self.began = time.monotonic()
        self.shares = Shares(world)
        self.stats = [device.stats() for device in (world.pair.here, world.pair.there)]
        self.shares.start()

    def end(self):
        self.shares.end()
        self.world.stop_traffic()
        self.shares.sample()
        pair = self.world.pair
        errors = collections.Counter()
        for (_, name), count in self.world.errors().items():
            errors[name] += count
        nic, peer = ({name: value - before[name] for name, value in device.stats().items()}
                     for before, device in zip(self.stats, (pair.here, pair.there)))
        return Result(seconds=time.monotonic() - self.began, slots=self.world.slots, shifts=self.shares.shifts, bytes=self.shares.bytes, nic=nic, peer=peer,
                      held=pair.here.used(), errors=errors,
                      sent=self.by_kind(self.world.sent()), arrived=self.by_kind(self.world.arrived()),
                      moves=service.ctl_json("status")["moves"])

    def by_kind(self, counts):
        sums = {"udp": collections.Counter(), "tcp": collections.Counter()}
        for spi, count in counts.items():
            sums["tcp" if self.world.flow(spi).tcp else "udp"].update(count)
        return sums


def show_top(seconds):
    """Runs top until its time is over or the user quits it."""
    if os.environ.get("TERM", "dumb") == "dumb":
        command = ["espoffloadctl", "top", "-b", "-d", str(FRAME), "-n", str(max(seconds // FRAME, 1)), "--rows", str(ROWS)]
        seconds += 30
    else:
        command = ["espoffloadctl", "top"]
    with subprocess.Popen(command, stdout=sys.stderr) as top:
        try:
            status = top.wait(seconds)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            top.send_signal(signal.SIGTERM)
            top.wait(10)
            status = 0
    check(status == 0, f"{' '.join(command)}: exit status {status}")


def number(count):
    """For people: 12 345."""
    return f"{count:,}".replace(",", " ")


def times(count):
    return "once" if count == 1 else f"{count} times"


def percent(part, whole):
    return f"{100 * part / max(whole, 1):.0f} %"


def summary(result):
    """Every line fits into 80 columns."""
    kernel, moves, slots = result.bytes, result.moves, result.slots
    udp, tcp = ((result.sent[kind], result.arrived[kind]) for kind in ("udp", "tcp"))
    dropped = "".join(f"\n             {name} {number(count)}" for name, count in result.errors.items())
    orphaned = ("" if not result.failures() else
                f";\n             the NIC decrypted {result.nic['rx_orphaned']} for an SA that left it at that moment")
    return f"""
In {result.seconds:.0f} s, with {2 * PAIRS} SAs and a NIC with {slots} slots for sending and {slots} for receiving:
  moves      {moves["promoted"]} into the NIC, {moves["evicted"]} out of it, {moves["refused"]} refused, {moves["failed"]} failed;
             it has {result.held[0]} + {result.held[1]} SAs now, by its own count
  wire       {number(result.wire_packets())} packets, {result.wire_bytes() / 1e6:.1f} MB
  NIC        {percent(result.nic_bytes(), result.wire_bytes())} of these bytes and {percent(result.nic_packets(), result.wire_packets())} of the packets were encrypted or
             decrypted by the NIC, by its own counters
  compare    {percent(kernel["busiest"], kernel["all"])} of the bytes: the {slots} + {slots} busiest SAs, which changed {times(result.shifts)}
             {percent(kernel["first"], kernel["all"])} of the bytes: the first {slots} + {slots}, if they had kept the slots
  UDP        {number(udp[0]["packets"])} datagrams sent, {number(udp[1]["packets"])} arrived, {udp[1]["corrupt"]} with wrong contents
  TCP        {number(tcp[0]["bytes"])} bytes sent, {number(tcp[1]["bytes"])} arrived, {number(tcp[1]["corrupt"])} messages with
             wrong contents; {number(tcp[0]["retransmitted"])} segments were sent again
  integrity  failures of authentication or of the replay check: {result.failures()}{orphaned}
  dropped    {number(result.dropped())} packets in all, by xfrm_stat of both gateways{":" if dropped else ""}{dropped}
"""


def check_result(result):
    check(result.moves["failed"] == 0, f"{result.moves['failed']} moves failed")
    check(result.seconds < ENOUGH or result.nic_packets() > 0, "the NIC encrypted nothing")
    # The NIC's receive queue has packets for an SA that is being evicted, and software cannot decrypt them a second time.
    check(result.failures() <= result.nic["rx_orphaned"],
          f"{result.failures()} packets failed authentication or the replay check, {result.nic['rx_orphaned']} of them at an eviction")
    for kind in ("udp", "tcp"):
        check(result.arrived[kind]["corrupt"] == 0, f"{kind}: {result.arrived[kind]['corrupt']} messages have wrong contents")
    for name in ("packets", "bytes"):
        check(result.arrived["tcp"][name] == result.sent["tcp"][name],
              f"TCP: {result.sent['tcp'][name]} {name} were sent, {result.arrived['tcp'][name]} arrived")


def build():
    """The world with its traffic, and the service. Returns both the world and the measurement."""
    world = EspsimWorld(PAIRS, SLOTS)
    shift(world, 0)
    world.wait_for_traffic()
    tell("espoffloadd ...")
    measurement = Measurement(world)
    service.start(CONFIGURATION)
    return world, measurement


def demo(seconds):
    tell("two gateways, 48 SAs, a NIC that encrypts, TCP and UDP traffic ...")
    _, measurement = build()
    show_top(seconds)
    tell("ending the traffic ...")
    result = measurement.end()
    print(result, flush=True)
    tell(summary(result))
    check_result(result)


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
