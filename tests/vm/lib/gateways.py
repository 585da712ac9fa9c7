# SPDX-License-Identifier: GPL-2.0-or-later
"""Two gateways whose NICs encrypt (espsim), each with its own espoffloadd, and traffic through tunnels between them.

The second gateway is the namespace "peer"; its daemon is the instance espoffloadd@peer.service.
"""

import itertools
import os
import pathlib
import re
import signal
import time

from lib import espsim, service, xfrm
from lib.capture import ESP, Capture
from lib.case import check, check_equal
from lib.daemon import fast
from lib.espsim import PEER
from lib.sh import ip, ip_batch, run_json, spawn, wait_until
from lib.streams import Route
from lib.world import TRAFFIC

ENDS = (None, PEER)
TUNNELS = tuple(espsim.Tunnel(family, mode, number=number)
                for number, (family, mode) in enumerate(itertools.product(("v4", "v6"), ("transport", "tunnel"))))
# Each SA's reqid is its SPI.
SPIS = range(TUNNELS[0].spi, TUNNELS[0].spi + 2 * len(TUNNELS))
HOP_BY_HOP = 0
PORT = 5000


def is_outbound(spi, netns):
    return (spi % 2 == 0) == (netns is None)


def in_nic(netns):
    """The SPIs of the SAs that are in the NIC of an end."""
    return {sa.spi for sa in xfrm.sas(netns) if sa.device}


def configuration(nic, netns, wanted):
    """These SAs belong in the NIC, the others do not."""
    rules = "".join(f"  - match: {{reqid: {spi}}}\n"
                    f"    offload: {'always' if spi in wanted else 'never'}\n" for spi in SPIS)
    return fast().replace("nsim0", nic) + "rules:\n" + rules


class Gateways:
    """Both ends with their tunnels, whose SAs are in software. The daemons are started by start()."""

    def __init__(self):
        pair = espsim.Pair(len(TUNNELS))
        self.nics = {None: pair.here, PEER: pair.there}
        self.pids = {}
        for netns, other in ((None, PEER), (PEER, None)):
            name = self.nics[netns].name
            mac = run_json("ip", *(["-n", other] if other else []), "-j", "link", "show", self.nics[other].name)[0]["address"]
            # So that there is nothing but ESP on the wire.
            ip_batch([f"neighbour replace {tunnel.ends(False)[int(netns is None)]} lladdr {mac} nud permanent dev {name}"
                      for tunnel in TUNNELS]
                     + [f"neighbour replace {espsim.address(2 if netns is None else 1, 0, family, False)} lladdr {mac} nud permanent "
                        f"dev {name}" for family in ("v4", "v6")], netns=netns)
        for tunnel in TUNNELS:
            tunnel.add()
            tunnel.add_policies()

    # --- the daemons ---

    def start(self, wanted):
        """wanted: the SAs that belong in the NIC of each end, by end."""
        for netns in ENDS:
            service.start(configuration(self.nics[netns].name, netns, wanted[netns]), netns=netns)
            self.pids[netns] = service.pid(netns)
        self.wait(wanted)

    def move(self, wanted, first=None, shift=0):
        """Both daemons get new rules, one of them this many seconds later, and move their SAs."""
        for netns in ENDS:
            service.configuration(netns).write_text(configuration(self.nics[netns].name, netns, wanted[netns]))
        os.kill(self.pids[first], signal.SIGHUP)
        time.sleep(shift)
        os.kill(self.pids[PEER if first is None else None], signal.SIGHUP)
        self.wait(wanted)

    def wait(self, wanted):
        wait_until(lambda: all(in_nic(netns) == wanted[netns] for netns in ENDS), 30, "the SAs to be where they belong")

    def moves(self):
        """Moves that both daemons made, and how many failed or were refused."""
        counts = [service.ctl_json("status", netns=netns)["moves"] for netns in ENDS]
        return (sum(count["promoted"] + count["evicted"] for count in counts),
                sum(count["refused"] + count["failed"] for count in counts))

    def stop(self):
        for netns in ENDS:
            service.stop(netns=netns)

    def move_by_hand(self, sa, netns):
        """As an administrator would: delete the SA and add it in the other place, with the same sequence numbers."""
        words = f"src {sa.src} dst {sa.dst} proto esp spi {sa.spi:#x}"
        key = re.search(r"aead (.*)", ip(f"xfrm state get {words}", netns=netns))[1]
        outbound = is_outbound(sa.spi, netns)
        where = "" if sa.device else f" offload dev {self.nics[netns].name} dir {'out' if outbound else 'in'}"
        sequence = f"replay-oseq {sa.oseq + 1000:#x}" if outbound else f"replay-seq {sa.seq:#x}"
        ip(f"xfrm state delete {words}", netns=netns)
        ip(f"xfrm state add {words} reqid {sa.reqid} mode {sa.mode} replay-window {sa.replay_window} aead {key} {sequence}{where}",
           netns=netns)


class Datagrams:
    """UDP packets through every SA, at the same rate; their receivers count what is missing."""

    def __init__(self, rate):
        self.senders = []
        for number, netns in enumerate(ENDS):
            spawn(TRAFFIC, "sink", PORT, f"/run/gateways-sink-{number}.json", netns=netns)
        time.sleep(0.5)
        self.plan(rate)
        for number, netns in enumerate(ENDS):
            self.senders.append(spawn(TRAFFIC, "send", f"/run/gateways-plan-{number}", netns=netns))

    def plan(self, rate):
        """Packets per second of each SA from now on."""
        for number in (0, 1):
            pathlib.Path(f"/run/gateways-plan-{number}").write_text("".join(
                f"{tunnel.inner()[1 - number]} {PORT} {rate}pps 200 {tunnel.spi + number} {tunnel.inner()[number]}\n"
                for tunnel in TUNNELS))
        for sender in self.senders:
            check(sender.poll() is None, "a sender died")
            sender.send_signal(signal.SIGHUP)

    @staticmethod
    def counts():
        """(packets that arrived, packets that did not), written by the receivers at most half a second ago."""
        found = [count for number in (0, 1) for count in run_json("cat", f"/run/gateways-sink-{number}.json").values()]
        return sum(count["packets"] for count in found), sum(count["missing"] for count in found)

    def rest(self):
        """Stop sending; returns the counts when all packets have arrived."""
        self.plan(0)
        time.sleep(1.5)
        return self.counts()


def routes():
    """A TCP stream through every SA."""
    return [Route(f"{tunnel.spi + number:#x}", tunnel.inner()[number], tunnel.inner()[1 - number], ENDS[number], ENDS[1 - number])
            for tunnel in TUNNELS for number in (0, 1)]


class Wires:
    """What both NICs send, from now on."""

    def __init__(self, gateways):
        self.captures = []
        for netns, nic in gateways.nics.items():
            with xfrm.inside(netns):
                self.captures.append(Capture(nic.name, f"/run/capture-{nic.name}", sent_only=True))

    def check(self):
        """There was no clear text, and no SA used a number twice."""
        numbers, frames = {}, 0
        for capture in self.captures:
            seen, dropped = capture.stop()
            check_equal(dropped, 0, "frames that the observer missed")
            kinds = {kind for kind, _, _ in seen}
            check(kinds <= {ESP, HOP_BY_HOP}, f"not only ESP was on the wire, but protocols {kinds}")
            for kind, spi, sequence in seen:
                if kind == ESP:
                    frames += 1
                    used = numbers.setdefault(spi, set())
                    check(sequence not in used, f"SA {spi:#x} used sequence number {sequence} twice")
                    used.add(sequence)
        check_equal(set(numbers), set(SPIS), "SPIs on the wire")
        print(f"{frames} frames on the wire", flush=True)
        return numbers
