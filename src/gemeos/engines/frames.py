"""What an engine's process and its keeper say to each other: frames of msgpack on a socket.

A frame is its length in four bytes, then one tagged struct. Never pickle: what comes from a
process in which foreign code runs is only ever read as one of the structs below.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from typing import Final, TypeAlias, final

import msgspec

from gemeos.engines.spec import Capabilities, Spec, Value, Values, Variable
from gemeos.units.instant import Span

_LENGTH: Final = struct.Struct("<I")
LARGEST: Final = 1 << 30
"""Bytes of one frame; a longer one is a broken process."""
MOST_FDS: Final = 3


class Open(msgspec.Struct, frozen=True, tag=True):
    """Make the inside of an engine."""

    factory: str
    """``package.module:Name`` of what is called with ``settings``."""
    settings: bytes
    """JSON."""


class Describe(msgspec.Struct, frozen=True, tag=True):
    """``Inside.describe``."""


class Begin(msgspec.Struct, frozen=True, tag=True):
    """``Inside.begin``."""

    params: Values
    seed: int


class Set(msgspec.Struct, frozen=True, tag=True):
    """``Inside.set``."""

    values: Values


class Advance(msgspec.Struct, frozen=True, tag=True):
    """``Inside.advance``."""

    elapsed: Span


class Get(msgspec.Struct, frozen=True, tag=True):
    """``Inside.get``."""

    names: list[str]


class Nudge(msgspec.Struct, frozen=True, tag=True):
    """``Inside.nudge``."""

    values: Values


class Move(msgspec.Struct, frozen=True, tag=True):
    """Many times ``PlaceInside.place``, ``advance``, ``get``: once for each row."""

    params: list[str]
    held: list[str]
    states: list[str]
    asked: list[str]
    count: int
    """Of rows."""
    rows: bytes
    """float64, ``[row, params then held then states]``."""
    elapsed: Span
    """How far each is run; 0 asks where it is put."""
    limit: Span
    """For one row: a process that takes longer is ended by a signal."""


class Keep(msgspec.Struct, frozen=True, tag=True):
    """``Inside.snapshot``."""


class Restore(msgspec.Struct, frozen=True, tag=True):
    """``Inside.restore``."""

    kept: bytes
    elapsed: Span


class Double(msgspec.Struct, frozen=True, tag=True):
    """Fork. Three descriptors come with it: socket, chatter, lifeline of the new process."""


class Done(msgspec.Struct, frozen=True, tag=True):
    """It is done and there is nothing to tell."""


class Described(msgspec.Struct, frozen=True, tag=True):
    """Answers ``Describe`` with the fields of a ``Spec``."""

    name: str
    version: str
    step: Span
    variables: tuple[Variable, ...]
    capabilities: Capabilities

    def spec(self) -> Spec:
        """They put together."""
        return Spec(self.name, self.version, self.step, self.variables, self.capabilities)


class Read(msgspec.Struct, frozen=True, tag=True):
    """Answers ``Get``."""

    values: list[Value]


class Moved(msgspec.Struct, frozen=True, tag=True):
    """Answers ``Move``."""

    rows: bytes
    """float64, ``[row, asked]``; NaN where the engine's code raised."""
    why: str
    """What it raised first; empty if nothing."""


class Kept(msgspec.Struct, frozen=True, tag=True):
    """Answers ``Keep``."""

    state: bytes


class Doubled(msgspec.Struct, frozen=True, tag=True):
    """Answers ``Double``."""

    pid: int


class Cannot(msgspec.Struct, frozen=True, tag=True):
    """The engine's own code raised something."""

    why: str


Request: TypeAlias = (
    Open | Describe | Begin | Set | Advance | Get | Nudge | Move | Keep | Restore | Double
)
Answer: TypeAlias = Done | Described | Read | Moved | Kept | Doubled | Cannot

_encoder: Final = msgspec.msgpack.Encoder()
requests: Final = msgspec.msgpack.Decoder(Request)
answers: Final = msgspec.msgpack.Decoder(Answer)


def framed(message: Request | Answer) -> bytes:
    """``message`` as it goes over the wire."""
    body = _encoder.encode(message)
    return _LENGTH.pack(len(body)) + body


@final
class Frames:
    """Puts what comes in together to whole frames."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, chunk: bytes) -> None:
        """What was received."""
        self._bytes += chunk

    def whole(self) -> bytes | None:
        """The next whole frame's body, if it is there.

        Raises:
            ValueError: no frame is that long.
        """
        if len(self._bytes) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._bytes)
        if length > LARGEST:
            raise ValueError(f"a frame of {length} bytes")
        end = _LENGTH.size + length
        if len(self._bytes) < end:
            return None
        body = bytes(self._bytes[_LENGTH.size : end])
        del self._bytes[:end]
        return body


def received(sock: socket.socket, frames: Frames) -> tuple[Request, Sequence[int]] | None:
    """The next request and the descriptors that came with it; waits. None at the end."""
    fds: list[int] = []
    while (body := frames.whole()) is None:
        chunk, more, _, _ = socket.recv_fds(sock, 1 << 16, MOST_FDS)
        fds += more
        if not chunk:
            return None
        frames.feed(chunk)
    return requests.decode(body), fds
