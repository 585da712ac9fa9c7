# SPDX-License-Identifier: GPL-2.0-or-later
"""The main job: 48 SAs, one NIC with 33 slots, traffic by Zipf's law, and the daemon as its service."""

import re
import time

from lib import journal, nsim, service, xfrm
from lib.case import check, check_equal, timeout
from lib.daemon import ENFORCE, Continuity, agree, listed, wait_for_hot
from lib.sh import attempt, ip, wait_until
from lib.world import World, shuffled


@timeout(240)
def case_main_job():
    """The hottest SAs are moved into the NIC, and the slots follow when the hot set changes"""
    world = World()
    before = xfrm.mib()
    planned = world.start_traffic(out_order=shuffled(24, 1), in_order=shuffled(24, 2))
    world.wait_for_traffic()
    continuity = Continuity()
    service.start(ENFORCE)
    in_nic = wait_for_hot(world, planned, 10)       # with a sampling interval of one second
    check(len(in_nic) <= nsim.CAPACITY, f"{len(in_nic)} SAs in the NIC")
    wait_until(lambda: len(xfrm.offloaded("nsim0")) == nsim.CAPACITY, 20, "the NIC to be full")
    continuity.check()

    planned = world.swap(out_order=shuffled(24, 3), in_order=shuffled(24, 4))
    wait_for_hot(world, planned, 60)
    continuity.check()

    status = service.ctl_json("status")
    check_equal(status["mode"], "enforce", "mode")
    nic = next(nic for nic in status["nics"] if nic["name"] == "nsim0")
    check(nic["allowed"] and nic["trusted"], "nsim0 is not shown as allowed and trusted")
    check_equal(nic["capacity"]["total"], nsim.CAPACITY, "capacity")
    check(status["moves"]["promoted"] >= nsim.CAPACITY, "promotions are not counted")
    check(status["moves"]["evicted"] > 0, "evictions are not counted")
    check_equal(status["moves"]["refused"] + status["moves"]["failed"], 0, "refused and failed moves")

    # The moves must have no visible effect: no ACQUIRE, no replayed or broken packet.
    after = xfrm.mib()
    for name in ("XfrmInStateSeqError", "XfrmInStateProtoError", "XfrmOutStateSeqError", "XfrmInStateModeError"):
        check_equal(after[name], before[name], name)
    continuity.check()
    world.stop_traffic()


@timeout(180)
def case_untrusted():
    """A second NIC, allowed but not trusted or trusted but not allowed, never gets an SA; without a configuration there is no
    offload"""
    world = World()
    other = nsim.Netdevsim(1)
    ip("address add 10.7.0.1/24 dev nsim1")
    for number in range(4):
        peer = f"10.7.0.{10 + number}"
        ip(f"neighbour replace {peer} lladdr 02:00:00:00:00:02 nud permanent dev nsim1")
        xfrm.add_state("10.7.0.1", peer, 0x401 + number, 0x401 + number, xfrm.gcm_key())
        ip("xfrm policy add " + xfrm.policy_words("10.7.0.1/32", peer + "/32", "out", "10.7.0.1", peer, 0x401 + number))
    world.start_traffic()
    for allow, trusted in ((True, False), (False, True)):
        service.start(ENFORCE + f"""
  - match: {{name: nsim1}}
    allow: {str(allow).lower()}
    trusted: {str(trusted).lower()}
rules:
  - match: {{dst: 10.7.0.0/24}}
    offload: always
""")
        wait_until(lambda: len(xfrm.offloaded("nsim0")) >= 20, 30, "SAs in the trusted NIC")
        check_equal(other.table().count, 0, "SAs in the NIC that is not allowed and trusted")
        reason = "nic-not-trusted" if allow else "nic-not-allowed"
        check_equal(listed()[0x401]["reason"], reason, "reason of an SA that leaves by it")
        service.stop()
    service.CONFIGURATION.unlink()
    world.to_software_by_hand(world.flows)
    service.start()
    time.sleep(5)
    check_equal(xfrm.offloaded(), set(), "offloaded SAs without a configuration")
    check_equal(service.ctl_json("status")["mode"], "observe", "mode without a configuration")
    world.stop_traffic()


@timeout(120)
def case_rules():
    """offload: never keeps the hottest SA in software, offload: always keeps an idle one in the NIC"""
    world = World()
    order = list(range(24))
    world.start_traffic(out_order=order[:-1], in_order=order)
    world.wait_for_traffic()
    never, always = world.out[0], world.out[23]
    service.start(ENFORCE + f"""
rules:
  - match: {{reqid: {never.reqid}}}
    offload: never
  - match: {{dst: {always.dst}}}
    offload: always
""")
    wait_until(lambda: len(xfrm.offloaded("nsim0")) == nsim.CAPACITY, 40, "the NIC to be full")
    for _ in range(5):
        in_nic = xfrm.offloaded("nsim0")
        check(never.spi not in in_nic, "the SA of offload: never is in the NIC")
        check(always.spi in in_nic, "the SA of offload: always is not in the NIC")
        time.sleep(1)
    check_equal(listed()[never.spi]["reason"], "banned", "reason of offload: never")
    check_equal(listed()[always.spi]["reason"], "pinned", "reason of offload: always")
    world.stop_traffic()


@timeout(120)
def case_refused():
    """SAs that the driver refuses (ESN, an ICV of 64 bits) still work in software, and the driver's reason is shown"""
    World(out=0, inbound=0)
    shapes = {0x301: dict(extra="flag esn"), 0x302: dict(icv=64), 0x303: {}}
    for spi, options in shapes.items():
        peer = f"10.9.2.{spi & 0xff}"
        ip(f"neighbour replace {peer} lladdr 02:00:00:00:00:01 nud permanent dev nsim0")
        xfrm.add_state("10.9.0.1", peer, spi, spi, xfrm.gcm_key(), **options)
        ip("xfrm policy add " + xfrm.policy_words("10.9.0.1/32", peer + "/32", "out", "10.9.0.1", peer, spi))
    since = service.start(ENFORCE)

    def ping():
        for spi in shapes:
            attempt("ping", "-c", "20", "-i", "0.01", "-W", "0.01", "-q", f"10.9.2.{spi & 0xff}")
        return True

    def refused():
        ping()
        told = listed()
        return all(told[spi]["state"] == "refused" for spi in (0x301, 0x302)) and told[0x303]["placement"] == "nic"
    wait_until(refused, 40, "two SAs refused and one taken")
    before = xfrm.by_spi()
    ping()
    after = xfrm.by_spi()
    for spi in shapes:
        check(after[spi].oseq > before[spi].oseq, f"SA {spi:#x} does not send")
        check(after[spi].packets >= after[spi].oseq > 0, f"SA {spi:#x}: {after[spi].packets} packets, sequence {after[spi].oseq}")
    for spi in (0x301, 0x302):
        check_equal(after[spi].device, None, f"device of SA {spi:#x}")
        told = listed()[spi]
        check(re.search("offload|netdevsim", told["text"], re.I), f"no reason of the driver: {told['text']!r}")
        entries = [e for e in journal.entries(since) if e.get("ESPOFFLOAD_SPI") == f"0x{spi:08x}" and e.get("ESPOFFLOAD_DRIVER_TEXT")]
        check(entries, f"no journal entry with the driver's words about SA {spi:#x}")
    check(service.ctl_json("status")["moves"]["refused"] >= 2, "refusals are not counted")


@timeout(120)
def case_foreign():
    """SAs offloaded by another program are counted and not moved, and their slots are not used in plans"""
    world = World()
    foreign = world.flows[:2] + world.flows[-2:]
    world.offload_by_hand(foreign)
    # Traffic for all SAs except the foreign ones: these are cold and would be evicted first.
    cold = {flow.spi for flow in foreign}
    for direction, flows in (("out", world.out), ("in", world.inbound)):
        busy = [flow.spi for flow in flows if flow.spi not in cold]
        rates = {spi: 30.0 / (1 + number) + 2 for number, spi in enumerate(busy)}
        world.plan(direction, rates)
    service.start(ENFORCE)
    wait_until(lambda: len(xfrm.offloaded("nsim0")) == nsim.CAPACITY, 40, "the NIC to be full")
    time.sleep(5)
    check(cold <= xfrm.offloaded("nsim0"), "a foreign SA was moved")
    told = listed()
    for spi in cold:
        check_equal(told[spi]["state"], "foreign", f"state of SA {spi:#x}")
    nic = next(nic for nic in service.ctl_json("status")["nics"] if nic["name"] == "nsim0")
    check_equal(nic["foreign"]["total"], 4, "foreign SAs counted")
    check_equal(nic["used"]["total"], nsim.CAPACITY, "slots used")
    world.stop_traffic()


def check_history(placed, begin):
    """The moves of all runs since then are shown: each SA in the NIC was promoted, with its numbers."""
    moves = service.ctl_json("history", "--since", f"@{begin}")["history"]
    promoted = {int(move["spi"], 16): move for move in moves if move["action"] == "promoted"}
    check(placed <= set(promoted), f"{len(placed - set(promoted))} SAs in the NIC without a promotion in the history")
    for spi in placed:
        move = promoted[spi]
        check_equal((move["from"], move["to"]), ("software", "nsim0"), f"move of SA {spi:#x}")
        check(move["bytesPerSecond"] > 0 and move["reason"] and "bit/s" in move["text"], f"no numbers: {move}")
    spi = min(placed)
    lines = service.ctl("history", f"{spi:#x}", "--since", f"@{begin}").splitlines()
    check("REASON" in lines[0] and all(f"0x{spi:08x}" in line for line in lines[1:]), f"history of one SA: {lines}")


@timeout(180)
def case_restart():
    """Stopped, restarted or killed, the daemon leaves every SA where it is and recognizes the SAs that it offloaded"""
    world = World()
    world.start_traffic()
    world.wait_for_traffic()
    begin = int(time.time())
    service.start(ENFORCE)
    wait_until(lambda: len(xfrm.offloaded("nsim0")) == nsim.CAPACITY, 40, "the NIC to be full")
    time.sleep(3)
    continuity = Continuity()
    placed = agree(world)
    service.stop()
    check_equal(xfrm.offloaded("nsim0"), placed, "SAs in the NIC after stopping")
    service.start()
    told = listed()
    check(not any(sa["state"] == "foreign" for sa in told.values()), "its own SAs became foreign after a restart")
    check_equal({spi for spi, sa in told.items() if sa["placement"] == "nic"}, placed, "SAs in the NIC after the restart")
    service.kill()
    wait_until(lambda: service.active() and attempt("espoffloadctl", "status").returncode == 0, 20, "the daemon to come back")
    check(not any(sa["state"] == "foreign" for sa in listed().values()), "its own SAs became foreign after a crash")
    check_history(placed, begin)
    continuity.check()
    planned = world.swap(out_order=shuffled(24, 5), in_order=shuffled(24, 6))
    wait_for_hot(world, planned, 90)
    continuity.check()
    world.stop_traffic()


@timeout(180)
def case_churn_of_sas():
    """SAs are deleted and added while the daemon works: no other SA is affected, and no deleted one comes back"""
    world = World()
    world.start_traffic()
    world.wait_for_traffic()
    service.start(ENFORCE)
    time.sleep(3)
    for turn in range(12):
        some = world.flows[turn::12]
        world.delete_states(some)
        gone = {flow.spi for flow in some}
        time.sleep(0.7)
        check(not gone & set(xfrm.by_spi()), "a deleted SA came back")
        if turn % 3 == 0:
            world.swap(out_order=shuffled(24, turn), in_order=shuffled(24, turn + 50))
        world.add_states(some)
    planned = world.swap()
    wait_for_hot(world, planned, 60)
    check_equal(set(listed()), {flow.spi for flow in world.flows}, "SAs listed")
    check(service.active(), "the daemon died")
    check_equal(service.show("NRestarts"), "0", "restarts of the daemon")
    world.stop_traffic()


@timeout(150)
def case_reload_and_pause():
    """A bad reload keeps the old rules; a pause stops moves, also after a crash; a NIC that loses its trust is emptied also
    during a pause; SIGHUP loads nothing while a configuration is on trial"""
    world = World()
    world.start_traffic()
    world.wait_for_traffic()
    service.start(ENFORCE)
    wait_until(lambda: len(xfrm.offloaded("nsim0")) == nsim.CAPACITY, 40, "the NIC to be full")
    since = journal.cursor()
    service.configure("mode: enforce\nnic: 3\n")
    result = attempt("espoffloadctl", "reload")
    check_equal(result.returncode, 4, "exit status of a bad reload")
    check("unknown key 'nic'" in result.stdout + result.stderr, "the reload does not say what is wrong")
    check_equal(attempt("espoffloadctl", "check-config", service.CONFIGURATION).returncode, 4, "exit status of check-config")
    journal.wait_for("not loaded", since)
    service.ctl("pause")
    check(service.ctl_json("status")["paused"], "not paused")
    before = agree(world)
    world.swap(out_order=shuffled(24, 7), in_order=shuffled(24, 8))
    time.sleep(8)
    check_equal(xfrm.offloaded("nsim0"), before, "SAs in the NIC while paused")
    service.configure(ENFORCE)
    service.kill()
    wait_until(lambda: service.active() and attempt("espoffloadctl", "status").returncode == 0, 20, "the daemon to come back")
    check(service.ctl_json("status")["paused"], "not paused any more after a crash")
    time.sleep(4)
    check_equal(xfrm.offloaded("nsim0"), before, "SAs in the NIC after a crash while paused")
    service.ctl("resume")
    wait_until(lambda: xfrm.offloaded("nsim0") != before, 30, "moves after resume")
    service.ctl("pause")
    continuity = Continuity()
    service.configure(ENFORCE.replace("trusted: true", "trusted: false"))
    service.ctl("reload", "--try", "10min")
    wait_until(lambda: not xfrm.offloaded("nsim0"), 40, "the NIC that lost its trust to be empty")
    service.reload(ENFORCE)  # by SIGHUP
    journal.wait_for("was not read: a configuration is on trial", since)
    service.ctl("reload", "--confirm")
    check(service.ctl_json("status")["trial"] is None, "still on trial after it was confirmed")
    continuity.check()
    world.stop_traffic()


@timeout(90)
def case_observe():
    """In observe mode no SA is moved, and explain shows what enforce would do"""
    world = World()
    world.start_traffic()
    world.wait_for_traffic()
    service.start(ENFORCE.replace("enforce", "observe"))
    time.sleep(8)
    check_equal(xfrm.offloaded(), set(), "offloaded SAs")
    check("it would offload it" in service.ctl("explain", "0x101"), "explain does not tell what enforcing would do")
    world.stop_traffic()
