"""What a twin's variables are: one small type for each of the seven roles."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeAlias

from gemeos.errors import ChoiceError, SchemaError, nearest
from gemeos.schema.choice import Text, can_be_written, listed
from gemeos.schema.coordinate import Above, Between, Coordinate, Whole
from gemeos.schema.prior import Prior
from gemeos.units import Quantity, known_unit, quantity

Bounds: TypeAlias = tuple[float | None, float | None]
NEAR: Final = 0.05
"""A device that reports a choice's number so nearly reports that choice."""


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
    echo: str | None = field(default=None, repr=False)
    """The control of which it tells where reality has it. It follows what is heard of that control
    and what was commanded, and no thought that sets the control: whatever else is heard was heard
    under this one. None for all other inputs."""

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
    choices: tuple[str, ...] = field(default=(), repr=False)
    """Where it is one of some texts, such as a signal's program: its value is the number of one of
    these, from 0. People write the text, and are told it."""

    def __post_init__(self) -> None:
        _checked(self.name, self.unit, 0.0, self.bounds)
        if not self.choices:
            return
        if len(set(self.choices)) < len(self.choices):
            raise SchemaError(f"{self.name} has a text among its choices more than once.")
        bad = [each for each in self.choices if not can_be_written(each)]
        if bad:
            raise SchemaError(f"{bad[0]!r} cannot be a choice of {self.name}: nobody can write it.")
        if self.unit.strip() not in {"", "1"} or self.bounds != (0.0, len(self.choices) - 1.0):
            raise SchemaError(
                f"{self.name} is a choice of {len(self.choices)}: it has no unit, and lies within "
                f"0 .. {len(self.choices) - 1}."
            )

    def number(self, written: Quantity | Text) -> float:
        """The number, in its unit, that somebody means.

        Of a choice a plain number is the text of that name or the number of one, where it can be
        no other than one of both.

        Raises:
            ChoiceError: it is none of the choices, or may be two of them.
            UnitError: it is no number, or its unit does not fit.
        """
        if not self.choices:
            return _plain(self.unit, written)
        if isinstance(written, Text):
            meant = {self.choices.index(written.text)} if written.text in self.choices else set()
            told = written.text
        else:
            number = written.within(self.unit)
            told = f"{number:g}"
            meant = {self.choices.index(told)} if told in self.choices else set()
            if number.is_integer() and 0 <= number < len(self.choices):
                meant.add(int(number))
        if len(meant) == 1:
            return float(meant.pop())
        if meant:
            raise ChoiceError(
                f"{self.name} = {told} may be the text {told!r} or the choice number {told}, "
                f"{self.choices[int(told)]!r}: write the text in quotes."
            )
        raise ChoiceError(
            f"{self.name} cannot be {told!r}: it is one of {listed(self.choices)}."
            f"{nearest(told, self.choices)}"
        )

    def text(self, number: float) -> Text | None:
        """The text that a number stands for; None of what is no choice, or beside all of them."""
        return text_of(self.choices, number)


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


def number_of(variable: Variable, written: Quantity | Text) -> float:
    """The number, in the unit of ``variable``, that somebody means.

    Raises:
        As ``Control.number``.
    """
    if isinstance(variable, Control):
        return variable.number(written)
    return _plain(variable.unit, written)


def text_of(choices: tuple[str, ...], number: float) -> Text | None:
    """The text of a choice's number; None where it is the number of none."""
    is_one = math.isfinite(number) and 0 <= round(number) < len(choices)
    return Text(choices[round(number)]) if is_one and abs(number - round(number)) < NEAR else None


def _plain(unit: str, written: Quantity | Text) -> float:
    # What is no number is told by who reads numbers.
    told = quantity(written.text) if isinstance(written, Text) else written
    return told.within(unit)


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
    "number_of",
    "text_of",
]
