# SPDX-License-Identifier: GPL-2.0-or-later
"""A NIC whose link flaps while the daemon fills it: it goes down in the middle of a burst of promotions, several times."""

import re
import time

from lib import journal, service, xfrm
from lib.capture import Capture
from lib.case import check, check_equal, timeout
from lib.daemon import listed
from lib.falls import ALL_IN, check_numbers, fall_while_busy, identities, wait_all_in
from lib.sh import wait_until
from lib.wire import Wire

ROOT = "restarts"
PAIRS = 16              # 32 SAs: one less than the number of slots
RATE = 20               # packets per second of each
FLAPS = 6
RESTORED_SECONDS = 5
# The NIC fills in one or two seconds, so that also a slow guest finds it half full.
SLOWLY = ALL_IN.replace("moves-per-second: 100\nmoves-burst: 66", "moves-per-second: 16\nmoves-burst: 1")


def flap(wire, turn, sas):
    """Sets the link down when some SAs are in the NIC and others are not yet. Returns how many were in it."""
    wanted = 1 + turn * 9 % (len(sas) - 2)
    wait_until(lambda: len(xfrm.offloaded("nsim0")) >= wanted, 20, f"{wanted} SAs in the NIC", interval=0)
    in_nic = len(xfrm.offloaded("nsim0"))
    if turn % 3 == 0:
        fall_while_busy(wire.nic)
    else:
        wire.nic.set_up(False)
    if turn % 2:
        wire.nic.set_up(True)
    wait_until(lambda: identities() == sas, RESTORED_SECONDS, f"all SAs to be back after flap {turn}", interval=0.05)
    wire.nic.set_up(True)
    wire.nic.raise_carrier()
    return in_nic


def check_words(since):
    """The journal reports every link down, and no SA that was not restored; status shows no problem."""
    entries = journal.entries(since)
    told = [re.search(r": (\d+) back in software after .*, (\d+) not", entry["MESSAGE"]) for entry in entries]
    told = [(int(found[1]), int(found[2])) for found in told if found]
    print(f"restored and not restored, by fall: {told}", flush=True)
    check(told, "the journal tells of no fall")
    check_equal(sum(lost for _, lost in told), 0, "SAs that are said not to be back")
    urgent = [entry["MESSAGE"] for entry in entries if int(entry.get("PRIORITY", 6)) <= 3]
    check(not urgent, f"urgent messages: {urgent[:3]}")
    moving = [hex(spi) for spi, sa in listed().items() if sa["state"] == "moving"]
    check(not moving, f"SAs that are still on their way: {moving}")


@timeout(300)
def case_flap():
    """The link goes down in the middle of bursts of promotions: no SA is lost, no number is used twice, no move stays unfinished"""
    wire = Wire(PAIRS, RATE, spi_in_templates=True)
    capture = Capture("vp2")
    wire.start_traffic()
    sas = identities()
    check_equal(len(sas), 2 * PAIRS, "SAs")
    check(SLOWLY != ALL_IN, "no pace to slow down")
    since = service.start(SLOWLY)
    filled = [flap(wire, turn, sas) for turn in range(FLAPS)]
    print(f"SAs in the NIC at each fall: {filled}", flush=True)
    check(sum(count < len(sas) for count in filled) >= FLAPS // 2, f"the link did not go down in the middle of bursts: {filled}")
    wait_all_in(len(sas))
    time.sleep(2)
    check_equal(identities(), sas, "SAs at the end")
    arrived = wire.arrived()
    wait_until(lambda: all(count > arrived[spi] for spi, count in wire.arrived().items()), 20, "packets of every SA")
    check_equal(len(arrived), len(sas), "SAs whose packets arrived")
    check_words(since)
    service.stop()
    wire.rest()
    check_numbers(capture, sas)
    check_equal(xfrm.mib("peer")["XfrmInStateProtoError"], 0, "broken packets at the peer")
