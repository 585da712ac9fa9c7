# SPDX-License-Identifier: GPL-2.0-or-later
"""When a NIC goes down its SAs are lost, and the daemon restores them; before planned work a NIC can be emptied."""

import time

from lib import journal, nsim, service, xfrm
from lib.case import check, check_equal, timeout
from lib.daemon import Continuity, agree, fast, listed, wait_full
from lib.sh import attempt, ip, ip_batch, wait_until
from lib.world import World, shuffled

# Fills the slots quickly: these cases begin with a full NIC.
FAST = fast("1s", 50)
# Restored outbound SAs skip at least this many sequence numbers since the last sample; fewer may remain after that.
JUMP = 1 << 15
# The promise is 100 ms after the event; the limit here is larger because the host may be busy.
RESTORED_SECONDS = 10


def full_world(configuration=FAST):
    """A world whose NIC the daemon has filled, with traffic through all SAs. Returns it and a cursor from before the start."""
    world = World()
    world.start_traffic(out_order=shuffled(24, 1), in_order=shuffled(24, 2), pps=300)
    world.wait_for_traffic()
    since = service.start(configuration)
    wait_full()
    return world, since


class Fall:
    """What SAs may lose when a link goes down: changes since the daemon's last sample, but no sequence number may be used twice.

    The daemon is paused, so that the content of the NIC does not change until the link goes down.
    """

    def __init__(self):
        service.ctl("pause")
        self.sampled = xfrm.by_spi()
        # At least one sample must be newer than `sampled`.
        time.sleep(2.5)
        self.before = xfrm.by_spi()
        self.in_nic = {spi for spi, sa in self.before.items() if sa.device}
        self.since = journal.cursor()

    def check_restored(self, spis):
        after = xfrm.by_spi()
        for spi in spis:
            old, last, new = self.sampled[spi], self.before[spi], after[spi]
            check(not new.larval, f"SA {spi:#x} has no keys")
            check_equal((new.src, new.dst, new.reqid, new.mode, new.add_time), (old.src, old.dst, old.reqid, old.mode, old.add_time),
                        f"identity and birth of SA {spi:#x}")
            for name in ("bytes", "packets", "seq", "use_time"):
                check(getattr(new, name) >= getattr(old, name),
                      f"{name} of SA {spi:#x} went from {getattr(old, name)} to {getattr(new, name)}")
            if spi < 0x200:
                check(new.oseq > last.oseq, f"SA {spi:#x}: sequence number {last.oseq} before, {new.oseq} after")
                check(new.oseq - last.oseq >= JUMP, f"SA {spi:#x}: sequence number {last.oseq} before, only {new.oseq} after")

    def wait_restored(self, expected=None):
        """Wait until these SAs (default: all) are in software and the others are gone; returns the seconds it took."""
        expected = set(self.before) if expected is None else expected
        begin = time.monotonic()

        def back():
            now = xfrm.by_spi()
            return set(now) == expected and not any(sa.device for sa in now.values())
        wait_until(back, RESTORED_SECONDS, f"{len(expected & self.in_nic)} SAs to be back in software", interval=0.02)
        print(f"seen back {(time.monotonic() - begin) * 1e3:.0f} ms after the command's end")

    def told(self):
        """Waits for the daemon's message about it."""
        text = journal.wait_for("back in software after", self.since)
        print(f"the daemon: {text}", flush=True)
        return text


def link_up_again(world):
    ip(f"link set {world.nic.name} up")
    world.nic.raise_carrier()
    world.connect()


@timeout(240)
def case_link_down():
    """All SAs of a NIC whose link goes down are restored in software; when it is up again they are moved in; a deleted one stays
    deleted"""
    world, _ = full_world()
    fall = Fall()
    check_equal(len(fall.in_nic), nsim.CAPACITY, "SAs in the NIC")
    ip("link set nsim0 down")
    fall.wait_restored()
    fall.check_restored(fall.in_nic)
    check(f" {nsim.CAPACITY} back in software" in fall.told(), "not all are said to be back")
    check_equal(world.nic.table().count, 0, "entries of the driver")

    link_up_again(world)
    service.ctl("resume")
    arrived = world.received()
    wait_full()
    agree(world)

    def all_arrive():
        now = world.received()
        return all(now[spi]["packets"] > arrived[spi]["packets"] for spi in arrived)
    wait_until(all_arrive, 30, "packets through every restored inbound SA")

    # A deletion by the IKE daemon right before the link goes down must hold.
    fall = Fall()
    gone = sorted(fall.in_nic)[::4]
    states = [world.flow(spi) for spi in gone]
    ip_batch([f"xfrm state delete src {flow.src} dst {flow.dst} proto esp spi {flow.spi:#x}" for flow in states]
             + ["link set nsim0 down"])
    fall.wait_restored(set(fall.before) - set(gone))
    fall.check_restored(fall.in_nic - set(gone))
    fall.told()
    for _ in range(4):
        time.sleep(1)
        check(not set(gone) & set(xfrm.by_spi()), "a deleted SA came back")
    check(not set(gone) & set(listed()), "a deleted SA is listed")
    world.stop_traffic()


@timeout(240)
def case_link_down_choice():
    """on-link-down: restore-outbound restores no inbound SA, leave restores none"""
    world, _ = full_world(FAST + "on-link-down: restore-outbound\n")
    fall = Fall()
    inbound = {spi for spi in fall.in_nic if spi > 0x200}
    check(inbound and inbound != fall.in_nic, "the NIC does not hold SAs of both directions")
    ip("link set nsim0 down")
    fall.wait_restored(set(fall.before) - inbound)
    fall.check_restored(fall.in_nic - inbound)
    fall.told()

    service.reload(FAST + "on-link-down: leave\n")
    world.add_states([world.flow(spi) for spi in inbound])
    link_up_again(world)
    service.ctl("resume")
    wait_full()
    agree(world)
    fall = Fall()
    ip("link set nsim0 down")
    time.sleep(4)
    check_equal(set(xfrm.by_spi()), set(fall.before) - fall.in_nic, "SAs that are left")
    check_equal(set(listed()), set(fall.before) - fall.in_nic, "SAs listed")
    world.stop_traffic()


@timeout(180)
def case_nic_gone():
    """The SAs of a NIC that is moved to another network namespace, or whose driver is removed, are restored in software"""
    world, _ = full_world()
    if attempt("ip", "link", "set", "nsim0", "netns", "peer").returncode == 0:
        # There was no time to record the state before; wait_restored() of the next turn starts from this one.
        wait_until(lambda: len(xfrm.by_spi()) == 48 and not xfrm.offloaded(), RESTORED_SECONDS, "all SAs to be back in software")
        check_equal({spi for spi, sa in xfrm.by_spi().items() if sa.larval}, set(), "SAs without keys")
        ip("link set nsim0 netns 1", netns="peer")
        link_up_again(world)
        # Only outbound SAs: the redirection of inbound traffic into the device was deleted with the device.
        wait_until(lambda: len(xfrm.offloaded("nsim0")) >= 20, 40, "SAs in the NIC that came back")
    fall = Fall()
    world.nic.delete()
    fall.wait_restored()
    fall.check_restored(fall.in_nic)
    fall.told()
    check_equal(set(listed()), set(fall.before), "SAs listed")
    world.stop_traffic()


@timeout(180)
def case_evacuate():
    """evacuate empties a NIC and keeps it empty until resume; no SA is harmed"""
    world, _ = full_world()
    continuity = Continuity()
    check(attempt("espoffloadctl", "evacuate", "nsim7").returncode != 0, "a NIC that does not exist was evacuated")
    service.ctl("evacuate", "nsim0")
    wait_until(lambda: not xfrm.offloaded(), 40, "the NIC to be empty")
    continuity.check()
    for _ in range(5):
        check_equal(xfrm.offloaded(), set(), "SAs in the evacuated NIC")
        time.sleep(1)
    reasons = {sa["reason"] for sa in listed().values()}
    check("nic-evacuated" in reasons, f"no SA says that its NIC is evacuated, but {reasons}")
    # Planned work: if the NIC is empty, no SA is lost and none must be restored.
    since = journal.cursor()
    ip("link set nsim0 down")
    time.sleep(2)
    check_equal(set(xfrm.by_spi()), {flow.spi for flow in world.flows}, "SAs after the link was down")
    check(not [text for text in journal.messages(since) if "back in software after" in text], "something had to be restored")
    link_up_again(world)
    time.sleep(3)
    check_equal(xfrm.offloaded(), set(), "SAs in the evacuated NIC after its link came back")
    service.ctl("resume")
    wait_full()
    continuity.check()
    world.stop_traffic()
