"""A publisher as cheap as it can be: packets put together by hand, so that it is not the limit.

Speaks as much MQTT 3.1.1 as a publisher needs (OASIS 2014, sections 3.1, 3.3, 3.4). A child of
the figures; told on stdin how far the consumer is, so that the broker's queue stays bounded.
"""

from __future__ import annotations

import argparse
import os
import select
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np

from gemeos.clock import SystemClock
from tools.bench.model import SENSORS, STEP_US

LONGEST_S = 1800.0
"""A publisher that nobody ends ends itself."""
WAIT_S = 0.002
AT_ONCE = 500
VALUES = 997
"""How many different values there are; prime, so that they do not follow the twins."""

Body = Callable[[int], tuple[bytes, bytes]]
"""From the number of a message to its topic and payload."""


def values() -> list[float]:
    """What is read, in turn: nothing depends on it but that it is plausible."""
    return [round(float(x), 4) for x in np.random.default_rng(4).normal(0.0, 0.3, VALUES)]


def reading(number: int, twins: int, start_us: int) -> tuple[int, str, int, float]:
    """(twin, sensor, valid_at, value) of that number: instant by instant, twin by twin."""
    tick, rest = divmod(number, twins * len(SENSORS))
    twin, sensor = divmod(rest, len(SENSORS))
    return twin, SENSORS[sensor], start_us + tick * STEP_US, _VALUES[number % VALUES]


_VALUES = values()


def singles(twins: int, start_us: int) -> Body:
    """One reading a message."""
    topics = [f"bench/{t}/{s}".encode() for t in range(twins) for s in SENSORS]
    shown = [str(v).encode() for v in _VALUES]
    each = len(topics)

    def body(number: int) -> tuple[bytes, bytes]:
        tick, place = divmod(number, each)
        at = start_us + tick * STEP_US
        return topics[place], b'{"value":%b,"valid_at":%d}' % (shown[number % VALUES], at)

    return body


def stamped(twins: int) -> Body:
    """One reading a message, valid when it is sent."""
    topics = [f"bench/{t}/{s}".encode() for s in SENSORS for t in range(twins)]
    shown = [str(v).encode() for v in _VALUES]
    clock = SystemClock()

    def body(number: int) -> tuple[bytes, bytes]:
        value = shown[number % VALUES]
        return topics[number % len(topics)], b'{"value":%b,"valid_at":%d}' % (value, clock.wall())

    return body


def batches(twins: int, start_us: int, readings: int) -> Body:
    """Both sensors of one twin at several instants in a message, as columns."""
    instants = readings // len(SENSORS)
    topics = [f"batch/{t}".encode() for t in range(twins)]
    names = ",".join(f'"{s}"' for _ in range(instants) for s in SENSORS)
    shown = _VALUES * (2 + readings // VALUES)
    cached: tuple[int, str] = (-1, "")

    def body(number: int) -> tuple[bytes, bytes]:
        nonlocal cached
        turn, twin = divmod(number, twins)
        if cached[0] != turn:
            first = start_us + turn * instants * STEP_US
            times = [first + i * STEP_US for i in range(instants) for _ in SENSORS]
            cached = (turn, ",".join(map(str, times)))
        offset = number * 7 % VALUES
        told = ",".join(map(str, shown[offset : offset + readings]))
        text = f'{{"name":[{names}],"valid_at":[{cached[1]}],"value":[{told}]}}'
        return topics[twin], text.encode()

    return body


def packet(topic: bytes, payload: bytes, number: int) -> bytes:
    """PUBLISH with QoS 1."""
    size = 4 + len(topic) + len(payload)
    length = bytearray()
    while True:
        size, digit = divmod(size, 128)
        length.append(digit | (0x80 if size else 0))
        if not size:
            break
    head = b"\x32" + bytes(length) + struct.pack(">H", len(topic)) + topic
    return head + struct.pack(">H", number % 65_535 + 1) + payload


def connected(port: int) -> socket.socket:
    """A clean session without keep-alive."""
    name = f"bench-{os.getpid()}".encode()
    variable = b"\x00\x04MQTT\x04\x02\x00\x00" + struct.pack(">H", len(name)) + name
    sock = socket.create_connection(("127.0.0.1", port), timeout=10)
    sock.sendall(b"\x10" + bytes([len(variable)]) + variable)
    answer = b""
    while len(answer) < 4:
        answer += sock.recv(4 - len(answer))
    if answer[3]:
        raise ConnectionError(f"The broker answered {answer!r}.")
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


class Publisher:
    """Sends numbered messages, never more than two windows ahead."""

    def __init__(self, sock: socket.socket, body: Body, *, window: int, ahead: int) -> None:
        """``window``: unacknowledged by the broker; ``ahead``: of what the consumer has told."""
        self._sock, self._body = sock, body
        self._window, self._ahead = window, ahead
        self.sent = 0
        self._acked_bytes = 0
        self._told = 0
        self._is_stopped = False
        self.waited = {"broker": 0.0, "consumer": 0.0, "pace": 0.0}
        """Seconds spent with nothing allowed to be sent, by what held it."""

    def run(self, total: int, rate: float) -> None:
        """Until ``total`` are sent and acknowledged, or it is told to stop; 0 is without end."""
        began = time.monotonic()
        while not self._is_stopped and time.monotonic() - began < LONGEST_S:
            due = int((time.monotonic() - began) * rate) if rate else self.sent + AT_ONCE
            rooms = {
                "pace": due - self.sent,
                "broker": self._window - (self.sent - self._acked_bytes // 4),
                "consumer": self._ahead - (self.sent - self._told),
            }
            end = total or self.sent + AT_ONCE
            room = min(AT_ONCE, end - self.sent, *rooms.values())
            if room > 0:
                first = self.sent
                self._sock.sendall(
                    b"".join(packet(*self._body(n), n) for n in range(first, first + room))
                )
                self.sent += room
                self._hear(0)
                continue
            if total and self.sent >= total and self._acked_bytes >= 4 * total:
                return
            since = time.monotonic()
            self._hear(WAIT_S)
            self.waited[min(rooms, key=lambda k: rooms[k])] += time.monotonic() - since

    def _hear(self, wait_s: float) -> None:
        ready, _, _ = select.select([self._sock, sys.stdin], [], [], wait_s)
        if self._sock in ready:
            # Every answer is a PUBACK, four bytes.
            got = self._sock.recv(65_536)
            if not got:
                raise ConnectionError("The broker has gone.")
            self._acked_bytes += len(got)
        if sys.stdin in ready:
            for word in _words(os.read(sys.stdin.fileno(), 65_536)):
                if word == "stop":
                    self._is_stopped = True
                else:
                    self._told = max(self._told, int(word))


_partial = b""


def _words(chunk: bytes) -> Iterator[str]:
    """Whole lines of what was read from stdin; its end means stop."""
    global _partial
    if not chunk:
        yield "stop"
        return
    *lines, _partial = (_partial + chunk).split(b"\n")
    for line in lines:
        yield line.decode()


def main() -> None:
    """Connect, publish, tell how it went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("form", choices=["singles", "stamped", "batches"])
    parser.add_argument("--twins", type=int, required=True)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--readings", type=int, default=100)
    parser.add_argument("--window", type=int, default=8000)
    parser.add_argument("--ahead", type=int, default=2**62)
    parser.add_argument("--total", type=int, default=0)
    parser.add_argument("--rate", type=float, default=0.0)
    args = parser.parse_args()
    body = {
        "singles": lambda: singles(args.twins, args.start),
        "stamped": lambda: stamped(args.twins),
        "batches": lambda: batches(args.twins, args.start, args.readings),
    }[args.form]()
    sock = connected(args.port)
    publisher = Publisher(sock, body, window=args.window, ahead=args.ahead)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    began, busy = time.monotonic(), time.process_time()
    publisher.run(args.total, args.rate)
    spent, busy = time.monotonic() - began, time.process_time() - busy
    waits = " ".join(f"{s / spent:.3f}" for s in publisher.waited.values())
    sys.stdout.write(f"sent {publisher.sent} {spent:.3f} {busy / spent:.3f} {waits}\n")
    sys.stdout.flush()
    # The end of stdin, or the parent's kill: the broker must not see us go before it has read.
    sys.stdin.read()
    sock.close()


if __name__ == "__main__":
    main()
