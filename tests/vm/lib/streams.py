# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP streams whose contents are compared byte for byte, in a separate process."""

import contextlib
import dataclasses
import json
import os
import pathlib
import random
import selectors
import signal
import socket
import struct
import sys
import time

from lib import xfrm
from lib.case import check, check_equal
from lib.sh import run_json, wait_until

TICK = 0.02
PART = 1 << 16
# Repeated without end; its length is odd, so that a part that is missing or sent twice shows.
PATTERN = random.Random(1).randbytes(PART + 1) * 2
# tcpi_total_retrans in struct tcp_info.
TOTAL_RETRANS = 100
DRAIN_SECONDS = 20


@dataclasses.dataclass(frozen=True)
class Route:
    """Where a stream comes from and goes to. name: any text, such as the SPI; a netns None is this one."""
    name: str
    source: str
    target: str
    source_netns: str | None = None
    target_netns: str | None = None


class _Stream:
    def __init__(self, route, limit):
        self.limit = limit
        kind = socket.AF_INET6 if ":" in route.source else socket.AF_INET
        with contextlib.ExitStack() as stack:
            with xfrm.inside(route.target_netns):
                listener = stack.enter_context(socket.socket(kind, socket.SOCK_STREAM))
            listener.bind((route.target, 0))
            listener.listen(1)
            with xfrm.inside(route.source_netns):
                self.sender = socket.socket(kind, socket.SOCK_STREAM)
            self.sender.bind((route.source, 0))
            self.sender.settimeout(20)
            self.sender.connect(listener.getsockname()[:2])
            self.receiver = listener.accept()[0]
        for sock in (self.sender, self.receiver):
            sock.setblocking(False)
        self.name = route.name
        self.credit = 0.0
        self.sent = self.received = 0
        self.wrong = None

    def send(self, earned):
        """earned: bytes that it may send more; None: as many as TCP takes."""
        self.credit = PART if earned is None else min(self.credit + earned, 4 * PART)
        while self.credit >= 1 and not self.is_complete():
            at = self.sent % (len(PATTERN) // 2)
            most = min(int(self.credit), PART, PART if self.limit is None else self.limit - self.sent)
            try:
                count = self.sender.send(PATTERN[at:at + most])
            except BlockingIOError:
                return
            self.sent += count
            if earned is not None:
                self.credit -= count

    def is_complete(self):
        return self.limit is not None and self.sent >= self.limit

    def receive(self):
        while True:
            try:
                part = self.receiver.recv(PART)
            except BlockingIOError:
                return
            if not part:
                raise OSError("the other end closed it")
            at = self.received % (len(PATTERN) // 2)
            if part != PATTERN[at:at + len(part)]:
                raise OSError(f"contents differ near byte {self.received}")
            self.received += len(part)

    def result(self):
        info = self.sender.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        return {"sent": self.sent, "received": self.received, "wrong": self.wrong,
                "retransmitted": struct.unpack_from("=I", info, TOTAL_RETRANS)[0]}


def _serve(routes, rate, limit, path):
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(time.monotonic()))
    streams = [_Stream(route, limit) for route in routes]
    selector = selectors.DefaultSelector()
    for stream in streams:
        selector.register(stream.receiver, selectors.EVENT_READ, stream)
        if rate is None:
            selector.register(stream.sender, selectors.EVENT_WRITE, stream)
    written, last = 0.0, time.monotonic()

    def attempt(stream, function, *arguments):
        try:
            function(*arguments)
        except OSError as error:
            stream.wrong = stream.wrong or str(error)
            for sock in (stream.receiver, stream.sender):
                with contextlib.suppress(KeyError):
                    selector.unregister(sock)

    def finished():
        return all(stream.wrong or stream.received == stream.sent for stream in streams)

    while not (stopped and (finished() or time.monotonic() > stopped[0] + DRAIN_SECONDS)):
        for key, events in selector.select(TICK):
            if events & selectors.EVENT_READ:
                attempt(key.data, key.data.receive)
            elif not stopped and not key.data.is_complete():
                attempt(key.data, key.data.send, None)
            else:
                selector.unregister(key.fileobj)
        now = time.monotonic()
        for stream in streams:
            if rate is not None and not stopped and not stream.wrong:
                attempt(stream, stream.send, rate * (now - last))
        last = now
        if now > written + 0.5:
            written = now
            _write(path, streams)
    _write(path, streams)


def _write(path, streams):
    new = path.with_suffix(".new")
    new.write_text(json.dumps({stream.name: stream.result() for stream in streams}))
    new.rename(path)


class Streams:
    """Runs until stop(). rate: bytes per second of each stream, None: as fast as TCP goes. limit: bytes, after which it is silent."""

    def __init__(self, routes, rate=None, limit=None, path="/run/streams.json"):
        self.path = pathlib.Path(path)
        self.path.unlink(missing_ok=True)
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                _serve(routes, rate, limit, self.path)
                status = 0
            finally:
                sys.stdout.flush()
                os._exit(status)
        wait_until(self.path.exists, 60, "the streams to be connected")

    def counts(self):
        """{name: counts}, at most half a second old."""
        return run_json("cat", self.path)

    def stop(self):
        """End them when all has arrived; returns {name: {"sent", "received", "retransmitted"}}. Fails if one broke."""
        os.kill(self.pid, signal.SIGTERM)
        check(os.waitpid(self.pid, 0)[1] == 0, "the process of the streams died")
        counts = self.counts()
        wrong = {name: count["wrong"] or f"{count['sent'] - count['received']} bytes have not arrived" for name, count in counts.items()
                 if count["wrong"] or count["sent"] != count["received"]}
        check(not wrong, f"streams that broke: {wrong}")
        return counts


def transfer(source, target, target_netns, size, timeout=60):
    """One stream from here, of so many bytes."""
    streams = Streams([Route("transfer", source, target, None, target_netns)], limit=size)
    wait_until(lambda: streams.counts()["transfer"]["received"] == size or streams.counts()["transfer"]["wrong"], timeout,
               f"{size} bytes to arrive")
    check_equal(streams.stop()["transfer"]["received"], size, "bytes that arrived")


def totals(counts):
    """(bytes that arrived, segments sent again) of all streams."""
    return sum(count["received"] for count in counts.values()), sum(count["retransmitted"] for count in counts.values())
