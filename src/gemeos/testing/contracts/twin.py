"""The tests that every way to ask a twin inherits: in the same process, and from elsewhere.

Inherit ``TwinContract`` and write a fixture ``asked``: ``contract_site``, running,
whose link has ``played``. Expectations come from the exact Kalman filter: the twin is linear and
Gaussian, so that mean and spread are known, and an ensemble of ``MEMBERS`` meets them within its
sampling error.
"""
# ruff: noqa: S101, D102 - tests that others inherit; their names are their sentences

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Protocol

import numpy as np
import pytest

from gemeos.assimilate.inflate import RelaxToPriorSpread
from gemeos.ensemble.compare import Comparison, compare
from gemeos.ensemble.estimate import Estimate
from gemeos.ensemble.provenance import Filtered, Forecast, Scenario
from gemeos.errors import (
    AssimilationError,
    InputError,
    NotReadyError,
    OutOfReachError,
    StoppedError,
    TimeError,
    UnknownNameError,
)
from gemeos.runtime.asked import When
from gemeos.runtime.futures import WhatIfs
from gemeos.runtime.phase import Phase
from gemeos.runtime.remembered import Remembered
from gemeos.runtime.scenario import Progress
from gemeos.runtime.site import Replay, Site
from gemeos.runtime.trust import Trust
from gemeos.runtime.twin import Twin
from gemeos.schema.intervention import Written
from gemeos.schema.reading import Reading, Series
from gemeos.testing.linear import Linear, kalman
from gemeos.testing.played import Batch, PlayedLink
from gemeos.units import iso
from gemeos.units.instant import SECOND, Instant

START: Instant = 1_750_000_000 * SECOND
ZONE = "Asia/Seoul"
LABEL = "made for a test, x1"
MEMBERS = 256
STEPS = 100
LATE_AT = 30
"""Second of the reading that came late."""
PRIOR_SD, STEP_SD, SENSOR_SD = 2.0, 0.2, 0.5
WALK = Linear(
    matrix=np.array([[1.0]]),
    observation=np.array([[1.0]]),
    prior_mean=np.array([1.0]),
    prior_sd=np.array([PRIOR_SD]),
    step_noise_sd=np.array([STEP_SD]),
    sensor_noise_sd=SENSOR_SD,
)
"""A random walk that one sensor reads each second."""


def value_at(second: int) -> float:
    """What the sensor read then; the late one stands out, yet not so far that spread is doubted."""
    return 3.0 + 0.02 * second + (1.0 if second == LATE_AT else 0.0)


def exact(seconds: range, *, without: int | None = None) -> tuple[float, float]:
    """Mean and standard deviation behind the readings of ``seconds``, and the steps between.

    Of one variable the relaxation of spread that filters have by default is exact, too.
    """
    mean, covariance = WALK.prior_mean, np.array([[PRIOR_SD**2]])
    for second in seconds:
        if second != seconds.start:
            covariance = covariance + STEP_SD**2
        if second != without:
            before = np.sqrt(covariance)
            observed = np.array([value_at(second)])
            mean, covariance = kalman(mean, covariance, WALK.observation, observed, SENSOR_SD)
            after = np.sqrt(covariance)
            covariance = (after + RelaxToPriorSpread().alpha * (before - after)) ** 2
    return float(mean[0]), float(np.sqrt(covariance[0, 0]))


def second(number: float) -> Instant:
    """That many seconds behind the first reading."""
    return START + round(number * SECOND)


def contract_site() -> tuple[Site, PlayedLink]:
    """A site with the twin ``mill``, which has readings, and ``kiln``, which has none yet.

    Of the hundred readings of ``mill`` the one at second 30 came last, when it was second 100.
    """
    series = Series("plant", "level")
    log = {s: Reading(series, second(s), value_at(s)) for s in range(STEPS + 1)}
    late = log.pop(LATE_AT)
    first = [r for s, r in log.items() if s <= 60]
    then = [*(r for s, r in log.items() if s > 60), late]
    link = PlayedLink("plant", [Batch(first, second(60)), Batch(then, second(STEPS))])
    mill = Twin("mill", WALK, members=MEMBERS, lateness="2 s", leads=["10 s"])
    mill.bind("plant:level", to="y0")
    kiln = Twin("kiln", WALK, members=MEMBERS).bind("plant:heat", to="y0")
    replay = Replay(START, 1.0, LABEL)
    return Site("works", twins=(mill, kiln), links=(link,), clock=replay, zone=ZONE), link


class AskedTwin(Protocol):
    """The methods that both have."""

    def now(self) -> Estimate: ...

    def at(self, when: When, *, known_by: When | None = None) -> Estimate: ...

    def forecast(self, until: str, *, every: str | None = None, raw: bool = False) -> Estimate: ...

    def range(
        self,
        since: When,
        until: When,
        *,
        variables: list[str] | None = None,
        known_by: When | None = None,
    ) -> Remembered: ...

    def trust(self) -> Trust: ...

    @property
    def scenarios(self) -> WhatIfs: ...

    def scenario(self, name: str, changes: Mapping[str, Written], *, until: str) -> Estimate: ...

    def compare(self, name: str, *, on: str, against: str | None = None) -> Comparison: ...


class AskedSite(Protocol):
    """What both can be asked for."""

    @property
    def names(self) -> tuple[str, ...]: ...

    def __getitem__(self, name: str) -> AskedTwin: ...

    def __iter__(self) -> Iterator[str]: ...


def agrees(mean: float, sd: float, expected: tuple[float, float]) -> None:
    """Mean and spread are those of an ensemble of the exact distribution, within four errors."""
    assert mean == pytest.approx(expected[0], abs=4 * expected[1] / np.sqrt(MEMBERS))
    assert sd == pytest.approx(expected[1], rel=4 / np.sqrt(2 * MEMBERS))


class TwinContract:
    """See the module."""

    def test_that_a_site_tells_its_twins_in_the_order_of_declaration(
        self, asked: AskedSite
    ) -> None:
        assert asked.names == ("mill", "kiln")
        assert list(asked) == ["mill", "kiln"]

    def test_that_a_twin_that_is_not_there_is_told_with_the_nearest_that_is(
        self, asked: AskedSite
    ) -> None:
        with pytest.raises(UnknownNameError, match="Did you mean 'mill'") as caught:
            asked["mil"]
        assert caught.value.asked == "mil"
        assert caught.value.known == ("kiln", "mill")
        assert isinstance(caught.value, KeyError)

    def test_that_now_is_the_exact_posterior_with_its_origin(self, asked: AskedSite) -> None:
        estimate = asked["mill"].now()
        assert estimate.kind == Filtered()
        assert estimate.twin == "mill"
        assert estimate.times.tolist() == [second(STEPS)]
        assert estimate.variables == ("x0", "y0")
        assert estimate.values.shape == (1, 2, MEMBERS)
        assert estimate.values.dtype == np.float32
        assert not estimate.values.flags.writeable
        assert estimate.zone == ZONE
        of = estimate.provenance
        assert (of.source, of.members) == (LABEL, MEMBERS)
        assert (of.data_until, of.known_at) == (second(STEPS), second(STEPS))
        x0 = estimate["x0"]
        agrees(x0.mean[0], x0.sd[0], exact(range(STEPS + 1)))

    def test_that_at_answers_with_a_reading_that_came_late(self, asked: AskedSite) -> None:
        estimate = asked["mill"].at(iso(second(31)))
        assert estimate.times.tolist() == [second(31)]
        agrees(estimate["x0"].mean[0], estimate["x0"].sd[0], exact(range(32)))

    def test_that_at_known_by_answers_what_was_believed_then(self, asked: AskedSite) -> None:
        estimate = asked["mill"].at(second(31), known_by=second(60))
        expected = exact(range(32), without=LATE_AT)
        agrees(estimate["x0"].mean[0], estimate["x0"].sd[0], expected)
        assert estimate.provenance.known_at == second(60)
        # That one reading makes more of a difference than the tolerance.
        assert exact(range(32))[0] - expected[0] > 2 * 4 * expected[1] / np.sqrt(MEMBERS)

    def test_that_a_time_without_offset_is_read_in_the_zone_of_the_site(
        self, asked: AskedSite
    ) -> None:
        here = dt.datetime.fromtimestamp(second(50) / SECOND, dt.timezone(dt.timedelta(hours=9)))
        naive = here.replace(tzinfo=None)
        for when in (naive.isoformat(), naive, here, second(50)):
            assert asked["mill"].at(when).times.tolist() == [second(50)]

    def test_that_a_time_that_is_none_is_refused(self, asked: AskedSite) -> None:
        with pytest.raises(TimeError, match="'yesterday' is not a time"):
            asked["mill"].at("yesterday")

    def test_that_nothing_is_told_of_before_the_first_reading(self, asked: AskedSite) -> None:
        with pytest.raises(OutOfReachError, match="mill had no reading by"):
            asked["mill"].at(second(-5))

    def test_that_what_lies_ahead_is_a_forecast(self, asked: AskedSite) -> None:
        with pytest.raises(InputError, match="ask for a forecast"):
            asked["mill"].at(second(STEPS + 60))

    def test_that_a_forecast_spreads_as_a_random_walk_does(self, asked: AskedSite) -> None:
        forecast = asked["mill"].forecast("1 min", every="20 s")
        assert forecast.kind == Forecast(second(STEPS), corrected=("y0",))
        assert forecast.times.tolist() == [second(STEPS + ahead) for ahead in (20, 40, 60)]
        mean, sd = exact(range(STEPS + 1))
        for place, ahead in enumerate((20, 40, 60)):
            expected = (mean, float(np.sqrt(sd**2 + ahead * STEP_SD**2)))
            agrees(forecast["x0"].mean[place], forecast["x0"].sd[place], expected)

    def test_that_a_forecast_tells_what_will_be_read_unless_the_ensemble_alone_is_asked(
        self, asked: AskedSite
    ) -> None:
        told = asked["mill"].forecast("20 s", every="20 s")
        raw = asked["mill"].forecast("20 s", every="20 s", raw=True)
        assert raw.kind == Forecast(second(STEPS))
        np.testing.assert_array_equal(raw["y0"].members, raw["x0"].members)
        np.testing.assert_array_equal(told["x0"].members, raw["x0"].members)
        # Ten forecasts teach little: about the same, wider by the error of one reading; and every
        # member keeps its place among the others.
        wide = np.hypot(raw["y0"].sd, SENSOR_SD)
        assert told["y0"].mean == pytest.approx(raw["y0"].mean, abs=0.5 * float(wide[0]))
        assert told["y0"].sd == pytest.approx(wide, rel=0.25)
        np.testing.assert_array_equal(
            told["y0"].members.argsort(axis=1), raw["y0"].members.argsort(axis=1)
        )

    def test_that_a_probability_is_the_share_of_members(self, asked: AskedSite) -> None:
        forecast = asked["mill"].forecast("1 min", every="1 min")
        share = (forecast["x0"].members > 5.0).mean(axis=1)
        assert forecast.prob("x0 > 5").tolist() == share.tolist()
        assert 0 < share[0] < 1

    def test_that_a_forecast_shorter_than_a_step_is_refused(self, asked: AskedSite) -> None:
        with pytest.raises(InputError, match=r"steps of 1 s"):
            asked["mill"].forecast("0.2 s")

    def test_that_a_length_of_time_that_is_none_is_refused(self, asked: AskedSite) -> None:
        with pytest.raises(TimeError, match="'6 bananas' is not a length of time"):
            asked["mill"].forecast("6 bananas")

    def test_that_the_past_is_remembered_with_its_doubt(self, asked: AskedSite) -> None:
        rows = asked["mill"].range(second(40), iso(second(50)), variables=["y0", "x0"])
        assert rows.variable == ("y0", "x0")
        assert rows.units == ("", "")
        assert (rows.twin, rows.source, rows.zone) == ("mill", LABEL, ZONE)
        assert (rows.now, rows.newest, rows.age) == (second(STEPS), second(STEPS), 0)
        assert rows.valid_at.tolist() == [second(s) for s in range(41, 51)]
        for place, when in enumerate(range(41, 51)):
            agrees(rows.mean[place, 1], rows.sd[place, 1], exact(range(when + 1)))
        assert rows.quantiles.shape == (10, 2, 5)
        assert (np.diff(rows.quantiles, axis=2) >= 0).all()

    def test_that_the_past_can_be_asked_as_it_was_believed(self, asked: AskedSite) -> None:
        rows = asked["mill"].range(second(34), second(35), known_by=second(60))
        assert rows.variable == ("x0", "y0")
        expected = exact(range(36), without=LATE_AT)
        agrees(rows.mean[0, 0], rows.sd[0, 0], expected)

    def test_that_a_stretch_without_rows_is_empty(self, asked: AskedSite) -> None:
        rows = asked["mill"].range(second(-50), second(-40))
        assert rows.variable == ("x0", "y0")
        assert rows.mean.shape == (0, 2)
        assert rows.quantiles.shape == (0, 2, 5)

    def test_that_a_variable_that_is_not_there_is_told_with_those_that_are(
        self, asked: AskedSite
    ) -> None:
        with pytest.raises(UnknownNameError, match="linear has no variable 'z0'") as caught:
            asked["mill"].range(second(0), second(1), variables=["z0"])
        assert caught.value.known == ("x0", "y0")

    def test_that_trust_tells_what_it_rests_on(self, asked: AskedSite) -> None:
        trust = asked["mill"].trust()
        assert trust.phase is Phase.IN_STEP
        assert (trust.source, trust.members) == (LABEL, MEMBERS)
        assert (trust.now, trust.newest, trust.age) == (second(STEPS), second(STEPS), 0)
        assert (trust.assimilated, trust.too_late, trust.failed_members) == (STEPS + 1, 0, 0)
        (channel,) = trust.channels
        assert (channel.channel, channel.variable) == ("plant/level", "y0")
        assert (channel.readings, channel.last_at) == (STEPS + 1, second(STEPS))
        assert channel.last_value == pytest.approx(value_at(STEPS))
        assert channel.usual_interval == SECOND
        assert channel.equal_run == 1
        assert channel.surprise is not None

    def test_that_trust_tells_how_forecasts_turned_out(self, asked: AskedSite) -> None:
        (score,) = asked["mill"].trust().scores
        assert (score.variable, score.unit, score.lead, score.every) == (
            "y0",
            "",
            10 * SECOND,
            10 * SECOND,
        )
        # Issued at seconds 0, 10, ..., 90; each truth was read ten seconds later.
        assert (score.count, score.since, score.until) == (10, second(10), second(100))
        # Ten forecasts that persistence met with a bare value, and no history to draw from.
        assert not score.spread_known
        assert score.climatology is None
        assert all(0 <= share <= 1 for share in score.coverage)
        assert asked["kiln"].trust().scores == ()

    def test_that_a_scenario_is_the_forecast_but_for_what_is_changed(
        self, asked: AskedSite
    ) -> None:
        mill = asked["mill"]
        told = mill.scenario("set", {"x0": "10 after 20 s"}, until="1 min")
        assert told.kind == Scenario("set")
        assert told.times.tolist() == [second(STEPS + ahead) for ahead in range(1, 61)]
        raw = mill.forecast("1 min", every="1 s", raw=True)
        assert told.provenance == raw.provenance
        np.testing.assert_array_equal(told.values[:19], raw.values[:19])
        agrees(told["x0"].mean[59], told["x0"].sd[59], (10.0, float(np.sqrt(40) * STEP_SD)))
        # From then on both go the same way, member by member.
        apart = compare(raw, told, on="x0").difference.members
        np.testing.assert_allclose(apart[59], apart[19], atol=1e-4)
        assert apart[19] == pytest.approx(10.0 - raw["x0"].members[19], abs=1e-5)
        mill.scenarios.drop("set")

    def test_that_a_scenario_is_compared_with_doing_nothing_and_with_another(
        self, asked: AskedSite
    ) -> None:
        mill = asked["mill"]
        mill.scenario("ten", {"x0": "10"}, until="1 min")
        mill.scenario("twelve", {"x0": "12"}, until="1 min")
        nothing = mill.compare("ten", on="x0")
        assert nothing.before.kind == Scenario("")
        mean, _ = exact(range(STEPS + 1))
        assert nothing.mean[59] == pytest.approx(10 - mean, abs=0.1)
        low, high = nothing.mean_interval(0.95)
        assert low[59] < nothing.mean[59] < high[59]
        other = mill.compare("twelve", on="x0", against="ten")
        # What luck adds is the same in both: the difference has no doubt.
        np.testing.assert_allclose(other.difference.members, 2.0, atol=1e-4)
        with pytest.raises(UnknownNameError, match="Did you mean 'ten'"):
            mill.compare("twelve", on="x0", against="tem")
        with pytest.raises(UnknownNameError, match="z0"):
            mill.compare("twelve", on="z0")
        for name in ("ten", "twelve"):
            mill.scenarios.drop(name)

    def test_that_a_scenario_can_have_more_members_and_begin_in_the_past(
        self, asked: AskedSite
    ) -> None:
        whatifs = asked["mill"].scenarios
        begun = whatifs.begin(
            "wide",
            {"x0": "5"},
            until="1 min",
            every="10 s",
            members=1000,
            at=second(31),
            known_by=second(60),
        )
        assert (begun.forked_at, begun.known_at) == (second(31), second(60))
        told = whatifs.estimate("wide")
        assert told.values.shape == (6, 2, 1000)
        assert told.times[0] == second(41)
        sd = float(np.sqrt(60) * STEP_SD)
        assert told["x0"].mean[5] == pytest.approx(5.0, abs=4 * sd / np.sqrt(1000))
        record = whatifs.record("wide")
        assert record.progress is Progress.DONE
        assert (record.ran, record.failed, record.members) == (1000, 0, 1000)
        assert record.changes == {"x0": "5.0"}
        assert record.digest
        whatifs.drop("wide")

    def test_that_a_scenario_of_the_past_begins_with_what_was_known_by_then(
        self, asked: AskedSite
    ) -> None:
        mill = asked["mill"]
        begins = []
        # Either side of the reading that came late.
        for name, known_by in (("before", second(60)), ("after", second(STEPS))):
            begun = mill.scenarios.begin(
                name, until="2 s", every="1 s", at=second(31), known_by=known_by
            )
            assert (begun.forked_at, begun.known_at) == (second(31), known_by)
            told = mill.scenarios.estimate(name)["x0"]
            believed = mill.at(second(31), known_by=known_by)["x0"]
            # A random walk goes on from each member's own place by one step's noise.
            step = told.members[0] - believed.members[0]
            error = STEP_SD / np.sqrt(MEMBERS)
            assert step.mean() == pytest.approx(0.0, abs=4 * error)
            assert step.std() == pytest.approx(STEP_SD, rel=4 / np.sqrt(2 * MEMBERS))
            begins.append(believed.members[0])
            expected = exact(range(32), without=LATE_AT if name == "before" else None)
            wide = float(np.sqrt(expected[1] ** 2 + STEP_SD**2))
            agrees(told.mean[0], told.sd[0], (expected[0], wide))
            mill.scenarios.drop(name)
        # The late reading is worth more than a step's noise leaves in doubt.
        assert np.mean(begins[1] - begins[0]) > 8 * STEP_SD / np.sqrt(MEMBERS)

    def test_that_scenarios_are_listed_until_they_are_dropped(self, asked: AskedSite) -> None:
        whatifs = asked["mill"].scenarios
        before = len(whatifs.all())
        for name in ("one", "two"):
            whatifs.begin(name, {"x0": "1"}, until="10 s")
        assert [r.name for r in whatifs.all()][before:] == ["one", "two"]
        with pytest.raises(InputError, match="has the scenario 'one' already"):
            whatifs.begin("one", {"x0": "2"}, until="10 s")
        whatifs.begin("one", {"x0": "2"}, until="10 s", replacing=True)
        assert whatifs.record("one").changes == {"x0": "2.0"}
        for name in ("one", "two"):
            whatifs.drop(name)
            with pytest.raises(UnknownNameError, match="no scenario"):
                whatifs.record(name)
        assert len(whatifs.all()) == before

    def test_that_a_scenario_that_is_cancelled_ends_and_says_so(self, asked: AskedSite) -> None:
        whatifs = asked["mill"].scenarios
        whatifs.begin("long", until="3 d", every="3 h", members=100_000)
        with pytest.raises(NotReadyError, match="long is"):
            whatifs.estimate("long", wait_s=0.0)
        cancelled = whatifs.cancel("long")
        assert cancelled.progress is Progress.CANCELLED
        assert cancelled.ran < 100_000
        if not cancelled.ran:
            with pytest.raises(StoppedError, match="before a member was through"):
                whatifs.estimate("long")
        whatifs.drop("long")

    @pytest.mark.parametrize(
        ("changes", "until", "told"),
        [
            ({"x1": "1"}, "1 min", "no variable or part 'x1'"),
            ({"x0": "1 m"}, "1 min", "m cannot be turned into a plain number"),
            ({"x0": "1 after -5 s"}, "1 min", "lies before the fork"),
            ({"y0": "1"}, "1 min", "cannot be set"),
            ({"x0": "1"}, "0.2 s", "steps of 1 s"),
            ({"x0": "1"}, "6 bananas", "is not a length of time"),
        ],
    )
    def test_that_a_scenario_that_cannot_be_is_refused_and_not_kept(
        self, asked: AskedSite, changes: dict[str, Written], until: str, told: str
    ) -> None:
        whatifs = asked["mill"].scenarios
        before = len(whatifs.all())
        with pytest.raises(InputError, match=told):
            whatifs.begin("odd", changes, until=until)
        assert len(whatifs.all()) == before

    @pytest.mark.parametrize("name", ["", "a b", "a/b", "a" * 101])
    def test_that_not_everything_names_a_scenario(self, asked: AskedSite, name: str) -> None:
        with pytest.raises(InputError):
            asked["mill"].scenarios.begin(name, {"x0": "1"}, until="10 s")

    def test_that_a_twin_without_readings_has_no_estimate_yet(self, asked: AskedSite) -> None:
        with pytest.raises(AssimilationError, match="waits for its first reading"):
            asked["kiln"].now()
        trust = asked["kiln"].trust()
        assert trust.phase is Phase.STARTING
        assert (trust.newest, trust.age) == (None, None)
        assert trust.channels[0].last_value is None
