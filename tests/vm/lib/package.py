# SPDX-License-Identifier: GPL-2.0-or-later
"""The life of the Debian packages on a gateway with SAs in its NIC. /usr/lib/espoffload-tests/packages has what tools/package made."""

import os
import pathlib
import re

from lib import service, xfrm
from lib.case import check, check_equal
from lib.daemon import ENFORCE, Continuity, agree, listed
from lib.sh import attempt, run, wait_until
from lib.world import World

MADE = pathlib.Path("/usr/lib/espoffload-tests/packages")
OLDER = pathlib.Path("/run/older-packages")
NAMES = ("espoffloadd", "espoffloadd-metrics", "espoffloadd-dashboards")
# What apt and dpkg write for themselves, and what is no file of the system. Of /run, only the directories of the daemon are compared.
NOT_COMPARED = re.compile(r"/(dev|proc|sys|vm|tmp|root|run|var/(cache|log|lib/apt))(/|$)"
                          r"|/etc/(passwd|group|shadow|gshadow|subuid|subgid)-$|/etc/\.pwd\.lock$|.*/__pycache__(/|$)")


def files():
    """All paths of the system, and the lines of its files of users."""
    found = set()
    for directory, directories, names in os.walk("/"):
        directories[:] = [name for name in directories if not NOT_COMPARED.match(os.path.join(directory, name))]
        found |= {os.path.join(directory, name) for name in directories + names}
    found = {path for path in found if not NOT_COMPARED.match(path)} | {str(path) for path in pathlib.Path("/run").glob("espoffloadd*")}
    return found | {f"{path}: {line}" for path in ("/etc/passwd", "/etc/group") for line in pathlib.Path(path).read_text().splitlines()}


def apt(*arguments):
    """apt-get, which can ask nobody; returns its output. The guest has no network."""
    result = attempt("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y", "-o", "Dpkg::Use-Pty=0", *arguments, timeout=600)
    check_equal(result.returncode, 0, f"exit status of apt-get {' '.join(map(str, arguments))}: {result.stdout} {result.stderr}")
    return result.stdout + result.stderr


def make_older():
    """The same packages with a lower version."""
    OLDER.mkdir()
    for deb in MADE.glob("*.deb"):
        tree = OLDER / deb.stem
        run("dpkg-deb", "-R", deb, tree)
        control = tree / "DEBIAN" / "control"
        text = control.read_text()
        version = re.search("^Version: (.*)$", text, re.M)[1]
        control.write_text(text.replace(version, "0.0.1"))
        run("dpkg-deb", "-Znone", "-b", tree, OLDER / f"{deb.stem.partition('_')[0]}.deb")
        run("rm", "-r", tree)


def versions():
    return set(run("dpkg-query", "-W", "-f", "${Version}\n", *NAMES).split())


class Restarts:
    """The process of the daemon must change, and the SAs in the NIC must stay there and be recognized."""

    def __init__(self, world, placed):
        self.world, self.placed = world, placed
        self.pid = service.pid()
        self.continuity = Continuity()

    def check(self, what):
        service.wait_active()
        wait_until(lambda: attempt("espoffloadctl", "status").returncode == 0, 20, f"the daemon to answer after the {what}")
        check(service.pid() not in (0, self.pid), f"the {what} did not restart the daemon")
        self.pid = service.pid()
        check_equal(service.ctl_json("status")["mode"], "enforce", f"mode after the {what}")
        check_equal(agree(self.world), self.placed, f"SAs in the NIC after the {what}")
        check(not any(sa["state"] == "foreign" for sa in listed().values()), f"SAs became foreign in the {what}")
        self.continuity.check()


def life():
    """Install, configure, upgrade, downgrade, remove, install again, purge."""
    before = files()
    make_older()
    apt("install", *sorted(OLDER.glob("*.deb")))
    check_equal(versions(), {"0.0.1"}, "versions installed")
    run("python3", MADE / "service")
    check(service.CONFIGURATION.exists(), f"no {service.CONFIGURATION}")

    world = World(out=6, inbound=6)
    world.start_traffic()
    service.reload(ENFORCE)
    wait_until(lambda: len(xfrm.offloaded("nsim0")) == 12, 60, "12 SAs in the NIC")
    restarts = Restarts(world, agree(world))

    apt("install", *sorted(MADE.glob("*.deb")))
    check(versions() and "0.0.1" not in versions(), f"versions after the upgrade: {versions()}")
    restarts.check("upgrade")
    apt("install", "--allow-downgrades", *sorted(OLDER.glob("*.deb")))
    check_equal(versions(), {"0.0.1"}, "versions after the downgrade")
    restarts.check("downgrade")
    check_equal(service.CONFIGURATION.read_text(), ENFORCE, "the configuration after upgrade and downgrade")

    said = apt("remove", *NAMES)
    check("12 SAs stay in NICs" in said, f"the removal does not say that SAs stay in NICs: {said}")
    check(not service.active() and not pathlib.Path("/usr/sbin/espoffloadd").exists(), "the removal left the daemon")
    check_equal(xfrm.offloaded("nsim0"), restarts.placed, "SAs in the NIC after the removal")
    restarts.continuity.check()
    apt("install", *sorted(MADE.glob("*.deb")))
    restarts.check("second installation")

    service.ctl("evacuate", "nsim0")
    wait_until(lambda: not xfrm.offloaded(), 60, "the NIC to be empty")
    said = apt("purge", *NAMES)
    check("stay in NICs" not in said, f"the purge speaks of SAs in NICs, and there are none: {said}")
    restarts.continuity.check()
    world.stop_traffic()
    run("rm", "-r", OLDER)
    after = files()
    check(not after - before, f"left after the purge: {sorted(after - before)}")
    check(not before - after, f"gone after the purge: {sorted(before - after)}")
    check_equal(attempt("systemctl", "is-active", "espoffloadd-metrics.socket").stdout.strip(), "inactive", "the socket after the purge")
