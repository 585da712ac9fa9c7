# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets that are held up while they look for their SA, as they are when a host takes away a virtual CPU.

xfrm_state_find() walks the SAs without a lock. Probes on xfrm_state_look_at(), which it calls for each SA that it meets, cost so much
time that a lookup is always under way, often over the moments in which its SA is deleted and put back.
"""

import os
import pathlib
import signal

from lib import service, xfrm
from lib.acquires import Acquires
from lib.case import check, check_equal, timeout
from lib.daemon import Continuity, fast
from lib.sh import ip_batch, run, spawn, wait_until
from lib.world import PORT, World

TRACING = pathlib.Path("/sys/kernel/tracing")
PROBES = 200            # some 3 ms for each look
TURNS = 40
# The socket is not connected: a connected one would remember what it found.
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


def hold_up_lookups():
    """Makes each look at an SA last long, by stack traces that nobody reads."""
    if not (TRACING / "kprobe_events").exists():
        run("mount", "-t", "tracefs", "none", TRACING)
    if (TRACING / "events/slow").exists():
        return      # by the case before
    for number in range(PROBES):
        # Not by open(), which would seek to the end.
        events = os.open(TRACING / "kprobe_events", os.O_WRONLY | os.O_APPEND)
        os.write(events, f"p:slow/look{number} xfrm_state_look_at\n".encode())
        os.close(events)
        (TRACING / f"events/slow/look{number}/trigger").write_text("stacktrace\n")
    (TRACING / "events/slow/enable").write_text("1\n")


def looks():
    """How often the kernel looked at an SA since."""
    return int((TRACING / "kprobe_profile").read_text().split()[1])


def configuration(flows, turn):
    """Every second one into the NIC, the others not; the next turn wants it the other way round."""
    rules = "".join(f"  - match: {{reqid: {flow.reqid}}}\n    offload: {'always' if (number + turn) % 2 else 'never'}\n"
                    for number, flow in enumerate(flows))
    return fast() + "rules:\n" + rules


def wanted(flows, turn):
    return {flow.spi for number, flow in enumerate(flows) if (number + turn) % 2}


def change(flows, turn):
    service.CONFIGURATION.write_text(configuration(flows, turn))
    os.kill(service.pid(), signal.SIGHUP)
    wait_until(lambda: xfrm.offloaded("nsim0") == wanted(flows, turn), 30, f"the moves of turn {turn}", interval=0.1)


def larvals():
    return [sa for sa in xfrm.sas() if sa.larval]


@timeout(300)
def case_held_up_lookup():
    """SAs are moved while packets are held up in their lookup: the IKE daemon is not asked for an SA"""
    world = World(out=3, inbound=0)
    flows = [flow for flow in world.out if flow.family == "v4"]
    world.delete_states(set(world.out) - set(flows))
    acquires = Acquires()
    # Before there is traffic: a probe that is hit while its trigger is set has brought down a kernel.
    hold_up_lookups()
    spawn("python3", "-c", SENDER, *[flow.inner_dst for flow in flows])
    service.start(configuration(flows, 0))
    wait_until(lambda: xfrm.offloaded("nsim0") == wanted(flows, 0), 30, "the first SA in the NIC")
    continuity = Continuity()
    before = looks()
    for turn in range(1, TURNS + 1):
        change(flows, turn)
        # First: the larval SA of an ACQUIRE keeps the others from being settled.
        check_equal(acquires.count(), 0, f"ACQUIREs until turn {turn}")
        continuity.check()
    print(f"{TURNS * len(flows)} moves, {looks() - before} looks at an SA, no ACQUIRE", flush=True)
    check(looks() - before > 1000, "there were no lookups")
    service.stop()
    world.delete_states(flows)
    wait_until(lambda: acquires.count() > 0, 10, "an ACQUIRE after the SAs were deleted, or the listener is deaf")


@timeout(300)
def case_held_up_lookup_named():
    """The same where policies name the SPI, as charon's do: an ACQUIRE a move at most, and no larval SA stays beside an SA"""
    world = World(out=3, inbound=0)
    flows = [flow for flow in world.out if flow.family == "v4"]
    world.delete_states(set(world.out) - set(flows))
    ip_batch(["xfrm policy update " + flow.policy("out", spi_in_template=True) for flow in flows])
    # charon's; they may not be what takes the larval SAs away.
    pathlib.Path("/proc/sys/net/core/xfrm_acq_expires").write_text("165")
    acquires = Acquires()
    hold_up_lookups()
    spawn("python3", "-c", SENDER, *[flow.inner_dst for flow in flows])
    service.start(configuration(flows, 0))
    wait_until(lambda: xfrm.offloaded("nsim0") == wanted(flows, 0), 30, "the first SA in the NIC")
    continuity = Continuity()
    left = 0
    for turn in range(1, TURNS + 1):
        change(flows, turn)
        left += len(larvals())
        wait_until(lambda: not larvals(), 5, f"the end of {larvals()} after turn {turn}", interval=0.1)
        continuity.check()
    moves = TURNS * len(flows)
    print(f"{moves} moves, {acquires.count()} ACQUIREs, {left} larval SAs were seen after a move", flush=True)
    check(acquires.count() <= moves, f"{acquires.count()} ACQUIREs in {moves} moves")
    check_equal(service.ctl_json("status")["moves"]["failed"], 0, "failed moves")
    service.stop()
