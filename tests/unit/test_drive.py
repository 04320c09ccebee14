"""Inputs remembered in a twin's state, and forecasts driven by where they go."""

from __future__ import annotations

import math

import numpy as np
import pytest
from jaxtyping import Float64

import gemeos as gm
from gemeos.ensemble.blend import LEVELS
from gemeos.errors import SchemaError
from gemeos.foresee.drive import InputMemory
from gemeos.foresee.issue import readings_ahead
from gemeos.runtime.enrolment import Enrolment
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.school import Foresight
from gemeos.runtime.twin import together
from gemeos.schema.reading import Reading, Readings, Series, SeriesBook
from gemeos.units.instant import SECOND

HOUR = 3600 * SECOND
START = 20_000 * 24 * HOUR
"""Midnight."""
DAYS = 30


@gm.model(dt="10 min")
class Pond:
    """Follows what flows in, within an hour or two."""

    level: float = gm.state("m", gm.normal(0.0, 1.0), noise=1e-4)
    inflow: float = gm.input("m")

    def step(self, dt: float) -> Pond:
        """A third of the way each step."""
        return Pond(level=self.level + (self.inflow - self.level) * (dt / 1800.0))

    @gm.sensor("m", noise=0.05)
    def gauge(self) -> float:
        """The level."""
        return self.level


def pond(foresee_inputs: str | None = None) -> gm.Twin:
    twin = gm.Twin("pond", Pond, members=64, foresee_inputs=foresee_inputs)
    return twin.bind("site:in", to="inflow").bind("site:level", to="gauge")


def tide(hour: float) -> float:
    return 3.0 * math.sin(2 * math.pi * hour / 24.0)


def lived(twin: gm.Twin, hours: range, noise: Float64[np.ndarray, " hour"]) -> Fleet:
    """The twin after readings of its inflow at those hours."""
    fleet, book = together([twin], horizon=twin.horizon), SeriesBook()
    rows = [Reading(Series("site", "in"), START + h * HOUR, tide(h) + noise[h]) for h in hours]
    fleet.take(Readings.of(rows, book), book)
    return fleet


def test_that_means_of_an_input_are_those_of_what_it_was_held_at() -> None:
    # Read at seconds 0, 30 min, 90 min: hour 0 has half an hour of 1 and half of 2; hour 1 half
    # of 2 and half of 5. What lies ahead of the newest reading is not known yet.
    twin = pond("1 h")
    fleet, book = together([twin], horizon=twin.horizon), SeriesBook()
    at = {0: 1.0, 30: 2.0, 90: 5.0, 120: 7.0}
    rows = [Reading(Series("site", "in"), START + m * 60 * SECOND, v) for m, v in at.items()]
    fleet.take(Readings.of(rows, book), book)
    means = fleet.state("pond").input_means[0, 0]
    number = START // HOUR
    assert means[[number % len(means), (number + 1) % len(means)]].tolist() == [1.5, 3.5]
    assert np.isfinite(means).sum() == 2
    assert len(means) == 42 * 24


def test_that_a_forecast_follows_its_input_and_says_how_sure_that_is() -> None:
    noise = np.random.default_rng(1).normal(0.0, 0.1, DAYS * 24 + 48)
    fleet = lived(pond("1 h"), range(DAYS * 24 + 1), noise)
    state, school = fleet.state("pond"), fleet.school
    assert school.inputs is not None
    stepper, crew = fleet.cycle.stepper, fleet.crew
    ahead = 12 * 6
    drive = school.inputs.drive(state, crew, ahead)
    until = state.tick + ahead
    led = drive.advance(stepper, state, crew, until)
    held = stepper.advance(state, crew, until)
    level = 0.0
    for step in range(ahead):
        level += (tide(step // 6) - level) / 3.0
    assert level > 0.8  # held at midnight's inflow it would be 0
    assert led.members[0, 0].mean() == pytest.approx(level, abs=0.05)
    assert held.members[0, 0].mean() == pytest.approx(noise[DAYS * 24], abs=0.01)
    assert held.driven.shape == (1, 1)
    # Each hour's inflow errs by 0.1, and the forecast's own inflow is as unsure.
    assert drive.paths[0, 0, 3:].std(axis=1).mean() == pytest.approx(0.1, rel=0.25)
    assert led.members[0, 0].std() > held.members[0, 0].std()
    # The span under way is driven as last heard.
    assert np.ptp(drive.paths[0, 0, 0]) == 0.0


def test_that_more_members_or_another_batch_change_no_member() -> None:
    noise = np.random.default_rng(2).normal(0.0, 0.1, DAYS * 24 + 48)
    fleet = lived(pond("1 h"), range(DAYS * 24 + 1), noise)
    state, memory = fleet.state("pond"), fleet.school.inputs
    assert memory is not None
    alone = memory.drive(state, fleet.crew, 60)
    both = memory.drive(state.take([0, 0]), fleet.crew.take(np.array([0, 0])), 60)
    np.testing.assert_array_equal(both.paths[1], alone.paths[0])


def test_that_an_input_that_fell_silent_is_not_remembered_as_constant() -> None:
    twin = pond("1 h")
    fleet, book = together([twin], horizon=twin.horizon), SeriesBook()
    hours = [*range(48), *range(72, 80)]
    rows = [Reading(Series("site", "in"), START + h * HOUR, tide(h)) for h in hours]
    fleet.take(Readings.of(rows, book), book)
    means = fleet.state("pond").input_means[0, 0]
    first = START // HOUR
    known = np.isfinite(means[(first + np.arange(79)) % len(means)])
    # Heard every hour, so five hours after the last one it is not known any more.
    assert known[:52].all()
    assert not known[53:71].any()
    assert known[72:].all()


def test_that_spans_which_went_by_without_a_reading_are_remembered_in_a_forecast() -> None:
    # Seven weeks, so that the ring has turned once. Inflow rises by 1 a day and is read ten minutes
    # past each hour: from five to the next hour on, the hour that is over is the newest.
    twin = pond("1 h")
    fleet, book = together([twin], horizon=twin.horizon), SeriesBook()
    noise = np.random.default_rng(5).normal(0.0, 0.01, 49 * 24)
    first = START + 600 * SECOND
    rows = [
        Reading(Series("site", "in"), first + h * HOUR, h / 24.0 + noise[h]) for h in range(49 * 24)
    ]
    fleet.take(Readings.of(rows, book), book)
    memory = fleet.school.inputs
    assert memory is not None
    for minutes in (0, 50, 60, 120):
        state = fleet.state_at("pond", rows[-1].valid_at + minutes * 60 * SECOND)
        assert state is not None
        paths = memory.drive(state, fleet.crew, 18).paths
        assert paths[0, 0, 1:].mean() == pytest.approx(49.0, abs=0.3)


def test_that_a_forecast_issued_anew_in_a_silence_remembers_the_spans_before_it() -> None:
    twin = gm.Twin("pond", Pond, members=64, leads=("1 h", "3 h"), foresee_inputs="1 h")
    twin.bind("site:in", to="inflow").bind("site:level", to="gauge")
    fleet, book = together([twin], horizon=twin.horizon), SeriesBook()
    noise = np.random.default_rng(6).normal(0.0, 0.1, DAYS * 24)
    rows = [
        Reading(Series("site", "in"), START + h * HOUR + 600 * SECOND, tide(h) + noise[h])
        for h in range(DAYS * 24)
    ]
    fleet.take(Readings.of(rows, book), book)
    reissue, ears = fleet.school.reissue, fleet.school.ears
    assert reissue is not None
    assert ears is not None
    before = fleet.state("pond")
    tick = before.tick + 5
    after = reissue.caught_up(before, fleet.crew, ears, tick + 1)
    begin = fleet.state_at("pond", int(tick[0]) * fleet.schema.step)
    assert begin is not None
    members = readings_ahead(
        fleet.cycle.stepper,
        begin,
        fleet.crew,
        leads=reissue.leads,
        sensors=reissue.sensors,
        noise=ears.noise,
        inputs=reissue.inputs,
    ).astype(np.float64)
    raw = np.quantile(members[0, :, 0], LEVELS, axis=1, method="hazen").T
    np.testing.assert_array_equal(after.awaiting[0, after.issued[0] == tick, 0], raw)
    assert members[0, 1].std() > 0.1  # the inflow is not held: it is as unsure as it was


def test_that_nothing_is_foreseen_from_one_remembered_span() -> None:
    twin = pond("22 days")
    fleet = lived(twin, range(12), np.zeros(12))
    state, memory = fleet.state("pond"), fleet.school.inputs
    assert memory is not None
    assert memory.spans == 1
    assert (memory.drive(state, fleet.crew, 60).paths == state.driven[0, 0]).all()


def test_that_too_little_past_holds_the_input() -> None:
    noise = np.zeros(100)
    fleet = lived(pond("1 h"), range(12), noise)
    state, memory = fleet.state("pond"), fleet.school.inputs
    assert memory is not None
    assert (memory.drive(state, fleet.crew, 60).paths == state.driven[0, 0]).all()


def test_that_only_a_twin_with_inputs_can_foresee_them_over_whole_steps() -> None:
    with pytest.raises(SchemaError, match="whole steps of 600 s"):
        pond("15 min")

    @gm.model(dt="1 s")
    class Alone:
        x: float = gm.state("", gm.normal(0.0, 1.0))

        def step(self, dt: float) -> Alone:  # noqa: ARG002
            return Alone(x=self.x)

    with pytest.raises(SchemaError, match="has no input"):
        gm.Twin("alone", Alone, foresee_inputs="1 h")


def test_that_seasons_are_whole_numbers_of_spans() -> None:
    schema = pond().schema
    assert InputMemory(schema, 6).seasons == (24, 168)
    assert InputMemory(schema, 6 * 5).seasons == ()  # five hours: no day is a multiple of them
    assert InputMemory(schema, 6 * 24).seasons == (7,)


def test_that_a_fleet_without_foresight_has_no_room_for_it() -> None:
    twin = pond()
    fleet = Fleet(
        twin.cycle(),
        [Enrolment("pond", bindings=twin.bindings)],
        members=8,
        seed=0,
        horizon=HOUR,
        foresight=Foresight(),
    )
    state = fleet.state("pond")
    assert (state.input_means.size, state.lessons.size, state.awaiting.size) == (0, 0, 0)
