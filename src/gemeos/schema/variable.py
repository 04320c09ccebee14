"""What a twin's variables are: one small type for each of the seven roles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from gemeos.errors import SchemaError
from gemeos.schema.coordinate import Above, Between, Coordinate, Whole
from gemeos.schema.prior import Prior
from gemeos.units import known_unit

Bounds: TypeAlias = tuple[float | None, float | None]


class Measure(Enum):
    """What one reading says about the time it covers."""

    INSTANT = "instant"
    """The value at ``valid_at``."""
    MEAN = "mean"
    """The average over ``valid_from..valid_at``."""
    SUM = "sum"
    """The integral over ``valid_from..valid_at``, per second of it (a kW-reading sums to kJ)."""
    COUNTER = "counter"
    """A total that only grows; its increase over the interval is a ``SUM``."""


@dataclass(frozen=True, slots=True)
class State:
    """Moved by the model, corrected by readings."""

    name: str
    """As in ``T2.power`` where it belongs to a part."""
    unit: str
    prior: Prior
    noise: float = 0.0
    """Standard deviation of the model's error per square root of a second, in ``coordinate``'s
    unit: the declared unit without bounds, a relative measure with them."""
    bounds: Bounds = (None, None)
    """Least and most natural value; the filter never leaves them."""

    def __post_init__(self) -> None:
        _checked(self.name, self.unit, self.noise, self.bounds)

    @property
    def coordinate(self) -> Coordinate:
        """The coordinate in which the ensemble stores it."""
        return coordinate_of(self.prior, self.bounds)


@dataclass(frozen=True, slots=True)
class Param:
    """Unknown, drifts slowly, estimated together with the state."""

    name: str
    unit: str
    prior: Prior
    drift: float = 0.0
    """Standard deviation of its random walk per square root of a second, in ``coordinate``'s
    unit: for a lognormal prior 1e-3 is 0.1 % per square root of a second."""
    bounds: Bounds = (None, None)

    def __post_init__(self) -> None:
        _checked(self.name, self.unit, self.drift, self.bounds)

    @property
    def coordinate(self) -> Coordinate:
        """The coordinate in which the ensemble stores it."""
        return coordinate_of(self.prior, self.bounds)


@dataclass(frozen=True, slots=True)
class Const:
    """Known; one value a twin."""

    name: str
    unit: str
    default: float | None = None
    """The value where a twin gives none; None makes giving one a duty."""

    def __post_init__(self) -> None:
        _checked(self.name, self.unit, 0.0, (None, None))


@dataclass(frozen=True, slots=True)
class Input:
    """From outside; held between readings."""

    name: str
    unit: str
    default: float | None = None
    """Used until the first reading. Without one the twin starts when the input is first heard."""

    def __post_init__(self) -> None:
        _checked(self.name, self.unit, 0.0, (None, None))


@dataclass(frozen=True, slots=True)
class Control:
    """From outside, and ours to set."""

    name: str
    unit: str
    bounds: Bounds
    default: float | None = None
    """The value until it is first set or heard."""

    def __post_init__(self) -> None:
        _checked(self.name, self.unit, 0.0, self.bounds)


@dataclass(frozen=True, slots=True)
class Sensor:
    """What a real sensor would read in this state."""

    name: str
    unit: str
    noise: float | None = None
    """Standard deviation of one reading, in the unit; a binding may give its own."""
    measure: Measure = Measure.INSTANT
    over: float = 0.0
    """Length in seconds of the interval that a reading covers; 0 for instants. A whole number of
    the model's steps; intervals begin at whole multiples of it in UTC."""
    wraps: float | None = None
    """Full turn of an angle, in the unit: 360 for degrees. A reading then counts at the turn that
    is nearest to what was expected. None for what does not wrap around."""
    bounds: Bounds = (None, None)
    """Least and most that it can read, where there is such a thing: corrected forecasts keep to
    them."""

    def __post_init__(self) -> None:
        _checked(self.name, self.unit, self.noise or 0.0, self.bounds)
        if self.wraps is not None and not (math.isfinite(self.wraps) and self.wraps > 0):
            raise SchemaError(f"Sensor {self.name!r} wraps at {self.wraps}: it must be positive.")
        if (self.measure is Measure.INSTANT) != (self.over == 0):
            raise SchemaError(
                f"Sensor {self.name!r} is read as {self.measure.value} over {self.over} s: an "
                "instant covers no time; everything else needs its interval, as in over='10 min'."
            )


@dataclass(frozen=True, slots=True)
class Virtual:
    """A sensor that is not there."""

    name: str
    unit: str

    def __post_init__(self) -> None:
        _checked(self.name, self.unit, 0.0, (None, None))


Variable: TypeAlias = State | Param | Const | Input | Control | Sensor | Virtual


def coordinate_of(prior: Prior, bounds: Bounds) -> Coordinate:
    """The coordinate for declared bounds; without any, the one that the prior suggests.

    Raises:
        SchemaError: only an upper bound, or a prior whose middle lies outside the bounds.
    """
    match bounds:
        case (None, None):
            return prior.coordinate
        case (float() | int() as least, None):
            chosen: Coordinate = Above(float(least))
            inside = prior.typical > least
        case (float() | int() as least, float() | int() as most):
            chosen = Between(float(least), float(most))
            inside = least < prior.typical < most
        case _:
            raise SchemaError("An upper bound needs a lower one beside it.")
    if not inside:
        raise SchemaError(f"The prior's middle {prior.typical} lies outside the bounds {bounds}.")
    return chosen


def _checked(name: str, unit: str, noise: float, bounds: Bounds) -> None:
    if not all(piece.isidentifier() for piece in name.split(".")):
        raise SchemaError(f"{name!r} cannot be a name: letters, digits and '_', parts before dots.")
    known_unit(unit)
    if not (math.isfinite(noise) and noise >= 0):
        raise SchemaError(f"The noise of {name!r} must be a number not below zero; it is {noise}.")
    least, most = bounds
    if least is not None and most is not None and not least < most:
        raise SchemaError(f"The bounds of {name!r} must rise: {least} is not below {most}.")


__all__ = [
    "Bounds",
    "Const",
    "Control",
    "Input",
    "Measure",
    "Param",
    "Sensor",
    "State",
    "Variable",
    "Virtual",
    "Whole",
    "coordinate_of",
]
