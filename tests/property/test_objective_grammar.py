"""Objectives drawn together with a function that says by other means what they are worth."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import Float64

from gemeos.errors import ConditionError, UnitError, UnknownNameError
from gemeos.foresee.goal import Constraint, Goal
from gemeos.foresee.objective import parse
from gemeos.foresee.worth import Sense
from gemeos.units.instant import SECOND

Course = Float64[np.ndarray, "time member"]
UNITS = {"a": "m/s", "part.b": "m/s"}
TIMES = np.array([0, 1, 3]) * SECOND
unhurried = settings(deadline=None)
"""Whichever example comes first waits for the registry of units; pytest's time-out stands."""


@dataclass(frozen=True)
class Drawn:
    text: str
    worth: Callable[[Course, Course], float]
    """From the courses of ``a`` and ``part.b``."""


def average(course: Course) -> Float64[np.ndarray, " member"]:
    """Over 1 s and 2 s, each by its middle."""
    return np.asarray(((course[0] + course[1]) / 2 + (course[1] + course[2])) / 3)


TERMS: list[tuple[str, Callable[[Course, Course], Course]]] = [
    ("a", lambda a, _: a),
    ("part.b", lambda _, b: b),
    ("abs(a)", lambda a, _: np.abs(a)),
    ("a - part.b", lambda a, b: a - b),
    ("abs( part.b - 3.6 km/h )", lambda _, b: np.abs(b - 1.0)),
]
TIMED: list[tuple[str, Callable[[Course], Float64[np.ndarray, " member"]]]] = [
    ("max({})", lambda c: c.max(axis=0)),
    ("min( {} )", lambda c: c.min(axis=0)),
    ("last({})", lambda c: c[-1]),
    ("mean({})", average),
    ("{}", average),
]
MEMBERS: list[tuple[str, Callable[[Float64[np.ndarray, " member"]], float]]] = [
    ("mean({})", lambda m: float(m.mean())),
    ("quantile(50%, {})", lambda m: float(np.median(m))),
    ("quantile(0.25,{})", lambda m: float(np.quantile(m, 0.25))),
]


@st.composite
def parts(draw: st.DrawFn) -> Drawn:
    term, of_term = draw(st.sampled_from(TERMS))
    timed, of_time = draw(st.sampled_from(TIMED))
    members, of_members = draw(st.sampled_from(MEMBERS))
    return Drawn(
        members.format(timed.format(term)), lambda a, b: of_members(of_time(of_term(a, b)))
    )


def combined(inner: st.SearchStrategy[Drawn]) -> st.SearchStrategy[Drawn]:
    factor = st.integers(1, 9)
    return st.one_of(
        st.tuples(factor, inner).map(
            lambda d: Drawn(f"{d[0]} * ({d[1].text})", lambda a, b: d[0] * d[1].worth(a, b))
        ),
        st.tuples(factor, inner).map(
            lambda d: Drawn(f"({d[1].text})/{d[0]}", lambda a, b: d[1].worth(a, b) / d[0])
        ),
        st.tuples(inner, inner).map(
            lambda d: Drawn(
                f"{d[0].text} + {d[1].text}", lambda a, b: d[0].worth(a, b) + d[1].worth(a, b)
            )
        ),
        st.tuples(inner, inner).map(
            lambda d: Drawn(
                f"{d[0].text} - ({d[1].text})", lambda a, b: d[0].worth(a, b) - d[1].worth(a, b)
            )
        ),
    )


@unhurried
@given(drawn=st.recursive(parts(), combined, max_leaves=4), seed=st.integers(0, 99))
def test_that_an_objective_is_worth_what_its_parts_are(drawn: Drawn, seed: int) -> None:
    a, b = np.random.default_rng(seed).normal(size=(2, 3, 5))
    goal = Goal((parse(drawn.text, Sense.MINIMISE, UNITS),))
    samples = goal.samples({"a": (a, "m/s"), "part.b": (b, "m/s")}, TIMES)
    (worth,) = goal.worths(samples, 0)
    assert worth.value == pytest.approx(drawn.worth(a, b), abs=1e-9)


WORDS = st.sampled_from(
    [
        *("a", "part.b", "mean", "max", "total", "last", "cvar", "quantile", "P", "and", "not"),
        *("abs", "(", ")", ",", "+", "-", "*", "/", "<", ">", "0.9", "2", "%", "m/s", "s", "1/s"),
    ]
)


@unhurried
@given(text=st.one_of(st.text(max_size=40), st.lists(WORDS, max_size=14).map(" ".join)))
def test_that_whatever_is_written_is_read_or_refused_in_words(text: str) -> None:
    with suppress(ConditionError, UnitError, UnknownNameError):
        parse(text, Sense.MAXIMISE, UNITS)
    with suppress(ConditionError, UnitError, UnknownNameError):
        Constraint.parse(text, UNITS)


@unhurried
@given(
    drawn=st.recursive(parts(), combined, max_leaves=3),
    seed=st.integers(0, 99),
    unit=st.sampled_from([("km/h", 3.6), ("mm/s", 1000.0)]),
)
def test_that_the_unit_in_which_values_come_changes_no_value_but_its_unit(
    drawn: Drawn, seed: int, unit: tuple[str, float]
) -> None:
    name, scale = unit
    a, b = np.random.default_rng(seed).normal(size=(2, 3, 5))
    goal = Goal((parse(drawn.text, Sense.MINIMISE, dict.fromkeys(UNITS, name)),))
    values = {"a": (scale * a, name), "part.b": (scale * b, name)}
    (worth,) = goal.worths(goal.samples(values, TIMES), 0)
    assert goal.objectives[0].unit == name
    assert worth.value == pytest.approx(scale * drawn.worth(a, b), abs=1e-6)
