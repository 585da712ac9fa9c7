# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets that are delayed while they look up their SA, as happens when a host preempts a virtual CPU.

xfrm_state_find() walks the SAs without a lock. Probes on xfrm_state_look_at(), which it calls for each SA in the chain, take so
much time that a lookup is always in progress, often while its SA is deleted and put back. Where the policy names the SPI, further
probes extend the time in which the SPI is free, and delay the larval SA of a packet that finds it free.
"""

import os
import pathlib
import signal

from lib import probes, service, xfrm
from lib.acquires import Acquires
from lib.case import check, check_equal, timeout
from lib.daemon import Continuity, fast
from lib.sh import ip, ip_batch, spawn, wait_until
from lib.world import PORT, World

LOOK = "xfrm_state_look_at"
TURNS = 40
NAMED_TURNS = 20        # each of them takes longer
# The socket is not connected: a connected one would cache the SA that it found.
SENDER = f"""
import os, socket, sys
os.sched_setaffinity(0, {{1}})
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
    while True:
        for address in sys.argv[1:]:
            try:
                sender.sendto(b"x" * 100, (address, {PORT}))
            except OSError:
                pass
"""


def configuration(flows, turn, interval="500ms"):
    """Every second SA belongs in the NIC, the others do not; in the next turn it is the opposite."""
    rules = "".join(f"  - match: {{reqid: {flow.reqid}}}\n    offload: {'always' if (number + turn) % 2 else 'never'}\n"
                    for number, flow in enumerate(flows))
    return fast(interval) + "rules:\n" + rules


def wanted(flows, turn):
    return {flow.spi for number, flow in enumerate(flows) if (number + turn) % 2}


def change(flows, turn, **options):
    service.CONFIGURATION.write_text(configuration(flows, turn, **options))
    os.kill(service.pid(), signal.SIGHUP)
    wait_until(lambda: xfrm.offloaded("nsim0") == wanted(flows, turn), 30, f"the moves of turn {turn}", interval=0.1)


def larvals():
    return [sa for sa in xfrm.sas() if sa.larval]


@timeout(300)
def case_held_up_lookup():
    """SAs are moved while lookups of packets are delayed: no ACQUIRE is sent"""
    world = World(out=3, inbound=0)
    flows = [flow for flow in world.out if flow.family == "v4"]
    world.delete_states(set(world.out) - set(flows))
    acquires = Acquires()
    probes.hold_up(LOOK)
    spawn("python3", "-c", SENDER, *[flow.inner_dst for flow in flows])
    service.start(configuration(flows, 0))
    wait_until(lambda: xfrm.offloaded("nsim0") == wanted(flows, 0), 30, "the first SA in the NIC")
    continuity = Continuity()
    before = probes.calls(LOOK)
    for turn in range(1, TURNS + 1):
        change(flows, turn)
        # This check comes first: the larval SA of an ACQUIRE keeps continuity.check() from finding a state without moves.
        check_equal(acquires.count(), 0, f"ACQUIREs until turn {turn}")
        continuity.check()
    print(f"{TURNS * len(flows)} moves, {probes.calls(LOOK) - before} calls of xfrm_state_look_at(), no ACQUIRE", flush=True)
    check(probes.calls(LOOK) - before > 1000, "there were no lookups")
    service.stop()
    world.delete_states(flows)
    wait_until(lambda: acquires.count() > 0, 10, "an ACQUIRE after the SAs were deleted (else the listener does not work)")


def shown(flow):
    """Whether GETSA finds the SA itself, and not a larval SA before it in the chain."""
    return "aead" in ip(f"xfrm state get src {flow.src} dst {flow.dst} proto esp spi {flow.spi:#x}")


@timeout(900)
def case_held_up_lookup_named():
    """The same where policies name the SPI, as charon's do: at most one ACQUIRE per move, and no larval SA stays beside an SA"""
    world = World(out=3, inbound=0)
    flows = [flow for flow in world.out if flow.family == "v4"]
    world.delete_states(set(world.out) - set(flows))
    ip_batch(["xfrm policy update " + flow.policy("out", spi_in_template=True) for flow in flows])
    # charon's value, so that the larval SAs do not expire before the daemon deletes them.
    pathlib.Path("/proc/sys/net/core/xfrm_acq_expires").write_text("165")
    acquires = Acquires()
    probes.hold_up(LOOK)
    # Delays between DELSA and ALLOCSPI, and between a packet's lookup of the SPI and the insertion of its larval SA. The latter
    # is so long that the insertion would come after the whole move if the daemon did not wait.
    probes.hold_up("xfrm_alloc_userspi")
    probes.hold_up("xfrm_send_acquire", 5 * probes.PROBES)
    spawn("python3", "-c", SENDER, *[flow.inner_dst for flow in flows])
    # A reload causes moves at once. The samples are rare, because a sample would also find a larval SA that the moves left.
    service.start(configuration(flows, 0, interval="3s"))
    wait_until(lambda: xfrm.offloaded("nsim0") == wanted(flows, 0), 30, "the first SA in the NIC")
    continuity = Continuity()
    left = 0
    for turn in range(1, NAMED_TURNS + 1):
        change(flows, turn, interval="3s")
        # The daemon answers while it waits for lookups after the moves. What hides an SA is gone after that, before the next sample.
        service.ctl_json("status")
        wait_until(lambda: all(shown(flow) for flow in flows), 2, f"no larval SA to hide an SA after turn {turn}")
        left += len(larvals())
        print(f"turn {turn}: {acquires.count()} ACQUIREs, {left} larval SAs", flush=True)
        wait_until(lambda: not larvals(), 20, f"the end of {larvals()} after turn {turn}", interval=0.1)
        continuity.check()
    moves = NAMED_TURNS * len(flows)
    print(f"{moves} moves, {acquires.count()} ACQUIREs, {left} larval SAs were seen after a turn", flush=True)
    check(0 < acquires.count() <= moves, f"{acquires.count()} ACQUIREs in {moves} moves")
    check_equal(service.ctl_json("status")["moves"]["failed"], 0, "failed moves")
    service.stop()
