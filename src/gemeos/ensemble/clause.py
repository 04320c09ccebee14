"""What a condition means: its clauses and terms, and where they hold in an ensemble.

How people write one is in ``gemeos.ensemble.condition``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from typing import TypeAlias, assert_never

import numpy as np
from jaxtyping import Bool, Float
from typing_extensions import override

from gemeos.errors import ConditionError, UnitError, UnknownNameError
from gemeos.units.quantity import Quantity, conversion

Values: TypeAlias = Mapping[str, tuple[Float[np.ndarray, "time member"], str]]
"""By name: finite values, and the unit they are in."""
_Numbers: TypeAlias = Float[np.ndarray, "time member"] | float

MOST_SHOWN = 76


@dataclass(frozen=True, slots=True)
class Name:
    """A variable."""

    text: str
    place: int = field(default=0, compare=False)
    """Where it stands in the condition, counted in characters from 0; so for all terms."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number with the unit that was written behind it."""

    quantity: Quantity
    place: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Magnitude:
    """``abs(...)`` of a term, in the unit of that term."""

    of: Term
    place: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Difference:
    """``left - right``, two terms of one dimension."""

    left: Term
    right: Term
    place: int = field(default=0, compare=False)


Term: TypeAlias = Name | Number | Magnitude | Difference


class Relation(Enum):
    """How two numbers are compared."""

    BELOW = "<"
    AT_MOST = "<="
    ABOVE = ">"
    AT_LEAST = ">="

    @property
    def rising(self) -> bool:
        """Whether the right side is the larger one."""
        return self in {Relation.BELOW, Relation.AT_MOST}


@dataclass(frozen=True, slots=True)
class Comparison:
    """``terms[0] relations[0] terms[1] ...``; holds where every neighbouring pair does."""

    terms: tuple[Term, ...]
    relations: tuple[Relation, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Holds where the clause does not."""

    clause: Clause


@dataclass(frozen=True, slots=True)
class AllOf:
    """Holds where each clause does: ``a and b and ...``."""

    clauses: tuple[Clause, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Holds where at least one clause does: ``a or b or ...``."""

    clauses: tuple[Clause, ...]


Clause: TypeAlias = Comparison | Not | AllOf | AnyOf


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that was read; whether its names and units fit is told by ``check``."""

    clause: Clause
    text: str = field(compare=False)
    """As it was written."""

    @property
    def names(self) -> tuple[str, ...]:
        """The variables it speaks of, each once, in alphabetical order."""
        return tuple(sorted({n.text for t in terms_of(self.clause) for n in names_in(t)}))

    def check(self, units: Mapping[str, str]) -> None:
        """See that every name is there and that units fit, before anything is computed.

        Args:
            units: The unit of each variable by name.

        Raises:
            UnknownNameError: a name is not there.
            UnitError: a number lacks its unit, or units are of different dimensions.
            ConditionError: a temperature difference is compared with a temperature.
        """
        _Reading(self.text, units).check(self.clause)

    def holds(self, values: Values) -> Bool[np.ndarray, "time member"]:
        """Where it is true.

        Raises:
            UnknownNameError, UnitError, ConditionError: as ``check``.
        """
        reading = _Reading(self.text, {name: unit for name, (_, unit) in values.items()})
        reading.check(self.clause)
        with np.errstate(over="ignore"):  # beyond float32 is infinite, and compares as it should
            return _holds(self.clause, values, reading)

    @override
    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Chance:
    """``P(condition) < probability``: a demand on the share of members."""

    condition: Condition
    relation: Relation
    probability: float
    """0..1."""
    text: str = field(compare=False)
    """As it was written."""

    def holds(self, values: Values) -> Bool[np.ndarray, " time"]:
        """At which times the share of members for which the condition holds is as demanded."""
        share = self.condition.holds(values).mean(axis=1)
        return compared(share, self.relation, self.probability)

    def allows(self, share: float) -> bool:
        """Whether one share of members, 0..1, is as demanded."""
        return bool(compared(np.array([share]), self.relation, self.probability)[0])

    @override
    def __str__(self) -> str:
        return self.text


def compared(
    left: Float[np.ndarray, "*any"] | float,
    relation: Relation,
    right: Float[np.ndarray, "*any"] | float,
) -> Bool[np.ndarray, "*any"]:
    """``left relation right``, element by element."""
    match relation:
        case Relation.BELOW:
            return np.less(left, right)
        case Relation.AT_MOST:
            return np.less_equal(left, right)
        case Relation.ABOVE:
            return np.greater(left, right)
        case Relation.AT_LEAST:
            return np.greater_equal(left, right)
        case _:
            assert_never(relation)


def terms_of(clause: Clause) -> Iterator[Term]:
    """Every term that is compared in it."""
    match clause:
        case Comparison(terms):
            yield from terms
        case Not(inner):
            yield from terms_of(inner)
        case AllOf(clauses) | AnyOf(clauses):
            for each in clauses:
                yield from terms_of(each)
        case _:
            assert_never(clause)


def names_in(term: Term) -> Iterator[Name]:
    """Every name in a term."""
    match term:
        case Name():
            yield term
        case Number():
            return
        case Magnitude(of):
            yield from names_in(of)
        case Difference(left, right):
            yield from names_in(left)
            yield from names_in(right)
        case _:
            assert_never(term)


def unit_of(term: Term, text: str, units: Mapping[str, str]) -> tuple[str, bool]:
    """The unit of a term with a name in it, and whether it is a difference of two values.

    Args:
        term: Read from ``text``.
        text: Shown in errors.
        units: The unit of each variable by name.

    Raises:
        UnknownNameError, UnitError, ConditionError: as ``Condition.check``.
    """
    kind = _Reading(text, units).common((term,))
    return kind.unit, kind.apart


def numbers_of(term: Term, text: str, values: Values) -> Float[np.ndarray, "time member"]:
    """A term with a name in it, in the unit that ``unit_of`` tells."""
    reading = _Reading(text, {name: unit for name, (_, unit) in values.items()})
    return np.asarray(_numbers(term, reading.common((term,)), values, reading))


def marked(what: str, text: str, place: int) -> str:
    """The message ``what`` with the condition below it and a caret at ``place``."""
    start = max(place - MOST_SHOWN // 2, 0)
    shown = "".join(c if c.isprintable() else " " for c in text[start : start + MOST_SHOWN])
    return f"{what}\n    {shown}\n    {' ' * (place - start)}^"


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a term's numbers mean."""

    unit: str
    apart: bool
    """A difference: 5 K and 5 degC are then the same, while as temperatures they are not."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """What each term of one condition means, given the units of the variables."""

    text: str
    units: Mapping[str, str]

    def check(self, clause: Clause) -> None:
        """Every name is there and every unit fits."""
        match clause:
            case Comparison(terms):
                common = self.common(terms)
                for term in terms:
                    self._fits(term, common)
            case Not(inner):
                self.check(inner)
            case AllOf(clauses) | AnyOf(clauses):
                for each in clauses:
                    self.check(each)
            case _:
                assert_never(clause)

    def common(self, terms: tuple[Term, ...]) -> _Kind:
        """What numbers beside these terms are turned into: the kind of the first with a name."""
        return next(kind for kind in map(self.kind, terms) if kind is not None)

    def kind(self, term: Term) -> _Kind | None:
        """None for a number: it is what it is compared with."""
        match term:
            case Name(text):
                if text not in self.units:
                    raise UnknownNameError("variable", text, self.units)
                return _Kind(self.units[text], apart=False)
            case Number():
                return None
            case Magnitude(of):
                return self.kind(of)
            case Difference():
                return self._kind_of_difference(term)
            case _:
                assert_never(term)

    def sides(self, term: Difference) -> tuple[_Kind, _Kind]:
        """What its two sides are turned into before one is taken from the other."""
        common = self.common((term.left, term.right))
        left = self.kind(term.left) or common
        right = self.kind(term.right) or common
        return _Kind(common.unit, left.apart), _Kind(common.unit, right.apart)

    def _kind_of_difference(self, term: Difference) -> _Kind:
        left, right = self.sides(term)
        self._fits(term.left, left)
        self._fits(term.right, right)
        if left.apart and not right.apart and has_own_zero(left.unit):
            raise ConditionError(
                marked(
                    f"A value in {right.unit} cannot be taken from a difference of two.",
                    self.text,
                    term.place,
                )
            )
        # A temperature less a difference is a temperature; everything else is a difference.
        return _Kind(left.unit, apart=left.apart or not right.apart)

    def _fits(self, term: Term, common: _Kind) -> None:
        kind = self.kind(term)
        unit = term.quantity.unit if isinstance(term, Number) else kind.unit if kind else ""
        if isinstance(term, Number) and _is_bare(unit) and not _is_bare(common.unit):
            number = f"{term.quantity.number:g}"
            raise UnitError(
                marked(
                    f"{number} needs a unit here: write it as in '{number} {common.unit}'.",
                    self.text,
                    term.place,
                )
            )
        try:
            conversion(unit, common.unit)
        except UnitError as error:
            raise UnitError(marked(str(error), self.text, term.place)) from error
        if kind is not None and kind.apart != common.apart and has_own_zero(common.unit):
            raise ConditionError(
                marked(
                    f"A difference in {unit} cannot be compared with a value in {common.unit}.",
                    self.text,
                    term.place,
                )
            )


def _is_bare(unit: str) -> bool:
    return unit.strip() in {"", "1"}


@cache
def has_own_zero(unit: str) -> bool:
    """Whether nought of it is not nought of everything, as for degC."""
    # Imported here: pint is slow to be ready, and few conditions compare differences.
    from gemeos.units.registry import registry  # noqa: PLC0415

    return float(registry().Quantity(0.0, unit).to_base_units().magnitude) != 0.0


def _holds(clause: Clause, values: Values, reading: _Reading) -> Bool[np.ndarray, "time member"]:
    match clause:
        case Comparison(terms, relations):
            common = reading.common(terms)
            sides = [_numbers(t, common, values, reading) for t in terms]
            pairs = [
                compared(left, relation, right)
                for left, relation, right in zip(sides, relations, sides[1:], strict=False)
            ]
            # In a chain a pair of two plain numbers has no axes of its own.
            return np.logical_and.reduce(np.broadcast_arrays(*pairs))
        case Not(inner):
            return ~_holds(inner, values, reading)
        case AllOf(clauses):
            return np.logical_and.reduce([_holds(c, values, reading) for c in clauses])
        case AnyOf(clauses):
            return np.logical_or.reduce([_holds(c, values, reading) for c in clauses])
        case _:
            assert_never(clause)


def _numbers(term: Term, wanted: _Kind, values: Values, reading: _Reading) -> _Numbers:
    """The term's numbers as ``wanted``."""
    match term:
        case Number(quantity):
            return _turned(quantity.number, quantity.unit, wanted)
        case Name(text):
            array, unit = values[text]
            return _turned(array, unit, wanted)
        case Magnitude(of):
            own = reading.common((of,))
            return _turned(np.abs(_numbers(of, own, values, reading)), own.unit, wanted)
        case Difference(left, right):
            of_left, of_right = reading.sides(term)
            minuend = _numbers(left, of_left, values, reading)
            subtrahend = _numbers(right, of_right, values, reading)
            return _turned(minuend - subtrahend, of_left.unit, wanted)
        case _:
            assert_never(term)


def _turned(numbers: _Numbers, unit: str, wanted: _Kind) -> _Numbers:
    scale, offset = conversion(unit, wanted.unit)
    if wanted.apart:
        offset = 0.0
    if (scale, offset) == (1.0, 0.0):
        return numbers
    return numbers * scale + offset
