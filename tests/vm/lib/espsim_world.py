# SPDX-License-Identifier: GPL-2.0-or-later
"""48 SAs between two gateways whose packets are really encrypted: here by a NIC with a small table, at the peer in software.

    gateway (the guest)                                        namespace "peer"
    espsim0: room for a few SAs   <------ ESP on a wire ------>   espsim1: holds no SA
    24 SAs out, 24 SAs in                                      the same SAs in software

So each packet of an SA in the NIC is handled by both engines: the peer's software decrypts what the NIC encrypted, and the reverse.
Every pair of SAs has its own peer address. IPv4 and IPv6, transport and tunnel mode alternate. Each pair has UDP in one direction and
a TCP connection in the other, whose acknowledgements use the SA of the UDP flow.
"""

import json
import pathlib

from lib import espsim, xfrm
from lib.sh import ip, ip_batch, run_json, spawn, wait_until
from lib.world import PEER, PORT, SHAPES, TRAFFIC, Flow, Traffic


class EspsimWorld(Traffic):
    """Build it, then start_traffic(). pair: the devices; pair.here has the slots."""

    def __init__(self, pairs=24, slots=8):
        super().__init__(*([self._flow(direction, number) for number in range(pairs)] for direction in ("out", "in")))
        self.slots = slots
        # Those of the gateway count since the boot.
        self._errors_before = xfrm.mib()
        self.pair = espsim.Pair(tunnels=pairs)
        self.pair.here.set(tx_slots=slots, rx_slots=slots)
        # The kernel counts a super-packet of TCP as one, and the NIC counts what is on the wire.
        for device, netns in ((self.pair.here, None), (self.pair.there, PEER)):
            ip(f"link set {device.name} gso_max_segs 1", netns=netns)
        self._set_neighbours()
        for netns, outward in ((None, "out"), (PEER, "in")):
            ip_batch(["xfrm state add " + flow.state() for flow in self.flows]
                     + ["xfrm policy add " + flow.policy("out" if flow.direction == outward else "in") for flow in self.flows],
                     netns=netns)
        for direction, netns in (("out", PEER), ("in", None)):
            spawn(TRAFFIC, "sink", PORT, self._sink(direction), netns=netns)
        wait_until(lambda: all(self._sink(direction).exists() for direction in ("out", "in")), 10, "the sinks to listen")

    @staticmethod
    def _flow(direction, number):
        family, mode = SHAPES[number % len(SHAPES)]
        outer, inner = (tuple(espsim.address(end, number, family, behind) for end in (1, 2))
                        for behind in (False, mode == "tunnel"))
        step = 1 if direction == "out" else -1
        spi = (0x101 if direction == "out" else 0x201) + number
        # Each pair has a TCP connection in one direction and UDP in the other, and the next four pairs the reverse.
        tcp = (number // len(SHAPES) + (direction == "in")) % 2 == 1
        return Flow(direction, number, family, mode, spi, spi, *outer[::step], *inner[::step], xfrm.gcm_key(), tcp)

    def _set_neighbours(self):
        """Permanent ones: all packets on the wire are ESP then."""
        ends = ((self.pair.here, None, 2, self.pair.there), (self.pair.there, PEER, 1, self.pair.here))
        macs = {device.name: run_json("ip", *(("-n", netns) if netns else ()), "-j", "link", "show", device.name)[0]["address"]
                for device, netns, _, _ in ends}
        for device, netns, end, other in ends:
            peers = [espsim.address(end, number, family, False) for number in range(len(self.out)) for family in ("v4", "v6")]
            ip_batch([f"neighbour replace {peer} lladdr {macs[other.name]} nud permanent dev {device.name}" for peer in peers], netns=netns)

    @staticmethod
    def _sink(direction):
        return pathlib.Path(f"/run/vm-sink-{direction}.json")

    def errors(self):
        """The counters of xfrm of both ends that have grown: {(end, name): count}, as espsim.errors()."""
        grown = {(end, name): value - (self._errors_before[name] if end == "gateway" else 0)
                 for (end, name), value in espsim.errors().items()}
        return {key: value for key, value in grown.items() if value}

    def arrived(self):
        """The counts of the sinks, by SPI: packets, bytes, missing, corrupt; updated twice a second."""
        return self._counts("sink")

    def sent(self):
        """The counts of the senders, by SPI, after stop_traffic(): packets, bytes, refused, retransmitted."""
        return self._counts("sent")

    @staticmethod
    def _counts(kind):
        return {int(spi): count for direction in ("out", "in")
                for spi, count in json.loads(pathlib.Path(f"/run/vm-{kind}-{direction}.json").read_text()).items()}

    def stop_traffic(self):
        """Also waits until the sinks have written what arrived."""
        super().stop_traffic()
        before = {self._sink(direction): self._sink(direction).stat().st_mtime_ns for direction in ("out", "in")}
        # Written twice: the first time may have been under way.
        for _ in range(2):
            wait_until(lambda: all(path.stat().st_mtime_ns > time for path, time in before.items()), 20, "the counts of the sinks")
            before = {path: path.stat().st_mtime_ns for path in before}
