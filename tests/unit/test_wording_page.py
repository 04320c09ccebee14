"""Every example of docs/reference/wording.md can be read, and what the page refuses is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from gemeos.ensemble.condition import parse, parse_chance
from gemeos.errors import GemeosError
from gemeos.foresee.choices import space_of
from gemeos.foresee.intervene import acts
from gemeos.foresee.objective import parse as parse_objective
from gemeos.foresee.worth import Sense
from gemeos.schema.intervention import as_written, changes
from gemeos.schema.part import Part
from gemeos.schema.prior import Normal
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Const, Control, Input, Param, State, Virtual
from gemeos.units.instant import SECOND

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "wording.md").read_text("utf-8")
SCHEMA = Schema(
    "worded",
    SECOND,
    (
        State("level", "m", Normal(1.0, 0.1)),
        State("T2.heat", "kW", Normal(1.0, 0.1)),
        Param("age", "1", Normal(1.0, 0.1)),
        Const("width", "1", default=1.0),
        Control("valve", "1", (0.0, 10.0), default=0.0),
        Control("damper", "m/s^2", (-5.0, 5.0), default=0.0),
        Control("mode", "1", (0.0, 2.0), default=0.0, choices=("day", "night", "half open")),
        Input("wind", "km/h", default=0.0),
        Virtual("stress", "MPa"),
        Virtual("power", "kW"),
        Virtual("T1.power", "kW"),
        Virtual("T2.power", "kW"),
    ),
    parts=(Part("T1", "turbine"), Part("T2", "turbine")),
)
UNITS = {v.name: v.unit for v in SCHEMA.variables if not isinstance(v, Const)}
KINDS = {
    "control, input": ("valve", "1"),
    "choice of texts": ("mode", "night"),
    "param": ("age", "1"),
    "state": ("level", "1 m"),
    "constant": ("width", "1"),
    "part": ("T2", "1"),
}
"""One of each, and a value for it."""
WORDS = {
    "set": "{}",
    "`times`": "times 2",
    "`ramp`, `profile`": "ramp to {} over 1 min; profile 0 s: {}, 1 min: {}",
    "`renewed`": "renewed",
    "`for`": "{} for 1 min",
    "`when`": "{} when level > 2 m",
}


def table(mark: str) -> list[str]:
    """The first column of the table behind a mark."""
    rows = PAGE.split(f"<!-- {mark} -->\n")[1].split("\n\n")[0].splitlines()[2:]
    found = [re.match(r"\| `([^`]+)` \|", row) for row in rows]
    assert rows
    return [each[1] for each in found if each is not None]


def _is_text(text: str) -> bool:
    return text.startswith(("night", "day", "'"))


def allowed() -> Mapping[tuple[str, str], bool]:
    """What the second table of changes says, by kind and word."""
    head, _, *rows = (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.split("done to everything:\n\n")[1].split("\n\n")[0].splitlines()
    )
    return {
        (row[0], word): cell.startswith("yes")
        for row in rows
        for word, cell in zip(head[1:], row[1:], strict=True)
    }


@pytest.mark.parametrize("text", table("changes"))
def test_that_every_change_of_the_page_can_be_made_and_is_written_as_it_is_read(text: str) -> None:
    name = "T2" if text == "renewed" else "mode" if _is_text(text) else "wind"
    read = changes({name: text})
    assert acts(SCHEMA, read).each
    assert changes(as_written(read)) == read


@pytest.mark.parametrize("text", table("choices"))
def test_that_every_choice_of_the_page_can_be_read(text: str) -> None:
    whole = "valve" if text.startswith("whole") else "damper"
    name = "mode" if _is_text(text) else whole
    before = {"valve": "0, 1, 2"} if " if " in text else {}
    assert space_of(SCHEMA, {**before, name: text}).axes[-1].name == name


@pytest.mark.parametrize("text", table("conditions"))
def test_that_every_condition_of_the_page_fits_its_units(text: str) -> None:
    parse(text).check(UNITS)


@pytest.mark.parametrize("text", table("constraints"))
def test_that_every_constraint_of_the_page_fits_its_units(text: str) -> None:
    parse_chance(text).condition.check(UNITS)


@pytest.mark.parametrize("text", table("objectives"))
@pytest.mark.parametrize("sense", list(Sense))
def test_that_every_objective_of_the_page_fits_its_units(text: str, sense: Sense) -> None:
    assert str(parse_objective(text, sense, UNITS)).endswith(text)


@pytest.mark.parametrize(("kind", "word"), list(allowed()))
def test_that_the_page_says_what_can_be_done_to_what(kind: str, word: str) -> None:
    name, value = KINDS[kind]
    course = "renewed when level > 2 m" if (kind, word) == ("part", "`when`") else WORDS[word]
    told = course.replace("{}", value)
    if allowed()[kind, word]:
        assert acts(SCHEMA, changes({name: told})).each
    else:
        for each in told.split(";"):
            with pytest.raises(GemeosError):
                acts(SCHEMA, changes({name: each}))
