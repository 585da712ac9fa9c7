# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon and a NIC that encrypts: traffic passes the NIC's engine, and the moves harm none of it."""

import time

from lib import journal, service, xfrm
from lib.acquires import Acquires
from lib.case import check, check_equal, timeout
from lib.daemon import ENFORCE, fast, listed
from lib.espsim import PEER
from lib.sh import ip, wait_until
from lib.streams import Route, Streams, totals
from lib.wire import IN, OUT, EspsimWire, Turns, compare_with_hand, on_wire, rejected, row

PAIRS = 8               # two of each shape
RATE = 10               # datagrams per second of each SA
STREAM_RATE = 2_000     # bytes per second of each TCP stream
QUIET_SECONDS = 10      # without moves, for comparison
TURNS = 13              # in each of them every SA is moved once
BY_HAND = 24            # SAs moved with ip xfrm, for comparison
# ARP, ICMPv6 (neighbours), and its reports of multicast groups (hop-by-hop options).
NEIGHBOURS = {"0x0806", 58, 0}
SLOWED = "4894932d6fe04a12a27f5d84f25583a7"     # MESSAGE_ID_SLOWED


def routes(flows):
    """A TCP stream for each SA."""
    return [Route(f"{flow.spi:#x}", flow.inner_src, flow.inner_dst, *((None, PEER) if flow.direction == "out" else (PEER, None)))
            for flow in flows]


def check_rejected(wire, gateway):
    """A packet that the NIC has decrypted for an SA that left it before the stack had the packet fails its integrity check. The
    NIC counts these; no other packet may be refused."""
    found = rejected(gateway)
    orphaned = wire.nic.stats()["rx_orphaned"]
    print(f"refused: {found}, decrypted for an SA that had left the NIC: {orphaned}")
    check(set(found) <= {"XfrmInStateProtoError", "integrity"}, f"packets refused: {found}")
    check(max(found.values(), default=0) <= orphaned, f"packets refused: {found}, of which {orphaned} are the NIC's")


def check_carried(wire):
    """The NIC's engine has worked, and found no packet wrong."""
    stats = wire.nic.stats()
    check(stats["tx_encrypted"] > 100 and stats["rx_decrypted"] > 100, f"the NIC encrypted and decrypted too little: {stats}")
    check_equal(stats["rx_bad_icv"], 0, "packets whose ICV the NIC found wrong")


def configured(text, **options):
    return text.replace("nsim0", "espsim0") + "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in options.items())


@timeout(300)
def case_espsim_moves():
    """SAs of a NIC that encrypts are moved hundreds of times under datagrams and TCP: no stream breaks, no sequence number is used
    twice, nothing leaves in clear, and few packets are lost"""
    gateway = xfrm.mib()
    wire = EspsimWire(PAIRS, RATE)
    acquires = Acquires()
    capture = wire.capture()
    wire.start_traffic()
    streams = Streams(routes(wire.flows), STREAM_RATE)
    time.sleep(QUIET_SECONDS)
    quiet, begin = totals(streams.counts()), time.monotonic()
    turns = Turns(wire)
    moves = turns.start() + turns.run(TURNS)
    service.stop()
    busy, elapsed = totals(streams.counts()), time.monotonic() - begin
    streams.stop()
    after = wire.rest()
    by_daemon = row("espoffloadd", moves, (0, 0), after)
    for name, (arrived, again), seconds in (("without moves", quiet, QUIET_SECONDS),
                                            ("with moves", (busy[0] - quiet[0], busy[1] - quiet[1]), elapsed)):
        print(f"TCP {name}: {arrived / seconds:.0f} bytes/s, {again / seconds:.2f} segments sent again per second")
    # Streams and datagrams of an SA are sent by two CPUs, which overtake each other also without moves.
    on_wire(capture, NEIGHBOURS)
    check_rejected(wire, gateway)
    check_carried(wire)
    check_equal(acquires.count(), 0, "ACQUIREs while the daemon moved SAs")
    check(moves >= 200, f"only {moves} moves")

    compare_with_hand(wire, BY_HAND, by_daemon, after)


@timeout(120)
def case_espsim_link_down():
    """The link goes down while the NIC encrypts: the SAs are back in software with numbers that were not used, and TCP goes on"""
    gateway = xfrm.mib()
    wire = EspsimWire(PAIRS, RATE)
    capture = wire.capture()
    wire.start_traffic()
    streams = Streams(routes(wire.flows), STREAM_RATE)
    service.start(configured(fast()) + "rules:\n  - offload: always\n")
    everything = {flow.spi for flow in wire.flows}
    for _ in range(2):
        wait_until(lambda: xfrm.offloaded("espsim0") == everything, 40, "all SAs to be in the NIC")
        time.sleep(2)
        ip("link set espsim0 down")
        wait_until(lambda: {sa.spi for sa in xfrm.sas() if not sa.device and not sa.larval} == everything, 20,
                   "all SAs to be back in software")
        ip("link set espsim0 up")
        wire.pair.connect()
    arrived = wire.arrived()
    wait_until(lambda: all(count > arrived[spi] for spi, count in wire.arrived().items()), 30, "packets of every SA")
    service.stop()
    streams.stop()
    wire.rest()
    on_wire(capture, NEIGHBOURS)
    check_rejected(wire, gateway)
    check_carried(wire)


@timeout(120)
def case_espsim_late():
    """A driver that frees its rule late decrypts for SAs that have left: by itself the daemon takes out only quiet ones, and the NIC
    is not distrusted for those that an operator takes out"""
    wire = EspsimWire(2, RATE)
    nic = wire.nic
    nic.profile("mlx5-crypto")
    nic.set(rx_slots=1, release=2, release_ms=1500)
    first, second = IN, IN + 1
    before = xfrm.mib()["XfrmInStateProtoError"]
    wire.start_traffic({first: 40})
    since = service.start(configured(fast()))
    wait_until(lambda: xfrm.offloaded("espsim0") >= {first}, 30, "the first SA to be in the NIC")
    wire.plan({first: 40, second: 160})

    def second_is_busier():
        # A rate is null until it is known.
        slower, faster = (listed()[spi]["bytesPerSecond"] or 0 for spi in (first, second))
        return faster > 3 * slower > 0

    wait_until(second_is_busier, 20, "the second SA to be the busier one")
    time.sleep(6)
    check(first in xfrm.offloaded("espsim0"), "an SA left the NIC although it carries packets")
    wire.plan({second: 160})
    wait_until(lambda: second in xfrm.offloaded("espsim0"), 60, "the second SA to have the slot of the quiet one")
    check_equal(xfrm.mib()["XfrmInStateProtoError"] - before, 0, "packets that failed their integrity check")
    integrity = xfrm.by_spi()[first].integrity_errors

    missing = wire.counts("in")[1]
    service.ctl("evacuate", "espsim0")
    wait_until(lambda: not xfrm.offloaded("espsim0"), 20, "the NIC to be empty")
    time.sleep(4)
    lost = wire.counts("in")[1] - missing
    failed = xfrm.by_spi()[second].integrity_errors + xfrm.by_spi()[first].integrity_errors - integrity
    print(f"evacuated under traffic: {lost} packets lost, {failed} of them failed their integrity check")
    check(0 < failed <= 160 * 2, f"{failed} packets failed their integrity check in the 1.5 s in which the NIC went on decrypting")
    time.sleep(3)
    shown = service.ctl_json("status")["nics"][0]
    check_equal(shown["trusted"], True, "trust in the NIC afterwards")
    check(not [text for text in journal.messages(since) if "integrity" in text], "the journal blames the NIC for them")
    wire.rest()


@timeout(150)
def case_espsim_slots_late():
    """Slots that are released seconds after a deletion answer ENOSPC meanwhile; the daemon does not take the NIC for a smaller one"""
    rates = [40, 38, 36, 4, 3, 2]
    wire = EspsimWire(len(rates), 0)
    nic = wire.nic
    nic.set(tx_slots=3, rx_slots=3, release=2, release_ms=2500)

    def planned(numbers):
        return {base + number: rate for base in (OUT, IN) for number, rate in zip(numbers, rates)}

    wire.start_traffic(planned([0, 1, 2, 3, 4, 5]))
    service.start(configured(fast()))
    for numbers in ([0, 1, 2, 3, 4, 5], [3, 4, 5, 0, 1, 2]):
        wire.plan(planned(numbers))
        hot = {base + number for base in (OUT, IN) for number in numbers[:3]}
        wait_until(lambda: xfrm.offloaded("espsim0") == hot, 60, "the SAs that are hot now to be in the NIC")
    check(nic.stats()["sa_full"] > 0, "no addition found the table full")
    # What was learned from a slot that was not free yet is corrected by now.
    time.sleep(10)
    check_equal(service.ctl_json("status")["nics"][0]["capacity"], {"shared": False, "in": 3, "out": 3}, "capacity of the NIC")
    check_equal(xfrm.offloaded("espsim0"), hot, "SAs in the NIC")
    wire.rest()


@timeout(150)
def case_espsim_ranks():
    """Counters that the driver refreshes every 3 s do not make SAs change places (it can be late in Linux 6.9 and later)"""
    rates = [80, 40, 20, 10]
    wire = EspsimWire(len(rates), 0)
    wire.nic.set(tx_slots=2, rx_slots=2, counters_lag_ms=3000)
    wire.start_traffic({base + number: rate for base in (OUT, IN) for number, rate in enumerate(rates)})
    service.start(configured(ENFORCE))
    hot = {base + number for base in (OUT, IN) for number in (0, 1)}
    wait_until(lambda: xfrm.offloaded("espsim0") == hot, 60, "the busiest SAs to be in the NIC")
    time.sleep(40)
    moves = service.ctl_json("status")["moves"]
    # Some SA may be put in before all rates are known.
    check(moves["promoted"] <= len(hot) + 2, f"SAs changed places: {moves}")
    check_equal(xfrm.offloaded("espsim0"), hot, "SAs in the NIC")
    wire.rest()


@timeout(200)
def case_espsim_slower():
    """A NIC that is slower than software is found out by a TCP stream that adapts to it, and left"""
    wire = EspsimWire(PAIRS, 5)
    wire.nic.set(packets_per_second=60)
    victim = wire.flows[0]
    wire.start_traffic()
    streams = Streams(routes([victim]))
    never = "".join(f"  - match: {{reqid: {flow.reqid}}}\n    offload: never\n" for flow in wire.flows[1:])
    since = service.start(configured(ENFORCE) + "rules:\n" + never)
    begin = time.monotonic()
    wait_until(lambda: victim.spi in xfrm.offloaded("espsim0"), 60, "the SA of the stream to be in the NIC")
    promoted = time.monotonic()
    told = wait_until(lambda: [entry for entry in journal.entries(since) if entry.get("MESSAGE_ID") == SLOWED], 120,
                      "the NIC to be found out")
    print(f"promoted after {promoted - begin:.0f} s, found out {time.monotonic() - promoted:.0f} s later: {told[0]['MESSAGE']}")
    check(victim.spi not in xfrm.offloaded("espsim0"), "the SA is in the NIC that slows it down")
    streams.stop()
    wire.rest()
