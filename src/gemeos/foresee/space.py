"""What a plan may choose from: named numbers between limits, whole numbers, and lists."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, final

from typing_extensions import override

from gemeos.errors import InputError, UnitError, UnknownNameError
from gemeos.schema.choice import Text, listed
from gemeos.schema.choice import value as value_of
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Const, Control
from gemeos.units import Quantity, conversion, known_unit, quantity

Value: TypeAlias = float | int | str
Edge: TypeAlias = str | float | int
"""A number as people write it: with its unit, or bare where the variable has none."""


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Candidate(Mapping[str, Value]):
    """One choice: a value for each name. It can be a key; without names it is "do nothing"."""

    pairs: tuple[tuple[str, Value], ...] = ()
    """In the order of names, numbers in the units of the space."""

    @staticmethod
    def of(values: Mapping[str, Value]) -> Candidate:
        """The candidate with those values."""
        return Candidate(tuple(sorted(values.items())))

    @override
    def __getitem__(self, name: str) -> Value:
        for key, value in self.pairs:
            if key == name:
                return value
        raise KeyError(name)

    @override
    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self.pairs)

    @override
    def __len__(self) -> int:
        return len(self.pairs)

    @override
    def __hash__(self) -> int:
        return hash(self.pairs)

    @override
    def __repr__(self) -> str:
        told = ", ".join(
            f"{n}={v:.6g}" if isinstance(v, float) else f"{n}={v}" for n, v in self.pairs
        )
        return f"Candidate({told})"


DO_NOTHING = Candidate()
"""Nothing is set: what every plan is held against."""


@dataclass(frozen=True, slots=True)
class When:
    """Another choice on which one depends."""

    name: str
    values: tuple[Value, ...]
    """It is made where the other has one of these values. ``Space.of`` takes numbers as they are
    written (``"20 W"``), and bare ones in the unit of the axis that it depends on."""


@dataclass(frozen=True, slots=True)
class Continuous:
    """Any number from ``least`` to ``most``."""

    name: str
    least: float
    most: float
    unit: str = ""
    when: When | None = None

    def __post_init__(self) -> None:
        known_unit(self.unit)
        _rising(self.name, self.least, self.most, self.unit)


@dataclass(frozen=True, slots=True)
class Integer:
    """Any whole number from ``least`` to ``most``."""

    name: str
    least: int
    most: int
    unit: str = ""
    when: When | None = None

    def __post_init__(self) -> None:
        known_unit(self.unit)
        if any(isinstance(v, bool) or not isinstance(v, int) for v in (self.least, self.most)):
            raise InputError(
                f"{self.name} is to be whole, from {self.least} to {self.most}: "
                "its limits are whole numbers."
            )
        _rising(self.name, self.least, self.most, self.unit)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some values; nothing is known of what lies between them."""

    name: str
    values: tuple[Value, ...]
    unit: str = ""
    when: When | None = None

    def __post_init__(self) -> None:
        known_unit(self.unit)
        if not self.values:
            raise InputError(f"{self.name} has no values to choose from.")
        if any(isinstance(v, float) and not math.isfinite(v) for v in self.values):
            raise InputError(f"{self.name}: every value to choose from is a finite number.")
        twice = [v for i, v in enumerate(self.values) if v in self.values[:i]]
        if twice:
            raise InputError(f"{self.name} has {twice[0]!r} among its values more than once.")


Axis: TypeAlias = Continuous | Integer | Choice
Over: TypeAlias = tuple[Edge, Edge] | Sequence[Edge] | Axis
"""What one name may be: a pair of limits (a tuple), a list of values, or an axis."""


@dataclass(frozen=True, slots=True)
class Space:
    """All candidates. Checked as a whole: each axis depends at most on one that stands before."""

    axes: tuple[Axis, ...]

    def __post_init__(self) -> None:
        if not self.axes:
            raise InputError(
                "There is nothing to choose. Say what may be set, as in "
                "over={'damper': ('-5 m/s^2', '5 m/s^2')}."
            )
        before: dict[str, Axis] = {}
        for axis in self.axes:
            if axis.name in before:
                raise InputError(f"{axis.name} is to be chosen more than once.")
            if axis.when is not None:
                _check_dependence(axis.name, axis.when, before)
            before[axis.name] = axis

    @staticmethod
    def of(
        schema: Schema, over: Mapping[str, Over], *, when: Mapping[str, When] | None = None
    ) -> Space:
        """What ``over`` says, in the units of the schema and within its bounds.

        Args:
            schema: Whose controls and constants may be chosen.
            over: By name: ``("-5 m/s^2", "5 m/s^2")`` for all between, ``["off", ...]`` for a
                list, or an axis, whose numbers are in its own unit. What others depend on stands
                before them.
            when: On what a name depends, where its axis does not say.

        Raises:
            UnknownNameError: no such variable.
            UnitError: a unit is missing, unknown or does not fit.
            InputError: not ours to set, limits that contradict themselves or the declared bounds.
        """
        axes: dict[str, Axis] = {}
        for name, asked in over.items():
            axis = _axis(schema, name, asked)
            depends = axis.when if when is None or name not in when else when[name]
            if depends is not None and depends.name in axes:
                origin = schema.variable(depends.name)
                if isinstance(origin, Control) and origin.choices:
                    depends = When(depends.name, tuple(_text(origin, v) for v in depends.values))
                else:
                    depends = _settled(depends, over[depends.name], axes[depends.name])
            axes[name] = replace(axis, when=depends)
        return Space(tuple(axes.values()))

    @property
    def is_finite(self) -> bool:
        """Whether its candidates can be counted."""
        return not any(isinstance(axis, Continuous) for axis in self.axes)

    @property
    def is_conditional(self) -> bool:
        """Whether some choice is made only where another has some value."""
        return any(axis.when is not None for axis in self.axes)

    @property
    def size(self) -> int | None:
        """How many candidates there are; None where they cannot be counted."""
        if not self.is_finite:
            return None
        return math.prod(self._count(axis) for axis in self.axes if axis.when is None)

    def candidates(self) -> Iterator[Candidate]:
        """Each once, the last axis changing fastest.

        Raises:
            InputError: they cannot be counted.
        """
        for axis in self.axes:
            if isinstance(axis, Continuous):
                raise InputError(f"{axis.name} may be any number: its values cannot be listed.")
        yield from (Candidate.of(chosen) for chosen in self._from(0, {}))

    def active(self, axis: Axis, chosen: Mapping[str, Value]) -> bool:
        """Whether ``axis`` is to be chosen, after those before it have been."""
        when = axis.when
        return when is None or (when.name in chosen and chosen[when.name] in when.values)

    def check(self, candidate: Mapping[str, Value]) -> None:
        """See that ``candidate`` is one of this space.

        Raises:
            UnknownNameError: it has a name that is not here.
            InputError: a value is missing, must not be there, or is out of its limits.
        """
        names = [axis.name for axis in self.axes]
        for name in candidate:
            if name not in names:
                raise UnknownNameError("choice", name, names, where="The space")
        for axis in self.axes:
            if self.active(axis, candidate) != (axis.name in candidate):
                what = "is missing" if axis.name not in candidate else "has no place here"
                raise InputError(f"{axis.name} {what}.")
            if axis.name in candidate and not _allows(axis, candidate[axis.name]):
                raise InputError(f"{axis.name} cannot be {candidate[axis.name]!r}: {told(axis)}.")

    def _from(self, place: int, chosen: dict[str, Value]) -> Iterator[dict[str, Value]]:
        if place == len(self.axes):
            yield chosen
            return
        axis = self.axes[place]
        if not self.active(axis, chosen):
            yield from self._from(place + 1, chosen)
            return
        for value in _listed(axis):
            yield from self._from(place + 1, {**chosen, axis.name: value})

    def _count(self, axis: Axis) -> int:
        """Candidates of ``axis`` and all that depends on it."""
        below = [a for a in self.axes if a.when is not None and a.when.name == axis.name]
        split = set(itertools.chain.from_iterable(a.when.values for a in below if a.when))
        return (_many(axis) - len(split)) + sum(
            math.prod(self._count(a) for a in below if self.active(a, {axis.name: value}))
            for value in split
        )


def told(axis: Axis) -> str:
    """What may be chosen, in words."""
    unit = f" {axis.unit}" if axis.unit else ""
    match axis:
        case Continuous(_, least, most):
            return f"it lies from {least:g}{unit} to {most:g}{unit}"
        case Integer(_, least, most):
            return f"it is a whole number from {least}{unit} to {most}{unit}"
        case Choice(_, values):
            return f"it is one of {', '.join(map(str, values))}{unit}"


def _listed(axis: Axis) -> Sequence[Value]:
    match axis:
        case Continuous():
            return ()
        case Integer(_, least, most):
            return range(least, most + 1)
        case Choice(_, values):
            return values


def _many(axis: Axis) -> int:
    match axis:
        case Continuous():
            return 0
        case Integer(_, least, most):
            return most - least + 1
        case Choice(_, values):
            return len(values)


def _allows(axis: Axis, value: Value) -> bool:
    match axis:
        case Continuous(_, least, most):
            return not isinstance(value, str) and least <= value <= most
        case Integer(_, least, most):
            return isinstance(value, int) and least <= value <= most
        case Choice(_, values):
            return value in values


def _check_dependence(name: str, when: When, before: Mapping[str, Axis]) -> None:
    if when.name not in before:
        raise UnknownNameError("choice", when.name, before, where=f"Before {name} the space")
    origin = before[when.name]
    if isinstance(origin, Continuous):
        raise InputError(f"{name} cannot depend on {when.name}, which may be any number.")
    if not when.values:
        raise InputError(f"{name} would never be chosen: no value of {when.name} is named.")
    for value in when.values:
        if not _allows(origin, value):
            raise InputError(
                f"{name} would depend on {when.name} being {value!r}, but {told(origin)}."
            )


def _settled(when: When, asked: Over, origin: Axis) -> When:
    """With the very values that ``origin`` has; ``asked`` is how it was written."""
    own = asked.unit if isinstance(asked, Continuous | Integer | Choice) else None
    return When(when.name, tuple(_value_of(origin, own, value) for value in when.values))


def _value_of(origin: Axis, own: str | None, value: Value) -> Value:
    if isinstance(origin, Choice) and isinstance(value, str) and value in origin.values:
        return value
    if isinstance(origin, Choice) and all(isinstance(v, str) for v in origin.values):
        return value
    if own is None or isinstance(value, str):
        number = _number(origin.name, origin.unit, value)
    else:
        number = _turned(value, own, origin.unit)
    if isinstance(origin, Choice):
        # The same number in another unit may differ in its last digit.
        alike = [v for v in origin.values if not isinstance(v, str) and math.isclose(v, number)]
        return alike[0] if alike else number
    return int(number) if isinstance(origin, Integer) and number.is_integer() else number


def _rising(name: str, least: float, most: float, unit: str) -> None:
    if not (math.isfinite(least) and math.isfinite(most)):
        raise InputError(f"{name}: both limits are finite numbers; they are {least} and {most}.")
    if not least < most:
        raise InputError(
            f"The limits of {name} must rise: {least:g} is not below {most:g}"
            f"{' ' + unit if unit else ''}."
        )


def _axis(schema: Schema, name: str, asked: Over) -> Axis:
    variable = schema.variable(name)
    if not isinstance(variable, Control | Const):
        role = type(variable).__name__.lower()
        raise InputError(
            f"{name} is not ours to set: it is declared as {role}. "
            "Only controls and constants may be chosen."
        )
    if isinstance(variable, Control) and variable.choices:
        return _of_texts(variable, asked)
    axis = _in_unit(name, variable.unit, asked)
    if isinstance(variable, Control):
        _within_bounds(axis, variable)
    return axis


def _of_texts(control: Control, asked: Over) -> Choice:
    """Some of the texts that a control is one of; numbers stand for texts."""
    when = None
    match asked:
        case Integer():
            values: Sequence[str] = [_text(control, v) for v in range(asked.least, asked.most + 1)]
            when = asked.when
        case Choice():
            # Its texts are values, and not how somebody writes them.
            some = [
                Text(v) if isinstance(v, str) else Quantity(v, asked.unit) for v in asked.values
            ]
            values = [control.choices[round(control.number(v))] for v in some]
            when = asked.when
        case tuple() | Continuous():
            raise InputError(
                f"{control.name} is one of {listed(control.choices)}; there is nothing between "
                f"them. Name some, as in '{listed(control.choices[:2])}'."
            )
        case str():
            raise InputError(f"{control.name}: {asked!r} is one value; there is nothing to choose.")
        case _:
            values = [_text(control, each) for each in asked]
    return Choice(control.name, tuple(values), control.unit, when)


def _text(control: Control, written: Value) -> str:
    told = value_of(written) if isinstance(written, str) else Quantity(float(written), "")
    return control.choices[round(control.number(told))]


def _in_unit(name: str, unit: str, asked: Over) -> Axis:
    match asked:
        case Continuous():
            least, most = (_turned(v, asked.unit, unit) for v in (asked.least, asked.most))
            return replace(asked, name=name, least=least, most=most, unit=unit)
        case Integer():
            if conversion(asked.unit, unit) != (1.0, 0.0):
                raise UnitError(
                    f"Whole numbers of {name} are counted in its own unit, {unit or 'none'}; "
                    f"{asked.unit or 'none'} was given."
                )
            return replace(asked, name=name, unit=unit)
        case Choice():
            values = tuple(
                v if isinstance(v, str) else _turned(v, asked.unit, unit) for v in asked.values
            )
            return replace(asked, name=name, values=values, unit=unit)
        case tuple():
            if len(asked) != 2:
                raise InputError(
                    f"{name}: a tuple is a pair of limits, and this one has {len(asked)} entries. "
                    "Write a list, as in ['1 m', '2 m', '3 m'], to choose one of several."
                )
            least, most = (_number(name, unit, edge) for edge in asked)
            return Continuous(name, least, most, unit)
        case str():
            raise InputError(f"{name}: {asked!r} is one value; there is nothing to choose.")
        case _:
            return Choice(name, tuple(_number(name, unit, v) for v in asked), unit)


def _turned(number: float, source: str, target: str) -> float:
    scale, offset = conversion(source, target)
    return number * scale + offset


def _number(name: str, unit: str, edge: Edge) -> float:
    """The number in ``unit``."""
    bare = unit.strip() in {"", "1"}
    if isinstance(edge, bool) or not isinstance(edge, str | int | float):
        raise InputError(f"{name} cannot be {edge!r}: give a number{'' if bare else ' and unit'}.")
    if not isinstance(edge, str):
        if not bare:
            raise UnitError(f"{name}: {edge:g} needs a unit: write it as in '{edge:g} {unit}'.")
        return float(edge)
    try:
        asked = quantity(edge)
        number = asked.within(unit) if bare or asked.unit.strip() not in {"", "1"} else None
    except UnitError as error:
        raise UnitError(f"{name}: {error}") from error
    if number is None:
        text = edge.strip()
        raise UnitError(f"{name}: {text} needs a unit: write it as in '{text} {unit}'.")
    return number


def _within_bounds(axis: Axis, control: Control) -> None:
    floor, ceiling = control.bounds
    unit = f" {control.unit}" if control.unit else ""
    match axis:
        case Choice(_, values):
            numbers = [v for v in values if not isinstance(v, str)]
            if len(numbers) < len(values):
                words = [v for v in values if isinstance(v, str)]
                raise InputError(f"{axis.name} is a number; it cannot be {words[0]!r}.")
        case _:
            numbers = [axis.least, axis.most]
    for number in numbers:
        low = floor is not None and number < floor
        if low or (ceiling is not None and number > ceiling):
            least = "-inf" if floor is None else f"{floor:g}"
            most = "inf" if ceiling is None else f"{ceiling:g}"
            raise InputError(
                f"{axis.name} may not be {number:g}{unit}: "
                f"it is declared from {least} to {most}{unit}."
            )
