"""A swing that can be put anywhere, and ends its process where it is put too far away."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from gemeos.engines.hosted import HostedEngine
from gemeos.engines.replay import Replayed
from gemeos.engines.spec import Capabilities, Fork, Kind, Role, Spec, Value, Values, Variable
from gemeos.units.instant import SECOND, Span

STEP: Final = SECOND // 10


class Settings(msgspec.Struct, frozen=True):
    hidden: tuple[str, ...] = ()


class Swing:
    """``x' = v, v' = force - stiffness x`` while it is ``loose``, by the leap-frog method."""

    def __init__(self, settings: bytes) -> None:
        self._hidden = msgspec.json.decode(settings, type=Settings).hidden
        self._values: Values = {}
        self._elapsed: Span = 0

    def describe(self) -> Spec:
        return Spec(
            "swing",
            "1",
            STEP,
            (
                Variable("stiffness", Role.PARAM, "1/s^2", start=4.0),
                Variable("loose", Role.PARAM, kind=Kind.BOOLEAN, start=True),
                Variable("force", Role.INPUT, "m/s^2", start=0.0),
                Variable("x", Role.STATE, "m", start=1.0),
                Variable("v", Role.STATE, "m/s", start=0.0),
                Variable("label", Role.OUTPUT, kind=Kind.TEXT),
            ),
            Capabilities(fork=Fork.PROCESS, nudge=frozenset({"x", "v"}), hidden=self._hidden),
        )

    def begin(self, params: Values, _seed: int) -> None:
        self._values = {"stiffness": 4.0, "loose": True, "force": 0.0, "x": 1.0, "v": 0.0}
        self._values |= params
        self._elapsed = 0

    def place(
        self,
        params: Mapping[str, float],
        held: Mapping[str, float],
        states: Mapping[str, float],
    ) -> None:
        self.begin({}, 0)
        self._values |= {**params, **held, **states}

    def set(self, values: Values) -> None:
        self._values |= values

    def nudge(self, values: Values) -> None:
        self._values |= values

    def advance(self, elapsed: Span) -> None:
        while self._elapsed < elapsed:
            self._step()
            self._elapsed += STEP

    def _step(self) -> None:
        k, force, x, v = (float(self._values[n]) for n in ("stiffness", "force", "x", "v"))
        if x > 1000:
            os.kill(os.getpid(), signal.SIGKILL)
        if x < -1000:
            time.sleep(3600)
        if v > 1000:
            raise ValueError("too fast")
        if self._values["loose"]:
            v += 0.1 * (force - k * x)
            x += 0.1 * v
        self._values |= {"x": x, "v": v}

    def get(self, names: Sequence[str]) -> list[Value]:
        return [self._values[name] for name in names]

    def snapshot(self) -> bytes:
        raise RuntimeError("replayed")

    def restore(self, _kept: bytes, _elapsed: Span) -> None:
        raise RuntimeError("replayed")

    def end(self) -> None:
        return


def made(settings: bytes) -> Replayed:
    return Replayed(Swing(settings))


def opened(hidden: tuple[str, ...] = ()) -> HostedEngine:
    where = "tests.contracts.placed_engine:made"
    return HostedEngine.opened("swing", where, Settings(hidden), SECOND, fork=True)
