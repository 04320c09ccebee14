"""A leaking tank as an engine in this very process: with chance, a counter, and a breakage."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Final, Self

import msgspec
import numpy as np

from gemeos.engines.outcome import Ended, Failed, Outcome, Told
from gemeos.engines.spec import (
    Capabilities,
    Fork,
    Kind,
    Role,
    Snapshot,
    Spec,
    Value,
    Values,
    Variable,
)
from gemeos.errors import InputError, StoppedError
from gemeos.units.instant import SECOND, Instant

STEP: Final = SECOND
VARIABLES: Final = (
    Variable("leak", Role.PARAM, "1/s", bounds=(0.0, None), start=0.01, tunable=True),
    Variable("gust", Role.PARAM, "m/s", bounds=(0.0, None), start=0.0),
    Variable("inflow", Role.INPUT, "m/s", start=0.02),
    Variable("valve", Role.CONTROL, kind=Kind.TEXT, start="open"),
    Variable("level", Role.STATE, "m", start=2.0),
    Variable("drained", Role.OUTPUT, "m"),
)
SHARES: Final = {"open": 1.0, "half": 0.5, "shut": 0.0}


@dataclass(frozen=True, slots=True)
class Water:
    """All that the simulation is."""

    t0: Instant
    now: Instant
    seed: int
    gust: float = 0.0
    leak: float = 0.01
    inflow: float = 0.02
    valve: str = "open"
    level: float = 2.0
    drained: float = 0.0

    def moved(self, elapsed: int) -> Water:
        """So long after ``t0``: explicit Euler, with gusts keyed by seed and step."""
        level, drained = self.level, self.drained
        for tick in range((self.now - self.t0) // STEP, elapsed // STEP):
            level += self.inflow * SHARES[self.valve]
            if self.gust:
                key = [self.seed, tick]
                level += self.gust * np.random.Generator(np.random.Philox(key=key)).normal()
            gone = self.leak * level
            level, drained = level - gone, drained + gone
        return replace(self, now=self.t0 + elapsed, level=level, drained=drained)


class TankEngine:
    """It breaks where the leak is larger than 0.5."""

    spec: Spec = Spec(
        "tank",
        "1",
        STEP,
        VARIABLES,
        Capabilities(snapshot=Snapshot.EXACT, fork=Fork.IN_PROCESS),
    )
    open_ones: ClassVar[weakref.WeakSet[TankEngine]] = weakref.WeakSet()
    """As many as an engine in processes would have processes."""

    def __init__(self) -> None:
        self._water: Water | None = None
        self._ended: Ended | None = None
        self._open = True
        self.open_ones.add(self)

    @property
    def now(self) -> Instant:
        return self._begun().now

    def reset(self, params: Mapping[str, Value], seed: int, t0: Instant) -> Outcome[None]:
        given = self.spec.params(params)
        self._water = Water(t0, t0, seed, gust=float(given.get("gust", 0.0)))
        return Told(None)

    def set(self, values: Mapping[str, Value]) -> Outcome[None]:
        water, given = self._begun(), self.spec.settable(values)
        self._water = replace(water, **given)  # type: ignore[arg-type]
        return self._ended or Told(None)

    def advance(self, t: Instant) -> Outcome[None]:
        water = self._begun()
        elapsed = self.spec.elapsed(water.t0, water.now, t)
        if water.leak > 0.5:
            self._ended = Failed("it burst")
        if self._ended is None:
            self._water = water.moved(elapsed)
        return self._ended or Told(None)

    def get(self, names: Iterable[str]) -> Outcome[Values]:
        water, asked = self._begun(), list(names)
        self.spec.check_known(asked)
        return self._ended or Told({name: getattr(water, name) for name in asked})

    def snapshot(self) -> Outcome[bytes]:
        return self._ended or Told(msgspec.msgpack.encode(self._begun()))

    def restore(self, kept: bytes) -> Outcome[None]:
        try:
            self._water = msgspec.msgpack.decode(kept, type=Water)
        except msgspec.DecodeError as error:
            raise InputError(f"This is no tank: {error}.") from error
        return Told(None)

    def fork(self) -> Outcome[Self]:
        if self._ended is not None:
            return self._ended
        copy = type(self)()
        copy._water = self._begun()
        return Told(copy)

    def close(self) -> None:
        self._open = False
        self.open_ones.discard(self)

    def _begun(self) -> Water:
        if not self._open or self._water is None:
            raise StoppedError("tank was not begun, or is closed.")
        return self._water


class Forgetful(TankEngine):
    """It has no snapshots."""

    spec = replace(TankEngine.spec, capabilities=Capabilities(fork=Fork.IN_PROCESS))


class Rounding(TankEngine):
    """Its snapshots are approximate."""

    spec = replace(
        TankEngine.spec,
        capabilities=Capabilities(snapshot=Snapshot.APPROX, fork=Fork.IN_PROCESS),
    )

    def snapshot(self) -> Outcome[bytes]:
        water = self._begun()
        return Told(msgspec.msgpack.encode(replace(water, level=round(water.level, 2))))
