# SPDX-License-Identifier: GPL-2.0-or-later
"""The setting of the main tests: one simulated NIC, 48 SAs, and traffic whose hot set the test chooses.

    gateway (the guest itself)                             namespace "peer"
    24 SAs out --> nsim0 --> (netdevsim drops it)
    24 SAs in  <-- nsim0 <== tc redirect <== vp0 <-------- vp1 <-- 24 mirror-image SAs out, in software

netdevsim drops sent packets after xfrm has counted them; an outbound test needs no more. Inbound packets arrive on a veth and are
redirected into nsim0's receive path, so that the stack handles them as packets of nsim0. They have the MAC address of the veth:
tc does not check the destination of a frame again.

Every SA has its own peer, and IPv4 and IPv6, transport and tunnel mode alternate. Outbound SPIs are 0x101 ..., inbound ones 0x201
...; the n-th flow of a direction uses the n-th SPI.
"""

import contextlib
import dataclasses
import json
import pathlib
import random
import signal
import time

from lib import xfrm
from lib.case import Failure, check
from lib.nsim import Netdevsim
from lib.sh import ip, ip_batch, run, spawn, wait_until

PEER = "peer"
PORT = 5000
TRAFFIC = "/usr/lib/espoffload-tests/vm-traffic"
SHAPES = (("v4", "transport"), ("v6", "tunnel"), ("v4", "tunnel"), ("v6", "transport"))
# A rate that leaves enough of two emulated CPUs for the program under test.
DEFAULT_PPS = 400
DEFAULT_PAYLOAD = 1000
# Large values, different for each kind: a move must keep them.
LIMITS = ("limit byte-soft 9000000000 limit byte-hard 10000000000 limit packet-soft 90000000 limit packet-hard 100000000 "
          "limit time-soft 36000 limit time-hard 40000 limit time-use-soft 37000 limit time-use-hard 41000")


@dataclasses.dataclass(frozen=True)
class Flow:
    """One SA and the flow that uses it: UDP, or one TCP connection."""
    direction: str      # "out" or "in", seen from the gateway
    number: int         # 0, 1, ...
    family: str         # "v4" or "v6"
    mode: str
    spi: int
    reqid: int
    src: str            # the SA's addresses
    dst: str
    inner_src: str      # the packets' addresses; in transport mode the SA's
    inner_dst: str
    key: str
    tcp: bool = False

    @property
    def bits(self):
        return 32 if self.family == "v4" else 128

    def state(self, offload=None, extra=""):
        """Arguments for ip xfrm state add. offload: name of a NIC."""
        return xfrm.state_words(self.src, self.dst, self.spi, self.reqid, self.key, self.mode,
                                (offload, self.direction) if offload else None, extra=f"{LIMITS} {extra}")

    def policy(self, direction, spi_in_template=False):
        return xfrm.policy_words(f"{self.inner_src}/{self.bits}", f"{self.inner_dst}/{self.bits}", direction, self.src, self.dst,
                                 self.reqid, self.mode, spi=self.spi if spi_in_template else 0)


def zipf(count, exponent=1.0):
    """Shares that sum to 1, the largest first: the n-th is proportional to 1 / n ** exponent."""
    weights = [1 / (rank + 1) ** exponent for rank in range(count)]
    return [weight / sum(weights) for weight in weights]


class Traffic:
    """Flows from the gateway and to it, and the processes that send them."""

    def __init__(self, out, inbound):
        self.out = out
        self.inbound = inbound
        self._senders = {}

    @property
    def flows(self):
        return self.out + self.inbound

    def flow(self, spi):
        return next(flow for flow in self.flows if flow.spi == spi)

    def counters(self, name="bytes"):
        """A counter of every SA of this world that exists, by SPI. name: a field of xfrm.SA."""
        return {spi: getattr(sa, name) for spi, sa in xfrm.by_spi().items() if 0x101 <= spi < 0x300}

    def measure(self, seconds=5):
        """Bytes per second of every SA, by SPI, as the kernel counted them over some seconds."""
        begin, first = time.monotonic(), self.counters()
        time.sleep(seconds)
        elapsed, last = time.monotonic() - begin, self.counters()
        return {spi: (last[spi] - first.get(spi, 0)) / elapsed for spi in last}

    def start_traffic(self, out_order=None, in_order=None, pps=DEFAULT_PPS, exponent=1.0, payload=DEFAULT_PAYLOAD):
        """Start or change the traffic. An order is a list of flow numbers, the busiest first; None: 0, 1, 2 ...

        pps is the total of each direction, divided by Zipf's law. Returns the planned packets per second by SPI.
        """
        planned = {}
        for direction, flows, order in (("out", self.out, out_order), ("in", self.inbound, in_order)):
            if not flows:
                continue
            order = list(range(len(flows))) if order is None else list(order)
            check(sorted(order) == sorted(set(order)) and set(order) <= set(range(len(flows))), f"no order of flows: {order}")
            rates = {flows[number].spi: share * pps for number, share in zip(order, zipf(len(order), exponent))}
            self.plan(direction, rates, payload)
            planned.update(rates)
        return planned

    swap = start_traffic

    def plan(self, direction, rates, payload=DEFAULT_PAYLOAD):
        """Send with the given packets per second: {spi: rate} of one direction. Other SPIs do not send."""
        path = pathlib.Path(f"/run/vm-plan-{direction}")
        # The source is given too, because all inbound flows have the same few destinations.
        text = "".join(f"{self.flow(spi).inner_dst} {PORT} {rate:.3f}pps {payload} {spi} {self.flow(spi).inner_src}"
                       f"{' tcp' if self.flow(spi).tcp else ''}\n" for spi, rate in rates.items())
        print(f"plan {direction}:\n{text}", flush=True)
        new = path.with_suffix(".new")
        new.write_text(text)
        new.rename(path)
        sender = self._senders.get(direction)
        if sender and sender.poll() is None:
            sender.send_signal(signal.SIGHUP)
        else:
            self._senders[direction] = spawn(TRAFFIC, "send", path, f"/run/vm-sent-{direction}.json",
                                             netns=PEER if direction == "in" else None, output=f"/run/vm-traffic-{direction}.txt")

    def stop_traffic(self):
        for direction, sender in self._senders.items():
            if sender.poll() is not None:
                said = pathlib.Path(f"/run/vm-traffic-{direction}.txt").read_text().strip()
                raise Failure(f"the sender of direction {direction} died: {said}")
            sender.terminate()
        for sender in self._senders.values():
            sender.wait(60)
        self._senders = {}

    def wait_for_traffic(self, timeout=30):
        """Wait until the busiest SA of every planned direction counts packets."""
        wait_until(lambda: all(any(self.counters()[flow.spi] for flow in flows) for flows in (self.out, self.inbound) if flows),
                   timeout, "traffic through the SAs")


class World(Traffic):
    """Build it with one of the constructors' options, then start_traffic(). close() is the runner's cleanup."""

    def __init__(self, out=24, inbound=24, nic="nsim0"):
        super().__init__([self._flow("out", number) for number in range(out)],
                         [self._flow("in", number) for number in range(inbound)])
        self.nic = Netdevsim(0, nic)
        self._build_gateway()
        if inbound:
            self._build_peer()
        self.add_states(self.flows)

    @staticmethod
    def _flow(direction, number):
        family, mode = SHAPES[number % len(SHAPES)]
        # Out: peers .1 ...; in: peers .101 ...: no pair of addresses has SAs in both directions.
        host = number + (1 if direction == "out" else 101)
        if family == "v4":
            here, there, inner_here, inner_there = "10.9.0.1", f"10.9.1.{host}", "10.8.0.1", f"10.8.1.{host}"
        else:
            here, there, inner_here, inner_there = "fd09::1", f"fd09::1:{host:x}", "fd08::1", f"fd08::1:{host:x}"
        if mode == "transport":
            inner_here, inner_there = here, there
        ends = (here, there, inner_here, inner_there) if direction == "out" else (there, here, inner_there, inner_here)
        base = 0x101 if direction == "out" else 0x201
        return Flow(direction, number, family, mode, base + number, base + number, *ends, xfrm.gcm_key())

    def _build_gateway(self):
        for path in ("all", "default", self.nic.name):
            pathlib.Path(f"/proc/sys/net/ipv4/conf/{path}/rp_filter").write_text("0")
        self.connect()
        ip_batch(["xfrm policy add " + flow.policy(flow.direction) for flow in self.flows])

    def connect(self):
        """Set addresses, routes and neighbours of the NIC. Call it again after its link was down, which removes most of them."""
        name = self.nic.name
        lines = [
            f"address replace 10.9.0.1/16 dev {name}",
            f"address replace 10.8.0.1/32 dev {name}",
            f"address replace fd09::1/64 dev {name} nodad",
            f"address replace fd08::1/128 dev {name} nodad",
            f"route replace 10.8.1.0/24 dev {name} src 10.8.0.1",
            f"route replace fd08::1:0/112 dev {name} src fd08::1",
        ]
        for address in {end for flow in self.flows for end in (flow.src, flow.dst, flow.inner_src, flow.inner_dst)}:
            if address not in ("10.9.0.1", "10.8.0.1", "fd09::1", "fd08::1"):
                lines.append(f"neighbour replace {address} lladdr 02:00:00:00:00:01 nud permanent dev {name}")
        ip_batch(lines)

    def _build_peer(self):
        ip(f"netns add {PEER}")
        ip(f"link add vp0 type veth peer name vp1 netns {PEER}")
        ip("link set vp0 addrgenmode none")
        ip("link set vp0 up")
        mac = pathlib.Path("/sys/class/net/vp0/address").read_text().strip()
        run("tc", "qdisc", "add", "dev", "vp0", "clsact")
        run(*f"tc filter add dev vp0 ingress matchall action mirred ingress redirect dev {self.nic.name}".split())
        lines = ["link set lo up", "link set vp1 addrgenmode none", "link set vp1 up"]
        for flow in self.inbound:
            nodad = " nodad" if flow.family == "v6" else ""
            lines += [f"address add {address}/{flow.bits} dev vp1{nodad}" for address in {flow.src, flow.inner_src}]
        lines += [
            "route add 10.9.0.1/32 dev vp1", "route add 10.8.0.1/32 dev vp1",
            "route add fd09::1/128 dev vp1", "route add fd08::1/128 dev vp1",
        ]
        for address in ("10.9.0.1", "10.8.0.1", "fd09::1", "fd08::1"):
            lines.append(f"neighbour replace {address} lladdr {mac} nud permanent dev vp1")
        for flow in self.inbound:
            lines.append("xfrm state add " + flow.state())
            lines.append("xfrm policy add " + flow.policy("out"))
        ip_batch(lines, netns=PEER)
        # Its bound port prevents ICMP errors from the gateway, and it counts lost packets.
        spawn(TRAFFIC, "sink", PORT, "/run/vm-sink.json")

    # --- SAs ---

    def add_states(self, flows, offload=False):
        """Add the SAs of these flows, in software or in the NIC."""
        ip_batch(["xfrm state add " + flow.state(self.nic.name if offload else None) for flow in flows])

    def delete_states(self, flows):
        ip_batch([f"xfrm state delete src {flow.src} dst {flow.dst} proto esp spi {flow.spi:#x}" for flow in flows])

    def offload_by_hand(self, flows):
        """Delete and add again, into the NIC. Sequence numbers start again on both sides, or the peer's would be refused."""
        self._again(flows, True)

    def to_software_by_hand(self, flows):
        self._again(flows, False)

    def _again(self, flows, offload):
        self.delete_states(flows)
        self.add_states(flows, offload)

    def payload_on_wire(self, payload=DEFAULT_PAYLOAD):
        """Bytes that an SA counts for a datagram of this payload, by SPI: the input of xfrm, which is the transport header and
        payload, or the whole packet."""
        return {flow.spi: payload + 8 + (0 if flow.mode == "transport" else 20 if flow.family == "v4" else 40) for flow in self.flows}

    def missing(self):
        """Packets that the gateway's sink has missed so far, by inbound SPI; updated twice a second."""
        return {spi: count["missing"] for spi, count in self.received().items()}

    @staticmethod
    def received():
        """The counts of the gateway's sink: {spi: {"packets", "bytes", "missing"}}."""
        with contextlib.suppress(FileNotFoundError):
            return {int(tag): count for tag, count in json.loads(pathlib.Path("/run/vm-sink.json").read_text()).items()}
        return {}


def shuffled(count, seed):
    """An order of flows that is the same in every run."""
    order = list(range(count))
    random.Random(seed).shuffle(order)
    return order
