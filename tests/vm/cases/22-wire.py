# SPDX-License-Identifier: GPL-2.0-or-later
"""Real encrypted traffic with a peer that decrypts it, while SAs are moved back and forth hundreds of times."""

import collections
import os
import signal
import time

from lib import service, xfrm
from lib.acquires import Acquires
from lib.capture import ESP, Capture
from lib.case import check, check_equal, timeout
from lib.daemon import Continuity, fast
from lib.sh import ip, wait_until
from lib.wire import IN, OUT, Wire

PAIRS = 6
# Packets per second of each SA. At 60, with two busy loops beside the emulator, 0.18 packets were lost per move against 10.1 by
# delete + add; without Nice= in the unit, 0.36 against 7.1.
RATE = 30
TURNS = 28              # in each of them every SA is moved once
BY_HAND = 30            # SAs moved with ip xfrm, for comparison
ARP = "0x0806"


def configuration(turn):
    """Every second SA belongs in the NIC, the others do not; in the next turn it is the opposite."""
    rules = "".join(f"  - match: {{reqid: {base + number}}}\n    nic: nsim0\n"
                    f"    offload: {'always' if (number + turn) % 2 else 'never'}\n"
                    for base in (OUT, IN) for number in range(PAIRS))
    return fast() + "rules:\n" + rules


def wanted(turn):
    return {base + number for base in (OUT, IN) for number in range(PAIRS) if (number + turn) % 2}


def moved():
    moves = service.ctl_json("status")["moves"]
    return moves["promoted"] + moves["evicted"]


def move_often():
    """Moves all SAs back and forth; returns the number of moves."""
    continuity = Continuity()
    before = moved()
    for turn in range(1, TURNS + 1):
        service.CONFIGURATION.write_text(configuration(turn))
        os.kill(service.pid(), signal.SIGHUP)
        wait_until(lambda: xfrm.offloaded("nsim0") == wanted(turn), 30, f"the moves of turn {turn}", interval=0.3)
        continuity.check()
    return moved() - before


def move_by_hand(wire):
    """As an administrator would: delete and add, with the same sequence numbers, or the peer would refuse the next packets."""
    for number in range(BY_HAND):
        flow = wire.flows[number % len(wire.flows)]
        sa = xfrm.by_spi()[flow.spi]
        sequence = f"replay-oseq {sa.oseq + 1000:#x}" if flow.direction == "out" else f"replay-seq {sa.seq:#x}"
        ip(f"xfrm state delete src {flow.src} dst {flow.dst} proto esp spi {flow.spi:#x}")
        ip("xfrm state add " + flow.state(extra=sequence))
        time.sleep(0.2)
    return BY_HAND


def check_wire(wire, capture):
    """No clear text, no sequence number twice or backwards, and the SAs' counters are equal to what was on the wire."""
    frames, dropped = capture.stop()
    check_equal(dropped, 0, "frames that the observer missed")
    kinds = collections.Counter(kind for kind, _, _ in frames)
    print(f"frames by protocol: {dict(kinds)}")
    check(set(kinds) <= {ESP, ARP}, f"not only ESP was on the wire: {dict(kinds)}")
    last, on_wire = {}, collections.Counter()
    for kind, spi, sequence in frames:
        if kind != ESP:
            continue
        check(sequence > last.get(spi, 0), f"SA {spi:#x}: sequence number {sequence} after {last.get(spi, 0)}")
        last[spi] = sequence
        on_wire[spi] += 1
    check_equal(set(on_wire), {flow.spi for flow in wire.flows}, "SPIs on the wire")
    for spi, sa in xfrm.by_spi().items():
        if spi < IN:
            check_equal((sa.oseq, sa.packets), (last[spi], on_wire[spi]), f"SA {spi:#x}: sequence number and packets against the wire")
        else:
            check_equal(sa.seq, last[spi], f"SA {spi:#x}: highest sequence number against the wire")
            check(sa.packets <= on_wire[spi], f"SA {spi:#x} counted {sa.packets} of {on_wire[spi]} packets")


def check_nothing_rejected(before):
    """No packet was refused as broken or replayed. before: the gateway's counters at the beginning; the peer is new."""
    for netns in (None, "peer"):
        counters = xfrm.mib(netns)
        if netns is None:
            counters = {name: value - before[name] for name, value in counters.items()}
        print(f"{netns or 'gateway'}: { {name: value for name, value in counters.items() if value} }")
        for name in ("XfrmInStateProtoError", "XfrmInStateSeqError", "XfrmInStateModeError", "XfrmOutStateSeqError",
                     "XfrmOutStateProtoError"):
            check_equal(counters[name], 0, f"{name} of the {netns or 'gateway'}")
    for sa in xfrm.sas() + xfrm.sas("peer"):
        check_equal((sa.replay_errors, sa.integrity_errors), (0, 0), f"replayed and broken packets of SA {sa.spi:#x}")


def row(name, moves, before, after, acquires):
    """A line of the table; returns packets lost per move."""
    lost = sum(after[direction][1] - before[direction][1] for direction in ("out", "in"))
    arrived = sum(after[direction][0] - before[direction][0] for direction in ("out", "in"))
    print(f"{name:24} {moves:6} moves, {arrived:7} packets arrived, {lost:6} lost, {lost / moves:8.3f} lost per move, "
          f"{acquires:4} ACQUIREs", flush=True)
    return lost / moves


@timeout(300)
def case_wire():
    """SAs that carry real traffic are moved hundreds of times: sequence numbers are exact on the wire, and few packets are lost"""
    gateway = xfrm.mib()
    wire = Wire(PAIRS, RATE)
    acquires = Acquires()
    capture = Capture("vp2")
    before = {"out": (0, 0), "in": (0, 0)}
    wire.start_traffic()
    service.start(configuration(0))
    wait_until(lambda: xfrm.offloaded("nsim0") == wanted(0), 60, "the first SAs in the NIC")
    moves = len(wanted(0)) + move_often()
    service.stop()
    after = wire.rest()
    by_daemon = row("espoffloadd", moves, before, after, acquires.count())
    check_wire(wire, capture)
    check_nothing_rejected(gateway)
    check_equal(acquires.count(), 0, "ACQUIREs while the daemon moved SAs")
    check(moves >= 200, f"only {moves} moves")

    wire.plan(RATE)
    move_by_hand(wire)
    by_hand = row("ip xfrm delete + add", BY_HAND, after, wire.rest(), acquires.count())
    check(by_hand > 0, "deleting and adding lost nothing, so there is nothing to compare with")
    print(f"the daemon loses {by_daemon / by_hand:.4f} of what deleting and adding loses")
    check(by_daemon <= by_hand / 20, f"{by_daemon:.3f} packets lost per move, by hand {by_hand:.3f}")
