# SPDX-License-Identifier: GPL-2.0-or-later
"""Every frame of an interface, as an observer of the wire would see it."""

import os
import pathlib
import signal
import socket
import struct
import sys

ETH_P_ALL, ETH_P_IP, ETH_P_IPV6 = 3, 0x0800, 0x86dd
SOL_PACKET, PACKET_STATISTICS = 263, 6
SO_RCVBUFFORCE = 33
# Enough for the headers and the beginning of the payload, in tunnel mode and IPv6 too.
SNAP = 176
ESP = 50


class Capture:
    """Record the frames of an interface in a separate process, until stop()."""

    def __init__(self, interface, path="/run/capture", sent_only=False):
        """sent_only: leave out what the interface receives. With GRO, ESP is decrypted before it gets here."""
        self.path = pathlib.Path(path)
        reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reader)
            try:
                _record(interface, self.path, writer, sent_only)
            finally:
                os._exit(1)
        os.close(writer)
        os.read(reader, 1)          # the socket is open
        os.close(reader)

    def stop(self):
        """End the recording; returns (frames, number of dropped frames). A frame is (IP protocol or Ethernet type, SPI or 0,
        sequence number)."""
        os.kill(self.pid, signal.SIGTERM)
        os.waitpid(self.pid, 0)
        data = self.path.read_bytes()
        dropped = struct.unpack_from("=I", data, len(data) - 4)[0]
        return [_parse(data[at:at + SNAP]) for at in range(0, len(data) - 4, SNAP)], dropped


def _record(interface, path, ready, sent_only):
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    frames = bytearray()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as sock:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
        sock.bind((interface, ETH_P_ALL))
        sock.settimeout(0.2)
        os.write(ready, b"r")
        while not stopped:
            try:
                frame, address = sock.recvfrom(SNAP)
                if not sent_only or address[2] == socket.PACKET_OUTGOING:
                    frames += frame.ljust(SNAP, b"\0")
            except TimeoutError:
                pass
        dropped = struct.unpack("=II", sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
    path.write_bytes(bytes(frames) + struct.pack("=I", dropped))
    sys.stdout.flush()
    os._exit(0)


def _parse(frame):
    kind = struct.unpack_from("!H", frame, 12)[0]
    if kind == ETH_P_IP:
        protocol, at = frame[23], 14 + 4 * (frame[14] & 15)
    elif kind == ETH_P_IPV6:
        protocol, at = frame[20], 54
    else:
        return f"{kind:#06x}", 0, 0
    spi, sequence = struct.unpack_from("!II", frame, at) if protocol == ESP else (0, 0)
    return protocol, spi, sequence
