# SPDX-License-Identifier: GPL-2.0-or-later
"""Real encrypted traffic with a peer that decrypts it, while SAs are moved back and forth hundreds of times."""

from lib import service, xfrm
from lib.acquires import Acquires
from lib.case import check, check_equal, timeout
from lib.wire import IN, Turns, Wire, compare_with_hand, on_wire, rejected, row

PAIRS = 6
# Packets per second of each SA. At 60, with two busy loops beside the emulator, 0.18 packets were lost per move against 10.1 by
# delete + add; without Nice= in the unit, 0.36 against 7.1.
RATE = 30
TURNS = 28              # in each of them every SA is moved once
BY_HAND = 30            # SAs moved with ip xfrm, for comparison
ARP = "0x0806"


def check_wire(wire, capture):
    """The SAs' counters are equal to what was on the wire."""
    packets, last, overtaken = on_wire(capture, {ARP})
    check_equal(overtaken, 0, "packets that were overtaken")
    check_equal(set(packets), {flow.spi for flow in wire.flows}, "SPIs on the wire")
    for spi, sa in xfrm.by_spi().items():
        if spi < IN:
            check_equal((sa.oseq, sa.packets), (last[spi], packets[spi]), f"SA {spi:#x}: sequence number and packets against the wire")
        else:
            check_equal(sa.seq, last[spi], f"SA {spi:#x}: highest sequence number against the wire")
            check(sa.packets <= packets[spi], f"SA {spi:#x} counted {sa.packets} of {packets[spi]} packets")


@timeout(300)
def case_wire():
    """SAs that carry real traffic are moved hundreds of times: sequence numbers are exact on the wire, and few packets are lost"""
    gateway = xfrm.mib()
    wire = Wire(PAIRS, RATE)
    acquires = Acquires()
    capture = wire.capture()
    wire.start_traffic()
    turns = Turns(wire)
    moves = turns.start() + turns.run(TURNS)
    service.stop()
    after = wire.rest()
    by_daemon = row("espoffloadd", moves, (0, 0), after)
    check_wire(wire, capture)
    check_equal(rejected(gateway), {}, "packets that an end refused as broken or replayed")
    check_equal(acquires.count(), 0, "ACQUIREs while the daemon moved SAs")
    check(moves >= 200, f"only {moves} moves")

    compare_with_hand(wire, BY_HAND, by_daemon, after)
