"""A mass on a spring as an engine in this very process, to show the port without any process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Self

import msgspec
import numpy as np

from gemeos.engines.outcome import Ended, NotFinite, Outcome, Told
from gemeos.engines.spec import (
    Capabilities,
    Fork,
    Role,
    Snapshot,
    Spec,
    Value,
    Values,
    Variable,
    not_finite,
)
from gemeos.errors import InputError, StoppedError
from gemeos.units.instant import SECOND, Instant

STEP: Final = SECOND // 100
SPEC: Final = Spec(
    name="oscillator",
    version="1",
    step=STEP,
    variables=(
        Variable("stiffness", Role.PARAM, "1/s^2", bounds=(0.0, None), start=4.0),
        Variable("push", Role.INPUT, "m/s^2", start=0.0),
        Variable("place", Role.STATE, "m", start=1.0),
        Variable("speed", Role.STATE, "m/s", start=0.0),
        Variable("energy", Role.OUTPUT, "m^2/s^2"),
    ),
    capabilities=Capabilities(
        snapshot=Snapshot.EXACT, fork=Fork.IN_PROCESS, nudge=frozenset({"place", "speed"})
    ),
)


@dataclass(frozen=True, slots=True)
class Swing:
    """All that the simulation is."""

    t0: Instant
    now: Instant
    seed: int
    stiffness: float = 4.0
    push: float = 0.0
    place: float = 1.0
    speed: float = 0.0

    def moved(self, elapsed: int) -> Swing:
        """So long after ``t0``: symplectic Euler, with gusts keyed by seed and step."""
        place, speed, dt = self.place, self.speed, STEP / SECOND
        for tick in range((self.now - self.t0) // STEP, elapsed // STEP):
            gust = np.random.Generator(np.random.Philox(key=[self.seed, tick])).normal()
            speed += dt * (self.push + 0.1 * gust - self.stiffness * place)
            place += dt * speed
        return replace(self, now=self.t0 + elapsed, place=place, speed=speed)

    def values(self) -> Values:
        energy = (self.speed**2 + self.stiffness * self.place**2) / 2
        written = (self.stiffness, self.push, self.place, self.speed, energy)
        return dict(zip(SPEC.names, map(float, written), strict=True))


class OscillatorEngine:
    """The smallest engine that keeps every promise but surviving a crash."""

    spec = SPEC

    def __init__(self) -> None:
        self._swing: Swing | None = None
        self._ended: Ended | None = None
        self._open = True

    @property
    def now(self) -> Instant:
        return self._begun().now

    def reset(self, params: Mapping[str, Value], seed: int, t0: Instant) -> Outcome[None]:
        self._check_open()
        stiffness = params.get("stiffness", 4.0) if self.spec.params(params) else 4.0
        self._swing, self._ended = Swing(t0, t0, seed, stiffness=float(stiffness)), None
        return Told(None)

    def set(self, values: Mapping[str, Value]) -> Outcome[None]:
        return self._replaced(self.spec.settable(values))

    def nudge(self, values: Mapping[str, Value]) -> Outcome[None]:
        return self._replaced(self.spec.nudged(values))

    def advance(self, t: Instant) -> Outcome[None]:
        swing = self._begun()
        elapsed = self.spec.elapsed(swing.t0, swing.now, t)
        if self._ended is None:
            self._swing = swing.moved(elapsed)
        return self._ended or Told(None)

    def get(self, names: Iterable[str]) -> Outcome[Values]:
        swing = self._begun()
        asked = tuple(names)
        self.spec.check_known(asked)
        every = swing.values()
        values = {name: every[name] for name in asked}
        if self._ended is None and (lost := not_finite(values)):
            self._ended = NotFinite(lost)
        return self._ended or Told(values)

    def snapshot(self) -> Outcome[bytes]:
        return self._ended or Told(msgspec.msgpack.encode(self._begun()))

    def restore(self, kept: bytes) -> Outcome[None]:
        self._check_open()
        try:
            swing = msgspec.msgpack.decode(kept, type=Swing)
        except msgspec.DecodeError as error:
            raise InputError(f"This is no oscillator: {error}.") from error
        self._swing, self._ended = swing, None
        return Told(None)

    def fork(self) -> Outcome[Self]:
        copy = type(self)()
        copy._swing = self._begun()
        return self._ended or Told(copy)

    def close(self) -> None:
        self._open = False

    def _replaced(self, values: Values) -> Outcome[None]:
        swing = self._begun()
        if self._ended is None:
            written = {name: float(value) for name, value in values.items()}
            self._swing = replace(swing, **written)  # type: ignore[arg-type]
        return self._ended or Told(None)

    def _begun(self) -> Swing:
        self._check_open()
        if self._swing is None:
            raise StoppedError("oscillator was not begun.")
        return self._swing

    def _check_open(self) -> None:
        if not self._open:
            raise StoppedError("oscillator is closed.")
