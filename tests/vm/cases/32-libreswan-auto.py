# SPDX-License-Identifier: GPL-2.0-or-later
"""Without nic-offload, libreswan 4.10 offloads by itself, and espoffloadd writes a warning."""

import importlib.util
import pathlib

from lib import journal, service, xfrm
from lib.case import check, check_equal, timeout
from lib.daemon import ENFORCE, listed
from lib.ike import HERE, TUNNELS, inner, outer, tunnels
from lib.sh import ip, ip_batch, wait_until

ROOT = "libreswan"
OPTION = "    nic-offload=no\n"
# The operator does not trust this NIC with keys.
UNTRUSTED = ENFORCE.replace("trusted: true", "trusted: false")
WARNING = "another program offloaded"


def _libreswan():
    path = pathlib.Path(__file__).with_name("31-libreswan.py")
    spec = importlib.util.spec_from_file_location("libreswan", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Libreswan


class OnTheNic(_libreswan()):
    """The gateway's address is on the NIC, because pluto looks for the offload there. The packets still use the veth."""

    def __init__(self, unset):
        super().__init__()
        self.unset = unset
        ip(f"address delete {HERE}/24 dev vp2")
        ip(f"address add {HERE}/32 dev nsim0")
        ip_batch([f"route replace 10.30.0.0/24 dev vp2 src {HERE}"]
                 + [f"route replace {inner('peer', tunnel)}/32 via {outer(tunnel)} dev vp2 src {inner('gw', tunnel)}"
                    for tunnel in tunnels()])

    def _configure(self, side):
        super()._configure(side)
        path = self.directories[side] / "ipsec.conf"
        text = path.read_text()
        check(OPTION in text, "the configuration does not say nic-offload=no")
        if self.unset:
            path.write_text(text.replace(OPTION, ""))

    def negotiate(self):
        self.start_ike()
        wait_until(lambda: len([sa for sa in xfrm.sas() if not sa.larval]) >= 2 * TUNNELS, 60, "the tunnels' SAs")


@timeout(180)
def case_libreswan_auto():
    """Without nic-offload=no pluto gives keys to a NIC that is not trusted: one warning names the NIC and the option"""
    world = OnTheNic(unset=True)
    since = service.start(UNTRUSTED)
    world.negotiate()
    check(xfrm.offloaded("nsim0"), "pluto offloaded nothing, so this case proves nothing")
    text = journal.wait_for(WARNING, since)
    check("NIC nsim0, which is not trusted" in text and "nic-offload=no" in text, f"the warning is not clear: {text}")
    states = {sa["state"] for sa in listed().values() if sa["placement"] == "nic"}
    check_equal(states, {"foreign"}, "states of the SAs in the NIC")
    world.start_traffic()
    world.check_traffic()
    world.watch(15)
    check_equal(len([text for text in journal.messages(since) if WARNING in text]), 1, "warnings")
    service.stop()


@timeout(180)
def case_libreswan_no():
    """With nic-offload=no pluto does not use the same NIC, and there is no warning"""
    world = OnTheNic(unset=False)
    since = service.start(UNTRUSTED)
    world.negotiate()
    world.start_traffic()
    world.check_traffic()
    world.watch(5)
    check_equal(xfrm.offloaded(), set(), "SAs in NICs")
    check_equal([text for text in journal.messages(since) if WARNING in text], [], "warnings")
    service.stop()
