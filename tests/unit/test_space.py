from __future__ import annotations

import re

import pytest

from gemeos.errors import InputError, UnitError, UnknownNameError
from gemeos.foresee.space import (
    DO_NOTHING,
    Candidate,
    Choice,
    Continuous,
    Integer,
    Over,
    Space,
    When,
)
from gemeos.schema.prior import Normal
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Const, Control, Input, State
from gemeos.units.instant import SECOND

DECK = Schema(
    "deck",
    SECOND,
    (
        State("x", "m", Normal(0.0, 1.0)),
        Input("wind", "m/s"),
        Control("damper", "m/s^2", bounds=(-5.0, 5.0)),
        Control("heating", "degC", bounds=(None, 30.0)),
        Control("share", "", bounds=(0.0, 1.0)),
        Const("length", "m", 10.0),
    ),
)


def axis(name: str, asked: Over) -> Continuous | Integer | Choice:
    (only,) = Space.of(DECK, {name: asked}).axes
    return only


def test_that_limits_are_turned_into_the_units_of_the_schema() -> None:
    # 1 km/h/s is 1000 m in 3600 s, each second.
    found = axis("damper", ("-3.6 km/h/s", "5 m/s^2"))
    assert isinstance(found, Continuous)
    assert found.least == pytest.approx(-1.0)
    assert (found.most, found.unit) == (5.0, "m/s^2")


def test_that_temperatures_keep_their_nought() -> None:
    found = axis("heating", ("283.15 K", "20 degC"))
    assert isinstance(found, Continuous)
    assert found.least == pytest.approx(10.0)
    assert found.most == 20.0


def test_that_a_list_is_a_choice_and_a_plain_number_needs_no_unit() -> None:
    assert axis("share", [0.0, "50 %", 1]) == Choice("share", (0.0, 0.5, 1.0))
    assert axis("share", (0, 1)) == Continuous("share", 0.0, 1.0)


def test_that_a_constant_may_be_chosen_for_a_design() -> None:
    assert axis("length", ["9 m", "1100 cm"]) == Choice("length", (9.0, 11.0), "m")


def test_that_an_axis_is_taken_in_its_own_unit() -> None:
    found = axis("length", Continuous("length", 100.0, 200.0, "cm"))
    assert found == Continuous("length", 1.0, 2.0, "m")


@pytest.mark.parametrize(
    ("over", "error", "said"),
    [
        ({}, InputError, "nothing to choose"),
        ({"damper": ("5 m/s^2", "-5 m/s^2")}, InputError, "must rise: 5 is not below -5 m/s^2"),
        ({"damper": ("1 m/s^2", "1 m/s^2")}, InputError, "must rise"),
        ({"damper": (-5, 5)}, UnitError, "write it as in '-5 m/s^2'"),
        ({"damper": ("-5", "5 m/s^2")}, UnitError, "-5 needs a unit"),
        ({"damper": ("-5 m/s", "5 m/s^2")}, UnitError, "damper: m/s cannot be turned"),
        ({"damper": ("wide", "5 m/s^2")}, UnitError, "damper: 'wide' is not a number"),
        (
            {"damper": ("-6 m/s^2", "5 m/s^2")},
            InputError,
            "may not be -6 m/s^2: it is declared from -5 to 5 m/s^2",
        ),
        ({"heating": ["10 degC", "31 degC"]}, InputError, "declared from -inf to 30 degC"),
        ({"damper": []}, InputError, "no values to choose from"),
        ({"share": [0.5, "50 %"]}, InputError, "0.5 among its values more than once"),
        ({"share": [True, 0.5]}, InputError, "cannot be True: give a number."),
        ({"share": (0.0, float("nan"))}, InputError, "finite"),
        ({"damper": "3 m/s^2"}, InputError, "nothing to choose"),
        ({"damper": ("0 m/s^2", "1 m/s^2", "2 m/s^2")}, InputError, "Write a list"),
        ({"share": Choice("share", ("open", "shut"))}, InputError, "it cannot be 'open'"),
        ({"length": Integer("length", 1, 3, "cm")}, UnitError, "counted in its own unit, m"),
        ({"wind": ("0 m/s", "9 m/s")}, InputError, "declared as input"),
        ({"x": ("0 m", "9 m")}, InputError, "not ours to set"),
        ({"dampr": ("0 m", "9 m")}, UnknownNameError, "Did you mean 'damper'"),
    ],
)
def test_that_what_cannot_be_chosen_is_told(
    over: dict[str, Over], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=re.escape(said)):
        Space.of(DECK, over)


MODE = Choice("mode", ("off", "slow", "fast"))
SPEED = Integer("speed", 1, 3, when=When("mode", ("slow", "fast")))
BOOST = Choice("boost", ("yes", "no"), when=When("mode", ("fast",)))


def test_that_a_conditional_space_lists_each_candidate_once() -> None:
    space = Space((MODE, SPEED, BOOST))
    listed = list(space.candidates())
    # off; slow with 3 speeds; fast with 3 speeds and 2 boosts.
    assert space.size == len(listed) == len(set(listed)) == 1 + 3 + 6
    assert listed[0] == {"mode": "off"}
    assert {"mode": "slow", "speed": 2} in listed
    assert not any("boost" in c and c["mode"] != "fast" for c in listed)
    for candidate in listed:
        space.check(candidate)


def test_that_conditions_may_hang_on_one_another() -> None:
    more = Choice("colour", (1, 2, 3, 4), when=When("boost", ("yes",)))
    space = Space((MODE, SPEED, BOOST, more))
    # Each of the three fast speeds: boosted in 4 colours, or not boosted.
    assert space.size == 1 + 3 + 3 * (4 + 1) == len(list(space.candidates()))


def test_that_a_space_of_numbers_has_no_size() -> None:
    space = Space((Continuous("a", 0.0, 1.0), Choice("b", (1, 2))))
    assert not space.is_finite
    assert space.size is None
    with pytest.raises(InputError, match="a may be any number"):
        list(space.candidates())


def test_that_many_whole_numbers_are_counted_and_not_listed() -> None:
    space = Space((Integer("a", 1, 10**20), Integer("b", 1, 10)))
    assert space.size == 10**21


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        ((SPEED, MODE), "no choice 'mode'"),
        ((MODE, MODE), "more than once"),
        ((Continuous("a", 0.0, 1.0), Choice("b", (1,), when=When("a", (0.5,)))), "cannot depend"),
        ((MODE, Choice("b", (1,), when=When("mode", ()))), "never be chosen"),
        ((MODE, Choice("b", (1,), when=When("mode", ("of",)))), "it is one of off, slow, fast"),
    ],
)
def test_that_a_space_that_contradicts_itself_is_refused(
    axes: tuple[Continuous | Integer | Choice, ...], said: str
) -> None:
    with pytest.raises(InputError) as told:
        Space(axes)
    assert said in str(told.value)


def test_that_limits_of_whole_numbers_are_whole() -> None:
    with pytest.raises(InputError, match="its limits are whole numbers"):
        Integer("speed", 1, 2.5)  # type: ignore[arg-type]  # what somebody without types writes


@pytest.mark.parametrize(
    ("candidate", "said"),
    [
        ({"mode": "slow"}, "speed is missing"),
        ({"mode": "off", "speed": 1}, "speed has no place here"),
        ({"mode": "slow", "speed": 4}, "speed cannot be 4: it is a whole number from 1 to 3"),
        ({"mode": "slow", "sped": 2}, "Did you mean 'speed'"),
    ],
)
def test_that_a_candidate_of_another_space_is_refused(
    candidate: dict[str, int | str], said: str
) -> None:
    with pytest.raises(InputError) as told:
        Space((MODE, SPEED)).check(candidate)
    assert said in str(told.value)


def test_that_candidates_are_keys_whatever_the_order_of_their_names() -> None:
    one, other = Candidate.of({"a": 1, "b": 2.0}), Candidate.of({"b": 2.0, "a": 1})
    assert one == other == {"a": 1, "b": 2.0}
    assert len({one, other}) == 1
    assert not DO_NOTHING
    with pytest.raises(KeyError):
        one["c"]
