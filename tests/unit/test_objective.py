from __future__ import annotations

import math

import numpy as np
import pytest
from jaxtyping import Float

from gemeos.ensemble.condition import Values
from gemeos.errors import ConditionError, InputError, UnitError, UnknownNameError
from gemeos.foresee.goal import Goal, Marks, Samples
from gemeos.foresee.objective import parse
from gemeos.foresee.risk import Mean, Quantile, Tail, shares, valued
from gemeos.foresee.worth import Sense
from gemeos.units.instant import SECOND
from gemeos.units.registry import unit_of

UNITS = {
    "stress": "MPa",
    "T2.power": "kW",
    "inlet": "degC",
    "outlet": "degC",
    "sway": "m",
    "share": "",
}
HOUR = 3600 * SECOND
TIMES = np.array([0, HOUR, 3 * HOUR])


def courses(*members: tuple[float, float, float]) -> Float[np.ndarray, "time member"]:
    """At 0, 1 and 3 hours, a course a member."""
    return np.array(members, np.float64).T


POWER: Values = {"T2.power": (courses((0, 2, 4), (6, 6, 6), (1, -3, 5)), "kW")}


def value(text: str, values: Values, sense: Sense = Sense.MINIMISE) -> float:
    objective = parse(text, sense, UNITS)
    goal = Goal((objective,))
    (worth,) = goal.worths(goal.samples(values, TIMES), 0)
    return worth.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("max(T2.power)", (4 + 6 + 5) / 3),
        ("min(T2.power)", (0 + 6 - 3) / 3),
        ("last(T2.power)", (4 + 6 + 5) / 3),
        # Trapezoids of 1 and 2 hours: (1 + 6, 6 + 12, -1 + 2) over 3 hours.
        ("T2.power", (7 + 18 + 1) / 9),
        ("mean(T2.power)", (7 + 18 + 1) / 9),
        ("mean(mean(T2.power))", (7 + 18 + 1) / 9),
        ("max(abs(T2.power - 1 kW))", (3 + 5 + 4) / 3),
        ("quantile(50 %, max(T2.power))", 5.0),
        ("cvar(0.5, max(T2.power))", (6 + 0.5 * 5) / 1.5),
        ("2 * max(T2.power) - min(T2.power) / 4", 10 - 0.25),
        ("-(max(T2.power) + 1 * min(T2.power))", -6.0),
        ("max(T2.power) + total(T2.power) * 1 1/h", 5 + 26 / 3),
        # In plain numbers: kWh at 0.2 a kWh, and 100 for a member that is ever above 5.5 kW.
        ("total(T2.power) * 0.2 1/kWh + 100 * P(T2.power > 5.5 kW)", 0.2 * 26 / 3 + 100 / 3),
        ("P(T2.power > 3 kW and not T2.power < 5 kW)", 2 / 3),
    ],
)
def test_that_an_objective_is_what_is_worked_out_by_hand(text: str, expected: float) -> None:
    assert value(text, POWER) == pytest.approx(expected)


def test_that_an_objective_is_told_in_the_unit_of_its_first_part() -> None:
    def unit(text: str) -> str:
        return parse(text, Sense.MINIMISE, UNITS).unit

    assert unit("max(stress) + 0.1 * cvar(0.9, stress)") == "MPa"
    assert unit("total(T2.power)") == "kW*s"
    assert unit("100 * P(stress > 1 MPa)") == ""
    assert unit_of(unit("T2.power * 3 h + total(T2.power)")) == unit_of("kW*h")
    assert unit("max(inlet)") == "degC"
    assert unit("max(inlet - outlet)") == "delta_degC"


def test_that_differences_of_temperatures_add_up_and_temperatures_do_not() -> None:
    warm: Values = {
        "inlet": (courses((20, 20, 20)), "degC"),
        "outlet": (courses((5, 15, 18)), "degC"),
    }
    assert value("max(inlet - outlet) + 2 * last(inlet - outlet)", warm) == pytest.approx(19.0)
    assert value("max(outlet)", warm) == pytest.approx(18.0)
    with pytest.raises(ConditionError, match="nought is not nought of everything"):
        value("max(inlet) + max(outlet)", warm)


def test_that_doubt_counts_against_a_plan_whichever_way_it_is_sought() -> None:
    # Ever above 5 kW: the second member only. Always above 5 kW: that one, too. Always above
    # -1 kW: the first and the second; ever: all three.
    assert value("P(T2.power > -1 kW)", POWER) == 1.0
    assert value("P(T2.power > -1 kW)", POWER, Sense.MAXIMISE) == pytest.approx(2 / 3)
    # The worst half of maxima 4, 6, 5: the largest where small is sought, else the smallest.
    assert value("cvar(0.5, max(T2.power))", POWER) == pytest.approx((6 + 2.5) / 1.5)
    worst = (4 + 2.5) / 1.5
    assert value("cvar(0.5, max(T2.power))", POWER, Sense.MAXIMISE) == pytest.approx(worst)
    # What is taken away is sought to be large.
    assert value("-cvar(0.5, max(T2.power))", POWER) == pytest.approx(-worst)


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("strss", UnknownNameError, "Did you mean 'stress'"),
        ("mean(max(strss))", UnknownNameError, "Did you mean 'stress'"),
        ("P(strss > 1 MPa)", UnknownNameError, "Did you mean 'stress'"),
        ("P(stress > 140)", UnitError, "140 needs a unit here"),
        ("stress + sway", UnitError, "m cannot be turned into MPa"),
        ("stress + 3", ConditionError, "'*' is missing"),
        ("stress * sway", ConditionError, "only numbers multiply"),
        ("stress / 0", ConditionError, "divided by 0"),
        ("cvar(1.5, stress)", ConditionError, "strictly between 0 and 1"),
        ("cvar(stress)", ConditionError, "Here a share is missing, as in 'cvar(0.9"),
        ("cvar(0.9, cvar(0.9, stress))", ConditionError, "only one such"),
        ("median(stress)", ConditionError, "There is no median(...)"),
        ("max(max(stress))", ConditionError, "max(...) has no place here"),
        ("max(3 MPa)", ConditionError, "a variable is missing"),
        ("max(stress", ConditionError, "')' is missing"),
        ("stress, sway", ConditionError, "'+', '-', '*' or '/' is missing"),
        ("stress < 3 MPa", ConditionError, "demands belong to the constraints"),
        ("P(stress > 1 MPa) < 0.1", ConditionError, "belongs to the constraints"),
        ("__import__('os')", ConditionError, "no meaning in an objective"),
        ("", ConditionError, "missing"),
        ("total(inlet)", ConditionError, "integrated"),
        ("(" * 60 + "stress" + ")" * 60, ConditionError, "levels"),
        ("stress + " * 200 + "stress", ConditionError, "1000 characters"),
    ],
)
def test_that_an_objective_that_cannot_be_read_is_told(
    text: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error) as told:
        parse(text, Sense.MINIMISE, UNITS)
    assert said in str(told.value)


def test_that_commas_still_mean_nothing_in_a_condition() -> None:
    with pytest.raises(ConditionError, match="no meaning in a condition"):
        parse("P(stress > 1 MPa, sway > 1 m)", Sense.MINIMISE, UNITS)


def test_that_the_mean_of_the_worst_is_that_of_known_distributions() -> None:
    # Exponential with mean 1: the 90 % quantile is ln 10, and beyond it the mean is 1 more.
    middles = (np.arange(100_000) + 0.5) / 100_000
    exponential = -np.log1p(-middles)
    assert valued(Quantile(0.9), exponential) == pytest.approx(math.log(10), abs=1e-3)
    assert valued(Tail(0.9), exponential) == pytest.approx(math.log(10) + 1, abs=1e-3)
    # Uniform on 0..1: the mean beyond 0.8 is 0.9, and of the least fifth 0.1.
    assert valued(Tail(0.8), middles) == pytest.approx(0.9)
    assert valued(Tail(0.8, upper=False), middles) == pytest.approx(0.1)
    # Standard normal, Rockafellar & Uryasev (2000): density at the quantile over the tail.
    rng = np.random.default_rng(1)
    normal = rng.normal(size=400_000)
    expected = math.exp(-0.5 * 1.6448536**2) / math.sqrt(2 * math.pi) / 0.05
    assert valued(Tail(0.95), normal) == pytest.approx(expected, abs=0.02)


def test_that_the_mean_of_the_worst_is_exact_for_few_members() -> None:
    few = np.array([4.0, 1.0, 3.0, 2.0])
    assert valued(Tail(0.5), few) == pytest.approx(3.5)
    # 1.2 of four members: the worst, and a fifth of the next.
    assert valued(Tail(0.7), few) == pytest.approx((4 + 0.2 * 3) / 1.2)
    # Less than one member lies beyond: it is the worst one.
    assert valued(Tail(0.9), few) == pytest.approx(4.0)
    assert shares(Tail(0.5), few).mean() == pytest.approx(3.5)
    assert valued(Mean(), few) == 2.5


def test_that_failed_members_are_left_out_and_counted() -> None:
    values: Values = {
        "T2.power": (courses((1, 1, 1), (3, math.nan, 3), (5, 5, 5)), "kW"),
        "sway": (courses((0, 0, 0), (0, 0, 0), (math.inf, 9, 9)), "m"),
    }
    goal = Goal.of(
        {"T2.power": "kW", "sway": "m"},
        minimise=["last(T2.power)"],
        subject_to=["P(T2.power > 4 kW) < 0.5"],
    )
    samples = goal.samples(values, TIMES)
    (worth,) = goal.worths(samples, 0)
    assert (worth.value, worth.members, worth.left_out) == (3.0, 3, 1)
    assert worth.told("kW") == "3 kW (1 of 3 members failed)"
    np.testing.assert_array_equal(samples.broken[0, 0], [0.0, np.nan, 1.0])
    # The failed one counts as a breach: two thirds of them, where half are allowed.
    # Two breaches of three, where a search allows two fifths of a half; one more is feared, or a
    # standard deviation of sqrt(0.25 / 3) forgiven.
    assert goal.marks(samples).excess[0] == pytest.approx(3 / 5 - 0.2)
    lenient = goal.marks(samples, lenient=True).excess[0]
    assert lenient == pytest.approx(2 / 3 - 0.2 - math.sqrt(0.25 / 3))


def test_that_half_of_the_members_failing_leaves_nothing_to_judge() -> None:
    goal = Goal.of(UNITS, maximise="T2.power")
    values: Values = {
        "T2.power": (courses((1, 1, 1), (math.nan, 3, 3), (5, 5, 5), (5, math.nan, 5)), "kW")
    }
    samples = goal.samples(values, TIMES)
    (worth,) = goal.worths(samples, 0)
    assert not worth.is_judged
    assert math.isnan(worth.value)
    assert worth.told("kW") == "cannot be judged: 2 of 4 members failed"
    assert goal.marks(samples).cost[0, 0] == math.inf


def test_that_members_of_candidates_side_by_side_are_told_apart() -> None:
    goal = Goal.of(UNITS, maximise="last(sway)", subject_to="P(sway > 3 m) < 0.1")
    values: Values = {"sway": (np.array([[1.0, 2.0, 3.0, 4.0]]), "m")}
    samples = goal.samples(values, np.array([0]), candidates=2)
    np.testing.assert_array_equal(samples.parts[:, 0], [[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_array_equal(samples.broken[:, 0], [[0.0, 0.0], [0.0, 1.0]])
    np.testing.assert_array_equal(goal.marks(samples).cost[:, 0], [-1.5, -3.5])


def test_that_a_chance_to_be_small_and_its_opposite_to_be_large_are_one_demand() -> None:
    values: Values = {"sway": (np.array([[1.0, 5.0, 1.0], [1.0, 1.0, 2.0]]), "m")}
    few = Goal.of(UNITS, minimise="sway", subject_to="P(sway > 3 m) < 0.1")
    many = Goal.of(UNITS, minimise="sway", subject_to="P(sway <= 3 m) > 0.9")
    times = np.array([0, HOUR])
    np.testing.assert_array_equal(few.samples(values, times).broken, [[[0.0, 1.0, 0.0]]])
    np.testing.assert_array_equal(many.samples(values, times).broken, [[[0.0, 1.0, 0.0]]])
    assert few.constraints[0].limit == pytest.approx(many.constraints[0].limit)
    # log(0.05) / log(0.9) is 28.4.
    assert few.constraints[0].runs_to_show == 29


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("P(sway > 1 m) < 0", "Allow a small share, as in 'P(sway > 1 m) < 0.01'"),
        ("P(sway < 1 m) >= 1", "Allow a small share, as in 'P(sway < 1 m) >= 0.99'"),
        ("P(sway > 1 m) <= 1", "every plan meets it"),
        ("sway > 1 m", "Write a chance"),
        ("P(swy > 1 m) < 0.1", "Did you mean 'sway'"),
    ],
)
def test_that_a_constraint_that_cannot_be_decided_is_refused(text: str, said: str) -> None:
    with pytest.raises(InputError) as told:
        Goal.of(UNITS, minimise="sway", subject_to=text)
    assert said in str(told.value)


def test_that_a_goal_seeks_something_and_names_what_it_needs() -> None:
    with pytest.raises(InputError, match="Nothing is sought"):
        Goal.of(UNITS, subject_to="P(sway > 1 m) < 0.1")
    goal = Goal.of(
        UNITS,
        minimise=["max(abs(sway))", "cvar(0.95, stress)"],
        maximise="T2.power",
        subject_to="P(inlet > 300 K) < 0.01",
    )
    assert goal.names == ("T2.power", "inlet", "stress", "sway")
    assert [o.sense for o in goal.objectives] == [*[Sense.MINIMISE] * 2, Sense.MAXIMISE]
    assert goal.members_wanted == 250
    # Four times the 299 runs that show a share of 1 % without a breach.
    assert goal.fresh_wanted == 1196


def test_that_who_keeps_to_the_constraints_comes_first_and_who_is_not_judged_last() -> None:
    marks = Marks(
        excess=np.array([0.2, 0.0, 0.0, 0.1, 0.0]),
        cost=np.array([[0.0], [3.0], [2.0], [1.0], [np.inf]]),
    )
    assert marks.order() == [2, 1, 3, 0, 4]


def test_that_samples_of_another_shape_are_refused() -> None:
    with pytest.raises(InputError, match="as many candidates and members"):
        Samples(np.zeros((2, 1, 4)), np.zeros((2, 1, 3)))
