"""What may be chosen, as people write it: one wording for programs, the command line and the store.

::

    choices = quantity ".." quantity             any number between
            | "whole" integer ".." integer       any whole number between
            | quantity "," quantity {"," quantity}   one of them

as in ``-5 m/s^2 .. 5 m/s^2`` and ``0 kW, 500 kW, 1 MW``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from gemeos.errors import GemeosError, InputError
from gemeos.foresee.space import Choice, Continuous, Edge, Integer, Over, Space
from gemeos.schema.schema import Schema

Asked: TypeAlias = "str | Over"
"""How a program may write it."""


def space_of(schema: Schema, over: Mapping[str, Asked]) -> Space:
    """All that may be chosen.

    Raises:
        InputError: it cannot be read, or may not be set; the message tells of which variable.
    """
    read = {}
    for name, told in over.items():
        try:
            read[name] = _read(told) if isinstance(told, str) else told
        except GemeosError as error:
            raise InputError(f"{name}: {error}") from error
    return Space.of(schema, read)


def as_written(space: Space) -> dict[str, str]:
    """The text that ``space_of`` reads back to the same; of choices that depend on none."""
    return {axis.name: _written(axis) for axis in space.axes}


def text_of(name: str, told: Asked) -> str:
    """What somebody wrote as text, for whoever cannot see the schema.

    Raises:
        InputError: it depends on another choice, which has no text.
    """
    match told:
        case str():
            return told
        case Continuous() | Integer() | Choice():
            if told.when is not None:
                raise InputError(f"{name} depends on {told.when.name}: that cannot be sent.")
            return _written(told)
        case tuple() if len(told) == 2:
            return f"{told[0]} .. {told[1]}"
        case _:
            return ", ".join(map(str, told))


def _written(axis: Continuous | Integer | Choice) -> str:
    unit = f" {axis.unit}" if axis.unit.strip() not in {"", "1"} else ""
    match axis:
        case Continuous(_, least, most):
            return f"{least!r}{unit} .. {most!r}{unit}"
        case Integer(_, least, most):
            return f"whole {least} .. {most}"
        case Choice(_, values):
            return ", ".join(f"{value}{unit}" for value in values)


def _read(text: str) -> Over:
    head, dots, tail = text.partition("..")
    if not dots:
        values: Sequence[Edge] = [piece.strip() for piece in text.split(",")]
        if len(values) < 2:
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
