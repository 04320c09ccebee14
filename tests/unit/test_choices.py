"""What may be chosen, written as text: read, told again, and sent to where it is read."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from gemeos.errors import GemeosError, InputError, UnitError, UnknownNameError
from gemeos.foresee.choices import Asked, as_written, space_of, texts_of
from gemeos.foresee.space import Candidate, Choice, Continuous, Integer, Space, When
from gemeos.schema.prior import Normal
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Control, State
from gemeos.units.instant import SECOND

SCHEMA = Schema(
    "chosen",
    SECOND,
    (
        State("level", "m", Normal(1.0, 0.1)),
        Control("mode", "1", (0.0, 3.0), default=0.0),
        Control("lamp", "W", (0.0, 60.0), default=0.0),
        Control("speed", "1", (0.0, 9.0), default=0.0),
    ),
)


def space(**over: Asked) -> Space:
    return space_of(SCHEMA, over)


def test_that_a_choice_may_depend_on_another() -> None:
    found = space(mode="0, 1, 2", lamp="0 W, 60 W if mode = 1, 2")
    told = {Candidate(c.pairs) for c in found.candidates()}
    assert told == {
        Candidate.of({"mode": 0.0}),
        *(Candidate.of({"mode": m, "lamp": p}) for m in (1.0, 2.0) for p in (0.0, 60.0)),
    }


def test_that_what_depends_on_a_number_with_a_unit_is_found_in_any_unit() -> None:
    # 0.02 kW is 20 W but for the last digit of one of them; the values are those of the list.
    found = space(lamp="0.02 kW, 0.06 kW", speed="whole 1 .. 3 if lamp = 60 W")
    assert found.size == 1 + 3
    lamps = [c["lamp"] for c in found.candidates() if "speed" in c]
    assert lamps == pytest.approx([60.0] * 3)


def test_that_one_value_is_enough_where_it_depends_on_something() -> None:
    found = space(mode="whole 0 .. 1", lamp="60 W if mode = 1")
    assert list(found.candidates()) == [{"mode": 0}, {"mode": 1, "lamp": 60.0}]


@pytest.mark.parametrize(
    "over",
    [
        {"mode": "0, 1", "lamp": "0 W .. 60 W if mode = 1"},
        {"mode": "whole 0 .. 2", "lamp": "0 W, 60 W if mode = 1, 2", "speed": "0 .. 1 if lamp=60W"},
        {"lamp": "0.02 kW, 0.06 kW", "speed": "whole 1 .. 3 if lamp = 0.06 kW"},
        {
            "mode": Choice("mode", (0, 1)),
            "lamp": Continuous("lamp", 0.0, 0.06, "kW", When("mode", (1,))),
        },
        {
            "lamp": Choice("lamp", (0.02, 0.06), "kW"),
            "speed": Integer("speed", 1, 3, when=When("lamp", (0.06,))),
        },
        {
            "mode": Integer("mode", 0, 2),
            "speed": Choice("speed", (1, 2), when=When("mode", (0, 2))),
        },
        {"lamp": ["20 W", "60 W"], "speed": Choice("speed", (4, 5), when=When("lamp", ("60 W",)))},
    ],
)
def test_that_what_is_stored_and_what_is_sent_is_the_same_question(
    over: Mapping[str, Asked],
) -> None:
    asked = space_of(SCHEMA, over)
    assert asked.is_conditional
    assert space_of(SCHEMA, as_written(asked)) == asked
    sent = texts_of(over)
    again = space_of(SCHEMA, sent)
    assert as_written(again) == as_written(asked)


@pytest.mark.parametrize(
    ("over", "error", "said"),
    [
        ({"lamp": "0 W .. 9 W if mode = 1", "mode": "0, 1"}, UnknownNameError, "Before lamp"),
        ({"mode": "0, 1", "lamp": "0 W .. 9 W if mood = 1"}, UnknownNameError, "no choice 'mood'"),
        ({"mode": "0, 1", "lamp": "0 W .. 9 W if mode = 2"}, InputError, "it is one of 0.0, 1.0"),
        ({"mode": "0 .. 1", "lamp": "0 W .. 9 W if mode = 1"}, InputError, "may be any number"),
        ({"mode": "0, 1", "lamp": "0 W .. 9 W if mode"}, InputError, "says not where"),
        ({"mode": "0, 1", "lamp": "0 W .. 9 W if mode ="}, InputError, "says not where"),
        ({"lamp": "0 W, 9 W", "speed": "0 .. 1 if lamp = 9"}, UnitError, "needs a unit"),
        ({"mode": "0, 1", "lamp": "if mode = 1"}, GemeosError, "lamp"),
    ],
)
def test_that_a_dependence_that_cannot_be_is_told(
    over: Mapping[str, Asked], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=re.escape(said)):
        space_of(SCHEMA, over)
