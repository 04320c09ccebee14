"""What is unknown of a district's traffic, what loops tell of it, and how that is marked."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gemeos.twins.traffic.demand import marks
from gemeos.twins.traffic.demand.ahead import Course, Record, counts_of
from gemeos.twins.traffic.demand.follow import HOUR, Memory
from gemeos.twins.traffic.demand.guess import road_counts, scaled
from gemeos.twins.traffic.demand.history import Averages, averages, covariance, likely
from gemeos.twins.traffic.demand.seen import (
    Errors,
    Loop,
    observed_of,
    passing,
    reach_of,
    readings,
)
from gemeos.twins.traffic.demand.trial import members_for
from gemeos.twins.traffic.demand.unknowns import HEADWAY, SPEED, WHOLE, Doubt, unknowns_of
from gemeos.twins.traffic.demand.ways import Way

WAYS = (
    Way("long", ("west", "main", "east"), 300.0),
    Way("beside", ("west", "lane", "east"), 100.0),
    Way("north", ("west", "main", "north"), 200.0),
    Way("rare", ("yard", "main", "east"), 2.0),
)
LOOPS = (Loop("on main", "main_0"), Loop("on lane", "lane_0"))
LANES = {"main": ("main_0",), "lane": ("lane_0",)}
OVER = passing(WAYS, LOOPS, LANES, {})


def test_that_a_ways_rate_is_what_is_expected_times_all_its_factors() -> None:
    unknowns = unknowns_of(WAYS)
    values = np.zeros(len(unknowns.names))
    for name, factor in ((WHOLE, 1.1), ("from.west", 1.2), ("to.east", 1.3)):
        values[unknowns.row(name)] = math.log(factor)
    rates = unknowns.rates(values)
    assert rates == pytest.approx([300 * 1.716, 100 * 1.716, 200 * 1.32, 2 * 1.43])
    told = unknowns.inputs(values)
    assert told["flow.north"] == pytest.approx(264.0)
    assert told["type.DEFAULT_VEHTYPE.speed_factor"] == 1.0


def test_that_what_few_vehicles_do_has_no_factor_of_its_own() -> None:
    names = unknowns_of(WAYS).names
    assert "from.yard" not in names
    assert "pair.yard.east" not in names
    # Of two ways between the same ends nobody knows the shares; one way has all.
    assert {"way.long", "way.beside"} <= set(names)
    assert "way.north" not in names


def test_that_the_covariance_of_rates_is_that_of_the_factors() -> None:
    """Where every end and pair is busy the two ways to say it are one."""
    doubt = Doubt(whole=0.1, end=0.2, pair=0.3, way=0.4)
    unknowns = unknowns_of(WAYS[:2], doubt, busy=0.0)
    of = unknowns.of.astype(np.float64)
    np.testing.assert_allclose(
        of.T @ np.diag(unknowns.sigma**2) @ of, covariance(WAYS[:2], doubt), atol=1e-12
    )


def test_that_a_reading_reaches_the_factors_of_whom_it_counts() -> None:
    unknowns = unknowns_of(WAYS)
    assert OVER.tolist() == [[1.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 0.0]]
    reach = reach_of(unknowns, OVER)
    assert reach[unknowns.row("way.beside")].tolist() == [0.0, 1.0, 0.0]
    assert reach[unknowns.row("pair.west.north")].tolist() == [1.0, 0.0, 0.0]
    assert reach[unknowns.row(HEADWAY)].tolist() == [1.0, 1.0, 1.0]
    assert reach[unknowns.row(SPEED), -1] == 1.0
    assert reach[unknowns.row(WHOLE), -1] == 0.0


def test_that_counts_are_summed_and_speeds_averaged_by_vehicles() -> None:
    counts = np.array([[3.0, 1.0], [1.0, 0.0]])
    speeds = np.array([[10.0, 4.0], [6.0, -1.0]])
    both = np.array([True, True])
    assert readings(counts, speeds, both).tolist() == pytest.approx([4.0, 1.0, 40.0 / 5])
    assert readings(counts, speeds, np.array([True, False]))[-1] == pytest.approx(36.0 / 4)
    assert readings(0 * counts, speeds, both).tolist() == [0.0, 0.0, 0.0]


def test_that_nothing_is_observed_of_loops_that_are_withheld() -> None:
    unknowns = unknowns_of(WAYS)
    observed = observed_of(
        np.array([40.0, 9.0, 8.0]),
        np.array([50.0, 10.0, 8.0]),
        LOOPS,
        np.array([True, False]),
        reach_of(unknowns, OVER),
        Errors(dispersion=1.0, model=0.1, speed=0.05),
    )
    assert observed.read.tolist() == [True, False, True]
    assert observed.variance == pytest.approx([50 + 25, 10 + 1, 0.16])


def test_that_vehicles_are_counted_on_the_lanes_from_which_their_way_goes_on() -> None:
    lanes = {"main": ("main_0", "main_1"), "lane": ("lane_0",)}
    onward = {("main", "north"): {"main_0"}}
    loops = (Loop("right", "main_0"), Loop("left", "main_1"))
    over = passing(WAYS, loops, lanes, onward)
    # North they go from the right lane alone; whoever goes east may use both.
    assert over.tolist() == [[0.5, 0.0, 1.0, 0.5], [0.5, 0.0, 0.0, 0.5]]


def test_that_roads_count_where_each_lane_does() -> None:
    lanes = {"main": ("main_0", "main_1"), "lane": ("lane_0",), "path": ()}
    assert road_counts({"main_0": 100.0, "main_1": 200.0, "lane_0": 50.0}, lanes) == {
        "main": 300.0,
        "lane": 50.0,
    }
    assert road_counts({"main_0": 100.0}, lanes) == {}


def test_that_the_use_of_lanes_is_doubted_and_that_of_whole_roads_is_not() -> None:
    lanes = {"main": ("main_0", "main_1")}
    loops = (Loop("right", "main_0"), Loop("left", "main_1"))
    over = passing(WAYS[:1], loops, lanes, {})
    counted = averages(np.array([100.0, 200.0]), over, loops, lanes, np.array([300.0]), 2.0)
    assert counted.over.tolist() == [[0.5], [0.5], [1.0]]
    assert counted.hourly.tolist() == [100.0, 200.0, 300.0]
    # Half of 300 on each lane, give or take a half of it: 75 with a factor of one half.
    wanted = [100 / 2 + 6**2 + 75**2, 200 / 2 + 12**2 + 75**2, 300 / 2 + 18**2]
    assert counted.error**2 == pytest.approx(wanted)


def test_that_counts_move_all_ways_by_one_factor_before_they_are_told_apart() -> None:
    # 502 along main are expected, and 1004 were counted.
    assert scaled(WAYS, {"main": 1004.0}) == pytest.approx([600.0, 200.0, 400.0, 4.0])
    assert scaled(WAYS, {}).tolist() == [300.0, 100.0, 200.0, 2.0]


def test_that_sharp_counts_are_met_and_ways_without_any_follow_their_likes() -> None:
    expected = np.array([way.hourly for way in WAYS])
    over = np.array([[1.0, 0, 1, 1], [0, 1.0, 0, 0], [0, 0, 1.0, 0]])
    counted = Averages(over, np.array([900.0, 100.0, 200.0]), np.ones(3))
    rates = likely(WAYS, counted, expected)
    assert rates[[0, 2, 3]].sum() == pytest.approx(900.0, abs=2.0)
    assert rates[1] == pytest.approx(100.0, abs=2.0)
    assert rates[2] == pytest.approx(200.0, abs=2.0)
    # Nobody counts the one from the yard by itself; it ends where many more than expected do.
    assert rates[3] > 2.0
    nothing = Averages(np.zeros((0, 4)), np.zeros(0), np.zeros(0))
    assert likely(WAYS, nothing, expected).tolist() == expected.tolist()


def test_that_one_count_is_shared_as_by_bayes() -> None:
    """One way, one road: the most likely logarithm solves x / s^2 = f e^x (c - f e^x) / r^2."""
    way = (Way("only", ("a", "b"), 100.0),)
    doubt = Doubt(whole=0.3, end=0.0, pair=0.0, way=0.0)
    counted = Averages(np.ones((1, 1)), np.array([150.0]), np.array([20.0]))
    found = float(likely(way, counted, np.array([100.0]), doubt)[0])
    log = math.log(found / 100.0)
    assert log / 0.09 == pytest.approx(found * (150.0 - found) / 400.0, rel=1e-3)
    assert 100.0 < found < 150.0


def test_that_unknowns_are_half_forgotten_after_their_time() -> None:
    unknowns = unknowns_of(WAYS)
    kept = Memory(demand=6 * HOUR, drivers=60 * HOUR).kept(unknowns, 6 * HOUR)
    assert kept[unknowns.row(WHOLE)] == pytest.approx(math.exp(-1))
    assert kept[unknowns.row(SPEED)] == pytest.approx(math.exp(-0.1))


def test_that_geh_is_of_hourly_volumes() -> None:
    # 25 told and 20 counted in 15 minutes are 100 and 80 an hour: sqrt(2 * 20^2 / 180).
    told, counted = np.array([25.0, 0.0]), np.array([20.0, 0.0])
    assert marks.geh(told, counted, 15).tolist() == pytest.approx([2.1082, 0.0], abs=1e-4)


def test_that_bands_are_as_wide_as_days_differ() -> None:
    counted, other = np.array([[100.0, 100.0]]), np.array([[100.0, 100.0]])
    other = other + np.array([[20.0, -20.0]])
    # Roots of 110 and 90 are the sizes: a deviation of sqrt((400/110 + 400/90) / 4) of them.
    deviation = math.sqrt((400 / 110 + 400 / 90) / 4)
    near = counted + 0.9 * deviation * np.sqrt([[110.0, 90.0]])
    assert marks.bands(near, counted, other) == (1.0, 1.0)
    off = counted + np.array([[1.5, 2.5]]) * deviation * np.sqrt([[110.0, 90.0]])
    assert marks.bands(off, counted, other) == (0.5, 0.0)


def test_that_counts_are_summed_in_steps() -> None:
    counts = np.arange(7.0)[:, None]
    assert marks.stepwise(counts, 3).tolist() == [[3.0], [12.0]]


def test_that_a_forecaster_without_model_has_its_own_errors() -> None:
    errors = marks.Errors()
    said = np.full(40, 99.0)
    assert errors.about(said[:1]).tolist() == [[99.0, 99.0]]
    errors.add(said, said + 10.0 * np.where(np.arange(40) % 2, 1, -1))
    drawn = errors.about(np.array([24.0]))[0]
    # One root of 100 up or down becomes one root of 25.
    assert set(drawn.tolist()) <= set(range(19, 30))
    assert {19.0, 29.0} <= set(drawn.tolist())


def test_that_an_interval_of_whole_numbers_holds_what_it_promises() -> None:
    rng = np.random.default_rng(5)
    draws = rng.poisson(2.0, (20_000, 100)).astype(np.float64)
    came = rng.poisson(2.0, 20_000).astype(np.float64)
    share = marks.held(draws, came, 0.9, rng).mean()
    # A hundred draws stand for the distribution: about 1/100 is lost at the ends.
    assert share == pytest.approx(0.89, abs=0.012)


def test_that_todays_course_follows_yesterdays_as_far_as_it_did_so_far() -> None:
    rise = 1000.0 * np.exp(0.5 * np.sin(np.arange(24) / 4.0))
    alike, flat = Course.of(rise[:, None]), Course.of(rise[:, None])
    alike.learn(0.8 * rise[:15, None])
    flat.learn(np.full((15, 1), 900.0))
    assert alike.share > 0.85
    assert flat.share < 0.15
    ahead = alike.ahead(14, 4)
    wanted = alike.share * np.diff(alike.yesterday)[14:18].cumsum()
    assert ahead == pytest.approx(wanted.tolist())
    assert alike.ahead(23, 3) == pytest.approx([0.0, 0.0, 0.0])


def test_that_a_loop_that_reads_more_is_believed_to_go_on_so() -> None:
    record = Record(2, 1, weight=10.0, memory=1.0)
    for _ in range(20):
        record.saw(np.array([30.0, np.nan]), np.array([20.0, 20.0]))
    assert record.factor[0] == pytest.approx(610 / 410)


def test_that_scatter_is_learned_from_what_came() -> None:
    rng = np.random.default_rng(3)
    record = Record(500, 1)
    for _ in range(20):
        record.came(0, np.full((500, 4), 40.0), rng.poisson(40.0, 500).astype(np.float64))
    # Of Poisson's counts the variance is the mean; what squares above 12 say is cut off.
    assert record.scatter(0) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("scatter", [0.5, 1.0, 1.8])
def test_that_counts_have_the_mean_and_the_scatter_that_is_asked(scatter: float) -> None:
    drawn = counts_of(np.full((1, 2000), 30.0), scatter, np.random.default_rng(1))
    assert float(drawn.mean()) == pytest.approx(30.0, abs=0.2)
    assert float(drawn.var()) == pytest.approx(30.0 * scatter, rel=0.05)
    assert (drawn == np.rint(drawn)).all()


@pytest.mark.parametrize(("hourly", "members"), [(100.0, 32), (3000.0, 20), (9000.0, 16)])
def test_that_large_districts_have_fewer_members(hourly: float, members: int) -> None:
    assert members_for(hourly) == members
