# SPDX-License-Identifier: GPL-2.0-or-later
"""espsim itself is a NIC that encrypts: what it sends a software peer understands, and the reverse."""

import errno
import pathlib
import socket
import struct
import time

from lib import espsim, xfrm
from lib.case import Failure, check, check_equal, timeout
from lib.capture import ESP
from lib.sh import attempt, ip, run, wait_until
from lib.streams import transfer

XFRMA_ENCAP = 4
# In which NICs the SAs are: of the sender and of the receiver, for both directions.
PLACES = {
    "sender": ((True, True), (False, False)),
    "receiver": ((False, False), (True, True)),
    "both": ((True, True), (True, True)),
}
TUNNELS = (
    espsim.Tunnel("v4", "transport"),
    espsim.Tunnel("v6", "tunnel", key_bits=256),
    espsim.Tunnel("v4", "tunnel", esn=True),
    espsim.Tunnel("v6", "transport", algorithm=espsim.CHACHA, key_bits=256),
    espsim.Tunnel("v4", "transport", icv=64),
)
ENCAP = espsim.Tunnel("v4", "tunnel", encap=True)
ENCAP_SINCE = (6, 11)


def carries(pair, tunnel, place):
    """Pings of two sizes and a TCP stream pass, and the NICs that hold SAs counted their packets."""
    sender, receiver = PLACES[place]
    what = (f"{tunnel.family} {tunnel.mode}{' in UDP' if tunnel.encap else ''} {tunnel.algorithm} ICV {tunnel.icv}, "
            f"offloaded: {place}")
    before = espsim.errors()
    stats = {device.name: device.stats() for device in (pair.here, pair.there)}
    tunnel.add(sender, receiver)
    tunnel.add_policies()
    here, there = tunnel.inner()
    check_equal(espsim.ping(there), 5, f"answers to pings; {what}")
    check_equal(espsim.ping(there, count=3, size=4000), 3, f"answers to pings in fragments; {what}")
    transfer(here, there, espsim.PEER, 200_000)
    check_equal(espsim.errors(), before, f"errors of xfrm; {what}")
    for device, directions in ((pair.here, (sender[0], receiver[1])), (pair.there, (sender[1], receiver[0]))):
        slots = {slot.direction: slot for slot in device.slots()}
        check_equal(set(slots), {name for name, offloaded in zip(("out", "in"), directions) if offloaded}, f"SAs in {device.name}; {what}")
        for slot in slots.values():
            # ICMP and TCP of one direction, or its acknowledgements.
            check(slot.packets >= 8 and slot.errors == 0, f"{device.name} counted {slot}; {what}")
        grown = {name: value - stats[device.name][name] for name, value in device.stats().items()}
        for direction, name in (("out", "tx_encrypted"), ("in", "rx_decrypted")):
            slot = slots.get(direction)
            check_equal((grown[name], grown[name + "_bytes"]), (slot.packets, slot.bytes) if slot else (0, 0),
                        f"{name} of {device.name}, which its only SA of that direction counted; {what}")
    tunnel.delete()
    check_equal((pair.here.used(), pair.there.used()), ((0, 0), (0, 0)), f"slots that stay occupied; {what}")


@timeout(300)
def case_espsim_encrypts():
    """Offloaded ESP is understood by software and the reverse: both families and modes, AES-GCM, ChaCha20, ESN, short ICV"""
    pair = espsim.Pair()
    for tunnel in TUNNELS:
        for place in ("sender", "receiver"):
            carries(pair, tunnel, place)
    carries(pair, TUNNELS[0], "both")


def case_espsim_segments():
    """The same with super-packets that the device cuts up itself"""
    pair = espsim.Pair(gso_esp=True)
    for tunnel in TUNNELS[:3]:
        carries(pair, tunnel, "sender")
    check(pair.here.stats()["tx_gso"] > 0, "the device cut up no super-packet")
    if espsim.KERNEL >= ENCAP_SINCE:
        with espsim.encap_sockets():
            carries(pair, ENCAP, "sender")


def case_espsim_encap():
    """ESP in UDP, IPv4 and tunnel mode, which the kernel offloads since 6.11; older ones refuse it without asking the NIC"""
    pair = espsim.Pair()
    if espsim.KERNEL < ENCAP_SINCE:
        encap = struct.pack("=H", espsim.UDP_ENCAP_ESPINUDP) + struct.pack("!HH18x", espsim.NAT_PORT, espsim.NAT_PORT)
        answer = xfrm.try_state(*ENCAP.ends(False), ENCAP.spi, 1, offload=(pair.here.name, "out"), attributes=[(XFRMA_ENCAP, encap)])
        check_equal(answer, errno.EINVAL, "answer of a kernel that does not offload ESP in UDP")
        stats = pair.here.stats()
        check_equal((stats["sa_added"], stats["sa_refused"]), (0, 0), "SAs that the NIC accepted and refused")
        return
    ENCAP.add(*PLACES["both"])
    ENCAP.add_policies()
    check_equal(espsim.ping(ENCAP.inner()[1], count=2), 0, "answers to pings without a socket that takes ESP out of UDP")
    ENCAP.delete()
    with espsim.encap_sockets():
        for place in PLACES:
            carries(pair, ENCAP, place)


def case_espsim_wire():
    """What leaves the sending NIC is ciphertext under consecutive sequence numbers; software's and the NIC's differ in nothing else"""
    pair = espsim.Pair(tapped=True)
    tunnel = espsim.Tunnel("v4", "transport", devices=(pair.here.name, pair.there.name))
    tunnel.add((True, True), (False, False))
    tunnel.add_policies()
    capture = pair.capture()
    pattern = "deadbeef"
    check_equal(espsim.ping(tunnel.inner()[1], pattern=pattern), 5, "answers to pings")
    frames, dropped = capture.stop()
    check_equal(dropped, 0, "frames that the capture missed")
    for spi in (tunnel.spi, tunnel.spi + 1):
        numbers = [sequence for protocol, found, sequence in frames if protocol == ESP and found == spi]
        check_equal(numbers, [1, 2, 3, 4, 5], f"sequence numbers of SA {spi:#x} on the wire")
    check(bytes.fromhex(pattern) * 4 not in capture.path.read_bytes(), "the payload is on the wire in clear")


def case_espsim_slots():
    """A full table answers ENOSPC, or keeps the SA in software silently; a slot that is released late stays occupied"""
    pair = espsim.Pair()
    nic = pair.here
    nic.set(tx_slots=2)

    def add(number):
        return xfrm.try_state("10.7.1.1", "10.7.2.1", 0x100 + number, 1 + number, offload=(nic.name, "out"))

    check_equal([add(number) for number in range(3)], [0, 0, errno.ENOSPC], "answers to three SAs with two slots")
    nic.set(full_errno=errno.EOPNOTSUPP)
    check_equal(add(3), 0, "answer of a NIC that keeps silent")
    check_equal(xfrm.offloaded(nic.name), {0x100, 0x101}, "SAs in the NIC")
    nic.set(full_errno=errno.ENOSPC, release=2, release_ms=1500)
    xfrm.delete_state("10.7.1.1", "10.7.2.1", 0x100)
    check_equal(add(4), errno.ENOSPC, "answer while a slot is not released yet")
    wait_until(lambda: add(4) == 0, 10, "the slot to be released")
    nic.set(release=0, fail_adds=1, tx_slots=10, fail_errno=errno.EIO)
    check_equal([add(5), add(5)], [errno.EIO, 0], "answers when the next addition fails")
    nic.set(refuse_out=True, refuse_errno=errno.EINVAL)
    check_equal(add(6), errno.EINVAL, "answer to a direction that the NIC refuses")


def case_espsim_profiles():
    """A profile sets all knobs at once: what it refuses, and what it accepts"""
    pair = espsim.Pair()
    nic = pair.here
    # Answers to an outbound and an inbound SA in transport mode, and whether one in tunnel mode is accepted.
    expected = {"none": (0, 0, True), "ixgbe": (0, 0, False), "mlx5-crypto": (0, 0, True), "nfp": (0, 0, True),
                "chelsio": (0, errno.EINVAL, True)}

    def tunnel_accepted():
        words = xfrm.state_words("10.7.1.1", "10.7.2.1", 0x300, 3, xfrm.gcm_key(), mode="tunnel", offload=(nic.name, "out"))
        return attempt("ip", *("xfrm state add " + words).split()).returncode == 0

    for name, answers in expected.items():
        nic.profile(name)
        got = (xfrm.try_state("10.7.1.1", "10.7.2.1", 0x100, 1, offload=(nic.name, "out")),
               xfrm.try_state("10.7.2.1", "10.7.1.1", 0x200, 2, offload=(nic.name, "in")), tunnel_accepted())
        check_equal(got, answers, f"answers with the profile {name}")
        xfrm.flush()
        # A profile may release slots late.
        wait_until(lambda: nic.used() == (0, 0), 10, f"the slots to be free with the profile {name}")
    try:
        nic.profile("no-such-profile")
    except OSError as error:
        check_equal(error.errno, errno.EINVAL, "answer to an unknown profile")
    else:
        raise Failure("an unknown profile was accepted")


def case_espsim_corrupts():
    """A corrupted packet is dropped by a software receiver and by a NIC, counted as a failure of integrity, and harms no other"""
    pair = espsim.Pair()
    # Who corrupts, whether the receiver is a NIC, and the mode: with a NIC, the kernel has a status for each.
    for sent, receiver, mode in ((True, False, "transport"), (True, True, "transport"),
                                 (False, True, "transport"), (False, True, "tunnel")):
        what = (f"corrupted by the {'sending' if sent else 'receiving'} NIC, decrypted by {'a NIC' if receiver else 'software'}, "
                f"{mode} mode")
        tunnel = espsim.Tunnel("v4", mode)
        tunnel.add((True, False), (receiver, False))
        tunnel.add_policies()
        before, bad = xfrm.mib(espsim.PEER)["XfrmInStateProtoError"], pair.there.stats()["rx_bad_icv"]
        if sent:
            pair.here.set(corrupt_tx=1)
        else:
            pair.there.set(corrupt_rx=1)
        check_equal(espsim.ping(tunnel.inner()[1]), 4, f"answers to 5 pings of which one is {what}")
        check_equal(xfrm.mib(espsim.PEER)["XfrmInStateProtoError"] - before, 1, f"packets that the peer refused, {what}")
        check_equal(xfrm.by_spi(espsim.PEER)[tunnel.spi].integrity_errors, 1, f"failures of integrity of the SA, {what}")
        check_equal([slot.errors for slot in pair.there.slots()], [1] if receiver else [], f"errors of the receiving slot, {what}")
        check_equal(pair.there.stats()["rx_bad_icv"] - bad, int(receiver), f"packets whose ICV the NIC found wrong, {what}")
        tunnel.delete()


def orphaned(pair, tunnel, act, expected, what):
    """While act() runs, the NIC decrypts that many packets for an inbound SA that has left it; all of them fail their integrity
    check in software, and nothing else fails."""
    before, errors = pair.here.stats()["rx_orphaned"], espsim.errors()
    act()
    wait_until(lambda: pair.here.stats()["rx_orphaned"] - before == expected, 60, f"{expected} orphaned packets; {what}")
    grown = {key: value - errors.get(key, 0) for key, value in espsim.errors().items() if value != errors.get(key, 0)}
    check_equal(grown, {("gateway", "XfrmInStateProtoError"): expected}, f"errors of xfrm; {what}")
    check_equal(xfrm.by_spi()[tunnel.spi + 1].integrity_errors, expected, f"failures of integrity of the SA; {what}")


@timeout(180)
def case_espsim_orphans():
    """Packets that the NIC has decrypted for an SA that has left it are lost: until its slot is released, or in the queue"""
    pair = espsim.Pair(tunnels=2)
    nic = pair.here
    tunnel, other = (espsim.Tunnel("v4", "transport", number=number) for number in (0, 1))
    here, there = tunnel.inner()

    def lost():
        check_equal(espsim.ping(there, count=3), 0, "answers to pings that the NIC decrypts for a deleted SA")

    def freed():
        espsim.free_received()
        return nic.stats()["sa_freed"] == nic.stats()["sa_added"]

    what = "the slot is released with the last reference to the SA"
    nic.set(release=1, decrypt_after_delete=True)
    tunnel.add((False, False), (False, True))
    tunnel.add_policies()
    with espsim.datagrams(there, here, source_netns=espsim.PEER) as (sender, reader):
        # A datagram has a reference to its SA until it is read.
        sender.send(b"last reference")
        reader.recv(100, socket.MSG_PEEK)
        tunnel.replace(1, 1, False)
        orphaned(pair, tunnel, lost, 3, what)
        check_equal([(slot.dead, slot.packets) for slot in nic.slots()], [(True, 4)], f"deleted, and packets decrypted; {what}")
        check_equal(nic.used(), (0, 1), f"slots in use; {what}")
        reader.recv(100)
    wait_until(freed, 20, f"the SA to be freed; {what}")
    check_equal(nic.used(), (0, 0), f"slots in use; {what}")
    check_equal(espsim.ping(there), 5, f"answers to pings after that; {what}")
    tunnel.delete()

    what = "answers wait in the receive queue"
    nic.set(release=0, decrypt_after_delete=False)
    tunnel.add((False, False), (False, True))
    tunnel.add_policies()
    begin = time.monotonic()
    tunnel.replace(1, 1, True)
    # Long enough that the SA is replaced before the packets are delivered.
    delay = 1 + 5 * (time.monotonic() - begin)
    nic.set(rx_delay_us=int(delay * 1_000_000))
    begin = time.monotonic()
    check_equal(espsim.ping(there, count=1, wait=delay + 20), 1, f"answers to pings; {what}")
    check(time.monotonic() - begin >= delay, f"the answer came after {time.monotonic() - begin:.2f} s, delayed by {delay:.2f} s")
    with espsim.datagrams(there, here, source_netns=espsim.PEER) as (sender, _):
        decrypted = nic.stats()["rx_decrypted"]

        def overtaken():
            for _ in range(5):
                sender.send(b"decrypted too early")
            wait_until(lambda: nic.stats()["rx_decrypted"] - decrypted == 5, 20, f"5 packets to be decrypted; {what}", interval=0.05)
            tunnel.replace(1, 1, False)

        orphaned(pair, tunnel, overtaken, 5, what)
    tunnel.delete()

    what = "the slot is released by time"
    nic.set(rx_delay_us=0, release=2, release_ms=15_000, decrypt_after_delete=True)
    tunnel.add((False, False), (False, True))
    tunnel.add_policies()
    check_equal(espsim.ping(there), 5, f"answers to pings; {what}")
    tunnel.replace(1, 1, False)
    wait_until(freed, 20, f"the SA to be freed; {what}")
    # The next SA of the NIC must not get those packets.
    other.add((False, False), (False, True))
    orphaned(pair, tunnel, lost, 3, what)
    check_equal([slot.packets for slot in nic.slots()], [0], f"packets of the next SA; {what}")
    check_equal(nic.used(), (0, 2), f"slots in use; {what}")
    wait_until(lambda: nic.used() == (0, 1), 40, f"the slot to be free; {what}")


def case_espsim_delays():
    """An addition that takes its time sleeps; a deletion does not return before its time either"""
    pair = espsim.Pair()
    nic = pair.here
    here, there = espsim.Tunnel("v4", "transport").ends(False)

    def add(spi):
        check_equal(xfrm.try_state(here, there, spi, 1, offload=(nic.name, "out")), 0, "answer to an SA")

    add(0x1000)             # loads modules
    nic.set(add_ms=2000, delete_ms=2000)
    begin, cpu = time.monotonic(), time.thread_time()
    add(0x1001)
    elapsed, cpu = time.monotonic() - begin, time.thread_time() - cpu
    check(elapsed >= 2, f"the addition took {elapsed:.2f} s")
    check(cpu < elapsed / 2, f"the addition used {cpu:.2f} of {elapsed:.2f} s of CPU time")

    # The kernel holds a spinlock meanwhile, so that it could not sleep. CPU time is no proof: it is counted in ticks, which an
    # emulated CPU loses.
    begin = time.monotonic()
    xfrm.delete_state(here, there, 0x1001)
    # The delay loop is calibrated at boot: where the emulated CPU was slow then, it is short (0.92 s of 2 s were seen). Without it a
    # deletion takes milliseconds.
    check(time.monotonic() - begin >= 0.4, f"the deletion took {time.monotonic() - begin:.2f} s")
    nic.set(delete_ms=0)


def case_espsim_counters_lag():
    """The kernel's counters of an SA stay behind those of the NIC, and then show all (Linux 6.9 and later)"""
    lag = 4
    pair = espsim.Pair()
    pair.here.set(counters_lag_ms=lag * 1000)
    tunnel = espsim.Tunnel("v4", "transport")
    tunnel.add((True, False), (False, False))
    tunnel.add_policies()

    def shown():
        return xfrm.by_spi()[tunnel.spi].packets

    begin = time.monotonic()
    check_equal(shown(), 0, "packets of a new SA")
    check_equal(espsim.ping(tunnel.inner()[1]), 5, "answers to pings")
    check_equal([slot.packets for slot in pair.here.slots()], [5], "packets that the NIC encrypted")
    seen = shown()
    if espsim.KERNEL < (6, 9):
        check_equal(seen, 5, "packets that a kernel shows that does not ask the NIC")
        return
    check(seen == 0 or time.monotonic() - begin >= lag, f"{seen} packets are shown after {time.monotonic() - begin:.2f} s")
    wait_until(lambda: shown() == 5, 20, "the kernel to show all packets")


def kernel_warnings():
    """The bits of the kernel's taint that a warning and an oops set."""
    return int(pathlib.Path("/proc/sys/kernel/tainted").read_text()) & (1 << 9 | 1 << 7)


def case_espsim_unload():
    """A namespace that ends, and the module that is removed, take their SAs with them and leave nothing"""
    pair = espsim.Pair()
    tunnel = espsim.Tunnel("v4", "tunnel")
    tunnel.add((True, True), (True, True))
    tunnel.add_policies()
    check_equal(espsim.ping(tunnel.inner()[1]), 5, "answers to pings")
    ip(f"netns delete {espsim.PEER}")
    wait_until(lambda: pair.there.used() == (0, 0), 10, "the SAs of the namespace to be gone from the NIC")
    wait_until(lambda: pair.there.name in run("ip", "-br", "link"), 10, "the device to come back from the namespace")
    check_equal(pair.here.used(), (1, 1), "SAs of the NIC whose namespace lives")
    # The module must wait for this: a release that comes after it runs in memory that is freed.
    pair.here.set(release=2, release_ms=1500)
    warnings = kernel_warnings()
    espsim.free_received()
    run("rmmod", "espsim")
    time.sleep(3)
    check_equal(kernel_warnings(), warnings, "warnings of the kernel after the module was removed")
    check_equal(xfrm.sas(), [], "SAs that the module left")
    check("espsim" not in run("lsmod"), "the module is still there")
