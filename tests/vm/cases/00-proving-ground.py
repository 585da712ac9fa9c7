# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtual machine itself: the simulated NIC has the table size, and the traffic the rates, that the other cases assume."""

import errno

from lib import xfrm
from lib.case import check, check_equal
from lib.nsim import CAPACITY, Netdevsim
from lib.sh import ip, wait_until
from lib.world import World, shuffled


def case_netdevsim_offload():
    """33 SAs fit into the simulated NIC, the 34th is refused with ENOSPC"""
    nic = Netdevsim()
    ip("address add 192.0.2.1/24 dev nsim0")
    check_equal(xfrm.try_state("192.0.2.1", "192.0.2.9", 0x100, 9), 0, "answer to an SA in software")
    for number in range(CAPACITY):
        xfrm.add_state("192.0.2.1", f"192.0.2.{10 + number}", 0x101 + number, 1 + number, xfrm.gcm_key(), offload=("nsim0", "out"))
    table = nic.table()
    check_equal(table.count, CAPACITY, "entries in the NIC")
    check_equal(table.spis, set(range(0x101, 0x101 + CAPACITY)), "SPIs in the NIC")
    check_equal(xfrm.offloaded("nsim0"), table.spis, "SPIs that the kernel shows as offloaded")
    error = xfrm.try_state("192.0.2.1", "192.0.2.99", 0x199, 99, offload=("nsim0", "out"))
    check_equal(errno.errorcode.get(error), "ENOSPC", "answer to the 34th SA")
    check_equal(nic.table().count, CAPACITY, "entries after the refusal")
    check(0x199 not in xfrm.by_spi(), "the refused SA exists")


def compare(world, planned, seconds=8, tolerance=0.25):
    """The SAs' byte rates must have the planned proportions; slow SAs, with few packets, may differ by some packets.

    Proportions and not rates are compared: on a busy host the guest may send less than planned.
    """
    measured = world.measure(seconds)
    size = world.payload_on_wire()
    scale = sum(measured[spi] for spi in planned) / sum(rate * size[spi] for spi, rate in planned.items())
    print(f"the guest managed {scale:.0%} of the planned traffic")
    check(scale > 0.05, f"the guest managed only {scale:.1%} of the planned traffic")
    wrong = []
    for spi, rate in sorted(planned.items()):
        expected = rate * size[spi] * scale
        good = abs(measured[spi] - expected) <= max(expected * tolerance, 3 * size[spi] / seconds)
        flow = world.flow(spi)
        print(f"{spi:#x} {flow.family} {flow.mode:9} expected {expected:9.0f} B/s, measured {measured[spi]:9.0f} B/s{'' if good else ' !'}")
        if not good:
            wrong.append(f"{spi:#x} expected {expected:.0f} B/s, measured {measured[spi]:.0f}")
    check(not wrong, f"{len(wrong)} of {len(planned)} SAs out of proportion: {'; '.join(wrong[:3])}")


def traffic(direction):
    """Checks the proportions in software, then with every second SA in the NIC, then with another hot set."""
    world = World(out=24 if direction == "out" else 0, inbound=24 if direction == "in" else 0)
    order = {direction + "_order": shuffled(24, 1)}
    planned = world.start_traffic(**order)
    world.wait_for_traffic()
    compare(world, planned)

    half = world.flows[::2]
    world.offload_by_hand(half)
    check_equal(world.nic.table().spis, {flow.spi for flow in half}, "SPIs in the NIC")
    sent = world.nic.table().tx
    compare(world, planned)
    if direction == "out":
        check(world.nic.table().tx > sent, "the NIC saw no packet of an offloaded SA")

    planned = world.swap(**{direction + "_order": shuffled(24, 2)})
    compare(world, planned)
    world.stop_traffic()
    return world


def case_traffic_out():
    """Outbound flows use their SAs at the planned rates, in software and offloaded"""
    traffic("out")


def case_traffic_in():
    """Inbound flows use their SAs at the planned rates, in software and offloaded, and arrive"""
    world = traffic("in")
    received = wait_until(world.received, 5, "the sink's counts")
    check_equal(set(received), {flow.spi for flow in world.inbound}, "SAs whose packets reached the sink")
