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

It is read by a tokenizer and recursive descent (``gemeos.ensemble.grammar``); nothing is
evaluated as Python.
"""

from __future__ import annotations

from typing_extensions import override

from gemeos.ensemble.clause import (
    AllOf,
    AnyOf,
    Chance,
    Clause,
    Comparison,
    Condition,
    Not,
    Relation,
    Values,
    marked,
    names_in,
)
from gemeos.ensemble.grammar import LONGEST, RELATIONS, Reader, Sort
from gemeos.errors import UnitError

__all__ = ["LONGEST", "Chance", "Condition", "Relation", "Values", "parse", "parse_chance"]


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


class _Parser(Reader):
    """One condition. Each method reads what the grammar names so."""

    def chance(self) -> Chance:
        if (self._here.text, self._tokens[min(1, len(self._tokens) - 1)].text) != ("P", "("):
            raise self._refused("Write a chance as in 'P(stress > 120 MPa) < 0.01'.")
        self._take()
        start = self._take().place + 1
        clause = self.condition(1)
        end = self._here.place
        self._expect(")")
        relation = RELATIONS.get(self._here.text)
        if relation is None:
            raise self._refused("Here <, <=, > or >= and a share are missing, as in '< 0.01'.")
        self._take()
        place = self._here.place
        if self._here.sort is not Sort.NUMBER:
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
        if self._here.sort is not Sort.END:
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
        while (relation := RELATIONS.get(self._here.text)) is not None:
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

    @override
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
        return any(t.text in RELATIONS for t in self._tokens[: self._at])
