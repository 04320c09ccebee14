from __future__ import annotations

import numpy as np
import pytest
from jaxtyping import Float

from gemeos.ensemble.condition import LONGEST, Relation, Values, parse, parse_chance
from gemeos.errors import ConditionError, UnitError, UnknownNameError

UNITS = {
    "stress": "MPa",
    "wind": "m/s",
    "T2.power": "kW",
    "inlet": "degC",
    "outlet": "degC",
    "heat": "K",
    "share": "",
}


def row(*members: float) -> Float[np.ndarray, "time member"]:
    return np.array([members], np.float64)


def answers(text: str, values: Values) -> list[bool]:
    """For each member at the one time."""
    (one_time,) = parse(text).holds(values).tolist()
    return one_time


WEATHER: Values = {
    "stress": (row(100.0, 121.0, 130.0, 119.0), "MPa"),
    "wind": (row(5.0, 15.0, 25.0, 20.0), "m/s"),
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("stress > 120 MPa", [False, True, True, False]),
        ("stress > 120 MPa and wind < 20 m/s", [False, True, False, False]),
        ("stress > 120 MPa or wind < 20 m/s", [True, True, True, False]),
        ("not stress > 120 MPa", [True, False, False, True]),
        ("10 m/s < wind <= 20 m/s", [False, True, False, True]),
        ("20 m/s >= wind > 10 m/s", [False, True, False, True]),
        ("abs(wind - 20 m/s) <= 5 m/s", [False, True, True, True]),
        ("72 km/h > wind", [True, True, False, False]),
        ("stress>=0.121GPa", [False, True, True, False]),
        ("wind - -5 m/s > 25 m/s", [False, False, True, False]),
        ("stress > 120 MPa AND NOT wind > 20 m/s", [False, True, False, False]),
    ],
)
def test_that_a_condition_holds_for_the_members_it_is_true_of(
    text: str, expected: list[bool]
) -> None:
    assert answers(text, WEATHER) == expected


def test_that_and_binds_more_closely_than_or_and_not_more_than_both() -> None:
    yes_or = "wind < 6 m/s or stress > 120 MPa and wind > 20 m/s"
    assert answers(yes_or, WEATHER) == [True, False, True, False]
    parted = "(wind < 6 m/s or stress > 120 MPa) and wind > 20 m/s"
    assert answers(parted, WEATHER) == [False, False, True, False]
    denied = "not wind < 6 m/s and stress < 120 MPa"
    assert answers(denied, WEATHER) == [False, False, False, True]


def test_that_every_time_has_its_own_answer() -> None:
    values: Values = {"T2.power": (np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), "MW")}
    held = parse("2500 kW < T2.power < 5.5 MW").holds(values)
    assert held.tolist() == [[False, False], [True, True], [True, False]]


def test_that_variables_in_two_units_of_one_dimension_can_be_compared() -> None:
    values: Values = {"here": (row(10.0, 10.0), "m/s"), "there": (row(35.0, 37.0), "km/h")}
    assert answers("here > there", values) == [True, False]
    assert answers("here - there > 0 m/s", values) == [True, False]


def test_that_a_difference_of_temperatures_is_the_same_in_kelvin_and_in_celsius() -> None:
    values: Values = {
        "inlet": (row(20.0, 20.0), "degC"),
        "outlet": (row(16.0, 12.0), "degC"),
        "heat": (row(289.15, 285.15), "K"),
    }
    for unit in ("K", "degC"):
        assert answers(f"inlet - outlet > 5 {unit}", values) == [False, True]
        assert answers(f"inlet - heat > 5 {unit}", values) == [False, True]
        assert answers(f"abs(outlet - inlet) > 5 {unit}", values) == [False, True]
    assert answers("inlet - outlet > 9 degF", values) == [False, True]  # 9 degF apart are 5 K


def test_that_a_temperature_itself_is_turned_with_its_offset() -> None:
    values: Values = {"inlet": (row(-1.0, 1.0), "degC")}
    assert answers("inlet < 273.15 K", values) == [True, False]
    assert answers("inlet < 32 degF", values) == [True, False]


def test_that_a_magnitude_is_taken_in_the_unit_of_its_variable() -> None:
    values: Values = {"heat": (row(275.0, 277.0), "K"), "inlet": (row(-3.0, -3.0), "degC")}
    assert answers("heat > abs(inlet)", values) == [False, True]  # 3 degC are 276.15 K


def test_that_a_temperature_less_a_difference_is_a_temperature() -> None:
    values: Values = {"inlet": (row(30.0), "degC"), "outlet": (row(20.0), "degC")}
    assert answers("inlet - abs(inlet - outlet) > 292 K", values) == [True]  # 20 degC
    assert answers("inlet - abs(inlet - outlet) > 294 K", values) == [False]


@pytest.mark.parametrize(
    "text", ["inlet - outlet < inlet", "abs(inlet - outlet) - inlet < 3 K", "heat < inlet - outlet"]
)
def test_that_a_temperature_difference_is_not_compared_with_a_temperature(text: str) -> None:
    values = {n: UNITS[n] for n in ("inlet", "outlet")} | {"heat": "degC"}
    with pytest.raises(ConditionError, match="difference"):
        parse(text).check(values)


def test_that_a_bare_number_is_refused_where_the_variable_has_a_unit() -> None:
    with pytest.raises(UnitError) as caught:
        parse("share < 0.5 and stress > 120").check(UNITS)
    told = str(caught.value).splitlines()
    assert "'120 MPa'" in told[0]
    assert told[1].index("120") == told[2].index("^")


def test_that_a_bare_number_is_right_for_a_variable_without_unit() -> None:
    values: Values = {"share": (row(0.2, 0.7), "")}
    assert answers("share > 0.5", values) == [False, True]
    assert answers("share > 50 %", values) == [False, True]


def test_that_a_unit_of_another_dimension_is_refused_with_its_place() -> None:
    with pytest.raises(UnitError) as caught:
        parse("wind < 20 MPa").check(UNITS)
    assert "MPa" in str(caught.value)
    with pytest.raises(UnitError, match="MPa"):
        parse("abs(wind - stress) < 20 m/s").check(UNITS)
    with pytest.raises(UnitError, match="%"):
        parse("wind < 20 %").check(UNITS)


def test_that_an_unknown_name_is_answered_with_the_nearest() -> None:
    for text in ("wnd < 20 m/s", "abs(wnd) < 20 m/s", "stress < 1 MPa or not 1 m/s < wnd"):
        with pytest.raises(UnknownNameError, match="Did you mean 'wind'"):
            parse(text).check(UNITS)


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("", "variable", 0),
        ("stress", "<", 6),
        ("stress >", "variable", 8),
        ("stress = 3 MPa", "no equality", 7),
        ("stress == 3 MPa", "no equality", 7),
        ("stress != 3 MPa", "no equality", 7),
        ("stress < 3 MPa and", "variable", 18),
        ("stress < 3 MPa && wind < 3", "Write 'and'", 15),
        ("stress < 3 MPa | wind < 3", "Write 'or'", 15),
        ("stress + wind < 3", "no arithmetic", 7),
        ("stress < wind > share", "one way", 14),
        ("a - b - c < 3", "one difference", 6),
        ("3 < 4", "Nothing", 0),
        ("4 - 3 < a", "difference needs", 0),
        ("abs(3) < a", "needs a variable", 0),
        ("sin(a) < 3", "Only abs", 0),
        ("P(a < 3) < 0.1", "chance has no place", 0),
        ("__import__('os')", "no meaning", 11),
        ("a < 1e999 m", "too large", 4),
        ("a < 3 m^999", "one or two digits", 8),
        ("a < 3 m/", "unit is missing", 8),
        ("(a < 3", "')' is missing", 6),
        ("a < 3) or b < 3", "'and' or 'or'", 5),
        ("a < 3; b < 4", "no meaning", 5),
        ("a\n<\t$", "no meaning", 4),
    ],
)
def test_that_what_cannot_be_read_is_shown_with_a_caret_below_it(
    text: str, message: str, place: int
) -> None:
    with pytest.raises(ConditionError) as caught:
        parse(text)
    what, shown, caret = str(caught.value).splitlines()
    assert message in what
    assert caret == " " * (4 + place) + "^"
    assert shown[4:] == text.replace("\n", " ").replace("\t", " ")


def test_that_the_caret_stays_below_its_place_in_a_long_condition() -> None:
    text = "stress < 1 MPa and " * 20 + "wind ! 3 m/s" + " and stress < 1 MPa" * 20
    with pytest.raises(ConditionError) as caught:
        parse(text)
    _, shown, caret = str(caught.value).splitlines()
    assert shown[caret.index("^")] == "!"
    assert len(shown) < 100


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("x > 2 1/s^2", "1/s^2", [False, True]),
        ("x > 2 s**-2", "1/s^2", [False, True]),
        ("x > 2e-3 kW/(m^2 K)", "W/(m^2 K)", [False, True]),
        ("x > 2 W/m^2/K", "W/(m^2 K)", [False, True]),
        ("x > 2 N m", "J", [False, True]),
        ("x > 2 N*m", "J", [False, True]),
        ("x > 2 m/s²", "m/s^2", [False, True]),
        ("x > 2 °C", "degC", [False, True]),
        ("x > 200 %", "", [False, True]),
        ("2 1/s < x", "Hz", [False, True]),
        ("x > 2 m and x > 0 m", "m", [False, True]),
    ],
)
def test_that_units_are_read_as_they_are_commonly_written(
    text: str, unit: str, expected: list[bool]
) -> None:
    assert answers(text, {"x": (row(1.0, 3.0), unit)}) == expected


def test_that_an_unknown_unit_is_shown_at_its_place() -> None:
    with pytest.raises(UnitError) as caught:
        parse("stress < 3 MPaa")
    assert str(caught.value).splitlines()[-1] == " " * (4 + 11) + "^"


def test_that_length_and_depth_are_bounded() -> None:
    assert parse("(" * 50 + "a < 3" + ")" * 50).names == ("a",)
    for text in (
        "(" * 51 + "a < 3" + ")" * 51,
        "not " * 51 + "a < 3",
        "abs(" * 51 + "a" + ")" * 51 + " < 3",
        "a < 3 m/" + "(m/" * 51 + "m" + ")" * 51,
    ):
        with pytest.raises(ConditionError, match="50 levels"):
            parse(text)
    assert parse("a < 3".ljust(LONGEST)).names == ("a",)
    with pytest.raises(ConditionError, match="1000 characters"):
        parse("a < 3".ljust(LONGEST + 1))


def test_that_the_names_are_each_told_once() -> None:
    text = "not (T2.power > 1 kW or abs(b - a) < 3) and 1 < a < 4"
    assert parse(text).names == ("T2.power", "a", "b")
    assert str(parse(text)) == text


def test_that_conditions_are_equal_whatever_their_spacing() -> None:
    assert parse("a<3 m/s  and(b>2)") == parse("a < 3 m/s and b > 2")
    assert parse("a < 3 m/s") != parse("a <= 3 m/s")


def test_that_a_number_beyond_float32_is_above_every_member() -> None:
    values: Values = {"wind": (np.array([[3e38, -3e38]], np.float32), "m/s")}
    assert answers("wind < 1e300 m/s", values) == [True, True]
    assert answers("wind < -1e300 m/s", values) == [False, False]


def test_that_a_member_at_a_bound_kept_in_float32_is_at_that_bound() -> None:
    values: Values = {"share": (np.array([[0.1, 0.9]], np.float32), "")}
    assert answers("0.1 <= share <= 0.9", values) == [True, True]
    assert answers("share < 0.1 or share > 0.9", values) == [False, False]


def test_that_a_chance_is_met_where_few_enough_members_fail() -> None:
    chance = parse_chance("P(stress > 120 MPa and wind < 20 m/s) < 30 %")
    assert chance.condition.text == "stress > 120 MPa and wind < 20 m/s"
    assert chance.relation is Relation.BELOW
    assert chance.probability == pytest.approx(0.3)
    assert chance.holds(WEATHER).tolist() == [True]  # one of four members
    assert parse_chance("P(stress > 120 MPa) <= 0.5").holds(WEATHER).tolist() == [True]
    assert parse_chance("P(stress > 120 MPa) < 0.5").holds(WEATHER).tolist() == [False]
    assert parse_chance("P(stress > 120 MPa) > 0.4").holds(WEATHER).tolist() == [True]
    assert str(chance).endswith("< 30 %")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stress > 120 MPa", "Write a chance"),
        ("P", "Write a chance"),
        ("P(stress > 120 MPa)", "share are missing"),
        ("P(stress > 120 MPa) = 0.1", "share are missing"),
        ("P(stress > 120 MPa) < wind", "between 0 and 1"),
        ("P(stress > 120 MPa) < 5", "lies between 0 and 1"),
        ("P(stress > 120 MPa) < 0.1 and wind < 3", "'and' or 'or'"),
        ("P(stress > 120 MPa < 0.1", "one way"),
    ],
)
def test_that_a_chance_that_cannot_be_read_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConditionError, match=message):
        parse_chance(text)


def test_that_a_share_with_a_dimension_is_refused() -> None:
    with pytest.raises(UnitError, match="m/s"):
        parse_chance("P(stress > 120 MPa) < 0.1 m/s")
