# SPDX-License-Identifier: GPL-2.0-or-later
"""netdevsim: network devices of software whose driver has an ESP table of 33 entries."""

import dataclasses
import fcntl
import os
import pathlib
import re
import socket
import struct

from lib.sh import ip, run, run_json, wait_until
from lib.xfrm import inside

CAPACITY = 33
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
BUS = pathlib.Path("/sys/bus/netdevsim")
DEBUG = pathlib.Path("/sys/kernel/debug/netdevsim")


@dataclasses.dataclass(frozen=True)
class Slot:
    """One used entry of the driver's table. address is in the driver's raw notation; use the SPI to identify the entry."""
    index: int
    direction: str
    address: str
    spi: int
    key: str


@dataclasses.dataclass(frozen=True)
class Table:
    count: int
    tx: int             # packets that were sent through any entry
    slots: tuple

    @property
    def spis(self):
        return {slot.spi for slot in self.slots}


class Netdevsim:
    """One netdevsim device with one port. The cleanup between cases deletes it."""

    def __init__(self, number=0, name=None, up=True):
        run("modprobe", "netdevsim")
        self.number = number
        self.name = name or f"nsim{number}"
        (BUS / "new_device").write_text(f"{number} 1")
        net = BUS / "devices" / f"netdevsim{number}" / "net"
        first = wait_until(lambda: net.is_dir() and os.listdir(net), 10, f"netdevsim{number}'s port")[0]
        ip(f"link set {first} name {self.name}" + (" up" if up else ""))

    @property
    def mac(self):
        return pathlib.Path(f"/sys/class/net/{self.name}/address").read_text().strip()

    def table(self):
        """The driver's ESP table, from debugfs."""
        text = (DEBUG / f"netdevsim{self.number}" / "ports" / "0" / "ipsec").read_text()
        head = re.match(r"SA count=(\d+) tx=(\d+)", text)
        slots = []
        for match in re.finditer(r"sa\[(\d+)\] (rx|tx) ipaddr=(.*)\nsa\[\d+\]\s+spi=0x(\w+) .*\nsa\[\d+\]\s+key=(.*)", text):
            index, direction, address, spi, key = match.groups()
            slots.append(Slot(int(index), "in" if direction == "rx" else "out", address, int(spi, 16), key))
        return Table(int(head[1]), int(head[2]), tuple(slots))

    def set_up(self, up):
        """Link up or down, at once: starting a process for it would take about 50 ms."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            request = struct.pack("16sh22x", self.name.encode(), 0)
            flags = struct.unpack_from("=h", fcntl.ioctl(sock, SIOCGIFFLAGS, request), 16)[0]
            request = struct.pack("16sh22x", self.name.encode(), flags | IFF_UP if up else flags & ~IFF_UP)
            fcntl.ioctl(sock, SIOCSIFFLAGS, request)

    def raise_carrier(self):
        """After its link was down, a netdevsim of Linux 6.12 or 7.x gets its carrier back only if it is linked to another one."""
        if pathlib.Path(f"/sys/class/net/{self.name}/carrier").read_text().strip() == "1":
            return
        # In a separate network namespace: packets that are sent to it must not come back.
        ip("netns add nowhere")
        with inside("nowhere"):
            (BUS / "new_device").write_text(f"{self.number + 9} 1")
        other = wait_until(lambda: [link for link in run_json("ip", "-n", "nowhere", "-j", "link") if link["ifname"] != "lo"], 10,
                           "the other netdevsim's port")[0]
        ip(f"link set {other['ifname']} up", netns="nowhere")
        with open("/proc/self/ns/net") as here, open("/run/netns/nowhere") as there:
            (BUS / "link_device").write_text(f"{here.fileno()}:{socket.if_nametoindex(self.name)} {there.fileno()}:{other['ifindex']}")

    def delete(self):
        (BUS / "del_device").write_text(str(self.number))


def delete_all():
    """Remove every netdevsim device."""
    for path in BUS.glob("devices/netdevsim*"):
        (BUS / "del_device").write_text(path.name[len("netdevsim"):])
