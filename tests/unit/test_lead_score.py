"""Forecasts at one lead beside persistence and climatology, against hand-worked examples."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from gemeos.errors import SchemaError
from gemeos.foresee.issue import Scoring
from gemeos.foresee.outcome import ENOUGH, More, Outcomes, Turned, extended
from gemeos.foresee.score import lead_score
from gemeos.schema.prior import Normal
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Measure, Sensor, State
from gemeos.units.instant import SECOND

LEAD = 2 * SECOND


def turned(
    truth: list[float],
    last: list[float],
    members: list[list[float]],
    *,
    first: int = 0,
    corrected: list[list[float]] | None = None,
) -> Turned:
    """Forecasts valid at one second after the other."""
    return Turned(
        valid_at=np.arange(first, first + len(truth)) * SECOND,
        members=np.array(members, np.float64),
        corrected=np.array([[]] * len(truth) if corrected is None else corrected, np.float64),
        truth=np.array(truth, np.float64),
        last=np.array(last, np.float64),
    )


def outcomes(
    truth: list[float],
    last: list[float],
    members: list[list[float]],
    *,
    wraps: float | None = None,
) -> Outcomes:
    """What is known of them."""
    new = turned(truth, last, members)
    return extended([More(Outcomes.none(), new, LEAD, wraps)])[0]


def test_that_two_members_are_scored_by_their_distance_less_half_of_their_spread() -> None:
    # Members 1 and 4, truth 2: mean distance (1 + 2)/2, half the mean distance of pairs 3/2.
    got = outcomes([2.0], [5.0], [[1.0, 4.0]])
    assert got.crps[0] == pytest.approx(0.0)
    assert got.error[0] == pytest.approx(0.5)  # the median is 2.5
    assert got.persistence[0] == pytest.approx(3.0)
    assert not got.spread_known[0]
    assert np.isnan(got.climatology[0])


def test_that_an_interval_holds_the_share_of_members_that_it_promises() -> None:
    # Of 19 members the k-th is the quantile k/20: 90 % lie from the 1st to the 19th, 80 % from the
    # 2nd to the 18th, 50 % from the 5th to the 15th.
    members = [float(k) for k in range(1, 20)]
    got = outcomes([1.0, 2.0, 5.0, 0.9], [0.0] * 4, [members] * 4)
    assert got.inside.tolist() == [
        [False, False, True],
        [False, True, True],
        [True, True, True],
        [False, False, False],
    ]


def test_that_persistence_learns_only_from_errors_known_when_the_forecast_was_issued() -> None:
    # Its every error is 1: once it knows that, it is never wrong again. The forecast valid at
    # second n was issued two seconds before, when truths up to second n - 2 were known.
    count = ENOUGH + 4
    truth = [float(n) for n in range(count)]
    last = [float(n - 1) for n in range(count)]
    got = outcomes(truth, last, [[0.0, 1.0]] * count)
    assert got.spread_known.tolist() == [n - 2 + 1 >= ENOUGH for n in range(count)]
    assert got.persistence[: ENOUGH + 1].tolist() == [1.0] * (ENOUGH + 1)
    assert got.persistence[ENOUGH + 1 :].tolist() == pytest.approx([0.0] * 3)


def test_that_climatology_is_what_was_read_before() -> None:
    # Half of what it knows is 0, half is 10: to a truth of 10 its mean distance is 5, and half the
    # mean distance of its pairs is 10 * 15 * 15 / (30 * 29 / 2) / 2.
    count = ENOUGH + 2
    truth = [0.0, 10.0] * (ENOUGH // 2) + [0.0, 10.0]
    got = outcomes(truth, truth, [[0.0, 1.0]] * count)
    assert np.isnan(got.climatology[:-1]).all()
    pairs = ENOUGH * (ENOUGH - 1) / 2
    assert got.climatology[-1] == pytest.approx(5.0 - 10.0 * (ENOUGH / 2) ** 2 / pairs / 2)


def test_that_an_angle_is_scored_at_the_nearest_turn() -> None:
    got = outcomes([359.0], [2.0], [[1.0, 1.0]], wraps=360.0)
    assert got.crps[0] == pytest.approx(2.0)
    assert got.error[0] == pytest.approx(2.0)
    assert got.persistence[0] == pytest.approx(3.0)


def test_that_forecasts_of_fewer_members_are_scored_by_those_they_have() -> None:
    got = outcomes([2.0, 2.0], [2.0, 2.0], [[1.0, 4.0, np.nan], [3.0, 3.0, 3.0]])
    assert got.crps.tolist() == pytest.approx([0.0, 1.0])


def test_that_adding_in_pieces_gives_what_adding_at_once_gives() -> None:
    rng = np.random.default_rng(1)
    count = 3 * ENOUGH
    truth, last = rng.normal(size=count).tolist(), rng.normal(size=count).tolist()
    members = rng.normal(size=(count, 8)).tolist()
    whole = outcomes(truth, last, members)
    pieces = Outcomes.none()
    for n in range(count):
        one = turned(truth[n : n + 1], last[n : n + 1], members[n : n + 1], first=n)
        (pieces,) = extended([More(pieces, one, LEAD, None)])
    np.testing.assert_array_equal(pieces.persistence, whole.persistence)
    np.testing.assert_array_equal(pieces.climatology, whole.climatology)
    np.testing.assert_array_equal(pieces.crps, whole.crps)


def test_that_scoring_several_variables_together_changes_no_bit() -> None:
    rng = np.random.default_rng(2)

    def more(count: int, members: int, levels: int, wraps: float | None) -> More:
        new = turned(
            rng.normal(size=count).tolist(),
            rng.normal(size=count).tolist(),
            rng.normal(size=(count, members)).tolist(),
            corrected=rng.normal(size=(count, levels)).tolist(),
        )
        return More(Outcomes.none(), new, LEAD, wraps)

    several = [
        more(3 * ENOUGH, 8, 5, None),
        more(3 * ENOUGH, 8, 5, None),
        more(2 * ENOUGH, 7, 0, None),
        more(2 * ENOUGH, 8, 5, 2.0),
    ]
    nothing = Turned(*(getattr(several[0].new, f.name)[:0] for f in fields(Turned)))
    several.append(More(several[0].known, nothing, LEAD, None))
    for got, alone in zip(extended(several), several, strict=True):
        (own,) = extended([alone])
        for f in fields(Outcomes):
            np.testing.assert_array_equal(getattr(got, f.name), getattr(own, f.name))


def test_that_skill_is_the_share_of_the_error_that_is_done_without() -> None:
    # Always one off where persistence is four off; one block is like the other.
    got = lead_score(
        outcomes([0.0] * 20, [4.0] * 20, [[1.0, 1.0]] * 20),
        variable="level",
        unit="m",
        lead=LEAD,
        every=SECOND,
    )
    assert got is not None
    assert (got.crps, got.persistence.crps, got.persistence.skill) == (1.0, 4.0, 0.75)
    assert (got.persistence.low, got.persistence.high) == pytest.approx((0.75, 0.75))
    assert str(got) == (
        "level 2 s ahead: CRPS 1 m, skill against persistence +0.75 (+0.75 .. +0.75), "
        "of the model alone +0.75 (+0.75 .. +0.75), "
        "50/80/90 % intervals held 0/0/0 % of 20"
    )


def test_that_too_few_forecasts_have_a_skill_without_an_interval() -> None:
    # Two are under way at once: blocks are of four, and five of those are wanted.
    got = lead_score(
        outcomes([0.0] * 19, [4.0] * 19, [[5.0, 5.0]] * 19),
        variable="level",
        unit="m",
        lead=LEAD,
        every=SECOND,
    )
    assert got is not None
    assert got.persistence.skill == pytest.approx(-0.25)
    assert got.persistence.low is None
    assert got.persistence.high is None


def test_that_there_is_no_skill_against_one_who_makes_no_error() -> None:
    got = lead_score(
        outcomes([3.0], [3.0], [[1.0, 1.0]]), variable="x", unit="", lead=LEAD, every=SECOND
    )
    assert got is not None
    assert got.persistence.skill is None
    assert "skill against persistence unknown" in str(got)


def test_that_nothing_scored_has_no_score() -> None:
    none = Outcomes.none()
    assert lead_score(none, variable="x", unit="", lead=LEAD, every=SECOND) is None


def schema(*sensors: Sensor) -> Schema:
    return Schema("tank", SECOND, (State("x", "m", Normal(0.0, 1.0)), *sensors))


def test_that_every_sensor_but_counters_is_scored_as_often_as_the_shortest_lead_is_long() -> None:
    told = schema(Sensor("a", "m"), Sensor("n", "kWh", 0.1, Measure.COUNTER, 60.0))
    scoring = Scoring.declared(told, ("5 min", "1 min"), (), None)
    assert scoring == Scoring((60 * SECOND, 300 * SECOND), ("a",), 60 * SECOND)


def test_that_forecasts_of_a_mean_are_issued_where_its_intervals_begin() -> None:
    told = schema(Sensor("power", "kW", 0.1, Measure.MEAN, 600.0))
    assert Scoring.declared(told, ("10 min",), ("power",), None) is not None
    with pytest.raises(SchemaError, match="multiples of 600 s"):
        Scoring.declared(told, ("10 min",), ("power",), "1 min")
    with pytest.raises(SchemaError, match="counter"):
        Scoring.declared(
            schema(Sensor("n", "kWh", 0.1, Measure.COUNTER, 60.0)), ("1 min",), ("n",), None
        )


def test_that_the_next_instant_a_forecast_is_valid_at_is_found() -> None:
    scoring = Scoring((3 * SECOND, 7 * SECOND), ("a",), 5 * SECOND)
    # Issued at 0, 5, 10 ...: valid at 3, 8, 13 ... and 7, 12, 17 ...
    assert [scoring.due_after(n * SECOND) // SECOND for n in (2, 3, 7, 8, 12)] == [3, 7, 8, 12, 13]


def test_that_what_was_told_is_scored_beside_what_the_ensemble_said() -> None:
    # The ensemble is four off, its corrected quantiles are right: told, the error is none. Of two
    # quantiles 0 and 2 about a truth of 1 the pinball losses are 1/4 each; twice their mean is 1/2.
    new = turned([1.0, 1.0], [1.0, 1.0], [[5.0, 5.0]] * 2, corrected=[[0.0, 2.0], [np.nan] * 2])
    (got,) = extended([More(Outcomes.none(), new, LEAD, None)])
    assert got.raw_crps.tolist() == pytest.approx([4.0, 4.0])
    assert got.crps.tolist() == pytest.approx([0.5, 4.0])
    assert got.error.tolist() == pytest.approx([0.0, 4.0])
    assert got.size.tolist() == pytest.approx([1.0, 5.0])
    assert got.inside.any(axis=1).tolist() == [True, False]
    assert not got.raw_inside.any()


def test_that_small_and_large_forecasts_are_scored_apart() -> None:
    # Small ones are right, the largest third is ten too low.
    count = 3 * ENOUGH
    truth = [float(n) if n < 2 * ENOUGH else n + 10.0 for n in range(count)]
    members = [[n - 1.0, n + 1.0] for n in range(count)]
    score = lead_score(
        outcomes(truth, truth, members), variable="level", unit="m", lead=LEAD, every=SECOND
    )
    assert score is not None
    assert [(s.low, s.high, s.count) for s in score.sizes] == [
        (0.0, ENOUGH - 1.0, ENOUGH),
        (float(ENOUGH), 2.0 * ENOUGH - 1, ENOUGH),
        (2.0 * ENOUGH, 3.0 * ENOUGH - 1, ENOUGH),
    ]
    # Two members a distance of 2 apart about the truth: 1 - 2/2; ten off: 10 - 1.
    assert [s.crps for s in score.sizes] == pytest.approx([0.0, 0.0, 9.0])
    assert [s.coverage[2] for s in score.sizes] == [1.0, 1.0, 0.0]
