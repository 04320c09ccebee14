"""What is not known of a district's traffic, and what of it an engine is told.

The logarithm of each way's rate is a sum: of what was expected, a factor of the whole district,
one of where it begins, one of where it ends, and where many go from one to the other one of that
pair and one of each way between. So a few counts move many ways, and a busy pair can still differ
from its neighbours. Beside it stand two of the drivers.

All unknowns are logarithms with mean zero: coordinates and values are the same numbers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, TypeVar

import numpy as np
from jaxtyping import Bool, Float64

from gemeos.engines.spec import Value
from gemeos.schema.prior import Normal
from gemeos.schema.variable import Param
from gemeos.twins.traffic.demand.ways import Way

_Key = TypeVar("_Key", str, tuple[str, str])
BUSY: Final = 0.01
"""Share of all vehicles from which an end, or a pair of ends, has a factor of its own."""
CAR: Final = "DEFAULT_VEHTYPE"
SPEED: Final = "drivers.speed"
HEADWAY: Final = "drivers.headway"
ACCELERATE: Final = "drivers.accelerate"
DRIVERS: Final = (SPEED, HEADWAY, ACCELERATE)
WHOLE: Final = "demand.whole"
BOUND: Final = 1.5
"""Logarithm of how far a factor may at most be from what was expected, for the engine's sake."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Standard deviations of the logarithms, before anything is counted."""

    whole: float = 0.3
    end: float = 0.35
    pair: float = 0.35
    way: float = 0.5
    speed: float = 0.07
    headway: float = 0.2
    accelerate: float = 0.0
    """0 for drivers that accelerate as SUMO's usual ones, and nothing unknown in it."""


USUAL: Final = Doubt()


@dataclass(frozen=True, eq=False)
class Unknowns:
    """Factors, and which ways each is of."""

    ways: tuple[Way, ...]
    names: tuple[str, ...]
    sigma: Float64[np.ndarray, " param"]
    of: Bool[np.ndarray, "param way"]
    """Whether the factor is one of the way; of nothing for those of the drivers."""
    tau: float = 1.0
    """Headway that is expected, in seconds."""
    accel: float = 2.6
    """The most that drivers are expected to accelerate, in m/s2: SUMO's usual ones."""
    expected: Float64[np.ndarray, " way"] = field(default_factory=lambda: np.zeros(0))
    """Vehicles per hour, from ``ways`` unless a first guess says otherwise."""

    @property
    def params(self) -> tuple[Param, ...]:
        """As a schema declares them."""
        rows = zip(self.names, self.sigma, strict=True)
        return tuple(Param(name, "", Normal(0.0, float(sigma))) for name, sigma in rows)

    @cached_property
    def _row(self) -> Mapping[str, int]:
        return {name: i for i, name in enumerate(self.names)}

    def row(self, name: str) -> int:
        """Where that unknown stands."""
        return self._row[name]

    def rates(self, values: Float64[np.ndarray, " param"]) -> Float64[np.ndarray, " way"]:
        """Vehicles per hour on each way."""
        logs = np.clip(values @ self.of, -2 * BOUND, BOUND)
        return np.asarray(self.expected * np.exp(logs))

    def inputs(self, values: Float64[np.ndarray, " param"]) -> dict[str, Value]:
        """What ``engines.sumo`` is told."""
        rates = self.rates(values)
        told: dict[str, Value] = {
            f"flow.{way.name}": float(rate) for way, rate in zip(self.ways, rates, strict=True)
        }
        speed = float(np.clip(values[self.row(SPEED)], -0.5, 0.5))
        headway = float(np.clip(values[self.row(HEADWAY)], -0.6, 0.8))
        told[f"type.{CAR}.speed_factor"] = float(np.exp(speed))
        told[f"type.{CAR}.tau"] = self.tau * float(np.exp(headway))
        if ACCELERATE in self._row:
            faster = float(np.clip(values[self.row(ACCELERATE)], -1.0, 0.8))
            told[f"type.{CAR}.accel"] = self.accel * float(np.exp(faster))
        return told


def unknowns_of(ways: Sequence[Way], doubt: Doubt = USUAL, *, busy: float = BUSY) -> Unknowns:
    """The factors of these ways.

    Args:
        ways: Of the district.
        doubt: How far things may be from what is expected.
        busy: Share of all vehicles from which something has a factor of its own.
    """
    hourly = np.array([way.hourly for way in ways], np.float64)
    least = busy * hourly.sum()
    names, sigma, rows = [WHOLE], [doubt.whole], [np.ones(len(ways), bool)]
    ends = [way.ends for way in ways]
    for side, which in ((0, "from"), (1, "to")):
        for edge in _busy([pair[side] for pair in ends], hourly, least):
            names.append(f"{which}.{edge}")
            sigma.append(doubt.end)
            rows.append(np.array([pair[side] == edge for pair in ends]))
    between: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, pair in enumerate(ends):
        between[pair].append(place)
    for pair in _busy(ends, hourly, least):
        own = np.array([other == pair for other in ends])
        names.append(f"pair.{pair[0]}.{pair[1]}")
        sigma.append(doubt.pair)
        rows.append(own)
        if len(between[pair]) > 1:
            for place in between[pair]:
                names.append(f"way.{ways[place].name}")
                sigma.append(doubt.way)
                rows.append(np.arange(len(ways)) == place)
    drivers = [(SPEED, doubt.speed), (HEADWAY, doubt.headway)]
    drivers += [(ACCELERATE, doubt.accelerate)] if doubt.accelerate > 0 else []
    for name, of_drivers in drivers:
        names.append(name)
        sigma.append(of_drivers)
        rows.append(np.zeros(len(ways), bool))
    return Unknowns(tuple(ways), tuple(names), np.array(sigma), np.stack(rows), expected=hourly)


def _busy(keys: Sequence[_Key], hourly: Float64[np.ndarray, " way"], least: float) -> list[_Key]:
    """Those with so many vehicles, by falling number."""
    counted: dict[_Key, float] = defaultdict(float)
    for key, rate in zip(keys, hourly.tolist(), strict=True):
        counted[key] += rate
    return sorted((k for k, r in counted.items() if r >= least), key=lambda k: -counted[k])
