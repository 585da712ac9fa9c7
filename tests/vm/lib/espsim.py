# SPDX-License-Identifier: GPL-2.0-or-later
"""espsim: pairs of network devices whose driver encrypts and decrypts ESP (tests/vm/espsim), and tunnels between two of them.

    gateway (the guest itself)          namespace "peer"
    espsim0  <------ the wire ------>   espsim1

A test that looks at the wire has a second pair in between, because an interface that has SAs also shows packets before they are
encrypted or after they are decrypted:

    gateway              namespace "wire"                           namespace "peer"
    espsim0  <------->  espsim1 <= tc redirect => espsim2  <------->  espsim3
"""

import contextlib
import ctypes
import dataclasses
import fcntl
import os
import pathlib
import platform
import re
import socket
import struct

from lib import xfrm
from lib.capture import Capture
from lib.case import check
from lib.sh import attempt, ip, ip_batch, run

DEBUG = pathlib.Path("/sys/kernel/debug/espsim")
PEER = "peer"
WIRE = "wire"
CHACHA = "rfc7539esp(chacha20,poly1305)"
SIOCETHTOOL, ETHTOOL_SGRO = 0x8946, 0x2c
GCM = "rfc4106(gcm(aes))"
NAT_PORT = 4500
UDP_ENCAP, UDP_ENCAP_ESPINUDP, UDP_GRO = 100, 2, 104
KERNEL = tuple(map(int, platform.release().split(".")[:2]))


@dataclasses.dataclass(frozen=True)
class Slot:
    """One SA in the NIC, with the packets that the NIC itself encrypted or decrypted."""
    direction: str
    spi: int
    packets: int
    bytes: int
    errors: int
    dead: bool


class Espsim:
    """One device. Its directory in debugfs has the name that it was made with."""

    def __init__(self, number):
        self.name = f"espsim{number}"
        self.directory = DEBUG / self.name

    def set(self, **knobs):
        for name, value in knobs.items():
            (self.directory / name).write_text(str(int(value) if isinstance(value, bool) else value))

    def profile(self, name):
        (self.directory / "profile").write_text(name)

    def slots(self):
        """The SAs in the NIC, also those that were deleted and still occupy their slot."""
        found = []
        for line in (self.directory / "sadb").read_text().splitlines()[1:]:
            match = re.fullmatch(r"\d+ (in|out) spi 0x(\w+) dst \S+ packets (\d+) bytes (\d+) errors (\d+)( dead)?( released)? driver \S+", line)
            check(match, f"no line of sadb: {line}")
            found.append(Slot(match[1], int(match[2], 16), int(match[3]), int(match[4]), int(match[5]), bool(match[6])))
        return found

    def used(self):
        """Occupied slots: (sending, receiving)."""
        match = re.match(r"used tx (\d+) rx (\d+)", (self.directory / "sadb").read_text())
        return int(match[1]), int(match[2])

    def stats(self):
        return {name: int(value) for name, value in map(str.split, (self.directory / "stats").read_text().splitlines())}


def insert(pairs=1, gso_esp=False):
    """Load the module; returns its devices."""
    run("modprobe", "espsim", f"pairs={pairs}", f"gso_esp={int(gso_esp)}")
    return [Espsim(number) for number in range(2 * pairs)]


def free_received():
    """Let every CPU free the packets that it still has.

    A packet that a process has read is freed by the CPU that received it, when that CPU receives again
    (skb_attempt_defer_free(), since Linux 5.19). Until then the packet may hold the last reference to its SA, and so the NIC.
    """
    usual = os.sched_getaffinity(0)
    try:
        for cpu in usual:
            os.sched_setaffinity(0, {cpu})
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.sendto(b"", ("127.0.0.1", 9))
    finally:
        os.sched_setaffinity(0, usual)


def remove():
    """Unload the module, if it is loaded."""
    if pathlib.Path("/sys/module/espsim").exists():
        free_received()
        attempt("rmmod", "espsim")


def disable_gro(name, netns=None):
    """As "ethtool -K NAME gro off". With GRO, ESP is decrypted before taps see it."""
    with xfrm.inside(netns), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        value = ctypes.create_string_buffer(struct.pack("=II", ETHTOOL_SGRO, 0))
        fcntl.ioctl(sock, SIOCETHTOOL, struct.pack("@16sP16x", name.encode(), ctypes.addressof(value)))


class Pair:
    """espsim0 here and the other end in the namespace "peer", with the addresses of some tunnels, and no SAs yet.

    tapped: with the second pair in between, for capture().
    """

    def __init__(self, tunnels=1, tapped=False, **options):
        self.here, *self.between, self.there = insert(pairs=2 if tapped else 1, **options)
        if tapped:
            self._connect_wire()
        ip(f"netns add {PEER}")
        ip(f"link set {self.there.name} netns {PEER}")
        for end, device, netns in ((1, self.here, None), (2, self.there, PEER)):
            ip_batch([line for number in range(tunnels) for line in (
                f"address add {address(end, number, 'v4', True)}/32 dev lo",
                f"address add {address(end, number, 'v6', True)}/128 dev lo nodad")]
                + ["link set lo up", f"link set {device.name} addrgenmode none", f"link set {device.name} up"], netns=netns)
        self.tunnels = tunnels
        for end in (1, 2):
            self.connect(end)

    def connect(self, end=1):
        """Set addresses and routes of the device. Call it again after its link was down, which removes most of them."""
        name, netns = (self.here.name, None) if end == 1 else (self.there.name, PEER)

        def at(other, family, inner):
            return address(other, 0, family, inner)

        ip_batch([line for number in range(self.tunnels) for line in (
            f"address replace {address(end, number, 'v4', False)}/16 dev {name}",
            f"address replace {address(end, number, 'v6', False)}/64 dev {name} nodad")]
            + [f"route replace 10.77.{3 - end}.0/24 via {at(3 - end, 'v4', False)} src {at(end, 'v4', True)}",
               f"route replace fd77:{3 - end}::/64 via {at(3 - end, 'v6', False)} src {at(end, 'v6', True)}"], netns=netns)

    def _connect_wire(self):
        ip(f"netns add {WIRE}")
        names = [device.name for device in self.between]
        for name in names:
            ip(f"link set {name} netns {WIRE}")
            ip_batch([f"link set {name} addrgenmode none", f"link set {name} up"], netns=WIRE)
            disable_gro(name, WIRE)
        for name, other in (names, reversed(names)):
            run("tc", "qdisc", "add", "dev", name, "clsact", netns=WIRE)
            run(*f"tc filter add dev {name} ingress matchall action mirred egress redirect dev {other}".split(), netns=WIRE)

    def capture(self):
        """Every frame on the wire from now on; needs tapped=True."""
        with xfrm.inside(WIRE):
            return Capture(self.between[0].name)


def address(end, number, family, inner):
    """An address of end 1 (here) or 2 (there) for a tunnel: that of its packets, or that of its SAs."""
    if family == "v4":
        return f"10.{77 if inner else 7}.{end}.{1 + number}"
    return f"fd77:{end}::{1 + number:x}" if inner else f"fd07::{end}:{1 + number:x}"


@dataclasses.dataclass
class Tunnel:
    """The two SAs between both ends, and their policies. add() again with other offloads moves them by hand, as new SAs.

    number: tunnels that exist at the same time have different ones. Their SPIs and reqids are 0x100 + 2 * number for packets from
    here to there, and the next one for the other direction.
    """
    family: str = "v4"
    mode: str = "transport"
    algorithm: str = GCM
    key_bits: int = 128
    icv: int = 128
    esn: bool = False
    encap: bool = False     # ESP in UDP; needs encap_sockets()
    number: int = 0
    devices: tuple = ("espsim0", "espsim1")
    keys: tuple = ()        # for each direction, of the last add()

    @property
    def spi(self):
        """Of the SA from here to there."""
        return 0x100 + 2 * self.number

    def ends(self, inner):
        return tuple(address(end, self.number, self.family, inner) for end in (1, 2))

    def inner(self):
        """The addresses of the traffic: here, there."""
        return self.ends(self.mode == "tunnel")

    def state_words(self, direction, key, extra=""):
        """The arguments of "ip xfrm state add". direction: 0 from here to there, 1 the other one."""
        ends = self.ends(False)
        spi = self.spi + direction
        encap = f" encap espinudp {NAT_PORT} {NAT_PORT} 0.0.0.0" if self.encap else ""
        return (f"src {ends[direction]} dst {ends[1 - direction]} proto esp spi {spi:#x} reqid {spi} mode {self.mode} "
                f"aead {self.algorithm} {key} {self.icv}{encap} replay-window {64 if self.esn else 32}"
                f"{' flag esn' if self.esn else ''} {extra}")

    def add_words(self, end, direction, offloaded):
        """The ip command that adds an SA of end 1 (here) or 2 (there), with the key of its direction."""
        offload = f"offload dev {self.devices[end - 1]} dir {'out' if direction == end - 1 else 'in'}" if offloaded else ""
        return "xfrm state add " + self.state_words(direction, self.keys[direction], offload)

    def add(self, sender=(False, False), receiver=(False, False)):
        """sender, receiver: whether each end's SA is in its NIC, for the direction from here to there and for the other one."""
        self.keys = tuple("0x" + os.urandom(self.key_bits // 8 + 4).hex() for _ in (0, 1))
        for direction in (0, 1):
            for end, netns in ((1, None), (2, PEER)):
                offloads = sender if direction == end - 1 else receiver
                ip(self.add_words(end, direction, offloads[direction]), netns=netns)

    def replace(self, end, direction, offloaded):
        """Delete one SA and add it again at once, with its key and without its sequence numbers."""
        ends = self.ends(False)
        ip_batch([f"xfrm state delete src {ends[direction]} dst {ends[1 - direction]} proto esp spi {self.spi + direction:#x}",
                  self.add_words(end, direction, offloaded)], netns=PEER if end == 2 else None)

    def add_policies(self):
        outer, inner = self.ends(False), self.inner()
        bits = 32 if self.family == "v4" else 128
        for netns, mine in ((None, 0), (PEER, 1)):
            ip_batch(["xfrm policy add " + xfrm.policy_words(f"{inner[source]}/{bits}", f"{inner[1 - source]}/{bits}", direction,
                                                             outer[source], outer[1 - source], self.spi + source, self.mode)
                      for direction, source in (("out", mine), ("in", 1 - mine))], netns=netns)

    def delete(self):
        for netns in (None, PEER):
            ip_batch(["xfrm state flush", "xfrm policy flush"], netns=netns)


@contextlib.contextmanager
def encap_sockets():
    """The sockets of both ends that take ESP out of UDP, as an IKE daemon has them. UDP_GRO: GRO does that, as for ESP without UDP."""
    with contextlib.ExitStack() as stack:
        for netns in (None, PEER):
            with xfrm.inside(netns):
                sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            sock.bind(("0.0.0.0", NAT_PORT))
            sock.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)
            sock.setsockopt(socket.IPPROTO_UDP, UDP_ENCAP, UDP_ENCAP_ESPINUDP)
        yield


@contextlib.contextmanager
def datagrams(source, destination, source_netns=None, destination_netns=None):
    """A socket to send to another one, and that one. Datagrams that are not read stay there."""
    with contextlib.ExitStack() as stack:
        ends = []
        for own, netns in ((source, source_netns), (destination, destination_netns)):
            with xfrm.inside(netns):
                sock = stack.enter_context(socket.socket(socket.AF_INET6 if ":" in own else socket.AF_INET, socket.SOCK_DGRAM))
            sock.bind((own, 0))
            sock.settimeout(30)
            ends.append(sock)
        ends[0].connect(ends[1].getsockname()[:2])
        yield ends


def errors():
    """The counters of xfrm of both ends that are not 0."""
    return {(netns or "gateway", name): value for netns in (None, PEER) for name, value in xfrm.mib(netns).items() if value}


def ping(target, count=5, size=56, interval=0.05, pattern=None, wait=2):
    """Returns how many answers came. wait: seconds for the last of them.

    -U: without it ping asks for SO_TIMESTAMP. The kernel then patches its code (static key netstamp_needed) while packets are
    received, and an emulated CPU once stayed for ever at the patched place.
    """
    content = ("-p", pattern) if pattern else ()
    text = attempt("ping", "-n", "-q", "-U", "-c", count, "-i", interval, "-s", size, "-W", wait, *content, target).stdout
    return int(re.search(r"(\d+) received", text)[1])
