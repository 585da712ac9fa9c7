# SPDX-License-Identifier: GPL-2.0-or-later
"""libreswan (pluto) negotiates, rekeys and checks its peers; moves of its SAs must not affect it."""

import collections
import re

from lib import falls
from lib.case import timeout
from lib.ike import SIDES, IkeWorld, example, tunnels
from lib.sh import run, spawn, wait_until

ROOT = "libreswan"
LIBEXEC = "/usr/libexec/ipsec"

SETUP = """
config setup
    nssdir={directory}/nss
"""
# What is added to docs/examples/libreswan/ipsec.conf for the sake of the test.
TIMES = """
    pfs=no
    salifetime={life}s
    rekeymargin={margin}s
    rekeyfuzz=0%
    dpddelay=5
    dpdtimeout=30
    dpdaction=restart
"""


class Libreswan(IkeWorld):
    errors = (r"(?i)netlink response.*(error|errno)|ERROR:|FATAL|ASSERTION|EXPECTATION|initiate on.demand|kernel.*(fail|error)|"
              r"No such process|File exists|DPD.*timeout|liveness.*timed? ?out|unable to (add|delete|update)")

    def _configure(self, side):
        directory, gateway = self.directories[side], side == "gw"
        short = self.rekeying and gateway
        # Only the gateway rekeys, so that both do not rekey at the same time.
        times = TIMES.format(life=45 if short else 3600, margin=28 if short else 600)
        # The part of all connections once, and for each tunnel its connection, which is the last part of the example.
        texts = [text.replace("auto=start", "auto=ignore") for text in example("libreswan/ipsec.conf", side)]
        connections = [text[text.index("conn t"):].rstrip() + times for text in texts]
        text = SETUP.format(directory=directory) + texts[0][:texts[0].index("conn t")] + "\n".join(connections)
        (directory / "ipsec.conf").write_text(text)
        (directory / "ipsec.secrets").write_text("".join(
            f'@gw{tunnel} @peer{tunnel} : PSK "a long enough secret of tunnel {tunnel}"\n' for tunnel in tunnels()))
        (directory / "nss").mkdir(exist_ok=True)
        run("certutil", "-N", "-d", f"sql:{directory}/nss", "--empty-password")

    def _whack(self, side, *words):
        return run(f"{LIBEXEC}/whack", "--ctlsocket", self.directories[side] / "pluto.ctl", *words)

    def start_ike(self):
        for side, netns in SIDES.items():
            directory = self.directories[side]
            self._configure(side)
            spawn(f"{LIBEXEC}/pluto", "--nofork", "--config", directory / "ipsec.conf", "--rundir", directory,
                  "--secretsfile", directory / "ipsec.secrets", "--nssdir", directory / "nss", "--ipsecdir", directory,
                  "--logfile", directory / "log", netns=netns, output=directory / "output")
            wait_until((directory / "pluto.ctl").exists, 30, f"pluto of {side}")
            self._whack(side, "--listen")
            for tunnel in tunnels():
                run(f"{LIBEXEC}/addconn", "--ctlsocket", directory / "pluto.ctl", "--config", directory / "ipsec.conf", f"t{tunnel}")
        for tunnel in tunnels():
            self._whack("gw", "--initiate", "--name", f"t{tunnel}")

    def rekey_command(self, tunnel):
        return [f"{LIBEXEC}/whack", "--ctlsocket", self.directories["gw"] / "pluto.ctl", "--rekey-ipsec", "--name", f"t{tunnel}",
                "--asynchronous"]

    def ike_source(self):
        return f"pluto:{self.directories['gw']}/pluto.ctl"

    def children(self):
        text = self._whack("gw", "--trafficstatus")
        return dict(collections.Counter(int(tunnel) for tunnel in re.findall(r'"t(\d+)", type=ESP', text)))


@timeout(300)
def case_libreswan():
    """libreswan's tunnels are rekeyed under traffic while their SAs are moved: no duplicate, no lost tunnel, no error in its log"""
    Libreswan().go()


@timeout(300)
def case_libreswan_espsim():
    """The same in a NIC that encrypts: every tunnel's packets pass in it, and no packet is broken"""
    Libreswan(rekeying=False, encrypts=True).go()


class FallingLibreswan(Libreswan):
    # The kernel sends an ACQUIRE in the gap, and pluto negotiates one additional SA for the tunnel. It may also read an SA then.
    errors = (r"(?i)^(?!.*netlink response for Get SA \S+: No such process).*("
              + Libreswan.errors.removeprefix("(?i)").replace("initiate on.demand|", "") + ")")


@timeout(240)
def case_libreswan_link_down():
    """The NIC of libreswan's tunnels goes down several times: every SA is restored, no CHILD_SA is closed, no number is used
    twice"""
    # Each link down may cause 8 additional SAs, and all must fit into the NIC.
    FallingLibreswan(rate=falls.RATE, rekeying=False).go(lambda world: falls.go(world, 3, answers=True))
