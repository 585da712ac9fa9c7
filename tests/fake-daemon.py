#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A replacement for espoffloadd in tests: serves io.espoffload with synthetic SAs that move.

For the development and the tests of espoffloadctl. 48 SAs with Zipf-distributed rates whose ranks
shift, one trusted NIC with a shared table of 33 slots (two of them foreign), one untrusted NIC with
split tables.
"""

import argparse
import json
import math
import os
import socketserver
import threading
import time

SAMPLES = 60
CAPACITY = 33
FILES = ["/etc/espoffloadd.conf", "/etc/espoffloadd.conf.d/10-site.conf"]
FOREIGN = 2
PEERS_MAX = 1024
VERSION = "0.1.0-fake"
# Of Monitor.
EVENTS = [
    {"time": 1796000000.25, "action": "promoted", "spi": "0x00000101", "src": "192.0.2.1", "dst": "198.51.100.1", "direction": "out",
     "nic": "eth0", "from": "software", "to": "eth0", "reason": "hotter", "text": "it is hotter (3.0 Mbit/s against 1.0 Mbit/s)",
     "driverText": None, "rule": None, "bytesPerSecond": 375000, "otherBytesPerSecond": 125000, "errno": None, "suppressed": None},
    {"time": 1796000001.5, "action": "refused", "spi": "0x00000106", "src": "2001:db8:ffff:3::10:3", "dst": "2001:db8:1::1",
     "direction": "in", "nic": "eth0", "from": "software", "to": "eth0", "reason": "refused", "text": "no room: \033[31mfull",
     "driverText": "\033[31mfull", "rule": "/etc/espoffloadd.conf:3", "bytesPerSecond": 1000, "otherBytesPerSecond": None, "errno": 28,
     "suppressed": None},
    {"time": 1796000002.0, "action": "lost", "text": "7 events were read too late and are lost", "lost": 7},
    {"time": 1796000003.0, "action": "paused", "text": "Paused: SAs stay where they are"},
]


class Error(Exception):
    def __init__(self, name, **parameters):
        super().__init__(name)
        self.name = name
        self.parameters = parameters


class World:
    """All state is a function of the time, so that every frame can be reproduced."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.start = time.monotonic()
        self.paused = False
        self.orders = []
        self.trial = None
        self.evacuated = []
        self.lock = threading.Lock()

    def now(self):
        if self.arguments.frozen:
            return 1004.0
        return time.monotonic() - self.start + 1000.0

    def rank_at(self, index, t):
        # Every 8 s a few SAs exchange their ranks with distant ones.
        epoch = int(t / 8)
        rank = index
        if index % 7 == epoch % 7:
            rank = (index + 31 + epoch) % self.arguments.sas
        return rank

    def rate_at(self, index, t):
        if t < 0:
            return None
        rank = self.rank_at(index, t)
        wave = 1 + 0.35 * math.sin(t / (3 + index % 5) + index) + 0.1 * math.sin(t * 2.1 + 3 * index)
        rate = 400e6 / (rank + 1) ** 1.1 * wave
        return 0.0 if index % 23 == 22 else rate

    def addresses(self, index):
        pair = index // 2 + 1
        if pair % 4 == 3:
            ours, theirs = "2001:db8:1::1", f"2001:db8:ffff:{pair:x}::10:{pair:x}"
        else:
            ours, theirs = "192.0.2.1", f"198.51.100.{pair}"
        return (ours, theirs) if index % 2 == 0 else (theirs, ours)

    def state(self, index, order, t):
        """placement, nic, state, reason, text"""
        if index in (5, 11):
            return "nic", "eth0", "foreign", "foreign", "somebody else offloaded it; it is left alone"
        if index == 8:
            return ("software", None, "refused", "refused",
                    'the driver refused it: "Only 128 bit ICV is supported"; tried again in 4 min')
        if index == 17:
            return "software", None, "hands-off", "unknown-attribute", "attribute 42 is not known: hands off"
        if self.rate_at(index, t) == 0:
            return "software", None, "settled", "idle", "it carries nothing"
        if order < CAPACITY - FOREIGN:
            if self.rank_at(index, t) != self.rank_at(index, t - 1):
                return "software", None, "moving", "hotter", "it displaces a colder SA"
            return "nic", "eth0", "settled", "resident", "hot enough to stay"
        return ("software", None, "settled", "not-hot-enough",
                "colder than every resident it could displace (27.1 Mbit/s)")

    def sas(self, history=False):
        t = self.now()
        rates = [(self.rate_at(i, t), i) for i in range(self.arguments.sas)]
        rates.sort(key=lambda pair: (-pair[0], pair[1]))
        sas = []
        movable = 0
        for rank, (rate, index) in enumerate(rates, 1):
            placement, nic, state, reason, text = self.state(index, movable, t)
            if state in ("settled", "moving"):
                movable += 1
            src, dst = self.addresses(index)
            sa = {
                "spi": f"0x{0x101 + index:08x}", "src": src, "dst": dst,
                "direction": "out" if index % 2 == 0 else "in", "protocol": "esp",
                "mode": "tunnel" if index % 3 else "transport", "reqid": index // 2 + 1,
                "ifId": None, "mark": None, "placement": placement, "nic": nic,
                "candidateNic": "eth0", "bytesPerSecond": rate, "bytes": int(rate * 100),
                "packets": int(rate / 14), "rank": rank if rate else None, "state": state,
                "reason": reason, "text": text,
                "lasting": reason in ("refused", "unknown-attribute"), "secondsInPlace": t % 8, "rule": None,
                "algorithm": "rfc4106(gcm(aes))",
            }
            if history:
                sa["history"] = [self.rate_at(index, t - SAMPLES + 1 + i) for i in range(SAMPLES)]
            sas.append(sa)
        return sas

    def nics(self, sas):
        used = sum(1 for sa in sas if sa["placement"] == "nic")
        rate = sum(sa["bytesPerSecond"] for sa in sas if sa["placement"] == "nic")
        return [
            {"name": self.arguments.nic, "index": 2, "driver": "netdevsim", "up": True, "espOffload": True,
             "allowed": True, "trusted": True, "file": FILES[0], "line": 12, "reason": None,
             "capacity": {"shared": True, "total": CAPACITY},
             "used": {"shared": True, "total": used},
             "foreign": {"shared": True, "total": FOREIGN}, "bytesPerSecond": rate,
             "promoted": [{"reason": "hotter", "count": 20}, {"reason": "free-slot", "count": 11}],
             "evicted": [{"reason": "colder", "count": 20}, {"reason": "idle", "count": 3}],
             "refused": [{"reason": "unsupported", "count": 1}]},
            {"name": "eth1", "index": 3, "driver": "ixgbe", "up": True, "espOffload": True,
             "allowed": True, "trusted": False, "file": FILES[1], "line": 17, "reason": "not trusted by line 17",
             "capacity": {"shared": False, "in": 1024, "out": 1024},
             "used": {"shared": False, "in": 0, "out": 0},
             "foreign": {"shared": False, "in": 0, "out": 0}, "bytesPerSecond": 0.0, "promoted": [], "evicted": [], "refused": []},
        ]

    def actions(self):
        t = self.now()
        return [{"secondsAgo": t % 8 + 8 * i, "action": "promote" if i % 2 == 0 else "evict",
                 "spi": f"0x{0x101 + 3 * i:08x}", "src": "192.0.2.1", "dst": "198.51.100.7",
                 "direction": "out", "nic": "eth0", "reason": "hotter",
                 "text": "promoted 0x%08x to eth0: 212 Mbit/s against 18.3 Mbit/s of the coldest "
                         "resident" % (0x101 + 3 * i)} for i in range(4)]

    def ranking(self):
        by_cpu = self.arguments.rank_by_cpu
        costs = [("rfc4106(gcm(aes))", "encrypt", 0.4514, 212.3, None), ("rfc4106(gcm(aes))", "decrypt", None, None, None),
                 ("rfc4309(ccm(aes))", "encrypt", None, None, "its driver works elsewhere")]
        return {
            "configured": "cpu" if by_cpu else "bytes", "inForce": "cpu" if by_cpu == "known" else "bytes",
            "reason": "there are no sockets of AF_ALG" if by_cpu == "unknown" else None,
            "algorithms": [{"algorithm": name, "keyBits": 160, "icvBits": 128, "operation": operation, "nsPerByte": by_byte,
                            "nsPerPacket": by_packet, "reason": reason}
                           for name, operation, by_byte, by_packet, reason in costs if by_cpu == "known"],
        }

    def get_status(self, parameters):
        sas = self.sas()
        moves = int((self.now() - 1000) / 8)
        return {
            "version": VERSION, "mode": "enforce", "paused": self.paused,
            "evacuated": self.evacuated, "orders": self.orders,
            "conditions": [{"name": "trouble", "text": self.arguments.degraded}] if self.arguments.degraded else [],
            "degraded": self.arguments.degraded, "mechanism": "re-add", "interval": 1.0, "dumpInterval": self.arguments.dump_interval,
            "uptime": self.now() - 1000, "configuration": FILES[0], "configurationFiles": FILES, "trial": self.trial, "fips": False,
            "ranking": self.ranking(),
            "sas": len(sas), "offloaded": sum(1 for sa in sas if sa["placement"] == "nic"),
            "bytesPerSecond": sum(sa["bytesPerSecond"] for sa in sas),
            "offloadedBytesPerSecond":
                sum(sa["bytesPerSecond"] for sa in sas if sa["placement"] == "nic"),
            "software": [{"reason": "dwelling", "count": len(sas) - sum(1 for sa in sas if sa["placement"] == "nic")}],
            "nics": self.nics(sas),
            "moves": {"promoted": 31 + moves, "evicted": moves, "refused": 1, "failed": 0},
            "resyncs": 0, "overruns": 0, "lastAction": self.actions()[0],
        }

    def list_sas(self, parameters):
        if parameters.get("nic") not in (None, "eth0", "eth1"):
            raise Error("io.espoffload.InvalidValue", parameter="nic", value=parameters["nic"], expected="eth0, eth1")
        sas = self.sas(parameters.get("history") is True)
        sas = self.arrange([sa for sa in sas if self.matches(sa, parameters)], parameters)
        total = len(sas)
        offset = parameters.get("offset") or 0
        limit = total if parameters.get("limit") is None else parameters["limit"]
        if self.arguments.most is not None and limit > self.arguments.most:
            raise Error("org.varlink.service.InvalidParameter", parameter="limit")
        followed = [place for place, sa in enumerate(sas)
                    if (sa["spi"], sa["dst"]) == (parameters.get("followSpi"), parameters.get("followDst"))]
        if followed and limit > 0:
            offset = min(max(offset, followed[0] - limit + 1), followed[0])
        return {"sas": sas[offset:offset + limit], "total": total, "offset": offset}

    @staticmethod
    def sums(sas):
        offloaded = [sa for sa in sas if sa["placement"] == "nic"]
        return {"sas": len(sas), "offloaded": len(offloaded),
                "bytesPerSecond": float(sum(sa["bytesPerSecond"] for sa in sas)),
                "offloadedBytesPerSecond": float(sum(sa["bytesPerSecond"] for sa in offloaded))}

    PEER_SORTS = {"rate": "bytesPerSecond", "sas": "sas", "offloaded": "offloaded", "peer": "peer"}

    def list_peers(self, parameters):
        sort = parameters.get("sort") or "rate"
        if sort not in self.PEER_SORTS:
            raise Error("io.espoffload.InvalidValue", parameter="sort", value=sort, expected=", ".join(self.PEER_SORTS))
        limit = PEERS_MAX if parameters.get("limit") is None else parameters["limit"]
        if limit > PEERS_MAX:
            raise Error("io.espoffload.InvalidValue", parameter="limit", value=str(limit), expected=f"0 to {PEERS_MAX}")
        sas = [sa for sa in self.sas() if self.matches(sa, parameters)]
        by_peer = {}
        for sa in sas:
            by_peer.setdefault(sa["src"] if sa["direction"] == "in" else sa["dst"], []).append(sa)
        peers = [{"peer": peer, **self.sums(its), "nics": sorted({sa["nic"] for sa in its} - {None})}
                 for peer, its in by_peer.items()]
        peers.sort(key=lambda peer: (-peer["bytesPerSecond"], peer["peer"]))
        peers.sort(key=lambda peer: peer[self.PEER_SORTS[sort]], reverse=sort != "peer")
        if parameters.get("reverse") is True:
            peers.reverse()
        offset = parameters.get("offset") or 0
        followed = [place for place, peer in enumerate(peers) if peer["peer"] == parameters.get("followPeer")]
        if followed and limit > 0:
            offset = min(max(offset, followed[0] - limit + 1), followed[0])
        shown = peers[offset:offset + limit]
        names = {peer["peer"] for peer in shown}
        others = [sa for peer, its in by_peer.items() if peer not in names for sa in its]
        return {"peers": shown, "total": len(peers), "offset": offset,
                "sums": {"peers": len(peers), **self.sums(sas)},
                "others": {"peers": len(peers) - len(shown), **self.sums(others)}}

    SORTS = {
        "rate": lambda sa: 0,
        "rank": lambda sa: 0,
        "placement": lambda sa: ["nic", "moving", "software", "refused", "foreign", "hands-off"].index(
            sa["placement"] if sa["state"] == "settled" else sa["state"]),
        "direction": lambda sa: sa["direction"],
        "spi": lambda sa: sa["spi"],
        "peer": lambda sa: sa["src"] if sa["direction"] == "in" else sa["dst"],
        "source": lambda sa: sa["src"],
        "destination": lambda sa: sa["dst"],
        "nic": lambda sa: (sa["nic"] is None, sa["nic"] or ""),
    }

    def arrange(self, sas, parameters):
        """They come in the order of their rates."""
        sort = parameters.get("sort") or "rate"
        if sort not in self.SORTS:
            raise Error("io.espoffload.InvalidValue", parameter="sort", value=sort, expected=", ".join(self.SORTS))
        sas = sorted(sas, key=self.SORTS[sort])
        return sas[::-1] if parameters.get("reverse") is True else sas

    @staticmethod
    def matches(sa, parameters):
        peer = sa["src"] if sa["direction"] == "in" else sa["dst"]
        return (parameters.get("nic") in (None, sa["nic"]) and
                parameters.get("placement") in (None, sa["placement"], sa["state"]) and
                parameters.get("peer") in (None, peer) and
                parameters.get("direction") in (None, sa["direction"]) and
                any((parameters.get("filter") or "") in str(value) for key, value in sa.items() if key != "history"))

    def explain(self, parameters):
        found = [sa for sa in self.sas() if sa["spi"] == parameters["spi"] and
                 parameters.get("dst") in (None, sa["dst"])]
        if not found:
            raise Error("io.espoffload.NoSuchSA", spi=parameters["spi"])
        return {"sas": [{
            "sa": sa,
            "sentences": [
                f"This SA is in {'the NIC ' + sa['nic'] if sa['nic'] else 'software'}: {sa['text']}.",
                "Its rate of the last half minute puts it at rank %s of %d; the %d slots of eth0 that "
                "are not taken by others go to the hottest SAs." %
                (sa["rank"], self.arguments.sas, CAPACITY - FOREIGN)],
            "numbers": self.numbers(),
            "details": [{"name": "rate", "value": "%.0f B/s" % sa["bytesPerSecond"]},
                        {"name": "confidence band", "value": "12.1 to 14.9 Mbit/s"},
                        {"name": "threshold", "value": "18.3 Mbit/s"},
                        {"name": "rule", "value": "none: offload auto"}],
            "history": self.actions(),
        } for sa in found]}

    def numbers(self):
        return {
            "sas": self.arguments.sas, "leastBytesPerSecond": 1.5e6, "mostBytesPerSecond": 1.9e6,
            "boundary": {"bytesPerSecond": 2.3e6, "otherSpi": "0x00000102", "otherBytesPerSecond": 2.2e6},
            "slots": {"nic": "eth0", "capacity": CAPACITY, "used": CAPACITY - FOREIGN, "reserve": 0},
            "gainBytes": 0.0, "neededBytes": 4e6, "costBytes": 4e6, "movesIn": None, "probation": 0.0,
            "change": "It moves when it carries more."}

    def plan(self, parameters):
        """The first SA outside would displace the last one inside."""
        sas = self.sas()
        inside = [sa for sa in sas if sa["state"] == "settled" and sa["nic"]]
        outside = [sa for sa in sas if sa["state"] == "settled" and not sa["nic"] and sa["bytesPerSecond"] > 0]

        def move(action, sa, other, text):
            return {**{key: sa[key] for key in ("spi", "src", "dst", "direction", "bytesPerSecond")},
                    "secondsFromNow": 2.0, "action": action, "nic": "eth0", "reason": "hotter", "text": text,
                    "otherSpi": other["spi"], "otherBytesPerSecond": other["bytesPerSecond"],
                    "gainBytes": 12e6, "costBytes": 2e6}

        moves = [move("evict", inside[-1], outside[0], "it made room for a hotter SA"),
                 move("promote", outside[0], inside[-1], "it is hotter than the coldest SA in the NIC")]
        return {"mode": "enforce", "paused": self.paused, "interval": 1.0, "turns": parameters.get("turns") or 10,
                "moves": moves if parameters.get("turns") != 1 else [],
                "outsiders": [{"sa": outside[1], "sentences": ["Why: it is colder."], "numbers": self.numbers()}]}

    def change(self, paused):
        if self.arguments.deny:
            raise Error("io.espoffload.PermissionDenied", message="only root may do that")
        if paused is not None:
            self.paused = paused
        return {}

    def evacuate(self, parameters):
        self.change(None)
        if parameters["nic"] not in ("eth0", "eth1"):
            raise Error("io.espoffload.NoSuchNic", nic=parameters["nic"])
        self.evacuated.append(parameters["nic"])
        return {}

    def resume(self, parameters):
        nic = parameters.get("nic")
        if nic is None:
            self.evacuated.clear()
            return self.change(False)
        if nic not in self.evacuated:
            raise Error("io.espoffload.NotEvacuated", nic=nic)
        self.evacuated.remove(nic)
        return self.change(None)

    def give(self, kind, parameters):
        """Pin or Ban."""
        self.change(None)
        if len(self.orders) == 3:
            raise Error("io.espoffload.TooManyOrders", most=3)
        target = {name: parameters[name] for name in ("spi", "dst", "peer") if parameters.get(name)}
        found = [sa for sa in self.sas() if sa["spi"] == target.get("spi")]
        if "spi" in target and not found:
            raise Error("io.espoffload.NoSuchSA", spi=target["spi"])
        if "spi" in target:
            target.update(src=found[0]["src"], dst=found[0]["dst"])
        order = {"kind": kind, "secondsLeft": parameters.get("seconds"), "persist": parameters.get("persist") is True, **target}
        self.orders.append(order)
        obstacles = [{"reason": sa["reason"], "text": sa["text"], "sas": 1} for sa in found if sa["lasting"] and kind == "pin"]
        return {"orders": [order], "sas": len(found), "obstacles": obstacles, "paused": self.paused}

    def end(self, kind, parameters):
        """Unpin or Unban."""
        self.change(None)
        target = parameters.get("spi") or parameters.get("peer")
        ended = [order for order in self.orders if order["kind"] == kind and target in (None, order.get("spi"), order.get("peer"))]
        if not ended:
            raise Error("io.espoffload.NoSuchOrder", kind=kind, target=target or "")
        self.orders[:] = [order for order in self.orders if order not in ended]
        return {"ended": len(ended)}

    def reload(self, parameters):
        self.change(None)
        if self.arguments.bad_config:
            raise Error("io.espoffload.InvalidConfiguration", path="/etc/espoffloadd.conf",
                        messages="\n/etc/espoffloadd.conf:3:1: unknown key 'mod'\n    mod: enforce\n    ^")
        if self.trial:
            raise Error("io.espoffload.OnTrial", secondsLeft=self.trial["secondsLeft"])
        if parameters.get("trySeconds") and not self.arguments.old:
            self.trial = {"until": 86399, "secondsLeft": parameters["trySeconds"]}
        return {"path": "/etc/espoffloadd.conf", "files": FILES, "trial": self.trial}

    def confirm(self, parameters):
        self.change(None)
        if not self.trial:
            raise Error("io.espoffload.NotOnTrial")
        self.trial = None
        return {"path": "/etc/espoffloadd.conf", "files": FILES}

    def call(self, method, parameters):
        methods = {
            "io.espoffload.GetStatus": self.get_status,
            "io.espoffload.ListSAs": self.list_sas,
            "io.espoffload.ListPeers": self.list_peers,
            "io.espoffload.Explain": self.explain,
            "io.espoffload.Plan": self.plan,
            "io.espoffload.Pause": lambda parameters: self.change(True),
            "io.espoffload.Evacuate": self.evacuate,
            "io.espoffload.Resume": self.resume,
            "io.espoffload.Pin": lambda parameters: self.give("pin", parameters),
            "io.espoffload.Unpin": lambda parameters: self.end("pin", parameters),
            "io.espoffload.Ban": lambda parameters: self.give("ban", parameters),
            "io.espoffload.Unban": lambda parameters: self.end("ban", parameters),
            "io.espoffload.Reload": self.reload,
            "io.espoffload.ConfirmReload": self.confirm,
        }
        if method not in methods:
            raise Error("org.varlink.service.MethodNotFound", method=method)
        with self.lock:
            return methods[method](parameters)


    def monitor(self, request):
        """The replies to Monitor; the last one comes when the daemon ends."""
        if request.get("more") is not True:
            raise Error("org.varlink.service.ExpectedMore")
        if self.arguments.monitors == 0:
            raise Error("io.espoffload.TooManyMonitors", most=0)
        wanted = {name: value for name, value in (request.get("parameters") or {}).items() if value is not None}
        yield {"parameters": {"events": []}, "continues": True}
        for event in EVENTS:
            peer = event.get("src" if event.get("direction") == "in" else "dst")
            if wanted.get("spi") in (None, event.get("spi")) and wanted.get("peer") in (None, peer):
                yield {"parameters": {"events": [event]}, "continues": True}
        if self.arguments.ending:
            yield {"parameters": {"events": []}}


GARBLED = {
    "text": b"hello\0",
    "nothing": b"",
    "array": b"[]\0",
    "two": b'{"parameters":{}}\0{"parameters":{}}\0',
    "empty": b'{"parameters":{}}\0',
    "escape": b'{"error":"io.\\u001b[31mred"}\0',
    "half": b'{"parameters":{"sas":[],"total":1},"continues":true}\0',
    "cut": b'{"parameters":{"sas":[',
}


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        arguments = self.server.world.arguments
        buffer = b""
        while chunk := self.request.recv(65536):
            buffer += chunk
            while b"\0" in buffer:
                message, buffer = buffer.split(b"\0", 1)
                if arguments.garbled == "silent":
                    continue
                if arguments.garbled:
                    self.request.sendall(GARBLED[arguments.garbled])
                    return
                self.answer(json.loads(message))

    def slices(self, reply):
        """All replies to a call that welcomes several."""
        size = self.server.world.arguments.slice
        sas = reply["parameters"].get("sas", [])
        for begin in range(size, len(sas), size):
            yield {"parameters": {"sas": sas[begin - size:begin], "total": begin}, "continues": True}
        if sas:
            reply["parameters"]["sas"] = sas[(len(sas) - 1) // size * size:]
        yield reply

    def answer(self, request):
        try:
            if request["method"] == "io.espoffload.Monitor":
                for part in self.server.world.monitor(request):
                    self.request.sendall(json.dumps(part).encode() + b"\0")
                return
            reply = {"parameters": self.server.world.call(request["method"],
                                                          request.get("parameters") or {})}
            if request.get("more") is True:
                for part in self.slices(reply):
                    self.request.sendall(json.dumps(part).encode() + b"\0")
                return
        except Error as error:
            reply = {"error": error.name, "parameters": error.parameters}
        self.request.sendall(json.dumps(reply).encode() + b"\0")


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that disconnects is no error."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("socket")
    parser.add_argument("--sas", type=int, default=48)
    parser.add_argument("--slice", type=int, default=32, help="SAs in each reply to a call with more")
    parser.add_argument("--most", type=int, help="refuse to list more SAs than this")
    parser.add_argument("--frozen", action="store_true", help="the time stands still")
    parser.add_argument("--degraded", help="report this trouble")
    parser.add_argument("--dump-interval", type=float, default=1.0, help="seconds between two readings of all SAs")
    parser.add_argument("--rank-by-cpu", choices=["known", "unknown"], help="rank SAs by CPU time, which is known or not")
    parser.add_argument("--nic", default="eth0", help="the name of the first NIC in the status")
    parser.add_argument("--monitors", type=int, help="0: nobody may follow the events")
    parser.add_argument("--ending", action="store_true", help="end after the events")
    parser.add_argument("--deny", action="store_true", help="deny every change")
    parser.add_argument("--bad-config", action="store_true", help="reload finds errors")
    parser.add_argument("--old", action="store_true", help="know no trials")
    parser.add_argument("--garbled", choices=sorted(GARBLED) + ["silent"], help="answer with garbage")
    arguments = parser.parse_args()
    if os.path.exists(arguments.socket):
        os.unlink(arguments.socket)
    with Server(arguments.socket, Handler) as server:
        server.world = World(arguments)
        server.serve_forever()


if __name__ == "__main__":
    main()
