"""What an engine says of itself refuses what cannot be, before any engine hears of it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gemeos.engines.fmi import Fmi
from gemeos.engines.outcome import Crashed, Failed, NotFinite, TimedOut
from gemeos.engines.spec import (
    Capabilities,
    Kind,
    Role,
    Spec,
    Value,
    Variable,
    not_finite,
)
from gemeos.engines.sumo import Sumo
from gemeos.errors import InputError, SchemaError, SettingsError, TimeError, UnknownNameError
from gemeos.units.instant import SECOND

SPEC = Spec(
    "mill",
    "2",
    2 * SECOND,
    (
        Variable("gears", Role.PARAM, kind=Kind.INTEGER, bounds=(1, 5)),
        Variable("wear", Role.PARAM, tunable=True),
        Variable("wind", Role.INPUT, "m/s", bounds=(0.0, None)),
        Variable("brake", Role.CONTROL, kind=Kind.BOOLEAN),
        Variable("mode", Role.CONTROL, kind=Kind.TEXT),
        Variable("speed", Role.STATE, "rad/s"),
        Variable("power", Role.OUTPUT, "W"),
    ),
    Capabilities(nudge=frozenset({"speed"})),
)


def test_that_two_variables_of_one_name_are_refused() -> None:
    with pytest.raises(SchemaError, match="two variables of one name"):
        Spec("mill", "1", SECOND, (Variable("a", Role.INPUT), Variable("a", Role.OUTPUT)))


def test_that_an_engine_without_steps_is_refused() -> None:
    with pytest.raises(SchemaError, match="steps of 0 us"):
        Spec("mill", "1", 0, ())


def test_that_only_what_is_there_can_be_nudged() -> None:
    with pytest.raises(UnknownNameError, match="'spede'"):
        Spec("mill", "1", SECOND, (), Capabilities(nudge=frozenset({"spede"})))


def test_that_a_number_of_numpys_is_handed_on_as_one_of_pythons() -> None:
    # The encoder of frames takes no others.
    assert type(SPEC.settable({"wind": np.float64(0.5)})["wind"]) is float


@pytest.mark.parametrize(
    ("name", "value"),
    [("wind", 3), ("wind", 0.0), ("brake", True), ("mode", "idle"), ("wear", 0.5)],
)
def test_that_inputs_controls_and_tunable_params_can_be_set(name: str, value: Value) -> None:
    assert SPEC.settable({name: value}) == {name: value}


@pytest.mark.parametrize("name", ["gears", "speed", "power", "winds"])
def test_that_nothing_else_can_be_set(name: str) -> None:
    with pytest.raises(UnknownNameError, match="no input or control"):
        SPEC.settable({name: 1})


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("wind", "strong", "is real; 'strong' is not"),
        ("wind", True, "is real; True is not"),
        ("wind", math.inf, "cannot be set to inf"),
        ("wind", -1.0, r"between 0 and any m/s; -1\.0 does not"),
        ("brake", 1, "is boolean; 1 is not"),
        ("mode", 1.0, "is text"),
    ],
)
def test_that_a_value_of_another_kind_or_out_of_bounds_is_refused(
    name: str, value: Value, why: str
) -> None:
    with pytest.raises(InputError, match=why):
        SPEC.settable({name: value})


def test_that_params_are_whole_where_they_must_be_and_in_their_bounds() -> None:
    assert SPEC.params({"gears": 5, "wear": 1}) == {"gears": 5, "wear": 1}
    for wrong in (1.5, 6, 0):
        with pytest.raises(InputError):
            SPEC.params({"gears": wrong})
    with pytest.raises(UnknownNameError, match="no param 'wind'"):
        SPEC.params({"wind": 1.0})


def test_that_only_what_the_engine_declares_can_be_nudged() -> None:
    assert SPEC.nudged({"speed": 1.0}) == {"speed": 1.0}
    with pytest.raises(UnknownNameError):
        SPEC.nudged({"power": 1.0})


def test_that_the_grid_begins_where_the_simulation_does() -> None:
    begin = 7
    assert SPEC.elapsed(begin, begin, begin) == 0
    assert SPEC.elapsed(begin, begin, begin + 6 * SECOND) == 6 * SECOND
    with pytest.raises(TimeError, match="in steps of 2 s"):
        SPEC.elapsed(begin, begin, 6 * SECOND)
    with pytest.raises(TimeError, match="4 s past that time"):
        SPEC.elapsed(begin, begin + 6 * SECOND, begin + 2 * SECOND)


def test_that_nan_and_infinity_are_found_among_whatever_else() -> None:
    values: dict[str, Value] = {"a": 1.0, "b": math.nan, "c": "nan", "d": -math.inf, "e": 3}
    assert not_finite(values) == ("b", "d")


def test_that_an_end_is_told_in_a_sentence_with_its_last_words() -> None:
    assert str(Crashed(-11, "one\nfell over\n")) == "crashed with -11 (it said: fell over)"
    assert str(Crashed(None)) == "crashed with an exit code that is not known"
    assert str(TimedOut(1_500_000)) == "gave no answer within 1.5 s"
    assert str(NotFinite(("a", "b"))) == "has no finite number for a, b"
    assert str(Failed("no oil")) == "failed: no oil"


def test_that_settings_that_contradict_themselves_are_refused() -> None:
    with pytest.raises(SettingsError, match="a config or a net"):
        Sumo()
    with pytest.raises(SettingsError, match="whole milliseconds"):
        Sumo(net="a.net.xml", step=1500)
    with pytest.raises(SettingsError, match="adapter's own"):
        Sumo(net="a.net.xml", options=("--begin=3",))
    with pytest.raises(SettingsError, match="positive span"):
        Fmi("a.fmu", step=0)
    with pytest.raises(SettingsError, match="at least one substep"):
        Fmi("a.fmu", substeps=0)
