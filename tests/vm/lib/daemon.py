# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks of the daemon in a World: which SAs are in the NIC, and that no SA is harmed."""

import contextlib

from lib import nsim, service, xfrm
from lib.case import Failure, check, check_equal
from lib.sh import attempt, wait_until

ENFORCE = """
mode: enforce
interval: 1s
moves-burst: 66
nics:
  - match: {name: nsim0}
    allow: true
    trusted: true
"""
# The policy's margin: an SA that is hotter than one in the NIC by less than this waits longer.
MARGIN = 0.3
# The least rate of the SAs in the NIC, as a share of the rate of the hottest SAs that fit.
SHARE = 0.98


def fast(interval="500ms", moves_per_second=100):
    """ENFORCE with a short interval and many moves per second."""
    return ENFORCE.replace("interval: 1s", f"interval: {interval}\nmoves-per-second: {moves_per_second}")


def sides(world, configuration):
    """Two configurations with opposite SAs in the NIC: a reload from one to the other moves all of them."""
    for kept_out in (0, 1):
        never = "".join(f"  - match: {{reqid: {flow.reqid}}}\n    offload: never\n"
                        for flow in world.flows if flow.number % 2 == kept_out)
        yield configuration + "rules:\n" + never


def hottest(planned, capacity=nsim.CAPACITY):
    """The SPIs that must be in the NIC, from the planned rates of all, and the total rate of the hottest that fit."""
    rates = sorted(planned.values(), reverse=True)
    boundary = (rates[capacity - 1] + rates[capacity]) / 2
    return {spi for spi, rate in planned.items() if rate > boundary * (1 + MARGIN)}, sum(rates[:capacity])


def listed():
    """espoffloadctl list, by SPI."""
    return {int(sa["spi"], 16): sa for sa in service.ctl_json("list")["sas"]}


def agree(world):
    """The driver's table, the kernel's SAs and the daemon's list must agree; returns the SPIs in the NIC."""
    def same():
        kernel = xfrm.offloaded("nsim0")
        told = {spi for spi, sa in listed().items() if sa["placement"] == "nic"}
        driver = world.nic.table()
        return driver.spis == kernel == told and driver.count == len(kernel) and (kernel,)
    return wait_until(same, 10, "driver, kernel and daemon to agree")[0]


def wait_for_hot(world, planned, seconds):
    """Wait until the hottest SAs that fit are in the NIC and the others in software; returns the SPIs in the NIC."""
    hot, most = hottest(planned)
    in_nic = set()

    def share():
        return sum(planned.get(spi, 0) for spi in in_nic) / most

    def there():
        nonlocal in_nic
        in_nic = xfrm.offloaded("nsim0")
        return hot <= in_nic and share() >= SHARE
    try:
        wait_until(there, seconds, "the hottest SAs to be in the NIC and the others in software")
    except Failure as failure:
        for spi in hot - in_nic:
            service.ctl("explain", f"{spi:#x}")
        raise Failure(f"{failure}; missing {sorted(map(hex, hot - in_nic))}, share {share():.3f}") from None
    return agree(world)


def settled(expected=frozenset(), netns=None):
    """All SAs by SPI, if no SA is being moved and no expected SA is missing; else None.

    A dump may miss an SA that is moved during the dump: it is inserted at a position that the dump has already passed.
    """
    found = xfrm.by_spi(netns)
    return None if any(sa.larval for sa in found.values()) or expected - set(found) else found


def wait_settled(expected, netns=None):
    with contextlib.suppress(Failure):
        return wait_until(lambda: settled(expected, netns), 20, "the end of all moves")
    found = xfrm.by_spi(netns)
    attempt("ip", "-d", "-s", "xfrm", "state", "list", netns=netns)
    raise Failure(f"SAs gone: {sorted(map(hex, expected - set(found)))}, "
                  f"on their way for long: {sorted(hex(spi) for spi, sa in found.items() if sa.larval)}")


def wait_no_larval():
    """Wait until no larval SA is left, for less time than one needs to expire (30 s), when the kernel would notify the IKE daemon. The
    daemon may still be moving SAs."""
    wait_until(lambda: not any(sa.larval for sa in xfrm.by_spi().values()), 15, "the larval SAs to be gone")


class Continuity:
    """Sequence numbers, counters and times of every SA, which must not decrease, and all properties that must not change."""

    def __init__(self, netns=None):
        self.netns = netns
        self.before = wait_settled(frozenset(), netns)

    def check(self, gone=()):
        now = wait_settled(set(self.before) - set(gone), self.netns)
        for spi, old in self.before.items():
            if spi in gone:
                continue
            new = now[spi]
            for name in ("src", "dst", "reqid", "mode", "add_time", "limits", "replay_window", "flags"):
                check_equal(getattr(new, name), getattr(old, name), f"{name} of SA {spi:#x}")
            for name in ("bytes", "packets", "oseq", "seq", "use_time"):
                if name == "use_time" and old.use_time == 0:
                    continue
                check(getattr(new, name) >= getattr(old, name),
                      f"{name} of SA {spi:#x} went from {getattr(old, name)} to {getattr(new, name)}")
        self.before = now


def wait_full(count=nsim.CAPACITY, nic="nsim0", seconds=40):
    """Wait until the NIC holds as many SAs; returns their SPIs."""
    def full():
        found = xfrm.offloaded(nic)
        return len(found) == count and found
    return wait_until(full, seconds, f"{count} SAs in {nic}")
