# SPDX-License-Identifier: GPL-2.0-or-later
"""Gateways and peers that change their address while SAs are offloaded.

charon then reads the SA, deletes it, and adds it with its new addresses. All other properties are as it read them, including the
offload, for the interface that has the new local address.
"""

import time

from lib import journal, nsim, service, xfrm
from lib.case import Failure, check, check_equal
from lib.daemon import listed
from lib.falls import ALL_IN, identities, wait_all_in
from lib.ike import HERE, TUNNELS
from lib.sh import attempt, ip, ip_batch, run, run_json, wait_until

MOVED_SECONDS = 30
# How long an SA may stay in a NIC where the IKE daemon has put it, on a busy host.
SOFTWARE_SECONDS = 5


def addresses():
    """{SPI: (source, destination)} of all SAs that have keys."""
    return {sa.spi: (sa.src, sa.dst) for sa in xfrm.sas() if not sa.larval}


def wait_moved(address, spis):
    """Wait until exactly these SAs (None: any) exist and have that address at one end."""
    def moved():
        now = addresses()
        return (spis is None or set(now) == spis) and len(now) >= 2 * TUNNELS and all(address in ends for ends in now.values())
    begin = time.monotonic()
    try:
        wait_until(moved, MOVED_SECONDS, f"all SAs to have the address {address}")
    except Failure:
        run("ip", "address")
        run("ip", "route")
        raise
    print(f"moved to {address} after {time.monotonic() - begin:.1f} s", flush=True)


def check_moved(world, address, spis):
    """The SAs have the new address, carry packets, are recorded as those of a tunnel that moves, and are in no NIC."""
    wait_moved(address, spis)
    wait_until(lambda: not xfrm.offloaded(), SOFTWARE_SECONDS, "all SAs to be in software")
    world.check_traffic()
    check_equal(xfrm.offloaded(), set(), "SAs in a NIC")


def check_known():
    """Every tunnel is recorded as one that moves."""
    reasons = {sa["reason"] for sa in listed().values()}
    check_equal(reasons, {"peer-moves"}, "reasons why the SAs are in software")


def begin(world):
    """Returns the SPIs of all SAs, which are in the NIC, and a journal cursor from before."""
    # Without any address an interface would lose its routes.
    ip("address add 169.254.30.1/32 dev vp2 scope link")
    ip("address add 169.254.30.2/32 dev vp3 scope link", netns="peer")
    world.start_ike()
    world.start_traffic()
    world.check_traffic()
    spis = set(identities())
    check_equal(len(spis), 2 * TUNNELS, "SAs")
    since = service.start(ALL_IN)
    wait_all_in(2 * TUNNELS)
    return spis, since


def forget():
    """The daemon's record of moving tunnels is cleared, and all SAs are in the NIC again."""
    service.restart()
    wait_all_in(2 * TUNNELS)


def gateway_moves(world):
    """Its new address belongs to a NIC that is not trusted, then to the one that is, then to none again."""
    other = nsim.Netdevsim(1)
    ip("link set nsim1 addrgenmode none")
    spis, since = begin(world)
    old, holder = HERE + "/24", "vp2"
    for new, device in (("10.30.0.2", "nsim1"), ("10.30.0.3", "nsim0"), (HERE, "vp2")):
        if device == "nsim0":
            forget()
        ip_batch([f"address add {new}/32 dev {device}", f"route replace 10.30.0.0/24 dev vp2 src {new}",
                  f"address del {old} dev {holder}"])
        old, holder = new + "/32", device
        check_moved(world, new, spis)
        check_known()
        check_equal(other.table().count, 0, "SAs in the NIC without trust")
    finish(world, since)


class Nat:
    """Stateless translation of the peer's address, at its veth."""

    def __init__(self):
        run("tc", "qdisc", "add", "dev", "vp3", "clsact", netns="peer")
        self.mac = run_json("ip", "-n", "peer", "-j", "link", "show", "vp3")[0]["address"]

    def map(self, inside, outside):
        for direction in ("egress", "ingress"):
            attempt("tc", "filter", "del", "dev", "vp3", direction, netns="peer")
        # The neighbour first: packets that arrive are answered at once.
        ip(f"neighbour replace {outside} lladdr {self.mac} nud permanent dev vp2")
        for direction, old, new in (("ingress", outside, inside), ("egress", inside, outside)):
            run(*f"tc filter add dev vp3 {direction} protocol ip matchall action nat {direction} {old}/32 {new}".split(), netns="peer")


def move_peer(address):
    ip("address flush dev vp3 to 10.30.0.0/24", netns="peer")
    ip(f"address add {address}/24 dev vp3", netns="peer")


def peer_moves(world):
    """The peer moves to another address, then behind a NAT, which changes its mapping, and then away from the NAT.

    SAs are in the NIC only at the first move. If this were the move behind the NAT, kernels up to 6.10 would lose the SAs:
    docs/safety.md.
    """
    spis, since = begin(world)
    nat = Nat()
    move_peer("10.30.0.21")
    check_moved(world, "10.30.0.21", spis)
    check_known()
    nat.map("10.30.0.22", "10.30.0.32")
    move_peer("10.30.0.22")
    check_moved(world, "10.30.0.32", spis)
    nat.map("10.30.0.22", "10.30.0.33")
    check_moved(world, "10.30.0.33", spis)
    move_peer("10.30.0.23")
    check_moved(world, "10.30.0.23", spis)
    finish(world, since)


def finish(world, since):
    """Every tunnel has one CHILD_SA, the daemon reports none of the SAs as foreign, and there are no errors in the logs."""
    check_equal(world.children(), {tunnel: 1 for tunnel in range(1, TUNNELS + 1)}, "CHILD_SAs")
    world.check_traffic()
    world.check_logs()
    foreign = [hex(spi) for spi, sa in listed().items() if sa["state"] == "foreign"]
    check(not foreign, f"foreign: {foreign}")
    print("\n".join(journal.messages(since)), flush=True)
    service.stop()
