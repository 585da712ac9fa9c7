# SPDX-License-Identifier: GPL-2.0-or-later
"""Two gateways on a veth with really encrypted packets.

    gateway (the guest) vp2 10.20.1.1 ... <=== ESP ===> vp3 10.20.2.1 ... namespace "peer"

A rule names nsim0 as the NIC of SAs whose packets leave by the veth. The kernel encrypts and decrypts in software even while
nsim0 holds the SAs, because the packets use another device. So the moves are real, and the peer decrypts real packets.
"""

import pathlib
import signal
import time

from lib import xfrm
from lib.case import check
from lib.nsim import Netdevsim
from lib.sh import ip, ip_batch, run_json, spawn
from lib.world import TRAFFIC, Flow

OUT, IN = 0x501, 0x601


class Wire:
    """Two gateways on a veth, with a pair of SAs for each pair of addresses."""

    def __init__(self, pairs, rate, spi_in_templates=False):
        """rate: packets per second of each SA. spi_in_templates: outbound policies name their SA's SPI, as those of charon do."""
        self.rate = rate
        self.nic = Netdevsim()
        ip("link set nsim0 addrgenmode none")
        ip("netns add peer")
        ip("link add vp2 type veth peer name vp3 netns peer")
        for name, netns, own, other in (("vp2", None, 1, 2), ("vp3", "peer", 2, 1)):
            # In separate requests: in one request the link would come up first and get an address automatically, and the packets
            # for that address would be on the wire.
            ip_batch([f"link set {name} addrgenmode none", f"link set {name} up", "link set lo up"]
                     + [f"address add 10.20.{own}.{1 + number}/32 dev {name}" for number in range(pairs)]
                     + [f"route add 10.20.{other}.0/24 dev {name} src 10.20.{own}.1"], netns=netns)
        mac = {None: run_json("ip", "-j", "link", "show", "vp2")[0]["address"],
               "peer": run_json("ip", "-n", "peer", "-j", "link", "show", "vp3")[0]["address"]}
        ip_batch([f"neighbour replace 10.20.2.{1 + n} lladdr {mac['peer']} nud permanent dev vp2" for n in range(pairs)])
        ip_batch([f"neighbour replace 10.20.1.{1 + n} lladdr {mac[None]} nud permanent dev vp3" for n in range(pairs)], netns="peer")
        self.flows = [self._flow(base, number) for base in (OUT, IN) for number in range(pairs)]
        for netns in (None, "peer"):
            outward = "out" if netns is None else "in"
            ip_batch(["xfrm state add " + flow.state() for flow in self.flows]
                     + ["xfrm policy add " + (flow.policy("out", spi_in_templates) if flow.direction == outward else flow.policy("in"))
                        for flow in self.flows],
                     netns=netns)
        self.senders = []

    @staticmethod
    def _flow(base, number):
        here, there = f"10.20.1.{1 + number}", f"10.20.2.{1 + number}"
        src, dst = (here, there) if base == OUT else (there, here)
        return Flow("out" if base == OUT else "in", number, "v4", "transport", base + number, base + number, src, dst, src, dst,
                    xfrm.gcm_key())

    def start_traffic(self):
        for direction in ("out", "in"):
            spawn(TRAFFIC, "sink", 5000, f"/run/wire-sink-{direction}.json", netns="peer" if direction == "out" else None)
        time.sleep(0.5)
        self.plan(self.rate)
        for direction in ("out", "in"):
            self.senders.append(spawn(TRAFFIC, "send", f"/run/wire-plan-{direction}", netns=None if direction == "out" else "peer"))

    def plan(self, rate):
        """Packets per second of each flow from now on. At 0 the flows pause and keep their sequence numbers."""
        for direction in ("out", "in"):
            path = pathlib.Path(f"/run/wire-plan-{direction}")
            path.write_text("".join(f"{flow.dst} 5000 {rate}pps 200 {flow.spi} {flow.src}\n"
                                    for flow in self.flows if flow.direction == direction))
        for sender in self.senders:
            check(sender.poll() is None, "a sender died")
            sender.send_signal(signal.SIGHUP)

    @staticmethod
    def arrived():
        """{SPI: packets that arrived}, written by the sinks at most half a second ago."""
        return {int(spi): count["packets"] for direction in ("out", "in")
                for spi, count in run_json("cat", f"/run/wire-sink-{direction}.json").items()}

    @staticmethod
    def counts(direction):
        """(packets that arrived, packets that did not) of a direction, written by the sink at most half a second ago."""
        found = run_json("cat", f"/run/wire-sink-{direction}.json").values()
        return sum(count["packets"] for count in found), sum(count["missing"] for count in found)

    def rest(self):
        """Stop sending; returns the counts when all packets have arrived."""
        self.plan(0)
        time.sleep(2)
        return {direction: self.counts(direction) for direction in ("out", "in")}
