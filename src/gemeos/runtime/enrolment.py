"""Who is in a fleet, and what is known of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gemeos.errors import SchemaError, UnknownNameError
from gemeos.schema.binding import Binding
from gemeos.schema.schema import Schema


@dataclass(frozen=True, slots=True)
class Enrolment:
    """One twin of a fleet: its name, what is known of it, what is bound to it."""

    name: str
    consts: Mapping[str, float] = field(default_factory=dict)
    bindings: tuple[Binding, ...] = ()


def consts_of(schema: Schema, enrolled: Enrolment) -> list[float]:
    """Values of the schema's constants, in their order.

    Raises:
        UnknownNameError: the schema has no such constant.
        SchemaError: one is missing.
    """
    known = {c.name for c in schema.consts}
    for name in enrolled.consts:
        if name not in known:
            raise UnknownNameError("constant", name, known, where=schema.name)
    values = []
    for const in schema.consts:
        value = enrolled.consts.get(const.name, const.default)
        if value is None:
            raise SchemaError(
                f"{enrolled.name} gives no value for the constant {const.name!r} ({const.unit})."
            )
        values.append(float(value))
    return values
