"""Conditions as people write them: ``stress > 120 MPa and wind < 20 m/s``.

The grammar, in full::

    chance     = "P" "(" condition ")" relation number        a share, 0..1 or in %
    condition  = both {"or" both}
    both       = denial {"and" denial}
    denial     = "not" denial | "(" condition ")" | comparison
    comparison = term relation term {relation term}           a chain points one way
    term       = single ["-" single]
    single     = name | ["-"] number [unit] | "abs" "(" term ")"
    relation   = "<" | "<=" | ">" | ">="

Names may have dots (``T2.power``); units are those of ``gemeos.units``, with whole exponents and no
other numbers (``m/s^2``, ``W/(m^2 K)``, ``1/s``). There is no equality: an estimated number is
never exactly another.

It is read by a tokenizer and recursive descent; nothing is evaluated as Python. Text comes from
the network, so both its length and its depth are bounded.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from gemeos.ensemble.clause import (
    AllOf,
    AnyOf,
    Chance,
    Clause,
    Comparison,
    Condition,
    Difference,
    Magnitude,
    Name,
    Not,
    Number,
    Relation,
    Term,
    Values,
    marked,
    names_in,
)
from gemeos.errors import ConditionError, UnitError
from gemeos.units.quantity import Quantity
from gemeos.units.usual import known_unit

__all__ = ["Chance", "Condition", "Relation", "Values", "parse", "parse_chance"]

LONGEST: Final = 1000
"""Characters in a condition."""
DEEPEST: Final = 50
"""Parentheses, denials and ``abs`` inside one another."""

_RELATIONS = {r.value: r for r in Relation}
_WORDS = frozenset({"and", "or", "not"})
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)
      | (?P<name>[^\W\d]\w*(?:\.[^\W\d]\w*)*)
      | (?P<sign>[%°]\w*)
      | (?P<symbol><=|>=|==|!=|&&|\|\||\*\*|[-+*/^·<>=()!&|])
      | (?P<end>\Z)
    )""",
    re.VERBOSE,
)


def parse(text: str) -> Condition:
    """Read a condition such as ``stress > 120 MPa and wind < 20 m/s``.

    Raises:
        ConditionError: it cannot be read; the message shows where.
        UnitError: a unit is not known.
    """
    parser = _Parser(text)
    clause = parser.condition(0)
    parser.finish()
    return Condition(clause, text)


def parse_chance(text: str) -> Chance:
    """Read a demand such as ``P(stress > 120 MPa) < 0.01`` or ``P(wind > 25 m/s) < 1 %``.

    Raises:
        ConditionError: it cannot be read, or the share is not within 0..1.
        UnitError: a unit is not known.
    """
    parser = _Parser(text)
    chance = parser.chance()
    parser.finish()
    return chance


class _Sort(Enum):
    NUMBER = "number"
    NAME = "name"
    SIGN = "sign"
    """A unit that is no word: ``%``, ``°C``."""
    SYMBOL = "symbol"
    END = "end"


@dataclass(frozen=True, slots=True)
class _Token:
    sort: _Sort
    text: str
    place: int

    @property
    def word(self) -> str:
        """``and``, ``or`` or ``not`` in whatever case, else empty."""
        low = self.text.lower()
        return low if self.sort is _Sort.NAME and low in _WORDS else ""


def _tokens(text: str) -> list[_Token]:
    if len(text) > LONGEST:
        raise ConditionError(
            f"A condition may have {LONGEST} characters; this one has {len(text)}."
        )
    found: list[_Token] = []
    place = 0
    while not found or found[-1].sort is not _Sort.END:
        match = _TOKEN.match(text, place)
        if match is None or match.lastgroup is None:
            place += len(text[place:]) - len(text[place:].lstrip())
            raise ConditionError(marked("This has no meaning in a condition.", text, place))
        sort = _Sort(match.lastgroup)
        found.append(_Token(sort, match[sort.value], match.start(sort.value)))
        place = match.end()
    return found


class _Parser:
    """One text, read from left to right. Each method reads what the grammar names so."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._at = 0

    def chance(self) -> Chance:
        if (self._here.text, self._tokens[min(1, len(self._tokens) - 1)].text) != ("P", "("):
            raise self._refused("Write a chance as in 'P(stress > 120 MPa) < 0.01'.")
        self._take()
        start = self._take().place + 1
        clause = self.condition(1)
        end = self._here.place
        self._expect(")")
        relation = _RELATIONS.get(self._here.text)
        if relation is None:
            raise self._refused("Here <, <=, > or >= and a share are missing, as in '< 0.01'.")
        self._take()
        place = self._here.place
        if self._here.sort is not _Sort.NUMBER:
            raise self._refused("Here a share between 0 and 1 is missing, as in '0.01' or '1 %'.")
        share = self._number(place)
        try:
            probability = share.quantity.within("")
        except UnitError as error:
            raise UnitError(marked(str(error), self._text, place)) from error
        if not 0.0 <= probability <= 1.0:
            raise self._refused("A share lies between 0 and 1.", place)
        inner = Condition(clause, self._text[start:end].strip())
        return Chance(inner, relation, probability, self._text)

    def condition(self, depth: int) -> Clause:
        clauses = [self._both(depth)]
        while self._here.word == "or":
            self._take()
            clauses.append(self._both(depth))
        return clauses[0] if len(clauses) == 1 else AnyOf(tuple(clauses))

    def finish(self) -> None:
        if self._here.sort is not _Sort.END:
            raise self._refused(self._why_unexpected())

    def _both(self, depth: int) -> Clause:
        clauses = [self._denial(depth)]
        while self._here.word == "and":
            self._take()
            clauses.append(self._denial(depth))
        return clauses[0] if len(clauses) == 1 else AllOf(tuple(clauses))

    def _denial(self, depth: int) -> Clause:
        self._bounded(depth)
        if self._here.word == "not":
            self._take()
            return Not(self._denial(depth + 1))
        if self._here.text == "(":
            self._take()
            clause = self.condition(depth + 1)
            self._expect(")")
            return clause
        return self._comparison(depth)

    def _comparison(self, depth: int) -> Comparison:
        start = self._here.place
        terms = [self._term(depth)]
        relations: list[Relation] = []
        while (relation := _RELATIONS.get(self._here.text)) is not None:
            if relations and relation.rising != relations[0].rising:
                raise self._refused("A chain points one way, as in '10 m/s < wind < 20 m/s'.")
            relations.append(relation)
            self._take()
            terms.append(self._term(depth))
        if not relations:
            raise self._refused(self._why_unexpected())
        if not any(True for term in terms for _ in names_in(term)):
            raise self._refused("Nothing in this comparison is a variable.", start)
        return Comparison(tuple(terms), tuple(relations))

    def _term(self, depth: int) -> Term:
        left = self._single(depth)
        if self._here.text != "-":
            return left
        place = self._take().place
        difference = Difference(left, self._single(depth), place)
        if self._here.text == "-":
            raise self._refused("A term may have one difference, as in 'inlet - outlet'.")
        if not any(True for _ in names_in(difference)):
            raise self._refused("A difference needs a variable in it.", left.place)
        return difference

    def _single(self, depth: int) -> Term:
        self._bounded(depth)
        place = self._here.place
        if self._here.text in {"-", "+"} and self._tokens[self._at + 1].sort is _Sort.NUMBER:
            negative = self._take().text == "-"
            return self._number(place, negative=negative)
        if self._here.sort is _Sort.NUMBER:
            return self._number(place)
        if self._here.sort is not _Sort.NAME or self._here.word:
            raise self._refused("Here a variable or a number with its unit is missing.")
        name = self._take().text
        if self._here.text != "(":
            return Name(name, place)
        if name != "abs":
            what = "A chance has no place inside a condition." if name == "P" else "No function."
            raise self._refused(f"{what} Only abs(...) may stand before a parenthesis.", place)
        self._take()
        inner = self._term(depth + 1)
        self._expect(")")
        if not any(True for _ in names_in(inner)):
            raise self._refused("abs(...) needs a variable in it.", place)
        return Magnitude(inner, place)

    def _number(self, place: int, *, negative: bool = False) -> Number:
        number = float(self._take().text)
        if not math.isfinite(number):
            raise self._refused("This number is too large.", place)
        start = self._here.place
        end = self._unit(0)
        unit = self._text[start:end]
        try:
            known_unit(unit)
        except UnitError as error:
            raise UnitError(marked(str(error), self._text, start)) from error
        return Number(Quantity(-number if negative else number, unit), place)

    def _unit(self, depth: int) -> int:
        """Pass over a unit; where it ends, or where it would begin if there is none.

        Only its extent is found here, so that pint is given no arithmetic to do.
        """
        self._bounded(depth)
        end = self._here.place
        if self._here.text == "1" and self._tokens[self._at + 1].text == "/":
            self._take()
        elif self._begins_factor:
            end = self._factor()
        else:
            return end
        while self._begins_factor or self._here.text in {"*", "/", "·"}:
            joined = not self._begins_factor
            if joined:
                self._take()
            if joined and self._here.text == "(":
                self._take()
                self._unit(depth + 1)
                end = self._here.place + 1
                self._expect(")")
            elif self._begins_factor:
                end = self._factor()
            else:
                raise self._refused("Here a unit is missing.")
        return end

    @property
    def _begins_factor(self) -> bool:
        return self._here.sort in {_Sort.NAME, _Sort.SIGN} and not self._here.word

    def _factor(self) -> int:
        token = self._take()
        end = token.place + len(token.text)
        if self._here.text not in {"^", "**"}:
            return end
        self._take()
        if self._here.text == "-":
            self._take()
        power = self._here
        if not (power.text.isdecimal() and len(power.text) <= 2):
            raise self._refused("A unit's power is a whole number of one or two digits.")
        self._take()
        return power.place + len(power.text)

    @property
    def _here(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        token = self._here
        if token.sort is not _Sort.END:
            self._at += 1
        return token

    def _expect(self, symbol: str) -> None:
        if self._here.text != symbol:
            raise self._refused(self._why_unexpected(f"Here {symbol!r} is missing."))
        self._take()

    def _bounded(self, depth: int) -> None:
        if depth > DEEPEST:
            raise self._refused(f"No more than {DEEPEST} levels may lie inside one another.")

    def _why_unexpected(self, otherwise: str = "") -> str:
        match self._here.text:
            case "=" | "==" | "!=" | "!":
                return (
                    "There is no equality: an estimated number is never exactly another. "
                    "Give a range, as in '119 MPa < stress < 121 MPa'."
                )
            case "&" | "&&":
                return "Write 'and'."
            case "|" | "||":
                return "Write 'or'."
            case "+" | "*" | "/" | "^" | "**" | "·":
                return "There is no arithmetic here but a difference; declare a virtual sensor."
            case _:
                return otherwise or (
                    "Here <, <=, > or >= is missing."
                    if not self._compared
                    else "Here 'and' or 'or' is missing."
                )

    @property
    def _compared(self) -> bool:
        return any(t.text in _RELATIONS for t in self._tokens[: self._at])

    def _refused(self, what: str, place: int | None = None) -> ConditionError:
        return ConditionError(
            marked(what, self._text, self._here.place if place is None else place)
        )
