"""A counter that misbehaves when it is told to: what runs in the child, for tests of the child."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import stat
import sys
import threading
import time
from collections.abc import Sequence
from typing import Final

import msgspec

from gemeos.engines.hosted import HostedEngine
from gemeos.engines.replay import Replayed
from gemeos.engines.spec import Capabilities, Fork, Kind, Role, Spec, Value, Values, Variable
from gemeos.units.instant import SECOND, Span

STEP: Final = SECOND
CHATTER: Final = 200_000
"""Characters: more than a pipe holds, so a reader who does not read would hang it."""


class Settings(msgspec.Struct, frozen=True):
    fork: bool = True


class Counter:
    """Adds ``rate`` each step."""

    def __init__(self, settings: bytes) -> None:
        self._settings = msgspec.json.decode(settings, type=Settings)
        self._values: Values = {}
        self._elapsed: Span = 0

    def describe(self) -> Spec:
        fork = Fork.PROCESS if self._settings.fork else Fork.RESTORE
        return Spec(
            "counter",
            "1",
            STEP,
            (
                Variable("first", Role.PARAM, start=0.0),
                Variable("rate", Role.INPUT, "1/s", bounds=(0.0, 10.0), start=1.0),
                Variable("mischief", Role.INPUT, kind=Kind.TEXT, start=""),
                Variable("count", Role.STATE),
                Variable("pid", Role.OUTPUT, kind=Kind.TEXT),
            ),
            Capabilities(fork=fork),
        )

    def begin(self, params: Values, _seed: int) -> None:
        self._values = {"first": 0.0, "rate": 1.0, "mischief": "", "count": 0.0, "pid": ""}
        self._values |= params
        self._values["count"] = float(self._values["first"])

    def set(self, values: Values) -> None:
        self._values |= values

    def advance(self, elapsed: Span) -> None:
        steps = (elapsed - self._elapsed) // STEP
        for _ in range(steps):
            _misbehave(str(self._values["mischief"]))
            count = float(self._values["count"]) + float(self._values["rate"])
            lost = self._values["mischief"] == "not_finite"
            self._values["count"] = math.nan if lost else count
        self._elapsed = elapsed

    def get(self, names: Sequence[str]) -> list[Value]:
        return [self._values[name] for name in names]

    def snapshot(self) -> bytes:
        raise NotImplementedError

    def restore(self, kept: bytes, elapsed: Span) -> None:
        raise NotImplementedError

    def end(self) -> None:
        return


def _misbehave(how: str) -> None:
    match how:
        case "crash":
            os.write(1, b"the last words\n")
            ctypes.string_at(0)  # a real segmentation fault
        case "exit":
            os._exit(3)
        case "hang":
            time.sleep(3600)
        case "raise":
            raise ValueError("no such valve")
        case "threads":
            threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
        case "nonsense":
            for fd in range(3, 64):
                with contextlib.suppress(OSError):
                    if stat.S_ISSOCK(os.fstat(fd).st_mode):
                        os.write(fd, b"\x03\0\0\0abc")
        case "chatter":
            ctypes.CDLL(None).puts(b"from C")
            sys.stdout.write("x" * CHATTER)
            os.write(2, b"the end of it\n")
        case _:
            return


def make(settings: bytes) -> Replayed:
    """As the child finds it."""
    return Replayed(Counter(settings))


def opened(*, fork: bool = True, limit: Span = 20 * SECOND) -> HostedEngine:
    factory = f"{__name__}:make"
    return HostedEngine.opened("counter", factory, Settings(fork), limit, fork=fork)
