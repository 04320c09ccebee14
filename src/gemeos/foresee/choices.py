"""What may be chosen, as people write it: one wording for programs, the command line and the store.

::

    choices = some ["if" name "=" value {"," value}]
    some    = quantity ".." quantity             any number between
            | "whole" integer ".." integer       any whole number between
            | value "," value {"," value}        one of them: quantities, or texts of a choice

as in ``-5 m/s^2 .. 5 m/s^2``, ``0 kW, 500 kW, 1 MW`` and ``0 W .. 60 W if mode = 1, 2``: what is
chosen only where another choice, which stands before it, has one of some values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from gemeos.errors import GemeosError, InputError
from gemeos.foresee.space import Choice, Continuous, Edge, Integer, Over, Space, Value, When
from gemeos.schema.choice import Text, shielded
from gemeos.schema.schema import Schema

Asked: TypeAlias = "str | Over"
"""How a program may write it."""
_IF: Final = re.compile(r"\s+if\s+")


def space_of(schema: Schema, over: Mapping[str, Asked]) -> Space:
    """All that may be chosen.

    Raises:
        InputError: it cannot be read, or may not be set; the message tells of which variable.
    """
    read: dict[str, Over] = {}
    when: dict[str, When] = {}
    for name, told in over.items():
        try:
            if isinstance(told, str):
                some, *depends = _IF.split(shielded(told), maxsplit=1)
                read[name] = _read(some, fewest=1 if depends else 2)
                if depends:
                    when[name] = _when(depends[0])
            else:
                read[name] = told
        except GemeosError as error:
            raise InputError(f"{name}: {error}") from error
    return Space.of(schema, read, when=when)


def as_written(space: Space) -> dict[str, str]:
    """The text that ``space_of`` reads back to the same, in the order of the space."""
    units = {axis.name: axis.unit for axis in space.axes}
    return {axis.name: _written(axis) + _if(axis, units, settled=True) for axis in space.axes}


def texts_of(over: Mapping[str, Asked]) -> dict[str, str]:
    """What somebody wrote as text, for whoever cannot see the schema.

    On what a choice depends is told in the unit in which that was written.
    """
    return {name: _text(told, over) for name, told in over.items()}


def _text(told: Asked, over: Mapping[str, Asked]) -> str:
    match told:
        case str():
            return told
        case Continuous() | Integer() | Choice():
            axes = Continuous | Integer | Choice
            units = {name: each.unit for name, each in over.items() if isinstance(each, axes)}
            return _written(told) + _if(told, units)
        case tuple() if len(told) == 2:
            return f"{told[0]} .. {told[1]}"
        case _:
            return ", ".join(map(str, told))


def _if(
    axis: Continuous | Integer | Choice, units: Mapping[str, str], *, settled: bool = False
) -> str:
    """On what it depends, values in the ``units`` of names; empty where it depends on nothing.

    ``settled`` texts are values; others are as somebody wrote them.
    """
    if axis.when is None:
        return ""
    unit = _behind(units.get(axis.when.name, ""))
    values = ", ".join(
        (str(Text(v)) if settled else v) if isinstance(v, str) else f"{v!r}{unit}"
        for v in axis.when.values
    )
    return f" if {axis.when.name} = {values}"


def _when(text: str) -> When:
    name, equals, values = text.partition("=")
    if not equals or not name.strip() or not values.strip():
        raise InputError(
            f"'if {text}' says not where it is chosen. Write it as in '0 W .. 60 W if mode = 1, 2'."
        )
    each: tuple[Value, ...] = tuple(piece.strip() for piece in values.split(","))
    return When(name.strip(), each)


def _behind(unit: str) -> str:
    return f" {unit}" if unit.strip() not in {"", "1"} else ""


def _written(axis: Continuous | Integer | Choice) -> str:
    unit = _behind(axis.unit)
    match axis:
        case Continuous(_, least, most):
            return f"{least!r}{unit} .. {most!r}{unit}"
        case Integer(_, least, most):
            return f"whole {least} .. {most}"
        case Choice(_, values):
            return ", ".join(
                f"{Text(value) if isinstance(value, str) else value}{unit}" for value in values
            )


def _read(text: str, *, fewest: int) -> Over:
    """``fewest`` values of a list leave something to choose."""
    head, dots, tail = text.partition("..")
    if not dots:
        values: Sequence[Edge] = [piece.strip() for piece in text.split(",")]
        if len(values) < fewest:
            raise InputError(
                f"{text!r} leaves nothing to choose. Write '0 kW .. 500 kW' for all between, or "
                "'0 kW, 250 kW, 500 kW' for one of some."
            )
        return values
    word, _, rest = head.strip().partition(" ")
    if word != "whole":
        return head.strip(), tail.strip()
    try:
        return Integer("whole", int(rest), int(tail))
    except ValueError:
        raise InputError(
            f"{text!r}: whole numbers are written as in 'whole 1 .. 10', without a unit."
        ) from None
