# SPDX-License-Identifier: GPL-2.0-or-later
"""Cryptography that pcrypt spreads over the CPUs. The instance of pcrypt stays for all later SAs of this boot, so this case is
the last one."""

import contextlib
import pathlib
import socket

from lib import service, xfrm
from lib.case import check, check_equal, timeout
from lib.daemon import ENFORCE, Continuity, listed
from lib.sh import run, wait_until
from lib.world import World

LEFT = ENFORCE + """
rules:
  - match: {src: 10.9.0.1}
    leave-software-driver: "pcrypt*"
"""


def use_pcrypt():
    """Makes pcrypt the implementation of the highest priority of the SAs' algorithm."""
    run("modprobe", "pcrypt")
    with socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET) as user, contextlib.suppress(FileNotFoundError):
        # This makes the instance. The kernel then does not find it by this name, since it has the name rfc4106(gcm(aes)).
        user.bind(("aead", "pcrypt(rfc4106(gcm(aes)))"))
    check("pcrypt(rfc4106(" in pathlib.Path("/proc/crypto").read_text(), "no instance of pcrypt")


@timeout(180)
def case_software_driver():
    """SAs whose cryptography pcrypt does are left alone where a rule says so, and move as all others where none does"""
    use_pcrypt()
    world = World(out=12, inbound=12)
    world.start_traffic()
    world.wait_for_traffic()
    continuity = Continuity()
    service.start(LEFT)
    left = {flow.spi for flow in world.out if flow.family == "v4"}
    others = {flow.spi for flow in world.flows} - left
    check(left and others, "the rule matches some SAs")
    wait_until(lambda: xfrm.offloaded("nsim0") == others, 30, "all SAs but those of the rule in the NIC")
    sas = listed()
    for spi in left:
        check_equal(sas[spi]["reason"], "software-driver", f"reason of {spi:#x}")
    for spi, sa in sas.items():
        check("pcrypt(" in sa["softwareDriver"], f"driver of {spi:#x}: {sa['softwareDriver']}")
    continuity.check()
    world.stop_traffic()
