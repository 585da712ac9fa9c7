# SPDX-License-Identifier: GPL-2.0-or-later
"""Two gateways whose NICs encrypt, and whose daemons move both ends of the same SAs at the same time."""

import time

from lib import xfrm
from lib.case import check, check_equal, timeout
from lib.daemon import Continuity
from lib.espsim import PEER
from lib.gateways import ENDS, SPIS, Datagrams, Gateways, Wires, routes
from lib.streams import Streams, totals
from lib.wire import check_less, row

# Packets per second of each SA, beside those of its TCP stream.
RATE = 30
STREAM_RATE = 20_000    # bytes per second of each TCP stream
TURNS = 12              # in each of them both ends move every SA once, but in one
TURNS_LATE = 6
BY_HAND = 16            # SAs moved with ip xfrm, for comparison
REPLAYED = ("XfrmInStateSeqError", "XfrmInStateModeError", "XfrmOutStateSeqError", "XfrmOutStateProtoError")
BROKEN = "XfrmInStateProtoError"


def wanted(turn, turns):
    """The SAs that belong in the NIC of each end. At first both ends have the same, later each has what the other has not."""
    return {netns: {spi for spi in SPIS if (spi // 2 + spi + turn + (netns == PEER and turn > turns // 2)) % 2} for netns in ENDS}


def move_often(gateways, turns):
    """Moves all SAs at both ends, at the same time and shortly after each other; returns the number of moves."""
    before = gateways.moves()[0]
    continuity = [Continuity(netns) for netns in ENDS]
    for turn in range(1, turns + 1):
        first, shift = ((None, 0), (None, 0.05), (PEER, 0.1))[turn % 3]
        gateways.move(wanted(turn, turns), first, shift)
        for end in continuity:
            end.check()
    made, failed = gateways.moves()
    check_equal(failed, 0, "moves that failed")
    return made - before


def move_by_hand(gateways):
    """Moves SAs of both ends, one after the other."""
    for number in range(BY_HAND):
        netns = ENDS[number % 2]
        spi = SPIS[number // 2 % len(SPIS)]
        gateways.move_by_hand(xfrm.by_spi(netns)[spi], netns)
        time.sleep(0.2)
    return BY_HAND


def failures(before):
    """Packets that were replayed or broken since `before`, by end."""
    found = {}
    for netns in ENDS:
        counters = {name: value - before[netns][name] for name, value in xfrm.mib(netns).items()}
        print(f"{netns or 'gateway'}: { {name: value for name, value in counters.items() if value} }", flush=True)
        found[netns] = sum(counters[name] for name in REPLAYED), counters[BROKEN]
    return found


def check_failures(gateways, found):
    """Nothing was replayed. A packet counts as broken only if the NIC decrypted it and the kernel had deleted the SA by then."""
    for netns in ENDS:
        stats = gateways.nics[netns].stats()
        print(f"{gateways.nics[netns].name}: { {name: value for name, value in stats.items() if value} }", flush=True)
        replayed, broken = found[netns]
        check_equal(replayed, 0, f"replayed packets of {netns or 'the gateway'}")
        check(broken <= stats["rx_orphaned"], f"{netns or 'the gateway'}: {broken} broken packets, of which the NIC explains "
              f"{stats['rx_orphaned']}")
        check_equal(stats["rx_bad_icv"], 0, f"packets whose ICV {gateways.nics[netns].name} found wrong")


def move_under_traffic(gateways, datagrams, turns):
    """The daemons move all SAs so often; returns packets lost per move. Nothing else may happen to the tunnels."""
    before = {netns: xfrm.mib(netns) for netns in ENDS}
    wires, streams = Wires(gateways), Streams(routes(), STREAM_RATE)
    gateways.start(wanted(0, turns))
    moves = move_often(gateways, turns)
    gateways.stop()
    print("TCP: %d bytes arrived, %d segments sent again" % totals(streams.stop()))
    lost = row("espoffloadd", moves, (0, 0), datagrams.rest())
    wires.check()
    check_failures(gateways, failures(before))
    check(moves >= 2 * len(SPIS) * (turns - 1), f"only {moves} moves")
    return lost


@timeout(300)
def case_espsim_gateways():
    """Two daemons move both ends of the same SAs at the same time: streams go on, no number twice, few packets are lost"""
    gateways, datagrams = Gateways(), Datagrams(RATE)
    by_daemon = move_under_traffic(gateways, datagrams, TURNS)
    before = datagrams.counts()
    datagrams.plan(RATE)
    by_hand = row("ip xfrm delete + add", move_by_hand(gateways), before, datagrams.rest())
    check_less(by_daemon, by_hand)


@timeout(300)
def case_espsim_gateways_late():
    """The same with NICs that decrypt for deleted SAs: packets are lost then, and nothing else happens to the tunnels"""
    gateways, datagrams = Gateways(), Datagrams(RATE)
    for nic in gateways.nics.values():
        nic.profile("mlx5-crypto")
    move_under_traffic(gateways, datagrams, TURNS_LATE)
