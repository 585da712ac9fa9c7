# SPDX-License-Identifier: GPL-2.0-or-later
"""Two IKE daemons that negotiate and rekey tunnels, with traffic, while espoffloadd moves the gateway's SAs.

    gateway (the guest) vp2 10.30.0.1 <=== IKE, ESP ===> vp3 10.30.0.11 ... namespace "peer"
    10.31.1.1 ...                                         10.31.2.1 ...          one tunnel for each pair

As in the case "wire", a rule names nsim0 as the NIC of SAs whose packets leave by the veth. With espsim there is no veth: its devices
take the place of vp2 and vp3, and the gateway's one is the NIC, which encrypts.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import time

from lib import espsim, service, xfrm
from lib.case import Failure, check, check_equal
from lib.daemon import fast, listed
from lib.nsim import Netdevsim
from lib.sh import ip, ip_batch, spawn, wait_until
from lib.world import TRAFFIC

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent / "examples"     # docs/examples
TUNNELS = 4
RATE = 30
SIDES = {"gw": None, "peer": "peer"}     # name: network namespace
HERE = "10.30.0.1"


def by_rate(nic):
    return fast(moves_per_second=50).replace("nsim0", nic) + f"rules:\n  - nic: {nic}\n"


def one_direction(direction, nic):
    """Only the SAs of this direction belong in the NIC."""
    other = "in" if direction == "out" else "out"
    return fast(moves_per_second=50).replace("nsim0", nic) + (
        f"rules:\n  - match: {{direction: {direction}}}\n    nic: {nic}\n    offload: always\n"
        f"  - match: {{direction: {other}}}\n    nic: {nic}\n    offload: never\n")


def outer(tunnel):
    return f"10.30.0.{10 + tunnel}"


def inner(side, tunnel):
    return f"10.31.{1 if side == 'gw' else 2}.{tunnel}"


def tunnels():
    return range(1, TUNNELS + 1)


def example(name, side):
    """The text of docs/examples/NAME for each tunnel, as a list: as it is, but with the addresses, identities and names of this side."""
    gateway, other = side == "gw", "peer" if side == "gw" else "gw"
    texts = []
    for tunnel in tunnels():
        text = (EXAMPLES / name).read_text()
        for theirs, ours in {"gw.example.org": f"{side}{tunnel}", "site-b.example.org": f"{other}{tunnel}", "site-b": f"t{tunnel}",
                             "192.0.2.1": HERE if gateway else outer(tunnel), "198.51.100.1": outer(tunnel) if gateway else HERE,
                             "10.1.0.0/16": f"{inner(side, tunnel)}/32", "10.2.0.0/16": f"{inner(other, tunnel)}/32"}.items():
            check(theirs in text, f"{name} does not have {theirs}")
            text = text.replace(theirs, ours)
        texts.append(text)
    return texts


def sas_of_tunnels():
    """The kernel's SAs by tunnel: "in", "out", or "larval" for each; those of no tunnel under None."""
    found = {tunnel: [] for tunnel in [*tunnels(), None]}
    for sa in xfrm.sas():
        ends = {outer(tunnel): tunnel for tunnel in tunnels()}
        tunnel = ends.get(sa.dst, ends.get(sa.src))
        found[tunnel].append("larval" if sa.larval else "out" if sa.dst in ends else "in")
    return {tunnel: sorted(those) for tunnel, those in found.items()}


class IkeWorld:
    """A subclass starts its IKE daemons in start_ike() and knows their log messages."""

    # Lines of the IKE daemons' logs that must not appear, as a regular expression.
    errors = None
    # Within this many seconds each tunnel must have been seen between two of its rekeyings.
    linger = 60
    # How often all SAs are moved, and how many seconds apart.
    turns, turn_seconds = 12, 2.5
    # An SA that was there for so many seconds is in the NIC.
    settle = 10

    def __init__(self, rate=RATE, rekeying=True, encrypts=False):
        """rate: packets per second of a tunnel, in each direction. rekeying: CHILD_SAs live for seconds, else for an hour.

        encrypts: the NIC is an espsim, which encrypts. All children are rekeyed twice by command while SAs are moved, and once after.
        """
        self.rate, self.rekeying, self.encrypts = rate, rekeying, encrypts
        ip("netns add peer")
        if encrypts:
            self.turns, self.turn_seconds, self.settle = 2 * TUNNELS, 2, 6
            self.nic, there = espsim.insert()
            ip(f"link set {there.name} netns peer")
            # The kernel loads modules for the first SA. On a busy host that outlasts the larval SAs of an IKE daemon.
            ip(f"link set {self.nic.name} up")
            xfrm.add_state(HERE, outer(1), 0x100, 1, xfrm.gcm_key(), offload=(self.nic.name, "out"))
            xfrm.flush()
            self.mib = {netns: xfrm.mib(netns) for netns in SIDES.values()}
        else:
            self.nic = Netdevsim()
            ip("link set nsim0 addrgenmode none")
            ip("link add vp2 type veth peer name vp3 netns peer")
        links = (self.nic.name, there.name) if encrypts else ("vp2", "vp3")
        for name, side, netns in ((links[0], "gw", None), (links[1], "peer", "peer")):
            mine = [HERE] if side == "gw" else [outer(tunnel) for tunnel in tunnels()]
            other = "peer" if side == "gw" else "gw"
            ip_batch([f"link set {name} addrgenmode none", f"link set {name} up", "link set lo up"]
                     + [f"address add {address}/24 dev {name}" for address in mine]
                     # Not on the veth: charon would use them as addresses of the gateway.
                     + [f"address add {inner(side, tunnel)}/32 dev lo" for tunnel in tunnels()]
                     + [f"route add {inner(other, tunnel)}/32 via {outer(tunnel) if side == 'gw' else HERE} dev {name} "
                        f"src {inner(side, tunnel)}" for tunnel in tunnels()], netns=netns)
        self.senders = []
        self.births = {}            # SPI: first seen
        self.arrivals = {}          # SPI: first seen in the NIC
        self.carried = {}           # SPI: packets that a NIC which encrypts counted
        self.directories = {side: pathlib.Path(f"/run/ike-{side}") for side in SIDES}
        for path in self.directories.values():
            # Files of an earlier case: certutil would ask for the password of their database.
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir()

    # --- to be implemented by a subclass ---

    def start_ike(self):
        raise NotImplementedError

    def children(self):
        """The number of CHILD_SAs in use for each tunnel, by tunnel number, according to the gateway's IKE daemon."""
        raise NotImplementedError

    def log(self, side):
        return (self.directories[side] / "log").read_text(errors="replace")

    def rekey_command(self, tunnel):
        """The command, as a list, that makes the gateway's IKE daemon rekey the CHILD_SA of a tunnel."""
        raise NotImplementedError

    def ike_source(self):
        """The gateway's IKE daemon for `espoffloadctl --ike`."""
        raise NotImplementedError

    def check_names(self):
        """espoffloadctl names both SAs of each tunnel as the IKE daemon does. An SA that is being rekeyed may have no name."""
        def named():
            sas = service.ctl_json("list", "--ike", self.ike_source())["sas"]
            found = {(sa["dst"] if sa["direction"] == "out" else sa["src"], sa["direction"], sa.get("connection")) for sa in sas}
            return all((outer(tunnel), direction, f"t{tunnel}") in found for tunnel in tunnels() for direction in ("in", "out"))
        wait_until(named, 30, "names of all connections")

    # --- traffic ---

    def start_traffic(self):
        for direction, side, netns in (("out", "gw", None), ("in", "peer", "peer")):
            other = "peer" if side == "gw" else "gw"
            spawn(TRAFFIC, "sink", 5000, f"/run/ike-sink-{direction}.json", netns=SIDES[other])
            plan = pathlib.Path(f"/run/ike-plan-{direction}")
            plan.write_text("".join(f"{inner(other, tunnel)} 5000 {self.rate}pps 200 {tunnel} {inner(side, tunnel)}\n"
                                    for tunnel in tunnels()))
            time.sleep(0.5)
            self.senders.append(spawn(TRAFFIC, "send", plan, netns=netns))

    @staticmethod
    def _counted(direction):
        path = pathlib.Path(f"/run/ike-sink-{direction}.json")
        return json.loads(path.read_text()) if path.exists() else {}

    def arrived(self):
        """Packets that arrived, by direction and tunnel."""
        return {(direction, int(tag)): count["packets"] for direction in ("out", "in")
                for tag, count in self._counted(direction).items()}

    def missing(self):
        return {direction: sum(count["missing"] for count in self._counted(direction).values()) for direction in ("out", "in")}

    def check_traffic(self):
        """Every tunnel now carries packets in both directions."""
        wait_until(lambda: len(self.arrived()) == 2 * TUNNELS, 20, f"packets of {2 * TUNNELS} flows")
        before = self.arrived()

        def all_flow():
            now = self.arrived()
            return all(now[flow] > before[flow] for flow in before)
        wait_until(all_flow, 30, "packets through every tunnel, both ways")

    # --- the daemon at work ---

    def watch(self, seconds, until=lambda: False):
        """Observe the SAs for some time, and record when each appeared and when it was moved into the NIC."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not until():
            now = time.monotonic()
            self._look_into_nic()
            for spi, sa in xfrm.by_spi().items():
                if not sa.larval and sa.spi:
                    self.births.setdefault(spi, now)
                    if sa.device:
                        self.arrivals.setdefault(spi, now)
            time.sleep(0.3)

    def _look_into_nic(self):
        if self.encrypts:
            for slot in self.nic.slots():
                # An SA that comes back has another slot.
                self.carried[slot.spi] = max(self.carried.get(slot.spi, 0), slot.packets)

    def rekey(self, *numbers):
        for tunnel in numbers:
            spawn(*self.rekey_command(tunnel))

    def move_often(self):
        """The daemon moves all SAs, alternately outbound in and inbound out, and the opposite."""
        for turn in range(self.turns):
            service.CONFIGURATION.write_text(one_direction(("out", "in")[turn % 2], self.nic.name))
            if self.encrypts:
                self.rekey(1 + turn % TUNNELS)
            os.kill(service.pid(), signal.SIGHUP)
            self.watch(self.turn_seconds)

    def check_one_child_each(self):
        """Every tunnel has one CHILD_SA, and the kernel exactly two SAs for it.

        Each tunnel is checked separately: on a busy host there may never be a time in which none is being rekeyed.
        """
        waiting = set(tunnels())

        def seen():
            children, kernel = self.children(), sas_of_tunnels()
            waiting.difference_update({tunnel for tunnel in waiting if children.get(tunnel) == 1
                                       and kernel[tunnel] == ["in", "out"]})
            check(set(kernel[None]) <= {"larval"}, f"SAs of no tunnel: {kernel[None]}")
            return not waiting
        try:
            wait_until(seen, self.linger, "one CHILD_SA for each tunnel", interval=0.5)
        except Failure as failure:
            raise Failure(f"{failure}: tunnels {sorted(waiting)} have {self.children()} and {sas_of_tunnels()}") from None

    def check_acquires(self, moves):
        """The kernel sent no more ACQUIREs than this number of moves explains."""

    def check_logs(self):
        for side in SIDES:
            wrong = [line for line in self.log(side).splitlines() if re.search(self.errors, line)]
            check(not wrong, f"{len(wrong)} errors in the log of {side}: {'; '.join(wrong[:3])}")

    def check_taken_over(self, since):
        """SAs that appeared after `since` were moved into the NIC, if they lived long enough."""
        end = time.monotonic()
        young = [spi for spi, born in self.births.items() if since < born < end - self.settle]
        waited = {spi: self.arrivals[spi] - self.births[spi] for spi in young if spi in self.arrivals}
        print(f"{len(young)} new SAs by rekeying, {len(waited)} of them moved into the NIC, after "
              f"{', '.join(f'{seconds:.1f}' for seconds in sorted(waited.values()))} s", flush=True)
        check(len(young) >= TUNNELS, f"only {len(young)} new SAs by rekeying")
        late = [hex(spi) for spi in young if spi not in waited]
        check(not late, f"never moved into the NIC: {late}; {[listed().get(int(spi, 16), {}).get('text') for spi in late]}")

    def check_nic(self):
        """A NIC that encrypts did so for every tunnel, both ways, has the SAs that the kernel has, and broke no packet."""
        if not self.encrypts:
            return

        def carries():
            before = {slot.spi: slot.packets for slot in self.nic.slots() if not slot.dead}
            time.sleep(1)
            busy = {slot.spi for slot in self.nic.slots() if slot.packets > before.get(slot.spi, slot.packets) and not slot.dead}
            ends = {(sa.src, sa.dst) for sa in xfrm.sas() if sa.spi in busy}
            return ends >= {pair for tunnel in tunnels() for pair in ((HERE, outer(tunnel)), (outer(tunnel), HERE))}
        wait_until(carries, 20, "packets of every tunnel in the NIC, both ways")
        wait_until(lambda: {slot.spi for slot in self.nic.slots() if not slot.dead} == xfrm.offloaded(self.nic.name), 10,
                   "the NIC and the kernel to have the same SAs")
        idle = [hex(spi) for spi in self.arrivals if not self.carried.get(spi)]
        print(f"{len(self.arrivals)} SAs were in the NIC, {len(idle)} carried nothing there: {idle}", flush=True)
        check(len(self.arrivals) - len(idle) >= 4 * TUNNELS, f"only {len(self.arrivals)} SAs in the NIC, of which {idle} carried nothing")
        stats = self.nic.stats()
        counts = {netns: {name: value - self.mib[netns][name] for name, value in xfrm.mib(netns).items()} for netns in self.mib}
        print(f"{self.nic.name}: {stats}\n{counts}", flush=True)
        check_equal(stats["rx_bad_icv"], 0, "packets whose ICV the NIC found wrong")
        # A packet that the NIC decrypted for an SA which the kernel then deleted is broken for its successor.
        check(counts[None]["XfrmInStateProtoError"] <= stats["rx_orphaned"], f"broken packets: {counts[None]}, {stats}")
        check_equal(counts["peer"]["XfrmInStateProtoError"], 0, "packets of the NIC that the peer found broken")
        for netns in self.mib:
            check_equal(counts[netns]["XfrmInStateSeqError"], 0, f"replayed packets of {netns or 'the gateway'}")

    def go(self, what=None):
        """The whole case: what(self), or moves while the tunnels are rekeyed. If it fails, prints the SAs and the log."""
        try:
            (what or IkeWorld._move_and_rekey)(self)
        except Failure:
            print("--- SAs ---\n" + "\n".join(map(str, xfrm.sas())))
            print("--- the log of gw ---\n" + self.log("gw")[-60000:], flush=True)
            raise

    def _move_and_rekey(self):
        self.start_ike()
        self.start_traffic()
        self.check_traffic()
        service.start(one_direction("in", self.nic.name))
        begun = time.monotonic()
        self.move_often()
        service.configure(by_rate(self.nic.name))
        service.ctl("reload")
        since = time.monotonic()
        if self.encrypts:
            self.rekey(*tunnels())
        self.watch(60, until=lambda: sum(since < born < time.monotonic() - self.settle - 1
                                         for born in self.births.values()) >= 2 * TUNNELS)
        print(f"after {time.monotonic() - begun:.0f} s: {len(self.births)} SAs seen, missing packets {self.missing()}, "
              f"moves {service.ctl_json('status')['moves']}", flush=True)
        self.check_taken_over(since)
        self.check_traffic()
        self.check_nic()
        self.check_one_child_each()
        self.check_names()
        self.check_logs()
        foreign = [hex(spi) for spi, sa in listed().items() if sa["state"] == "foreign"]
        check(not foreign, f"foreign: {foreign}")
        moves = service.ctl_json("status")["moves"]
        made = moves["promoted"] + moves["evicted"]
        check(made >= self.turns * TUNNELS * 5 / 6, f"too few moves: {moves}")
        self.check_acquires(made)
        service.stop()
        self.check_traffic()
        for sender in self.senders:
            check(sender.poll() is None, "a sender died")
