# SPDX-License-Identifier: GPL-2.0-or-later
"""SAs: reading all of them directly from the kernel, and adding them with iproute2.

SAs are read by our own GETSA dump and not by "ip -s xfrm state", because iproute2 has no JSON for it, and because a test should
not use the parser of the program under test.
"""

import contextlib
import ctypes
import dataclasses
import errno
import ipaddress
import os
import socket
import struct

from lib.sh import ip, ip_batch

NETLINK_XFRM = 6
XFRM_MSG_NEWSA, XFRM_MSG_GETSA = 0x10, 0x12
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 0x1, 0x4, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
XFRMA_ALG_AUTH, XFRMA_ALG_CRYPT = 1, 2
XFRMA_ALG_AEAD, XFRMA_REPLAY_VAL, XFRMA_MARK, XFRMA_REPLAY_ESN_VAL, XFRMA_OFFLOAD_DEV, XFRMA_IF_ID = 18, 10, 21, 23, 28, 31
USERSA_INFO_SIZE = 224
MODES = {0: "transport", 1: "tunnel", 4: "beet"}
CLONE_NEWNET = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)


@dataclasses.dataclass(frozen=True)
class SA:
    """One SA as the kernel shows it. Counters are those of lifetime_cur; oseq and seq are 64 bits wide with ESN."""
    spi: int
    src: str
    dst: str
    proto: int
    mode: str
    reqid: int
    family: int
    bytes: int
    packets: int
    add_time: int
    use_time: int
    oseq: int
    seq: int
    replay_errors: int
    integrity_errors: int
    limits: tuple           # bytes soft, hard, packets soft, hard, seconds since birth soft, hard, since first use soft, hard
    replay_window: int
    flags: int
    mark: int
    if_id: int
    larval: bool            # no keys: a placeholder for an SA
    device: str | None      # the NIC that has it, None for software
    inbound: bool           # the offload's direction, meaningless in software


@contextlib.contextmanager
def inside(netns):
    """Run a block in another network namespace (None: in this one)."""
    if not netns:
        yield
        return
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{netns}", os.O_RDONLY)
    try:
        if _libc.setns(there, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {netns}")
        yield
    finally:
        _libc.setns(here, CLONE_NEWNET)
        os.close(here)
        os.close(there)


def _address(family, raw):
    return str(ipaddress.ip_address(raw[:4] if family == socket.AF_INET else raw))


def _attributes(data):
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            return
        yield kind & 0x3fff, data[4:length]
        data = data[(length + 3) & ~3:]


def _parse(payload):
    daddr, spi, proto = payload[56:72], struct.unpack_from("!I", payload, 72)[0], payload[76]
    limits = struct.unpack_from("=8Q", payload, 96)
    count, packets, add_time, use_time = struct.unpack_from("=4Q", payload, 160)
    _, replay, integrity = struct.unpack_from("=3I", payload, 192)
    reqid, family, mode, window, flags = struct.unpack_from("=IHBBB", payload, 208)
    values = dict(oseq=0, seq=0, mark=0, if_id=0, larval=True, device=None, inbound=False)
    for kind, data in _attributes(payload[USERSA_INFO_SIZE:]):
        if kind in (XFRMA_ALG_AUTH, XFRMA_ALG_CRYPT, XFRMA_ALG_AEAD):
            values["larval"] = False
        elif kind == XFRMA_REPLAY_VAL:
            values["oseq"], values["seq"] = struct.unpack_from("=II", data)
        elif kind == XFRMA_REPLAY_ESN_VAL:
            _, oseq, seq, oseq_hi, seq_hi = struct.unpack_from("=5I", data)
            values["oseq"], values["seq"] = oseq_hi << 32 | oseq, seq_hi << 32 | seq
        elif kind == XFRMA_MARK:
            values["mark"] = struct.unpack_from("=I", data)[0]
        elif kind == XFRMA_IF_ID:
            values["if_id"] = struct.unpack_from("=I", data)[0]
        elif kind == XFRMA_OFFLOAD_DEV:
            ifindex, offload_flags = struct.unpack_from("=iB", data)
            values["inbound"] = bool(offload_flags & 2)
            try:
                values["device"] = socket.if_indextoname(ifindex)
            except OSError:
                values["device"] = f"#{ifindex}"
    return SA(spi=spi, src=_address(family, payload[80:96]), dst=_address(family, daddr), proto=proto,
              mode=MODES.get(mode, str(mode)), reqid=reqid, family=family, bytes=count, packets=packets, add_time=add_time,
              use_time=use_time, replay_errors=replay, integrity_errors=integrity, limits=limits,
              replay_window=window, flags=flags, **values)


def sas(netns=None):
    """All SAs of a network namespace, as a list of SA."""
    found = []
    with inside(netns), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_XFRM) as nl:
        nl.send(struct.pack("=IHHII", 16, XFRM_MSG_GETSA, NLM_F_REQUEST | NLM_F_DUMP, 1, 0))
        while True:
            data = nl.recv(1 << 18)
            while data:
                length, kind = struct.unpack_from("=IH", data)
                payload = data[16:length]
                if kind == NLMSG_DONE:
                    return found
                if kind == NLMSG_ERROR:
                    code = -struct.unpack_from("=i", payload)[0]
                    raise OSError(code, f"SA dump: {errno.errorcode.get(code, code)}")
                if kind == XFRM_MSG_NEWSA:
                    found.append(_parse(payload))
                data = data[(length + 3) & ~3:]


def _attribute(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def try_state(src, dst, spi, reqid, offload=None, attributes=()):
    """Add an AES-GCM transport mode SA with our own message, and return the kernel's errno (0: it was added).

    iproute2 hides the errno when the kernel sends a text with it. attributes: more of them, as (type, bytes).
    """
    source, destination = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    family = socket.AF_INET if source.version == 4 else socket.AF_INET6
    infinite = (1 << 64) - 1
    message = bytes(56)
    message += destination.packed.ljust(16, b"\0") + struct.pack("!IB3x", spi, socket.IPPROTO_ESP)
    message += source.packed.ljust(16, b"\0")
    message += struct.pack("=8Q", infinite, infinite, infinite, infinite, 0, 0, 0, 0) + bytes(32 + 12)
    message += struct.pack("=IIHBBB7x", 0, reqid, family, 0, 32, 0)
    key = os.urandom(20)
    message += _attribute(XFRMA_ALG_AEAD, b"rfc4106(gcm(aes))".ljust(64, b"\0") + struct.pack("=II", len(key) * 8, 128) + key)
    if offload:
        flags = 2 if offload[1] == "in" else 0
        message += _attribute(XFRMA_OFFLOAD_DEV, struct.pack("=iB3x", socket.if_nametoindex(offload[0]), flags))
    for kind, data in attributes:
        message += _attribute(kind, data)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_XFRM) as nl:
        nl.send(struct.pack("=IHHII", 16 + len(message), XFRM_MSG_NEWSA, NLM_F_REQUEST | NLM_F_ACK, 1, 0) + message)
        return -struct.unpack_from("=i", nl.recv(1 << 16), 16)[0]


def by_spi(netns=None):
    """All SAs by SPI, for worlds in which each SPI is used once."""
    return {sa.spi: sa for sa in sas(netns)}


def offloaded(device=None):
    """The SPIs of all SAs in a NIC (if named: in this NIC)."""
    return {sa.spi for sa in sas() if sa.device and device in (None, sa.device)}


def gcm_key(bits=128):
    """A random key for rfc4106(gcm(aes)), with its 4 bytes of salt, in the format of ip xfrm."""
    return "0x" + os.urandom(bits // 8 + 4).hex()


def state_words(src, dst, spi, reqid, key, mode="transport", offload=None, icv=128, extra=""):
    """The arguments of "ip xfrm state add" for an AES-GCM SA. offload: ("nsim0", "in" or "out")."""
    words = (f"src {src} dst {dst} proto esp spi {spi:#x} reqid {reqid} mode {mode} replay-window 32 "
             f"aead rfc4106(gcm(aes)) {key} {icv} {extra}")
    if offload:
        words += f" offload dev {offload[0]} dir {offload[1]}"
    return words


def add_state(*args, netns=None, check=True, **options):
    """Add one AES-GCM SA; arguments as state_words()."""
    return ip("xfrm state add " + state_words(*args, **options), netns=netns, check=check)


def delete_state(src, dst, spi, netns=None, check=True):
    return ip(f"xfrm state delete src {src} dst {dst} proto esp spi {spi:#x}", netns=netns, check=check)


def policy_words(source, destination, direction, src, dst, reqid, mode="transport", extra="", spi=0):
    """The arguments of "ip xfrm policy add": traffic from source to destination uses the SA src, dst, reqid."""
    return (f"src {source} dst {destination} dir {direction} {extra} "
            f"tmpl src {src} dst {dst} proto esp {f'spi {spi:#x} ' if spi else ''}reqid {reqid} mode {mode}")


def flush(netns=None):
    ip_batch(["xfrm state flush", "xfrm policy flush"], netns=netns)


def mib(netns=None):
    """/proc/net/xfrm_stat as a dictionary."""
    with inside(netns), open("/proc/thread-self/net/xfrm_stat") as file:
        return {name: int(value) for name, value in map(str.split, file)}
