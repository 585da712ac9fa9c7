# SPDX-License-Identifier: GPL-2.0-or-later
"""Two gateways with really encrypted packets, and the moves of all their SAs back and forth.

Wire, on a veth:

    gateway (the guest) vp2 10.20.1.1 ... <=== ESP ===> vp3 10.20.2.1 ... namespace "peer"

A rule names nsim0 as the NIC of SAs whose packets leave by the veth. The kernel encrypts and decrypts in software even while
nsim0 holds the SAs, because the packets use another device. So the moves are real, and the peer decrypts real packets.

EspsimWire, on two NICs that encrypt (see espsim.py):

    gateway (the guest) espsim0 <=== ESP ===> espsim3 namespace "peer"
"""

import collections
import pathlib
import signal
import struct
import time

from lib import espsim, service, xfrm
from lib.capture import ESP, Capture
from lib.case import check, check_equal
from lib.daemon import Continuity, fast
from lib.nsim import Netdevsim
from lib.sh import ip, ip_batch, run_json, spawn, wait_until
from lib.world import SHAPES, TRAFFIC, Flow

OUT, IN = 0x501, 0x601
# In front of each datagram of vm-traffic, followed by the flow's tag, here the SPI.
MAGIC = 0x65737066


class Wire:
    """Two gateways on a veth, with a pair of SAs for each pair of addresses."""

    nic_name = "nsim0"

    def __init__(self, pairs, rate, spi_in_templates=False):
        """rate: packets per second of each SA. spi_in_templates: outbound policies name their SA's SPI, as those of charon do."""
        self.rate = rate
        self.connect(pairs)
        self.flows = [self.flow(base, number) for base in (OUT, IN) for number in range(pairs)]
        for netns in (None, "peer"):
            outward = "out" if netns is None else "in"
            ip_batch(["xfrm state add " + flow.state() for flow in self.flows]
                     + ["xfrm policy add " + (flow.policy("out", spi_in_templates) if flow.direction == outward else flow.policy("in"))
                        for flow in self.flows],
                     netns=netns)
        self.senders = []

    def connect(self, pairs):
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
    @staticmethod
    def flow(base, number):
        here, there = f"10.20.1.{1 + number}", f"10.20.2.{1 + number}"
        src, dst = (here, there) if base == OUT else (there, here)
        return Flow("out" if base == OUT else "in", number, "v4", "transport", base + number, base + number, src, dst, src, dst,
                    xfrm.gcm_key())

    def start_traffic(self, rate=None):
        """rate: as for plan(), None: that of the constructor."""
        for direction in ("out", "in"):
            spawn(TRAFFIC, "sink", 5000, f"/run/wire-sink-{direction}.json", netns="peer" if direction == "out" else None)
        time.sleep(0.5)
        self.plan(self.rate if rate is None else rate)
        for direction in ("out", "in"):
            self.senders.append(spawn(TRAFFIC, "send", f"/run/wire-plan-{direction}", netns=None if direction == "out" else "peer"))

    @staticmethod
    def capture():
        """Every frame on the wire from now on."""
        return Capture("vp2")

    def plan(self, rate):
        """Packets per second of each flow from now on, or {SPI: rate}, without entries for those that pause. At 0 the flows pause
        and keep their sequence numbers."""
        def rate_of(flow):
            return rate.get(flow.spi, 0) if isinstance(rate, dict) else rate

        for direction in ("out", "in"):
            path = pathlib.Path(f"/run/wire-plan-{direction}")
            path.write_text("".join(f"{flow.inner_dst} 5000 {rate_of(flow)}pps 200 {flow.spi} {flow.inner_src}\n"
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
        """Stop sending; returns (packets that arrived, packets that did not) when all have arrived."""
        self.plan(0)
        time.sleep(2)
        return tuple(map(sum, zip(*(self.counts(direction) for direction in ("out", "in")))))


class EspsimWire(Wire):
    """The same on two NICs that encrypt: the gateway's SAs are moved in and out of its NIC, the peer's stay in software."""

    nic_name = "espsim0"

    def connect(self, pairs):
        self.pair = espsim.Pair(tunnels=pairs, tapped=True)
        self.nic = self.pair.here

    def capture(self):
        return self.pair.capture()

    @staticmethod
    def flow(base, number):
        family, mode = SHAPES[number % len(SHAPES)]
        here, there = (espsim.address(end, number, family, False) for end in (1, 2))
        inner_here, inner_there = (espsim.address(end, number, family, mode == "tunnel") for end in (1, 2))
        ends = (here, there, inner_here, inner_there) if base == OUT else (there, here, inner_there, inner_here)
        return Flow("out" if base == OUT else "in", number, family, mode, base + number, base + number, *ends, xfrm.gcm_key())


class Turns:
    """In each turn every second SA belongs in the NIC and the others do not; in the next turn it is the opposite."""

    def __init__(self, wire):
        self.wire = wire
        self.turn = 0

    def configuration(self):
        rules = "".join(f"  - match: {{reqid: {flow.reqid}}}\n    nic: {self.wire.nic_name}\n"
                        f"    offload: {'always' if flow.spi in self.wanted() else 'never'}\n" for flow in self.wire.flows)
        return fast().replace("nsim0", self.wire.nic_name) + "rules:\n" + rules

    def wanted(self):
        return {flow.spi for flow in self.wire.flows if (flow.number + self.turn) % 2}

    def wait(self, seconds=30):
        wait_until(lambda: xfrm.offloaded(self.wire.nic_name) == self.wanted(), seconds, f"the moves of turn {self.turn}", interval=0.3)

    def start(self):
        """Start the daemon. Returns the number of moves that it made."""
        service.start(self.configuration())
        self.wait(60)
        return len(self.wanted())

    def run(self, turns):
        """Moves all SAs so many times; returns the number of moves."""
        continuity = Continuity()
        before = moved()
        for _ in range(turns):
            self.turn += 1
            service.CONFIGURATION.write_text(self.configuration())
            service.kill("HUP")
            self.wait()
            continuity.check()
        return moved() - before


def moved():
    moves = service.ctl_json("status")["moves"]
    return moves["promoted"] + moves["evicted"]


def move_by_hand(wire, moves, pause=0.2):
    """As an administrator would: delete and add, with the same sequence numbers, or the peer would refuse the next packets."""
    for number in range(moves):
        flow = wire.flows[number % len(wire.flows)]
        sa = xfrm.by_spi()[flow.spi]
        sequence = f"replay-oseq {sa.oseq + 1000:#x}" if flow.direction == "out" else f"replay-seq {sa.seq:#x}"
        ip(f"xfrm state delete src {flow.src} dst {flow.dst} proto esp spi {flow.spi:#x}")
        ip("xfrm state add " + flow.state(None if sa.device else wire.nic_name, extra=sequence))
        time.sleep(pause)


def row(name, moves, before, after):
    """A line of the table, from (packets that arrived, packets that did not). Returns packets lost per move."""
    arrived, lost = after[0] - before[0], after[1] - before[1]
    print(f"{name:24} {moves:6} moves, {arrived:7} packets arrived, {lost:6} lost, {lost / moves:8.3f} lost per move", flush=True)
    return lost / moves


def compare_with_hand(wire, moves, by_daemon, before):
    """The daemon loses at most a twentieth of what deleting and adding loses, in packets per move. before: wire.rest()."""
    wire.plan(wire.rate)
    move_by_hand(wire, moves)
    by_hand = row("ip xfrm delete + add", moves, before, wire.rest())
    check_less(by_daemon, by_hand)


def check_less(by_daemon, by_hand):
    check(by_hand > 0, "deleting and adding lost nothing, so there is nothing to compare with")
    print(f"the daemon loses {by_daemon / by_hand:.4f} of what deleting and adding loses")
    check(by_daemon <= by_hand / 20, f"{by_daemon:.3f} packets lost per move, by hand {by_hand:.3f}")


def on_wire(capture, allowed):
    """Checks a capture: no other protocols than those allowed, nothing of a datagram in clear, and no sequence number twice.
    Returns the number of packets and the highest sequence number of each SPI, and how many packets were overtaken."""
    frames, dropped = capture.stop()
    check_equal(dropped, 0, "frames that the observer missed")
    kinds = collections.Counter(kind for kind, _, _ in frames)
    print(f"frames by protocol: {dict(kinds)}")
    check(set(kinds) <= {ESP} | allowed, f"not only ESP was on the wire: {dict(kinds)}")
    packets, last, overtaken, seen = collections.Counter(), collections.Counter(), 0, set()
    for kind, spi, sequence in frames:
        if kind != ESP:
            continue
        check((spi, sequence) not in seen, f"SA {spi:#x}: sequence number {sequence} twice")
        seen.add((spi, sequence))
        overtaken += sequence < last[spi]
        last[spi] = max(last[spi], sequence)
        packets[spi] += 1
    recorded = capture.path.read_bytes()
    clear = [spi for spi in packets if struct.pack("=II", MAGIC, spi) in recorded]
    check(not clear, f"datagrams in clear on the wire, of SAs {[hex(spi) for spi in clear]}")
    return packets, last, overtaken


def rejected(before):
    """The packets that either end refused as broken or replayed since then. before: the gateway's counters; the peer is new."""
    found = collections.Counter()
    for netns in (None, "peer"):
        counters = xfrm.mib(netns)
        if netns is None:
            counters = {name: value - before[name] for name, value in counters.items()}
        print(f"{netns or 'gateway'}: { {name: value for name, value in counters.items() if value} }")
        for name in ("XfrmInStateProtoError", "XfrmInStateSeqError", "XfrmInStateModeError", "XfrmOutStateSeqError",
                     "XfrmOutStateProtoError"):
            found[name] += counters[name]
    for sa in xfrm.sas() + xfrm.sas("peer"):
        found["replayed"] += sa.replay_errors
        found["integrity"] += sa.integrity_errors
    return {name: count for name, count in found.items() if count}
