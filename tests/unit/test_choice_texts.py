"""A control that is a choice of texts is set by its text, wherever a value is written."""

from __future__ import annotations

import pytest

from gemeos.act.base import Conduct, Rules
from gemeos.act.setpoints import commands_of
from gemeos.errors import ChoiceError, GemeosError, InputError, InterventionError, SchemaError
from gemeos.foresee.choices import as_written as space_as_written
from gemeos.foresee.choices import space_of
from gemeos.foresee.intervene import Held, acts
from gemeos.foresee.space import Candidate, Choice, Continuous, Integer
from gemeos.runtime.trial import changes_of
from gemeos.schema.choice import Text
from gemeos.schema.intervention import as_written, changes, in_words
from gemeos.schema.plan import Plan
from gemeos.schema.prior import Normal
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Control, State
from gemeos.units.instant import SECOND

HARD = ("open; for 2 s", "it's", "0", "2", "when, if")
"""Texts that look like the wording around them."""


def schema(*choices: str) -> Schema:
    top = len(choices) - 1.0
    return Schema(
        "tank",
        SECOND,
        (
            State("level", "m", Normal(1.0, 0.1)),
            Control("valve", "1", (0.0, top), default=0.0, choices=choices),
            Control("flow", "m^3/s", (0.0, 9.0), default=0.0),
        ),
    )


PLAIN = schema("open", "half open", "shut")


def number(of: Schema, written: str | float) -> float:
    (act,) = acts(of, changes({"valve": written})).each
    assert isinstance(act.move, Held)
    return act.move.value


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("open", 0.0),
        ("half open", 1.0),
        ("'half open'", 1.0),
        ('"shut"', 2.0),
        ("shut after 1 min for 2 min when level > 1 m", 2.0),
        ("2", 2.0),
        (1, 1.0),
        (2.0, 2.0),
    ],
)
def test_that_a_choice_is_set_by_its_text_or_number(written: str | float, expected: float) -> None:
    assert number(PLAIN, written) == expected


@pytest.mark.parametrize("text", HARD)
def test_that_a_text_in_quotes_is_no_wording(text: str) -> None:
    told = f"{Text(text)} after 1 s; {Text('it' + chr(39) + 's')} after 2 s"
    read = changes({"valve": told})
    assert [each.course.value for each in read["valve"]] == [Text(text), Text("it's")]  # type: ignore[union-attr]
    assert changes(as_written(read)) == read
    assert acts(schema(*HARD), read).each[0].move == Held(float(HARD.index(text)))
    space = (
        space_of(schema(*HARD), {"valve": f"{Text(text)}, {Text('when, if')}, {Text('0')}"})
        if (text not in {"0", "when, if"})
        else space_of(schema(*HARD), {"valve": f"{Text(text)}, {Text('2')}"})
    )
    assert space.axes[0].values[0] == text  # type: ignore[union-attr]
    assert space_of(schema(*HARD), space_as_written(space)) == space


def test_that_what_is_no_choice_is_told_with_the_nearest() -> None:
    with pytest.raises(ChoiceError, match=r"one of open, 'half open', shut\. .*shut"):
        acts(PLAIN, changes({"valve": "shutt"}))
    for beyond in ("3", "-1", "0.4"):
        with pytest.raises(ChoiceError, match="one of"):
            acts(PLAIN, changes({"valve": beyond}))
    with pytest.raises(ChoiceError, match="shut"):
        space_of(PLAIN, {"valve": "open, shutt"})


@pytest.mark.parametrize("written", ["ramp to 2 over 1 min", "profile 0 s: 0, 1 min: 2", "times 2"])
def test_that_nothing_lies_between_choices(written: str) -> None:
    with pytest.raises(InterventionError, match="nothing between"):
        acts(PLAIN, changes({"valve": written}))


def test_that_a_text_is_no_value_of_what_is_a_number() -> None:
    with pytest.raises(InterventionError, match=r"flow: 'open' is not a number with a unit"):
        acts(PLAIN, changes({"flow": "open"}))
    with pytest.raises(GemeosError, match="not a number"):
        space_of(PLAIN, {"flow": "open, shut"})


def test_that_a_number_that_may_be_two_choices_is_refused() -> None:
    turned = schema("1", "0")
    with pytest.raises(ChoiceError, match="in quotes"):
        number(turned, "1")
    assert number(turned, "'1'") == 0.0
    # Of programs 0 and 2 a plain 2 is the text, for there is no number 2, and 1 the number.
    programs = schema("0", "2")
    assert [number(programs, each) for each in ("0", "1", "2")] == [0.0, 1.0, 1.0]


def test_that_records_tell_the_text() -> None:
    told = in_words(PLAIN, changes({"valve": "2; 1 after 1 min", "flow": "2 m^3/s"}))
    assert as_written(told) == {
        "valve": "shut; 'half open' after 1 min",
        "flow": "2.0 m^3/s",
    }
    assert in_words(PLAIN, changes({"valve": "ramp to 1 over 1 s"})) == changes(
        {"valve": "ramp to 1 over 1 s"}
    )


def test_that_a_search_chooses_among_texts() -> None:
    space = space_of(
        PLAIN, {"valve": "shut, 0, 'half open'", "flow": "0 m^3/s .. 1 m^3/s if valve = open"}
    )
    assert space.axes[0] == Choice("valve", ("shut", "open", "half open"), "1")
    assert space.axes[1].when is not None
    assert space.axes[1].when.values == ("open",)
    assert space_of(PLAIN, space_as_written(space)) == space
    made = changes_of(PLAIN, Candidate.of({"valve": "half open"}))
    assert acts(PLAIN, made).each[0].move == Held(1.0)
    whole = space_of(PLAIN, {"valve": Integer("valve", 1, 2)})
    assert whole.axes[0] == Choice("valve", ("half open", "shut"), "1")
    for between in ("0 .. 2", Continuous("valve", 0.0, 2.0)):
        with pytest.raises(InputError, match="nothing between"):
            space_of(PLAIN, {"valve": between})


def test_that_commands_carry_the_number_and_tell_the_text() -> None:
    valve = PLAIN.variable("valve")
    assert isinstance(valve, Control)
    plan = Plan(
        twin="t",
        name="p",
        changes={"valve": "'half open'; shut after 1 min"},
        made_at=0,
        actor="a",
        cause="c",
        expires_at=600 * SECOND,
        state_at=0,
    )
    made = commands_of(
        plan, {"valve": Rules(valve, 0.02)}, {"valve": 0.0}, Conduct(), now=0, actor="a"
    )
    assert [(c.value, c.told(c.value)) for c in made] == [(1.0, "'half open'"), (2.0, "shut")]
    # What a device may report beside all of them is told as it is.
    assert made[0].told(0.5) == "0.5"


@pytest.mark.parametrize(
    ("choices", "bounds"),
    [(("a", "a"), (0.0, 1.0)), (("a", "b\n"), (0.0, 1.0)), (("a", "b"), (0.0, 2.0))],
)
def test_that_choices_that_nobody_can_set_are_refused(
    choices: tuple[str, ...], bounds: tuple[float, float]
) -> None:
    with pytest.raises(SchemaError, match="valve"):
        Control("valve", "1", bounds, choices=choices)


def test_that_other_texts_are_another_schema() -> None:
    assert schema("open", "shut").fingerprint != schema("shut", "open").fingerprint
