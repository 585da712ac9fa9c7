# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon is replaced by another version, as by a package manager: in the middle of its moves, and with files that it cannot read.

The other version is the same program with another version number. What is written differently by a version is imitated in the files.
"""

import os
import pathlib
import re
import signal
import struct
import time

from lib import journal, service, xfrm
from lib.case import check, check_equal, timeout
from lib.daemon import Continuity, fast, listed, sides, wait_full, wait_no_larval
from lib.sh import run, wait_until
from lib.world import World, shuffled

ROOT = "restarts"
FAST = fast()
UPGRADES = 50
OWNED = pathlib.Path("/run/espoffloadd/placed")
# The upper half of the first word of a rescue slot: "ESP" and the version.
COMMIT = struct.Struct("=II")
OTHER_SLOT = 0x45535002


class Versions:
    """The program of the service and one with another version, of which replace() installs the one that is not there."""

    def __init__(self):
        self.path = pathlib.Path(os.readlink(f"/proc/{service.pid()}/exe"))
        here = re.search(r"\d+\.\d+\.\d+", run(self.path, "--version"))[0]
        there = here[:-1] + ("8" if here[-1] != "8" else "9")
        content = self.path.read_bytes()
        check(here.encode() + b"\0" in content, "the version is not in the program")
        self.contents = {here: content, there: content.replace(here.encode() + b"\0", there.encode() + b"\0")}
        self.installed, self.other = here, there

    def replace(self):
        new = self.path.with_suffix(".new")
        new.write_bytes(self.contents[self.other])
        new.chmod(0o755)
        new.rename(self.path)
        self.installed, self.other = self.other, self.installed


def own():
    return {spi for spi, sa in listed().items() if sa["placement"] == "nic" and sa["state"] != "foreign"}


@timeout(420)
def case_upgrade():
    """Another version replaces the daemon fifty times in the middle of its moves, under traffic: no SA is lost or becomes foreign"""
    world = World()
    world.start_traffic(out_order=shuffled(24, 1), in_order=shuffled(24, 2), pps=200)
    world.wait_for_traffic()
    service.start(FAST)
    versions = Versions()
    wait_full()
    configurations = list(sides(world, FAST))
    continuity = Continuity()
    check_equal(len(continuity.before), 48, "SAs")
    amid = 0
    for turn in range(UPGRADES):
        side = turn % 2
        service.CONFIGURATION.write_text(configurations[side])
        versions.replace()
        goal = {flow.spi for flow in world.flows if flow.number % 2 != side}
        before = xfrm.offloaded("nsim0")
        os.kill(service.pid(), signal.SIGHUP)
        wait_until(lambda: xfrm.offloaded("nsim0") != before, 20, "the first move", interval=0.02)
        # At different places of the moves.
        time.sleep(turn * 0.07 % 0.4)
        amid += xfrm.offloaded("nsim0") != goal
        run("systemctl", "restart", service.UNIT)
        continuity.check()
        foreign = [hex(spi) for spi, sa in listed().items() if sa["state"] == "foreign"]
        check(not foreign, f"after the upgrade number {turn}, foreign: {foreign}")
        if turn % 10 < 2:
            check_equal(service.ctl_json("status")["version"], versions.installed, "version of the daemon that runs")
    print(f"{amid} of {UPGRADES} upgrades were in the middle of moves", flush=True)
    check(amid >= UPGRADES / 2, f"only {amid} of {UPGRADES} upgrades were in the middle of moves")
    check_equal(service.show("NRestarts"), "0", "restarts that systemd made by itself")
    service.configure(FAST)
    service.ctl("reload")
    wait_full(seconds=60)
    continuity.check()
    wait_no_larval()
    world.stop_traffic()


def slots():
    """The rescue slots that the service manager keeps, each as the path of its memory."""
    return [path for path in pathlib.Path("/proc/1/fd").iterdir() if "memfd:espoffloadd-rescue" in os.readlink(path)]


def write_commit(path, low, high):
    with open(path, "r+b", buffering=0) as memory:
        memory.write(COMMIT.pack(low, high))


@timeout(120)
def case_upgrade_unread():
    """What another version wrote is set aside with a message, and the daemon works: its list of SAs, and an SA in the rescue slot"""
    world = World()
    world.start_traffic(pps=200)
    world.wait_for_traffic()
    service.start(FAST)
    placed = wait_full()
    continuity = Continuity()
    service.stop()
    text = OWNED.read_text()
    OWNED.write_text(text.replace("espoffloadd-placed 1 ", "espoffloadd-placed 2 ", 1))
    since = service.start()
    check([line for line in journal.messages(since) if f"Cannot read {OWNED}" in line and "another version" in line],
          "the journal does not say that another version wrote the list of SAs")
    check_equal({spi for spi, sa in listed().items() if sa["state"] == "foreign"}, placed, "SAs that are foreign")
    # The file is there for the version that wrote it.
    kept = OWNED.with_name("placed.damaged")
    check_equal(kept.read_text(), text.replace("placed 1 ", "placed 2 ", 1), "the file that was set aside")
    service.stop()
    OWNED.write_text(text)
    service.start()
    check_equal(own(), placed, "SAs that the daemon knows as its own again")

    slot, = slots()
    write_commit(slot, 64, OTHER_SLOT)
    since = service.restart()
    check([line for line in journal.messages(since) if "Another version of espoffloadd ended" in line],
          "the journal does not say that there is an SA that only another version can put back")
    check_equal(len(slots()), 2, "rescue slots that the service manager keeps")
    check_equal(slot.read_bytes()[:COMMIT.size], COMMIT.pack(64, OTHER_SLOT), "the image of the other version")
    check_equal(own(), placed, "SAs that the daemon knows as its own")
    # The daemon moves SAs, with its own slot.
    service.reload(list(sides(world, FAST))[0])
    wait_until(lambda: xfrm.offloaded("nsim0") == {flow.spi for flow in world.flows if flow.number % 2}, 60, "the moves")
    continuity.check()
    # When that version has used its slot, nothing is left to complain about.
    write_commit(slot, 0, 0)
    since = service.restart()
    check(not [line for line in journal.messages(since) if "Another version" in line], "the journal still complains")
    continuity.check()
    world.stop_traffic()
