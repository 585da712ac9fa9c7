# SPDX-License-Identifier: GPL-2.0-or-later
"""strongSwan (charon, swanctl) negotiates, rekeys and checks its peers; moves of its SAs must not affect it."""

import collections
import re

from lib import falls, roaming
from lib.case import check, timeout
from lib.ike import SIDES, IkeWorld, example, tunnels
from lib.sh import run, spawn, wait_until

ROOT = "strongswan"

SETTINGS = """
charon-systemd {{
    load_modular = yes
    install_routes = no
    plugins {{
        include /etc/strongswan.d/charon/*.conf
        vici {{
            socket = unix://{directory}/vici
        }}
    }}
    journal {{
        default = -1
    }}
    filelog {{
        main {{
            path = {directory}/log
            default = 1
            flush_line = yes
        }}
    }}
}}
"""
# What differs from docs/examples/strongswan/swanctl.conf for the sake of the test: values of a later section replace earlier ones.
TIMES = """
connections {{
t{tunnel} {{
    dpd_delay = 5s
    rekey_time = {ike_rekey}s
    children {{
        t{tunnel} {{
            rekey_time = {rekey}s
            rand_time = 2s
            life_time = {life}s
        }}
    }}
}}
}}
"""


class StrongSwan(IkeWorld):
    errors = (r"(?i)unable to (add|query|delete|install|update)|received netlink error|failed to establish CHILD_SA|"
              r"no acceptable|integrity check failed|duplicate|giving up|retransmit [2-9]|"
              r"unable to handle|inbound and outbound IPsec SA|SAD entry.*fail|DPD check timed out")

    # The share of moves in which a packet falls between DELSA and ALLOCSPI (docs/safety.md): charon's templates name the SPI. On
    # an emulated 6.12.118 it was one in 119.
    acquires_share = 1 / 20

    # The initiator. If it is the peer, the peer is a road warrior: the gateway does not know its address before.
    initiator = "gw"

    def _addresses(self, side, text):
        """A road warrior's address is not in the configuration."""
        if self.initiator == "peer":
            text = re.sub(r"\n *(remote_addrs|local_addrs) = .*" if side == "gw" else r"\n *local_addrs = .*", "", text)
        return text

    def _configure(self, side):
        directory, gateway = self.directories[side], side == "gw"
        short = self.rekeying and gateway
        (directory / "strongswan.conf").write_text(SETTINGS.format(directory=directory))
        text = self._addresses(side, "".join(example("strongswan/swanctl.conf", side))) + "".join(TIMES.format(
            tunnel=tunnel,
            # Only the gateway rekeys, so that both do not rekey at the same time.
            rekey=15 if short else 3600, life=60 if short else 4000, ike_rekey=40 if short else 14400) for tunnel in tunnels())
        (directory / "swanctl.conf").write_text(text)

    def _swanctl(self, side, *words, **options):
        return run("swanctl", *words, "--uri", f"unix://{self.directories[side]}/vici", **options)

    def start_ike(self):
        for side, netns in SIDES.items():
            directory = self.directories[side]
            self._configure(side)
            spawn("env", f"STRONGSWAN_CONF={directory}/strongswan.conf", "charon-systemd", netns=netns, output=directory / "output")
            wait_until((directory / "vici").exists, 30, f"charon of {side}")
            self._swanctl(side, "--load-all", "--file", directory / "swanctl.conf")
        for tunnel in tunnels():
            self._swanctl(self.initiator, "--initiate", "--child", f"t{tunnel}", "--timeout", "30")

    def check_acquires(self, moves):
        acquires = self.log("gw").count("creating acquire job")
        print(f"{acquires} ACQUIREs in {moves} moves", flush=True)
        check(acquires <= moves * self.acquires_share, f"{acquires} ACQUIREs in {moves} moves")

    def rekey_command(self, tunnel):
        return ["swanctl", "--rekey", "--child", f"t{tunnel}", "--uri", f"unix://{self.directories['gw']}/vici"]

    def ike_source(self):
        return f"vici:{self.directories['gw']}/vici"

    def children(self):
        text = self._swanctl("gw", "--list-sas", "--raw")
        found = collections.Counter(int(tunnel) for tunnel, state in
                                    re.findall(r"name=t(\d+) uniqueid=\d+ reqid=\d+ state=(\w+)", text)
                                    if state not in ("REKEYED", "DELETING", "DELETED", "DESTROYING"))
        return dict(found)


@timeout(300)
def case_strongswan():
    """strongSwan's tunnels are rekeyed under traffic while their SAs are moved: no duplicate, no lost tunnel, no error in its log"""
    StrongSwan().go()


@timeout(300)
def case_strongswan_espsim():
    """The same in a NIC that encrypts: every tunnel's packets pass in it, and no packet is broken"""
    StrongSwan(rekeying=False, encrypts=True).go()


class FallingStrongSwan(StrongSwan):
    # The kernel sends an ACQUIRE in the gap, and charon logs that it has no trap policy for it.
    errors = StrongSwan.errors + "|closing expired|hard expire|closing CHILD_SA"


@timeout(240)
def case_strongswan_link_down():
    """The NIC of strongSwan's tunnels goes down several times: every SA is restored, no CHILD_SA is closed, no number is used
    twice"""
    FallingStrongSwan(rate=falls.RATE, rekeying=False).go(lambda world: falls.go(world, 6))


class RoamingStrongSwan(StrongSwan):
    # During a change of address requests are retransmitted, and the kernel may send an ACQUIRE.
    errors = StrongSwan.errors.replace("retransmit [2-9]|", "") + "|closing expired|hard expire"


class Roadwarrior(RoamingStrongSwan):
    initiator = "peer"


@timeout(180)
def case_mobike():
    """The gateway changes its address (MOBIKE) while its SAs are offloaded: none is lost, none stays in a NIC without trust"""
    RoamingStrongSwan(rekeying=False).go(roaming.gateway_moves)


@timeout(180)
def case_mobike_nat():
    """The peer moves while its SAs are offloaded, then behind a NAT, which changes its mapping, and back: no tunnel is lost"""
    Roadwarrior(rekeying=False).go(roaming.peer_moves)
