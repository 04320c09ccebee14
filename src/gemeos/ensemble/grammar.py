"""What the small languages of Gemeos share: pieces of text, terms, numbers with their units.

Conditions (``gemeos.ensemble.condition``) and objectives (``gemeos.foresee.objective``) are read
by recursive descent from one tokenizer; nothing is evaluated as Python. Text comes from the
network, so both its length and its depth are bounded.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from typing import Final

from gemeos.ensemble.clause import (
    Difference,
    Magnitude,
    Name,
    Number,
    Relation,
    Term,
    marked,
    names_in,
)
from gemeos.errors import ConditionError, UnitError
from gemeos.units.quantity import Quantity
from gemeos.units.usual import known_unit

LONGEST: Final = 1000
"""Characters in a text."""
DEEPEST: Final = 50
"""Parentheses, denials and ``abs`` inside one another."""

RELATIONS: Final = {r.value: r for r in Relation}
_WORDS = frozenset({"and", "or", "not"})
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)
      | (?P<name>[^\W\d]\w*(?:\.[^\W\d]\w*)*)
      | (?P<sign>[%°]\w*)
      | (?P<symbol><=|>=|==|!=|&&|\|\||\*\*|[-+*/^·<>=()!&|,])
      | (?P<end>\Z)
    )""",
    re.VERBOSE,
)


class Sort(Enum):
    """What a piece of text is."""

    NUMBER = "number"
    NAME = "name"
    SIGN = "sign"
    """A unit that is no word: ``%``, ``°C``."""
    SYMBOL = "symbol"
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of text and where it stands."""

    sort: Sort
    text: str
    place: int
    """Counted in characters from 0."""

    @property
    def word(self) -> str:
        """``and``, ``or`` or ``not`` in whatever case, else empty."""
        low = self.text.lower()
        return low if self.sort is Sort.NAME and low in _WORDS else ""


def _tokens(text: str, what: str, *, lists: bool) -> list[Token]:
    if len(text) > LONGEST:
        raise ConditionError(f"{what} may have {LONGEST} characters; this one has {len(text)}.")
    found: list[Token] = []
    place = 0
    while not found or found[-1].sort is not Sort.END:
        match = _TOKEN.match(text, place)
        if match is None or match.lastgroup is None or (match["symbol"] == "," and not lists):
            place += len(text[place:]) - len(text[place:].lstrip())
            raise ConditionError(marked(f"This has no meaning in {what.lower()}.", text, place))
        sort = Sort(match.lastgroup)
        found.append(Token(sort, match[sort.value], match.start(sort.value)))
        place = match.end()
    return found


class Reader(ABC):
    """One text, read from left to right. Each method reads what the grammar names so."""

    def __init__(self, text: str, *, what: str = "A condition", lists: bool = False) -> None:
        """``what`` is being read, for errors; ``lists`` tells whether it may have commas."""
        self._text = text
        self._tokens = _tokens(text, what, lists=lists)
        self._at = 0

    @abstractmethod
    def _why_unexpected(self, otherwise: str = "") -> str:
        """Why what stands here cannot follow what was read."""

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
        if self._here.text in {"-", "+"} and self._tokens[self._at + 1].sort is Sort.NUMBER:
            negative = self._take().text == "-"
            return self._number(place, negative=negative)
        if self._here.sort is Sort.NUMBER:
            return self._number(place)
        if self._here.sort is not Sort.NAME or self._here.word:
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
        return self._here.sort in {Sort.NAME, Sort.SIGN} and not self._here.word

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
    def _here(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._here
        if token.sort is not Sort.END:
            self._at += 1
        return token

    def _expect(self, symbol: str) -> None:
        if self._here.text != symbol:
            raise self._refused(self._why_unexpected(f"Here {symbol!r} is missing."))
        self._take()

    def _bounded(self, depth: int) -> None:
        if depth > DEEPEST:
            raise self._refused(f"No more than {DEEPEST} levels may lie inside one another.")

    def _refused(self, what: str, place: int | None = None) -> ConditionError:
        return ConditionError(
            marked(what, self._text, self._here.place if place is None else place)
        )
