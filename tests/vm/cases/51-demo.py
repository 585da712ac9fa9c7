# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's side of tools/demo: the daemon with a NIC that encrypts, and TCP and UDP through it."""

import demo
from lib import service, xfrm
from lib.case import check, check_equal, timeout
from lib.sh import wait_until
from lib.world import PEER


def packets(flows, netns=None):
    """What the kernel counted on these SAs."""
    sas = xfrm.by_spi(netns)
    return sum(sas[flow.spi].packets for flow in flows)


@timeout(300)
def case_espsim_demo():
    """SAs move into and out of a NIC that encrypts: contents arrive intact, and kernel, NIC and peer agree on every packet"""
    world, measurement = demo.build()
    nic, peer = world.pair.here, world.pair.there
    wait_until(lambda: nic.used() == (demo.SLOTS, demo.SLOTS), 60, "the NIC to be full")
    wait_until(lambda: service.ctl_json("status")["moves"]["evicted"] >= demo.SLOTS, 120, "SAs that make room for busier ones")
    result = measurement.end()
    text = demo.summary(result)
    print(text, result, nic.stats(), peer.stats(), sep="\n", flush=True)
    demo.check_result(result)
    check(max(map(len, text.splitlines())) < 80, "a line of the summary is too long")

    # What the gateway's SAs counted is what the peer's software got, whichever of both engines encrypted it.
    here, there = nic.stats(), peer.stats()
    sent = packets(world.out)
    check_equal((there["tx_encrypted"], there["rx_decrypted"]), (0, 0), "packets of the peer's NIC, which has no SA")
    check_equal((there["rx_miss"], packets(world.out, PEER)), (sent, sent), "ESP packets at the peer: on the wire, of its SAs")
    # What the peer sent, the NIC decrypted or left to software, and the SAs counted it, but for packets that were dropped.
    received = packets(world.inbound, PEER)
    check_equal(here["rx_decrypted"] + here["rx_miss"], received, "ESP packets from the peer on the wire")
    check_equal(packets(world.inbound) + drops(world), received, "ESP packets that the gateway's SAs counted, or that were dropped")
    check_equal(here["rx_bad_icv"] + here["tx_drop_dead"] + here["tx_drop_error"], 0, "packets that failed in the NIC")
    check_equal((result.nic_packets(), result.nic_bytes()),
                (here["tx_encrypted"] + here["rx_decrypted"], here["tx_encrypted_bytes"] + here["rx_decrypted_bytes"]),
                "packets and bytes of the NIC in the summary, which it counted since it was made")
    # The kernel does not tell when within a sample an SA was moved. It counts bytes without the headers of ESP.
    share, total = result.nic_bytes() / result.wire_bytes(), result.bytes["all"]
    least, most = result.bytes["resident"] / total, (result.bytes["resident"] + result.bytes["moved"]) / total
    check(least - 0.05 < share < most + 0.05,
          f"the NIC carried {share:.2f} of the bytes by its own counters, and {least:.2f} to {most:.2f} by the kernel's")


def drops(world):
    """Packets from the peer that the gateway dropped."""
    return sum(count for (end, name), count in world.errors().items()
               if end == "gateway" and (name.startswith("XfrmIn") or name == "XfrmAcquireError"))
