"""Objectives as people write them: ``mean(max(stress)) + 0.1 * cvar(0.9, total(effort))``.

The grammar, in full::

    objective = ["-"] product {("+" | "-") product}
    product   = [number "*"] part {("*" | "/") number [unit]}
    part      = "mean" "(" course ")"                      average over members
              | "quantile" "(" share "," course ")"        what that share stays below
              | "cvar" "(" share "," course ")"            mean of the worst 1 - share
              | "P" "(" condition ")"                      share of members
              | course | "(" objective ")"                 a course alone is averaged
    course    = ("max" | "min" | "mean" | "last" | "total") "(" term ")" | term
    term      = as in conditions: a variable, abs(...), or one difference of two

A course is one number for each member; a term alone is averaged over time, and ``total`` is its
integral. So ``stress`` is ``mean(mean(stress))``, and ``max(stress)`` is ``mean(max(stress))``.

Doubt counts against a plan. Of what is to be small, the worst are the largest and ``P`` counts
members for which the condition holds *at any time*; of what is to be large, the worst are the
smallest and ``P`` counts members for which it holds *at all times*.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias, assert_never

from typing_extensions import override

from gemeos.ensemble.clause import Condition, Term, has_own_zero, marked, names_in, unit_of
from gemeos.ensemble.condition import parse as parse_condition
from gemeos.ensemble.grammar import Reader, Sort
from gemeos.errors import ConditionError, UnitError
from gemeos.foresee.risk import Mean, Quantile, Risk, Tail
from gemeos.foresee.worth import Course, Happens, Objective, OverTime, Part, Sense
from gemeos.units.quantity import conversion


def parse(text: str, sense: Sense, units: Mapping[str, str]) -> Objective:
    """Read ``mean(max(stress)) + 0.1 * cvar(0.9, total(effort))``.

    Args:
        text: What is sought.
        sense: Small or large.
        units: The unit of each variable by name.

    Raises:
        ConditionError: it cannot be read; the message shows where.
        UnknownNameError: a variable is not there.
        UnitError: a unit is missing, unknown or does not fit.
    """
    reader = _Reader(text, what="An objective", lists=True)
    pieces = reader.sum(0)
    reader.finish()
    return _resolved(pieces, sense, units, text)


_TIMES: Final = {o.value: o for o in OverTime}


@dataclass(frozen=True, slots=True)
class _Chance:
    """``P(condition)``, before it is known whether it is to be small or large."""

    condition: Condition


_Whole: TypeAlias = Course | _Chance


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part as it was written."""

    of: _Whole
    risk: Risk
    place: int
    factor: float = 1.0
    units: tuple[tuple[str, int], ...] = ()
    """Units of factors, with their powers."""
    alone: bool = True
    """Nothing is done to it."""

    def times(self, number: float, unit: str = "", power: int = 1) -> _Piece:
        units = (*self.units, (unit, power)) if unit else self.units
        return replace(self, factor=self.factor * number**power, units=units, alone=False)


class _Reader(Reader):
    """One objective. Each method reads what the grammar names so."""

    def sum(self, depth: int) -> list[_Piece]:
        self._bounded(depth)
        sign = -1.0 if self._here.text == "-" else 1.0
        if self._here.text == "-":
            self._take()
        first = self._product(depth)
        pieces = first if sign > 0 else [p.times(-1.0) for p in first]
        while self._here.text in {"+", "-"}:
            sign = 1.0 if self._take().text == "+" else -1.0
            pieces = pieces + [p.times(sign) for p in self._product(depth)]
        return pieces

    def finish(self) -> None:
        if self._here.sort is not Sort.END:
            raise self._refused(self._why_unexpected())

    def _product(self, depth: int) -> list[_Piece]:
        before = 1.0
        if self._here.sort is Sort.NUMBER:
            before = float(self._take().text)
            if self._here.text != "*":
                raise self._refused(
                    "Here '*' is missing. A factor with a unit stands behind, as in "
                    "'total(power) * 0.2 1/kWh'."
                )
            self._take()
        pieces = self._part(depth)
        if before != 1.0:
            pieces = [p.times(before) for p in pieces]
        while self._here.text in {"*", "/"}:
            power = 1 if self._take().text == "*" else -1
            place = self._here.place
            if self._here.sort is not Sort.NUMBER:
                raise self._refused(
                    "Here a number is missing: only numbers multiply and divide in an objective."
                )
            number = self._number(place).quantity
            if power < 0 and number.number == 0.0:
                raise self._refused("Nothing can be divided by 0.", place)
            pieces = [p.times(number.number, number.unit, power) for p in pieces]
        return pieces

    def _part(self, depth: int) -> list[_Piece]:
        place = self._here.place
        if self._here.text == "(":
            self._take()
            pieces = self.sum(depth + 1)
            self._expect(")")
            return pieces
        match self._called:
            case "P":
                return [_Piece(self._chance(), Mean(), place)]
            case "quantile" | "cvar" as name:
                self._take()
                self._take()
                level = self._share(name)
                self._expect(",")
                course = self._course(depth + 1)
                self._expect(")")
                return [
                    _Piece(course, Quantile(level) if name == "quantile" else Tail(level), place)
                ]
            case "mean":
                self._take()
                self._take()
                course = self._course(depth + 1)
                self._expect(")")
                return [_Piece(course, Mean(), place)]
            case _:
                return [_Piece(self._course(depth), Mean(), place)]

    def _course(self, depth: int) -> Course:
        self._bounded(depth)
        name = self._called
        if name in {"P", "quantile", "cvar"}:
            raise self._refused(f"{name}(...) is over members; only one such may be in a part.")
        if name not in _TIMES:
            if name and name != "abs":
                raise self._refused(f"There is no {name}(...). {_FUNCTIONS}")
            return Course(OverTime.MEAN, self._read(depth, whole=False), self._text)
        self._take()
        self._take()
        term = self._read(depth, whole=True)
        self._expect(")")
        return Course(_TIMES[name], term, self._text)

    def _read(self, depth: int, *, whole: bool) -> Term:
        """A term; outside parentheses ``a - b`` is a difference of two parts."""
        place = self._here.place
        if self._called not in {"", "abs"}:
            raise self._refused(f"{self._called}(...) has no place here. {_FUNCTIONS}")
        inside = whole or depth > 0
        term = self._term(depth + 1) if inside else self._single(depth + 1)
        if not any(True for _ in names_in(term)):
            raise self._refused("Here a variable is missing.", place)
        return term

    @property
    def _called(self) -> str:
        """The name that stands before a parenthesis here, else empty."""
        if self._here.sort is not Sort.NAME or self._tokens[self._at + 1].text != "(":
            return ""
        return self._here.text

    def _share(self, name: str) -> float:
        place = self._here.place
        if self._here.sort is not Sort.NUMBER:
            raise self._refused(f"Here a share is missing, as in '{name}(0.9, max(stress))'.")
        share = self._number(place)
        try:
            level = share.quantity.within("")
        except UnitError as error:
            raise UnitError(marked(str(error), self._text, place)) from error
        if not 0.0 < level < 1.0:
            raise self._refused("This share lies strictly between 0 and 1.", place)
        return level

    def _chance(self) -> _Chance:
        self._take()
        start = self._take().place + 1
        open_ = 1
        while open_ and self._here.sort is not Sort.END:
            open_ += {"(": 1, ")": -1}.get(self._here.text, 0)
            if open_:
                self._take()
        end = self._here.place
        self._expect(")")
        if self._here.text in {"<", "<=", ">", ">="}:
            raise self._refused(
                "A demand on a chance is no objective: it belongs to the constraints."
            )
        return _Chance(parse_condition(self._text[start:end].strip()))

    @override
    def _why_unexpected(self, otherwise: str = "") -> str:
        if self._here.text in {"<", "<=", ">", ">=", "=", "=="}:
            return "There is nothing to compare in an objective; demands belong to the constraints."
        return otherwise or "Here '+', '-', '*' or '/' is missing."


_FUNCTIONS: Final = (
    "Over time there are max, min, mean, last and total; over members mean, quantile, cvar and P."
)


def _resolved(pieces: list[_Piece], sense: Sense, units: Mapping[str, str], text: str) -> Objective:
    """Units are seen to, and which side is the worse."""
    parts: list[Part] = []
    unit = ""
    for i, piece in enumerate(pieces):
        own, within = _unit_of(piece, units, text, alone=piece.alone and len(pieces) == 1)
        if not i:
            unit = own
        try:
            scale, _ = conversion(own, unit)
        except UnitError as error:
            raise UnitError(marked(str(error), text, piece.place)) from error
        factor = piece.factor * within * scale
        small = factor * sense.sign > 0
        risk = replace(piece.risk, upper=small) if isinstance(piece.risk, Tail) else piece.risk
        of = (
            piece.of
            if isinstance(piece.of, Course)
            else Happens(piece.of.condition, always=not small)
        )
        parts.append(Part(of, risk, factor))
    return Objective(tuple(parts), sense, unit, text)


def _unit_of(
    piece: _Piece, units: Mapping[str, str], text: str, *, alone: bool
) -> tuple[str, float]:
    """The unit of a piece with its factors, and what turns its sample into it."""
    plain = ""
    is_total = False
    match piece.of:
        case _Chance(condition):
            condition.check(units)
        case Course(over, of):
            plain, apart = unit_of(of, text, units)
            is_total = over is OverTime.TOTAL
            if has_own_zero(plain):
                if not apart and not (alone and not is_total):
                    raise ConditionError(marked(_OWN_ZERO.format(plain), text, piece.place))
                plain = f"delta_{plain}" if apart else plain
        case _:
            assert_never(piece.of)
    if not piece.units and not is_total:
        return plain, 1.0
    # Imported here: pint is slow to be ready, and most objectives have the unit of a variable.
    from gemeos.units.registry import unit_of as pint_of  # noqa: PLC0415

    whole = pint_of(plain) * pint_of("s" if is_total else "")
    for unit, power in piece.units:
        whole = whole * pint_of(unit) ** power
    told = f"{whole:~C}"
    # Units that cancel leave a plain number: kW s * 1/kWh is 1/3600.
    return ("", conversion(told, "")[0]) if whole.dimensionless else (told, 1.0)


_OWN_ZERO: Final = (
    "A value in {} cannot be added, multiplied or integrated: its nought is not nought of "
    "everything. Differences can, as in 'max(inlet - outlet)'."
)
