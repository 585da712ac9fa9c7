# SPDX-License-Identifier: GPL-2.0-or-later
"""espsim itself is a NIC that encrypts: what it sends a software peer understands, and the reverse."""

import errno
import pathlib
import time

from lib import espsim, xfrm
from lib.case import Failure, check, check_equal, timeout
from lib.capture import ESP
from lib.sh import attempt, ip, run, wait_until

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


def carries(pair, tunnel, place):
    """Pings of two sizes and a TCP stream pass, and the NICs that hold SAs counted their packets."""
    sender, receiver = PLACES[place]
    what = f"{tunnel.family} {tunnel.mode} {tunnel.algorithm} ICV {tunnel.icv}, offloaded: {place}"
    before = espsim.errors()
    stats = {device.name: device.stats() for device in (pair.here, pair.there)}
    tunnel.add(sender, receiver)
    tunnel.add_policies()
    here, there = tunnel.inner()
    check_equal(espsim.ping(there), 5, f"answers to pings; {what}")
    check_equal(espsim.ping(there, count=3, size=4000), 3, f"answers to pings in fragments; {what}")
    espsim.stream(here, there)
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
    tunnel = espsim.Tunnel("v4", "transport")
    for receiver in (False, True):
        tunnel.add((True, False), (receiver, False))
        tunnel.add_policies()
        before = xfrm.mib(espsim.PEER)["XfrmInStateProtoError"]
        pair.here.set(corrupt_tx=1)
        check_equal(espsim.ping(tunnel.inner()[1]), 4, "answers to 5 pings of which one is corrupted")
        check_equal(xfrm.mib(espsim.PEER)["XfrmInStateProtoError"] - before, 1, "packets that the peer refused")
        check_equal(xfrm.by_spi(espsim.PEER)[tunnel.spi].integrity_errors, 1, "failures of integrity of the SA")
        tunnel.delete()
    check_equal(pair.there.stats()["rx_bad_icv"], 1, "packets whose ICV the receiving NIC found wrong")


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
