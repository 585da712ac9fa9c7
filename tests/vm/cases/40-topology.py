# SPDX-License-Identifier: GPL-2.0-or-later
"""NICs in a VRF, below a VLAN, and below an xfrm interface: the device by which an SA's packets leave."""

from lib import service, xfrm
from lib.case import check, check_equal, timeout
from lib.daemon import fast, listed
from lib.nsim import Netdevsim
from lib.sh import ip, ip_batch, spawn, wait_until
from lib.world import PORT

ALWAYS = fast() + "rules:\n  - match: {dst: 10.0.0.0/8}\n    offload: always\n  - match: {dst: 'fd00::/8'}\n    offload: always\n"
# A program must bind to the VRF, or its packets use the main table. The sender continues after an error: only the packets in the
# NIC count.
SENDER = f"""
import contextlib, socket, sys, time
device, *addresses = sys.argv[1:]
while True:
    for address in addresses:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as sender:
            if device:
                sender.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
            with contextlib.suppress(OSError):
                sender.sendto(b"x" * 100, (address, {PORT}))
    time.sleep(0.01)
"""


def add_tunnel(number, here, there):
    """One outbound SA in transport mode, with its policy. Returns its SPI."""
    bits = 128 if ":" in here else 32
    xfrm.add_state(here, there, 0x101 + number, 1 + number, xfrm.gcm_key())
    ip("xfrm policy add " + xfrm.policy_words(f"{here}/{bits}", f"{there}/{bits}", "out", here, there, 1 + number))
    return 0x101 + number


def packets(spi):
    return xfrm.by_spi()[spi].packets


def check_used(nic, spis):
    """The kernel gives the packets of each of these SAs to the NIC."""
    tx, counts = nic.table().tx, {spi: packets(spi) for spi in spis}
    wait_until(lambda: all(packets(spi) > count + 10 for spi, count in counts.items()), 20, "packets of the SAs")
    wait_until(lambda: nic.table().tx >= tx + 10 * len(counts), 20, "their packets through the NIC")


@timeout(120)
def case_vrf():
    """SAs whose local address is in a VRF are moved into the NIC of the VRF's table, not into that of the main table"""
    nic, other = Netdevsim(0), Netdevsim(1)
    ip_batch([
        "link add vrf-red type vrf table 100",
        "link set vrf-red up",
        f"link set {nic.name} master vrf-red",
    ])
    # The VRF sets a device that is added to it down and up again (cycle_netdev()).
    nic.raise_carrier()
    ip_batch([
        f"address add 10.9.0.1/24 dev {nic.name}",
        f"address add fd09::1/64 dev {nic.name} nodad",
        # An address of the VRF itself, and peers behind a router.
        "address add 10.8.0.1/32 dev vrf-red",
        "route add 10.9.1.0/24 via 10.9.0.2 vrf vrf-red",
        "route add fd09:1::/64 via fd09::2 vrf vrf-red",
        f"neighbour add 10.9.0.2 lladdr 02:00:00:00:00:01 nud permanent dev {nic.name}",
        f"neighbour add fd09::2 lladdr 02:00:00:00:00:01 nud permanent dev {nic.name}",
        # The main table has another route to the same peers.
        f"address add 10.7.0.1/24 dev {other.name}",
        f"address add fd07::1/64 dev {other.name} nodad",
        "route add default via 10.7.0.2",
        "route add fd09:1::/64 via fd07::2",
    ])
    peers = {
        add_tunnel(0, "10.9.0.1", "10.9.1.1"): "10.9.1.1",
        add_tunnel(1, "fd09::1", "fd09:1::1"): "fd09:1::1",
        add_tunnel(2, "10.8.0.1", "10.9.1.3"): None,
    }
    spawn("python3", "-c", SENDER, "vrf-red", *filter(None, peers.values()))
    service.start(ALWAYS)
    wait_until(lambda: xfrm.offloaded(nic.name) == set(peers), 20, "the SAs in the NIC of the VRF")
    check_equal(xfrm.offloaded(other.name), set(), "SAs in the NIC of the main table")
    check_used(nic, {0x101, 0x102})
    # The same address is also outside of the VRF: it is unclear which of the two the SA uses.
    ip(f"address add 10.8.0.1/32 dev {other.name}")
    wait_until(lambda: xfrm.offloaded(nic.name) == {0x101, 0x102}, 20, "the SA out of the NIC whose address is in two places")
    check_equal(listed()[0x103]["reason"], "vrf-unclear", "reason")


@timeout(120)
def case_vlan():
    """An SA whose packets leave by a VLAN is not offloaded, and explain names the NIC below; a rule that names the NIC wastes a
    slot"""
    nic = Netdevsim(0)
    ip_batch([
        f"link add link {nic.name} name {nic.name}.5 type vlan id 5",
        f"link set {nic.name}.5 up",
        f"address add 10.9.0.1/24 dev {nic.name}.5",
        f"neighbour add 10.9.0.2 lladdr 02:00:00:00:00:01 nud permanent dev {nic.name}.5",
    ])
    spi = add_tunnel(0, "10.9.0.1", "10.9.0.2")
    spawn("python3", "-c", SENDER, "", "10.9.0.2")
    service.start(ALWAYS)
    wait_until(lambda: spi in listed(), 20, "the SA in the list")
    check_equal(listed()[spi]["reason"], "nic-vlan", "reason")
    said = service.ctl("explain", f"{spi:#x}")
    check("nsim0.5 is a VLAN of nsim0" in said, "explain does not name the NIC")
    check_equal(xfrm.offloaded(), set(), "SAs in a NIC")

    service.stop()
    service.start(ALWAYS.replace("offload: always", "offload: always\n    nic: nsim0"))
    wait_until(lambda: xfrm.offloaded(nic.name) == {spi}, 20, "the SA in the NIC that the rule names")
    before = packets(spi)
    wait_until(lambda: packets(spi) > before + 10, 20, "packets of the SA")
    check_equal(nic.table().tx, 0, "packets that the NIC would encrypt")


@timeout(120)
def case_xfrm_interface():
    """An SA of an xfrm interface is moved into the NIC by which its own packets leave"""
    nic = Netdevsim(0)
    ip_batch([
        f"address add 10.9.0.1/24 dev {nic.name}",
        f"neighbour add 10.9.0.2 lladdr 02:00:00:00:00:01 nud permanent dev {nic.name}",
        f"link add xfrm7 type xfrm dev {nic.name} if_id 7",
        "link set xfrm7 up",
        "address add 10.8.0.1/32 dev xfrm7",
        "route add 10.8.1.0/24 dev xfrm7 src 10.8.0.1",
    ])
    xfrm.add_state("10.9.0.1", "10.9.0.2", 0x101, 1, xfrm.gcm_key(), "tunnel", extra="if_id 7")
    ip("xfrm policy add " + xfrm.policy_words("10.8.0.1/32", "10.8.1.0/24", "out", "10.9.0.1", "10.9.0.2", 1, "tunnel",
                                              extra="if_id 7"))
    spawn("python3", "-c", SENDER, "", "10.8.1.1")
    service.start(ALWAYS)
    wait_until(lambda: xfrm.offloaded(nic.name) == {0x101}, 20, "the SA in the NIC")
    check_used(nic, {0x101})
