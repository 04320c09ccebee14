"""Conditions drawn together with a function that says by other means where they hold."""

from __future__ import annotations

import operator
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import Bool, Float

from gemeos.ensemble.condition import Values, parse, parse_chance
from gemeos.errors import ConditionError, UnitError

Speeds = dict[str, Float[np.ndarray, "time member"]]
"""In m/s."""
Answer = Bool[np.ndarray, "time member"]

SHAPE = (2, 3)
unhurried = settings(deadline=None)
"""Whichever example comes first waits for the registry of units; pytest's time-out stands."""
OPERATORS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


@dataclass(frozen=True)
class Drawn:
    text: str
    holds: Callable[[Speeds], Answer]
    binding: int
    """How closely: 0 or, 1 and, 2 not and comparisons."""

    def inside(self, least: int) -> str:
        return self.text if self.binding >= least else f"({self.text})"


def numbers() -> st.SearchStrategy[tuple[str, float]]:
    """Speeds halfway between whole m/s, so that rounding decides no comparison."""
    halves = st.integers(-9, 9).map(lambda n: n + 0.5)
    return halves.flatmap(
        lambda x: st.sampled_from([(f"{x} m/s", x), (f"{x * 3.6!r}km/h", x), (f"{x}  m s^-1", x)])
    )


TERMS: list[tuple[str, Callable[[Speeds], Float[np.ndarray, "time member"]]]] = [
    ("a", lambda s: s["a"]),
    ("part.b", lambda s: s["part.b"]),
    ("abs( a )", lambda s: np.abs(s["a"])),
    ("a - part.b", lambda s: s["a"] - s["part.b"]),
    ("abs(part.b-a)", lambda s: np.abs(s["part.b"] - s["a"])),
    ("a - 3 m/s", lambda s: s["a"] - 3.0),
    ("7.2 km/h - abs(a)", lambda s: 2.0 - np.abs(s["a"])),
]


@st.composite
def comparisons(draw: st.DrawFn) -> Drawn:
    name, of = draw(st.sampled_from(TERMS))
    relation = draw(st.sampled_from(sorted(OPERATORS)))
    number, value = draw(numbers())
    compare = OPERATORS[relation]
    match draw(st.sampled_from(["right", "left", "chain"])):
        case "right":
            return Drawn(f"{name} {relation} {number}", lambda s: compare(of(s), value), 2)
        case "left":
            return Drawn(f"{number}{relation}{name}", lambda s: compare(value, of(s)), 2)
        case _:
            again, other = draw(numbers())
            return Drawn(
                f"{number} {relation} {name} {relation} {again}",
                lambda s: compare(value, of(s)) & compare(of(s), other),
                2,
            )


def denied(inner: Drawn) -> Drawn:
    return Drawn(f"not {inner.inside(2)}", lambda s: ~inner.holds(s), 2)


def joined(parts: list[Drawn], *, every: bool) -> Drawn:
    binding = 1 if every else 0
    fold = np.logical_and if every else np.logical_or
    return Drawn(
        f" {'and' if every else 'or'} ".join(p.inside(binding + 1) for p in parts),
        lambda s: fold.reduce([p.holds(s) for p in parts]),
        binding,
    )


def conditions() -> st.SearchStrategy[Drawn]:
    return st.recursive(
        comparisons(),
        lambda inner: st.one_of(
            inner.map(denied),
            st.lists(inner, min_size=2, max_size=3).map(lambda p: joined(p, every=True)),
            st.lists(inner, min_size=2, max_size=3).map(lambda p: joined(p, every=False)),
        ),
        max_leaves=8,
    ).filter(lambda drawn: len(drawn.text) <= 900)


@st.composite
def speeds(draw: st.DrawFn) -> Speeds:
    whole = st.lists(st.integers(-9, 9), min_size=6, max_size=6)
    return {
        "a": np.array(draw(whole), np.float64).reshape(SHAPE),
        "part.b": np.array(draw(whole), np.float64).reshape(SHAPE) + 0.25,
    }


def as_asked(true: Speeds) -> Values:
    return {"a": (true["a"], "m/s"), "part.b": (true["part.b"] * 3.6, "km/h")}


@unhurried
@given(conditions(), speeds())
def test_that_a_condition_holds_exactly_where_its_meaning_does(drawn: Drawn, true: Speeds) -> None:
    held = parse(drawn.text).holds(as_asked(true))
    np.testing.assert_array_equal(held, drawn.holds(true))


@unhurried
@given(conditions(), speeds())
def test_that_the_order_of_members_is_carried_through(drawn: Drawn, true: Speeds) -> None:
    turned = {name: array[:, ::-1] for name, array in true.items()}
    condition = parse(drawn.text)
    np.testing.assert_array_equal(
        condition.holds(as_asked(turned)), condition.holds(as_asked(true))[:, ::-1]
    )


@unhurried
@given(conditions(), conditions(), speeds())
def test_that_the_denial_of_either_is_the_denial_of_both(
    one: Drawn, other: Drawn, true: Speeds
) -> None:
    either = f"not ({one.inside(1)} or {other.inside(1)})"
    neither = f"not {one.inside(2)} and not {other.inside(2)}"
    if max(len(either), len(neither)) > 1000:
        return
    values = as_asked(true)
    np.testing.assert_array_equal(parse(either).holds(values), parse(neither).holds(values))


@unhurried
@given(conditions(), speeds())
def test_that_the_chances_of_a_condition_and_its_denial_cannot_both_exceed_a_half(
    drawn: Drawn, true: Speeds
) -> None:
    values = as_asked(true)
    for_it = parse_chance(f"P({drawn.text}) > 0.5").holds(values)
    against = parse_chance(f"P(not ({drawn.text})) > 50 %").holds(values)
    assert not (for_it & against).any()


SOUP = ["a", "b.c", "P", "abs", "(", ")", "and", "or", "not", "<", ">=", "-", "3", "1", "1/s"]
SOUP += ["m/s", "degC", "^", "**", "2", "*", "%", "°C", "=", "e9", ".", "1e9", "µm", "/"]


@unhurried
@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(SOUP), max_size=25).map(" ".join)))
def test_that_any_other_text_is_refused_with_an_error_of_ours(text: str) -> None:
    for read in (parse, parse_chance):
        with suppress(ConditionError, UnitError):
            assert str(read(text)) == text
