"""What interventions do to members, in numbers of the grid and of declared units.

``schema.intervention`` is how they are written. Here each change of a fork is one `Act`: rows that
it takes hold of, a course, and the instants between which it acts, of each member its own where it
waits for a condition.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import TypeAlias, assert_never

import numpy as np
from jaxtyping import Float64, Int64

from gemeos.ensemble.condition import Condition, parse
from gemeos.errors import GemeosError, InterventionError, UnknownNameError
from gemeos.schema.choice import Text, listed
from gemeos.schema.coordinate import Above, Between, Whole
from gemeos.schema.intervention import Change, Changes, Hold, Profile, Ramp, Renewed, Times
from gemeos.schema.schema import Schema
from gemeos.schema.variable import (
    Const,
    Control,
    Input,
    Param,
    Sensor,
    State,
    Variable,
    Virtual,
    number_of,
)
from gemeos.units import Quantity, Span

FOR_EVER = np.iinfo(np.int64).max // 4
"""Ticks; far beyond any horizon, and sums of two of it still fit."""


class Place(Enum):
    """What of a twin an act takes hold of."""

    DRIVEN = "driven"
    """Inputs and controls: ``TwinState.driven``."""
    MEMBERS = "members"
    """States and params: rows of ``TwinState.members``."""
    CONST = "const"
    """Constants: ``Crew.consts``."""


@dataclass(frozen=True, slots=True)
class Held:
    """One value."""

    value: float


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """Straight between points, the last value after them."""

    at: Float64[np.ndarray, " point"]
    """Ticks since the act began, the first 0."""
    value: Float64[np.ndarray, " point"]
    """The first is NaN where it begins from what it was."""


@dataclass(frozen=True, slots=True)
class Scaled:
    """What it would be without this act, times a factor."""

    factor: float
    least: float = -math.inf
    most: float = math.inf
    """Ends of a control, which nobody could set further."""


@dataclass(frozen=True, slots=True)
class Redrawn:
    """Drawn from the prior."""


Move: TypeAlias = Held | Line | Scaled | Redrawn


@dataclass(frozen=True, slots=True, eq=False)
class Act:
    """One change, ready to be made."""

    place: Place
    rows: Int64[np.ndarray, " row"]
    """Places in the array that ``place`` names."""
    move: Move
    begins: int
    """Ticks after the fork or the condition."""
    lasts: int
    """Ticks; ``FOR_EVER`` where it is not taken back."""
    condition: Condition | None

    @property
    def moving(self) -> int:
        """For how many ticks from its beginning it is another value at each."""
        return math.ceil(self.move.at[-1]) if isinstance(self.move, Line) else 0


@dataclass(frozen=True)
class Acts:
    """What is done in one fork; nothing, where there are none."""

    each: tuple[Act, ...] = ()

    @cached_property
    def needs_members(self) -> bool:
        """Whether members may come to be driven apart."""
        return any(a.condition is not None and a.place is Place.DRIVEN for a in self.each)

    @cached_property
    def watched(self) -> tuple[str, ...]:
        """Variables that conditions speak of."""
        return tuple(sorted({n for a in self.each if a.condition for n in a.condition.names}))


NOTHING = Acts()


def acts(schema: Schema, changes: Changes) -> Acts:
    """Interventions made ready for twins of a schema.

    Raises:
        UnknownNameError: no such variable or part.
        InterventionError: it cannot be done to what the name stands for; the message says why.
    """
    made = []
    for name, several in changes.items():
        for change in several:
            try:
                made.append(_act(schema, name, change))
            except (UnknownNameError, InterventionError):
                raise
            except GemeosError as error:
                raise InterventionError(f"{name}: {error}") from error
    return Acts(tuple(made))


def _act(schema: Schema, name: str, change: Change) -> Act:
    parts = [p.name for p in schema.parts]
    if name in parts:
        place, rows = Place.MEMBERS, _rows_of_part(schema, name)
        if not isinstance(change.course, Renewed):
            raise InterventionError(
                f"{name} is a part: it can be 'renewed'; '{change}' is for variables such as "
                f"{name}.{_first_of(schema, name)}."
            )
        move: Move = Redrawn()
    else:
        if name not in (known := [*(v.name for v in schema.variables), *parts]):
            raise UnknownNameError("variable or part", name, known, where=schema.name)
        variable = schema.variable(name)
        place, rows = _place(schema, variable)
        _check(variable, change)
        move = _move(variable, change, schema.step)
    return Act(
        place=place,
        rows=rows,
        move=move,
        begins=_ticks(change.after, schema.step),
        lasts=FOR_EVER if change.lasting is None else _ticks(change.lasting, schema.step),
        condition=None if change.when is None else _condition(schema, change.when),
    )


def _ticks(length: Span, step: Span) -> int:
    """Up to the next instant of the grid: members live on these only (contract 3)."""
    return -(-length // step)


def _rows_of_part(schema: Schema, part: str) -> Int64[np.ndarray, " row"]:
    rows = [i for i, v in enumerate(schema.estimated) if v.name.startswith(f"{part}.")]
    if not rows:
        raise InterventionError(f"{part} has no state and no param that could be renewed.")
    return np.array(rows, np.int64)


def _first_of(schema: Schema, part: str) -> str:
    return next(v.name[len(part) + 1 :] for v in schema.variables if v.name.startswith(f"{part}."))


def _place(schema: Schema, variable: Variable) -> tuple[Place, Int64[np.ndarray, " row"]]:
    match variable:
        case Input() | Control():
            return Place.DRIVEN, np.array([schema.driven.index(variable)])
        case State() | Param():
            return Place.MEMBERS, np.array([schema.estimated.index(variable)])
        case Const():
            return Place.CONST, np.array([schema.consts.index(variable)])
        case Sensor() | Virtual():
            causes = ", ".join(v.name for v in schema.driven) or "nothing: it has none"
            raise InterventionError(
                f"{variable.name} follows from the state, so it cannot be set. What drives "
                f"{schema.name} and can be: {causes}."
            )
        case _:
            assert_never(variable)


def _check(variable: Variable, change: Change) -> None:
    """Refuse what has no meaning for that kind of variable."""
    name, course = variable.name, change.course
    if isinstance(variable, (Input, Control)) and isinstance(course, Renewed):
        raise InterventionError(
            f"{name} is {_kind(variable)}: it has no prior that it could be renewed from."
        )
    if isinstance(variable, Control) and variable.choices and not isinstance(course, Hold):
        raise InterventionError(
            f"{name} is one of {listed(variable.choices)}: it can be set to one, and there is "
            f"nothing between them; '{change}' is more than that."
        )
    if isinstance(variable, Const):
        if change.when is not None or not isinstance(course, (Hold, Times)):
            raise InterventionError(
                f"{name} is a constant, one value for all members: it can be set or multiplied at "
                f"a time, but '{change}' is more than that."
            )
        return
    if isinstance(variable, (State, Param)) and change.lasting is not None:
        raise InterventionError(
            f"{name} is {_kind(variable)}, which moves on by itself once it is changed: leave out "
            f"'for' in '{change}'."
        )
    if isinstance(variable, State) and isinstance(course, (Ramp, Profile)):
        raise InterventionError(
            f"{name} is a state: the model moves it. It can be set once, multiplied or renewed; "
            f"'{change}' would hold it against the model."
        )


def _kind(variable: Variable) -> str:
    word = type(variable).__name__.lower()
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def _move(variable: Variable, change: Change, step: Span) -> Move:
    match change.course:
        case Hold(value):
            return Held(_within(variable, value))
        case Ramp(end, over, start):
            begin = np.nan if start is None else _within(variable, start)
            ends = np.array([0.0, over / step])
            return Line(ends, np.array([begin, _within(variable, end)]))
        case Profile(points):
            at = np.array([at / step for at, _ in points])
            values = np.array([_within(variable, value) for _, value in points])
            if at[0] > 0:
                at, values = np.insert(at, 0, 0.0), np.insert(values, 0, np.nan)
            return Line(at, values)
        case Times(factor):
            if not isinstance(variable, Control):
                return Scaled(factor)
            least, most = variable.bounds
            return Scaled(
                factor, -math.inf if least is None else least, math.inf if most is None else most
            )
        case Renewed():
            return Redrawn()
        case _:
            assert_never(change.course)


def _within(variable: Variable, value: Quantity | Text) -> float:
    """The number in the declared unit, inside what is declared."""
    number = number_of(variable, value)
    least, most = _bounds(variable)
    # Members are kept in single precision.
    if not abs(number) <= float(np.finfo(np.float32).max):
        raise InterventionError(f"{variable.name} cannot be set to {value}.")
    if (least is not None and number < least) or (most is not None and number > most):
        low = "-infinity" if least is None else f"{least:.12g}"
        high = "infinity" if most is None else f"{most:.12g}"
        asked = str(value)
        if isinstance(value, Quantity):
            asked = f"{value.number:.12g} {value.unit}".rstrip()
            if number != value.number:
                asked += f", which is {number:.12g} {variable.unit or '1'},"
        raise InterventionError(
            f"{variable.name} lies within {low} .. {high} {variable.unit or '1'}; {asked} was "
            "asked for."
        )
    return number


def _bounds(variable: Variable) -> tuple[float | None, float | None]:
    """As declared, or as its prior tells: what is log-normal is never below nought."""
    if isinstance(variable, (State, Param)):
        match variable.coordinate:
            case Above(least):
                return least, None
            case Between(least, most):
                return least, most
            case Whole():
                return None, None
            case _:
                assert_never(variable.coordinate)
    return variable.bounds if isinstance(variable, Control) else (None, None)


def _condition(schema: Schema, text: str) -> Condition:
    condition = parse(text)
    condition.check({v.name: v.unit for v in schema.variables if not isinstance(v, Const)})
    return condition
