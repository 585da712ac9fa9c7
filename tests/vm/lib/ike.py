# SPDX-License-Identifier: GPL-2.0-or-later
"""Two IKE daemons that negotiate and rekey tunnels over a veth, with traffic, while espoffloadd moves the gateway's SAs.

    gateway (the guest) vp2 10.30.0.1 <=== IKE, ESP ===> vp3 10.30.0.11 ... namespace "peer"
    10.31.1.1 ...                                         10.31.2.1 ...          one tunnel for each pair

As in the case "wire", a rule names nsim0 as the NIC of SAs whose packets leave by the veth.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import time

from lib import service, xfrm
from lib.case import Failure, check
from lib.daemon import fast, listed
from lib.nsim import Netdevsim
from lib.sh import ip, ip_batch, spawn, wait_until
from lib.world import TRAFFIC

TUNNELS = 4
RATE = 30
SIDES = {"gw": None, "peer": "peer"}     # name: network namespace
HERE = "10.30.0.1"
CONFIGURATION = fast(moves_per_second=50) + "rules:\n"
BY_RATE = CONFIGURATION + "  - nic: nsim0\n"


def one_direction(direction):
    """Only the SAs of this direction belong in the NIC."""
    other = "in" if direction == "out" else "out"
    return CONFIGURATION + (f"  - match: {{direction: {direction}}}\n    nic: nsim0\n    offload: always\n"
                            f"  - match: {{direction: {other}}}\n    nic: nsim0\n    offload: never\n")


def outer(tunnel):
    return f"10.30.0.{10 + tunnel}"


def inner(side, tunnel):
    return f"10.31.{1 if side == 'gw' else 2}.{tunnel}"


def tunnels():
    return range(1, TUNNELS + 1)


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

    def __init__(self, rate=RATE, rekeying=True):
        """rate: packets per second of a tunnel, in each direction. rekeying: CHILD_SAs live for seconds, else for an hour."""
        self.rate, self.rekeying = rate, rekeying
        self.nic = Netdevsim()
        ip("link set nsim0 addrgenmode none")
        ip("netns add peer")
        ip("link add vp2 type veth peer name vp3 netns peer")
        for name, side, netns in (("vp2", "gw", None), ("vp3", "peer", "peer")):
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
            for spi, sa in xfrm.by_spi().items():
                if not sa.larval and sa.spi:
                    self.births.setdefault(spi, now)
                    if sa.device:
                        self.arrivals.setdefault(spi, now)
            time.sleep(0.3)

    def move_often(self, turns, seconds):
        """The daemon moves all SAs, alternately outbound in and inbound out, and the opposite."""
        for turn in range(turns):
            service.CONFIGURATION.write_text(one_direction(("out", "in")[turn % 2]))
            os.kill(service.pid(), signal.SIGHUP)
            self.watch(seconds)

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
        young = [spi for spi, born in self.births.items() if since < born < end - 10]
        waited = {spi: self.arrivals[spi] - self.births[spi] for spi in young if spi in self.arrivals}
        print(f"{len(young)} new SAs by rekeying, {len(waited)} of them moved into the NIC, after "
              f"{', '.join(f'{seconds:.1f}' for seconds in sorted(waited.values()))} s", flush=True)
        check(len(young) >= TUNNELS, f"only {len(young)} new SAs by rekeying")
        late = [hex(spi) for spi in young if spi not in waited]
        check(not late, f"never moved into the NIC: {late}; {[listed().get(int(spi, 16), {}).get('text') for spi in late]}")

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
        service.start(one_direction("in"))
        begun = time.monotonic()
        self.move_often(12, 2.5)
        service.configure(BY_RATE)
        service.ctl("reload")
        since = time.monotonic()
        self.watch(60, until=lambda: sum(since < born < time.monotonic() - 11 for born in self.births.values()) >= 2 * TUNNELS)
        print(f"after {time.monotonic() - begun:.0f} s: {len(self.births)} SAs seen, missing packets {self.missing()}, "
              f"moves {service.ctl_json('status')['moves']}", flush=True)
        self.check_taken_over(since)
        self.check_traffic()
        self.check_one_child_each()
        self.check_names()
        self.check_logs()
        foreign = [hex(spi) for spi, sa in listed().items() if sa["state"] == "foreign"]
        check(not foreign, f"foreign: {foreign}")
        moves = service.ctl_json("status")["moves"]
        made = moves["promoted"] + moves["evicted"]
        check(made >= 10 * TUNNELS, f"too few moves: {moves}")
        self.check_acquires(made)
        service.stop()
        self.check_traffic()
        for sender in self.senders:
            check(sender.poll() is None, "a sender died")
