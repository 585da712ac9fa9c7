# SPDX-License-Identifier: GPL-2.0-or-later
"""A NIC that slows an SA down. netdevsim cannot do this, so the senders simulate it: they halve the rate of an SA while it is in
the NIC."""

import time

from lib import journal, service, xfrm
from lib.case import check, check_equal, timeout
from lib.daemon import ENFORCE, Continuity, listed
from lib.sh import wait_until
from lib.world import World

RATE = 40       # packets per second of each SA
SLOWED = "4894932d6fe04a12a27f5d84f25583a7"     # MESSAGE_ID_SLOWED


class Throttle:
    """Halves the rate of one SA while it is in the NIC."""

    def __init__(self, world, victim):
        self.world, self.victim = world, victim
        self.halved = None      # not known yet

    def follow(self):
        halved = self.victim in xfrm.offloaded("nsim0")
        if halved != self.halved:
            self.world.plan("out", {flow.spi: RATE / 2 if halved and flow.spi == self.victim else RATE for flow in self.world.out})
            self.halved = halved
        return True


def blames(since):
    return [entry for entry in journal.entries(since) if entry.get("MESSAGE_ID") == SLOWED]


@timeout(240)
def case_slower():
    """An SA that a NIC slows down goes back to software, is compared there, and stays; no other SA is reported as slowed down"""
    world = World(out=12, inbound=0)
    victim = world.out[3].spi
    # The SAs that stay in software show by how much a busy host slows down everything.
    never = "".join(f"  - match: {{reqid: {flow.reqid}}}\n    offload: never\n" for flow in world.out[8:])
    throttle = Throttle(world, victim)
    throttle.follow()
    world.wait_for_traffic()
    since = service.start(ENFORCE + "rules:\n" + never)
    continuity = Continuity()

    def told():
        throttle.follow()
        return blames(since)
    # If the host was too busy for a result, the next doubt comes after a minute.
    blamed = wait_until(told, 150, "the NIC to be reported", interval=0.3)
    check_equal([int(entry["ESPOFFLOAD_SPI"], 16) for entry in blamed], [victim], "SAs that the NIC slowed down")
    print(blamed[0]["MESSAGE"])
    check_equal(blamed[0]["ESPOFFLOAD_REASON"], "slower", "reason")
    check_equal(listed()[victim]["reason"], "made-worse", "reason in list")
    explained = service.ctl("explain", f"{victim:#x}")
    check("in the NIC" in explained and "back in software" in explained, "explain does not tell the rates")
    for _ in range(8):
        throttle.follow()
        check(victim not in xfrm.offloaded("nsim0"), "the SA did not stay in software")
        time.sleep(1)
    continuity.check()
    check_equal(len(blames(since)), 1, "times that the NIC was blamed")
    world.stop_traffic()
