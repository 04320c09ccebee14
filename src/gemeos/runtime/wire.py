"""Values over a socket between a site and its worker processes: a length, then the bytes."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import Final

from gemeos.runtime.carried import packed, unpacked

_LENGTH: Final = struct.Struct("<Q")
_AT_ONCE: Final = 1 << 22
"""Bytes of one call: the interpreter's lock is let go of for each."""


def send(sock: socket.socket, value: object) -> None:
    """Send one value.

    Raises:
        WorkerError: it cannot be carried; nothing was sent.
        OSError: nobody is there.
    """
    body = packed(value)
    sock.sendall(_LENGTH.pack(len(body)) + body)


def receive(sock: socket.socket, ready: Callable[[], None] | None = None) -> object:
    """The next value.

    Args:
        sock: Blocking.
        ready: Called before each wait; may wait itself until there is something, or raise.

    Raises:
        EOFError: nobody is there any more.
        OSError: the same.
    """
    length = bytearray(_LENGTH.size)
    fill(sock, memoryview(length), ready)
    body = bytearray(_LENGTH.unpack(length)[0])
    fill(sock, memoryview(body), ready)
    return unpacked(bytes(body))


def fill(sock: socket.socket, view: memoryview, ready: Callable[[], None] | None = None) -> None:
    """Fill ``view`` with what comes next; as ``receive``."""
    while view:
        if ready is not None:
            ready()
        got = sock.recv_into(view, min(len(view), _AT_ONCE))
        if got == 0:
            raise EOFError
        view = view[got:]
