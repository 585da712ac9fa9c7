# SPDX-License-Identifier: GPL-2.0-or-later
"""The NIC of an IKE daemon's tunnels goes down several times while packets continue: they use the veth, not the NIC.

So packets find no SA after the kernel deleted it, and the kernel sends an ACQUIRE before the daemon can restore the SA. This must
not cause an SA that stays lost, a CHILD_SA that is closed or negotiated again, or a sequence number that is used twice.
"""

import collections
import os
import pathlib
import signal
import time

from lib import service, xfrm
from lib.capture import ESP, Capture
from lib.case import Failure, check, check_equal
from lib.daemon import fast, listed
from lib.ike import TUNNELS
from lib.sh import wait_until

# Packets per second of each tunnel and direction: enough that some fall into gaps of milliseconds.
RATE = 100
# The promise is 100 ms; the limit is larger because the host may be busy.
RESTORED_SECONDS = 5
# How long the larval SA of an ACQUIRE lives. When it expires, charon closes the CHILD_SA with its SPI; with charon's default of
# 165 s the case would end before that.
ACQUIRE_SECONDS = 8
# How long the daemon gets no CPU after the link goes down: long enough for packets of every tunnel.
BUSY_SECONDS = 0.1
RESERVED = 255          # SPIs up to this belong to no SA of an IKE daemon
ALL_IN = fast() + "rules:\n  - nic: nsim0\n    offload: always\n"


def identities():
    """{SPI: properties that must not change} of all SAs that have keys."""
    return {sa.spi: (sa.src, sa.dst, sa.reqid, sa.mode, sa.add_time) for sa in xfrm.sas() if not sa.larval}


def wait_all_in(count):
    """Wait until the NIC has all SAs, at least `count`; returns their identities."""
    def all_in():
        sas = xfrm.sas()
        return len(sas) >= count and all(sa.device == "nsim0" for sa in sas if sa.spi > RESERVED) and identities()
    try:
        return wait_until(all_in, 40, f"all SAs to be in the NIC, and at least {count}")
    except Failure:
        for sa in listed().values():
            print(sa, flush=True)
        raise


def fall_while_busy(nic):
    """The link goes down while the daemon gets no CPU, as on a busy host."""
    pid = service.pid()
    os.kill(pid, signal.SIGSTOP)
    nic.set_up(False)
    time.sleep(BUSY_SECONDS)
    os.kill(pid, signal.SIGCONT)


class Falls:
    """The NIC nsim0 and the tunnels of an IkeWorld, whose SAs are all in it."""

    def __init__(self, world):
        self.world = world

    def _check_alive(self, sas, turn):
        begin = time.monotonic()
        try:
            wait_until(lambda: sas.items() <= identities().items(), RESTORED_SECONDS, "all SAs to be back", interval=0.05)
        except Failure as failure:
            gone = sorted(hex(spi) for spi, _ in sas.items() - identities().items())
            raise Failure(f"fall {turn}: {failure}: of {len(sas)} these are gone or others: {gone}") from None
        print(f"fall {turn}: seen back {(time.monotonic() - begin) * 1e3:.0f} ms after the command's end", flush=True)

    def fall(self, turn):
        """Every second time the NIC is up again at once. In the other turns packets certainly find no SA."""
        nic, sas = self.world.nic, wait_all_in(2 * TUNNELS)
        # So that the age of the last sample differs in each turn.
        time.sleep(0.13 * turn)
        if turn % 2:
            nic.set_up(False)
            nic.set_up(True)
        else:
            fall_while_busy(nic)
        self._check_alive(sas, turn)
        self.world.check_traffic()
        self._check_alive(sas, turn)
        if not turn % 2:
            nic.set_up(True)
        nic.raise_carrier()


def check_numbers(capture, sas):
    """No sequence number was on the wire twice. sas: SPIs that must have been on the wire."""
    frames, dropped = capture.stop()
    check_equal(dropped, 0, "frames that the observer missed")
    seen = collections.Counter((spi, sequence) for kind, spi, sequence in frames if kind == ESP)
    twice = [(hex(spi), sequence) for (spi, sequence), count in seen.items() if count > 1]
    check(not twice, f"{len(twice)} sequence numbers were on the wire twice: {twice[:5]}")
    missing = set(sas) - {spi for spi, _ in seen}
    check(not missing, f"never on the wire: {sorted(map(hex, missing))}")
    print(f"{len(seen)} frames, no sequence number twice", flush=True)


def shorten_acquires():
    pathlib.Path("/proc/sys/net/core/xfrm_acq_expires").write_text(str(ACQUIRE_SECONDS))


def go(world, times, answers=False):
    """The whole case. world: an IkeWorld, not started, that does not rekey. answers: the IKE daemon answers an ACQUIRE for an
    existing tunnel with an additional CHILD_SA."""
    world.start_ike()
    shorten_acquires()
    world.start_traffic()
    world.check_traffic()
    first = identities()
    check_equal(len(first), 2 * TUNNELS, "SAs")
    capture = Capture("vp2")
    service.start(ALL_IN)
    falls = Falls(world)
    for turn in range(times):
        falls.fall(turn)
    wait_all_in(2 * TUNNELS)
    wait_until(lambda: not any(sa.larval for sa in xfrm.sas()), ACQUIRE_SECONDS + 10, "the end of all larval SAs")
    falls.fall(times)
    if not answers:
        world.check_one_child_each()
        check_equal(identities(), first, "SAs at the end")
    check_numbers(capture, first)
    for netns in (None, "peer"):
        # Packets that another CPU still has when the number is increased arrive too late and count as sequence errors.
        check_equal(xfrm.mib(netns)["XfrmInStateProtoError"], 0, f"broken packets at {netns or 'the gateway'}")
    world.check_logs()
    foreign = [hex(spi) for spi, sa in listed().items() if sa["state"] == "foreign"]
    check(not foreign, f"foreign: {foreign}")
    service.stop()
    world.check_traffic()
