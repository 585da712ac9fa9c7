# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine in FIPS mode: keys go only to NICs that the configuration declares to be inside the boundary."""

import time

from lib import journal, service, xfrm
from lib.case import check, check_equal, timeout
from lib.daemon import ENFORCE, listed
from lib.sh import wait_until
from lib.world import World

ROOT = "fips"


@timeout(180)
def case_fips():
    """In FIPS mode no SA goes into an allowed and trusted NIC without fips: true, and status says so"""
    world = World()
    world.start_traffic()
    world.wait_for_traffic()
    service.start(ENFORCE)
    wait_until(lambda: all(sa["bytesPerSecond"] is not None for sa in listed().values()), 20, "the rates of all SAs")
    time.sleep(3)
    check_equal(xfrm.offloaded(), set(), "offloaded SAs")
    status = service.ctl_json("status")
    check(status["fips"], "status does not show FIPS mode")
    nic = next(nic for nic in status["nics"] if nic["name"] == "nsim0")
    check_equal(nic["reason"], "nic-fips", "reason of the NIC")
    check_equal({sa["reason"] for sa in listed().values()}, {"nic-fips"}, "reasons of the SAs")
    service.stop()
    service.start(ENFORCE + "    fips: true\n")
    wait_until(lambda: len(xfrm.offloaded("nsim0")) >= 20, 30, "SAs in the NIC inside the boundary")
    world.stop_traffic()
