"""Forks under interventions: what acts when, on whom, and that nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
from jaxtyping import Float

import gemeos as gm
from gemeos.errors import InputError, InterventionError, UnknownNameError
from gemeos.foresee.forecast import forecast
from gemeos.foresee.fork import Forks, Played, blocks, played
from gemeos.foresee.intervene import NOTHING, Acts, acts
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.twin import together
from gemeos.schema.intervention import Written, changes
from gemeos.schema.part import Part
from gemeos.schema.prior import Normal
from gemeos.schema.reading import Reading, Readings, Series, SeriesBook
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Control, Param, Sensor, State
from gemeos.simulate.base import Consts, Driven, Members
from gemeos.units.instant import SECOND

START = 1_700_000_000
MEMBERS = 16


@gm.model(dt="1 s")
class Cart:
    """Rolls as it is pushed: after n steps of a push u it has gone n u further."""

    x: float = gm.state("m", gm.normal(0.0, 1.0))
    share: float = gm.param("1", gm.lognormal(1.0, 0.1))
    push: float = gm.control("m/s", bounds=(-100, 100), default=0.0)
    wind: float = gm.input("m/s", default=0.0)
    grade: float = gm.const("m/s", default=0.0)

    def step(self, dt: float) -> Cart:
        return Cart(x=self.x + dt * (self.push + self.wind + self.grade))

    @gm.sensor("m", noise=0.5)
    def place(self) -> float:
        return self.x

    @gm.virtual("m")
    def told(self) -> float:
        return self.share * self.x


@gm.model(dt="1 s")
class Wanderer:
    x: float = gm.state("m", gm.normal(0.0, 1.0), noise=0.3)
    push: float = gm.control("m/s", bounds=(-1000, 1000), default=0.0)

    def step(self, dt: float) -> Wanderer:
        return Wanderer(x=self.x + dt * self.push)

    @gm.sensor("m", noise=0.5)
    def place(self) -> float:
        return self.x


def lived(model: type, *, members: int = MEMBERS) -> Fleet:
    twin = gm.Twin("cart", model, members=members).bind("l:p", to="place")
    fleet, book = together([twin], horizon=twin.horizon), SeriesBook()
    rows = [Reading(Series("l", "p"), (START + s) * SECOND, 0.1 * s) for s in range(5)]
    fleet.take(Readings.of(rows, book), book)
    return fleet


def gone(fleet: Fleet, several: list[dict[str, Written]], *, until: int, every: int = 1) -> Played:
    """Forks of the fleet's twin under each of these changes."""
    schema = fleet.schema
    made = [acts(schema, changes(told)) for told in several]
    return of(fleet, made, until=until, every=every)


def of(fleet: Fleet, made: list[Acts], *, until: int, every: int = 1) -> Played:
    state = fleet.state("cart")
    same = np.zeros(len(made), np.intp)
    forks = Forks(state.take(same), fleet.crew.take(same), made)
    end = int(state.tick[0]) + until
    return played(fleet.cycle.stepper, forks, until=end, every=every)


def row(fleet: Fleet, name: str) -> int:
    return fleet.cycle.stepper.told_names.index(name)


def pushed(fleet: Fleet, change: Written, *, name: str = "push", until: int = 6) -> list[float]:
    """How far the first member is beyond where nobody pushes, after each second."""
    told = gone(fleet, [{}, {name: change}], until=until).values[:, :, row(fleet, "x")]
    apart = told[1] - told[0]
    assert np.ptp(apart, axis=1).max() < 1e-5
    return [round(float(v), 4) for v in apart[:, 0]]


@pytest.mark.parametrize(
    ("change", "further"),
    [
        ("2 m/s", [2, 4, 6, 8, 10, 12]),
        ("2 m/s after 2 s", [0, 0, 2, 4, 6, 8]),
        ("2 m/s after 1 s for 2 s", [0, 2, 4, 4, 4, 4]),
        # Between two instants of the grid: from the later one on.
        ("2 m/s after 1.5 s", [0, 0, 2, 4, 6, 8]),
        # What is held over a step is the ramp's value at its beginning: 0, 1, 2, 3, 4, 4.
        ("ramp to 4 m/s over 4 s", [0, 1, 3, 6, 10, 14]),
        ("ramp from 4 m/s to 0 m/s over 4 s after 1 s", [0, 4, 7, 9, 10, 10]),
        ("profile 1 s: 2 m/s, 3 s: 6 m/s", [0, 2, 6, 12, 18, 24]),
        # Of two at one time the later in the row counts: 1, 1, 3, 3, 1, 1.
        ("1 m/s; 3 m/s after 2 s for 2 s", [1, 2, 5, 8, 9, 10]),
        ("7.2 km/h", [2, 4, 6, 8, 10, 12]),
    ],
)
def test_that_a_push_moves_the_cart_as_far_as_it_is_strong_and_long(
    change: str, further: list[float]
) -> None:
    assert pushed(lived(Cart), change) == pytest.approx(further, abs=1e-3)


def test_that_times_takes_what_would_be_without() -> None:
    fleet = lived(Cart)
    # The push is 3 and from second 2 on it is 6: 3 further each second.
    told = gone(fleet, [{"push": "3 m/s"}, {"push": "3 m/s; times 2 after 2 s"}], until=4)
    x = told.values[:, :, row(fleet, "x"), 0]
    assert (x[1] - x[0]).tolist() == pytest.approx([0, 0, 3, 6], abs=1e-3)
    grown = gone(fleet, [{}, {"share": "times 2"}], until=2).values[:, :, row(fleet, "told")]
    assert grown[1] == pytest.approx(2 * grown[0], rel=1e-5)


def test_that_a_constant_and_an_input_can_be_changed_for_a_while() -> None:
    fleet = lived(Cart)
    assert pushed(fleet, "1 m/s after 1 s for 2 s", name="grade") == pytest.approx(
        [0, 1, 2, 2, 2, 2], abs=1e-3
    )
    assert pushed(fleet, "1 m/s", name="wind")[-1] == pytest.approx(6, abs=1e-3)


def test_that_each_member_waits_for_the_condition_by_itself() -> None:
    fleet = lived(Cart)
    told = gone(
        fleet,
        [{"wind": "1 m/s"}, {"wind": "1 m/s", "push": "10 m/s for 1 s when x > 2 m"}],
        until=9,
    )
    free, acted = told.values[:, :, row(fleet, "x")]
    start = free[0] - 1.0
    for member in range(MEMBERS):
        # It starts at ``start`` and gains 1 m a second: the first whole second with x > 2.
        first = next(s for s in range(20) if start[member] + s > 2.0)
        expected = [0.0 if second <= first else 10.0 for second in range(1, 10)]
        assert (acted - free)[:, member].tolist() == pytest.approx(expected, abs=1e-3)


def test_that_a_state_can_be_set_and_goes_on_from_there() -> None:
    fleet = lived(Cart)
    told = gone(fleet, [{"x": "50 m after 2 s", "push": "1 m/s"}], until=4)
    # The instant at which it is set shows it already.
    assert told.values[0, :, row(fleet, "x"), :][1:] == pytest.approx(
        np.repeat([[50.0], [51.0], [52.0]], MEMBERS, axis=1), abs=1e-3
    )


def test_that_a_param_can_be_moved_along_a_ramp() -> None:
    fleet = lived(Cart)
    told = gone(fleet, [{"share": "ramp from 1 to 3 over 4 s"}], until=6)
    share = told.values[0, :, row(fleet, "share")]
    expected = np.repeat([[1.5], [2.0], [2.5], [3.0], [3.0], [3.0]], MEMBERS, axis=1)
    assert share == pytest.approx(expected, rel=1e-5)


def test_that_no_change_is_the_forecast_bit_for_bit_also_beside_others() -> None:
    fleet = lived(Wanderer)
    state = fleet.state("cart")
    end = int(state.tick[0]) + 40
    free = forecast(fleet.cycle.stepper, state, fleet.crew, until=end, every=4)
    several = gone(
        fleet, [{"push": "1 m/s when x > 0 m"}, {}, {"push": "2 m/s"}], until=40, every=4
    )
    assert several.values[1].tobytes() == free.values.tobytes()


def test_that_forks_draw_the_same_noise_so_that_a_push_is_seen_without_it() -> None:
    fleet = lived(Wanderer)
    told = gone(fleet, [{}, {"push": "1 m/s"}], until=30, every=10).values
    x = told[:, :, row(fleet, "x")].astype(float)
    assert (x[1] - x[0])[-1] == pytest.approx(np.full(MEMBERS, 30.0), abs=1e-4)
    assert x[0, -1].std() > 1.0


def test_that_further_members_are_as_spread_as_the_ensemble_and_no_copies() -> None:
    fleet = lived(Wanderer, members=64)
    stepper, state = fleet.cycle.stepper, fleet.state("cart")
    end = int(state.tick[0]) + 100
    many, crew = blocks(state, fleet.crew, np.arange(20))
    told = played(stepper, Forks(many, crew, [NOTHING] * 20), until=end, every=100)
    x = told.values[:, 0, row(fleet, "x")].astype(float)
    free = forecast(stepper, state, fleet.crew, until=end, every=100)
    assert x[0].tobytes() == free.values[0, row(fleet, "x")].astype(float).tobytes()
    assert len(np.unique(x)) == x.size
    # After 100 steps of 0.3 m each the spread is 3 m and what it began with; 1,280 members tell
    # it to 2 % (one standard deviation).
    assert x.std() == pytest.approx(np.hypot(3.0, _spread(state.members[0, 0])), rel=0.08)
    # Blocks are independent: their means scatter as means of 64 do, 3 m / 8.
    assert x.mean(axis=1).std(ddof=1) == pytest.approx(3.0 / 8.0, rel=0.5)
    fewer = played(
        stepper, Forks(*blocks(state, fleet.crew, np.array([7])), [NOTHING]), until=end, every=100
    )
    assert fewer.values[0, 0, row(fleet, "x")].astype(float).tobytes() == x[7].tobytes()


def _spread(members: Float[np.ndarray, " member"]) -> float:
    return float(members.astype(float).std())


def test_that_a_fork_whose_members_fail_leaves_the_others_alone() -> None:
    @gm.model(dt="1 s")
    class Brittle:
        x: float = gm.state("m", gm.normal(1.0, 0.1))
        load: float = gm.control("m", bounds=(-10, 10), default=0.0)

        def step(self, dt: float) -> Brittle:
            return Brittle(
                x=self.x + 0.0 * dt + (0.0 if self.load < 5 else self.x * 1e38 * self.load * 1e38)
            )

        @gm.sensor("m", noise=0.5)
        def place(self) -> float:
            return self.x

    fleet = lived(Brittle)
    told = gone(fleet, [{}, {"load": "9 m after 2 s"}, {"load": "1 m"}], until=5)
    assert [f is None for f in told.failures] == [True, False, True]
    assert "cart" in str(told.failures[1])
    assert np.isnan(told.values[1]).all()
    alone = gone(fleet, [{"load": "1 m"}], until=5)
    assert told.values[2].tobytes() == alone.values[0].tobytes()


class Gears:
    """Two gears that wear; the one is a part that can be renewed."""

    schema = Schema(
        "gears",
        SECOND,
        (
            State("a.wear", "mm", Normal(0.0, 0.01)),
            State("b.wear", "mm", Normal(0.0, 0.01)),
            Param("a.rate", "mm/s", Normal(1.0, 0.1)),
            Control("brake", "1", (0, 1), default=0.0),
            Sensor("place", "mm", noise=10.0),
        ),
        parts=(Part("a", "gear"), Part("b", "gear"), Part("case", "box")),
    )
    identity = "gears-of-a-test"

    def step(self, values: Members, driven: Driven, consts: Consts) -> Members:  # noqa: ARG002
        return values[:, :2] + values[:, 2:3]

    def observe(self, values: Members, driven: Driven, consts: Consts) -> Members:  # noqa: ARG002
        return values[:, :1]


def gears() -> Fleet:
    twin = gm.Twin("cart", Gears(), members=200).bind("l:p", to="place")
    fleet, book = together([twin], horizon=twin.horizon), SeriesBook()
    fleet.take(Readings.of([Reading(Series("l", "p"), START * SECOND, 0.0)], book), book)
    return fleet


def test_that_a_renewed_part_is_drawn_from_its_priors_and_the_rest_stays() -> None:
    fleet = gears()
    told = gone(fleet, [{}, {"a": "renewed after 10 s"}], until=12, every=2)
    wear = told.values[:, :, row(fleet, "a.wear")].astype(float)
    assert wear[0, 4].mean() == pytest.approx(10.0, abs=0.1)
    # At the instant of the renewal the wear is as new: 0 with the prior's spread.
    assert abs(wear[1, 4].mean()) < 5 * 0.01 / np.sqrt(200)
    assert wear[1, 4].std() == pytest.approx(0.01, rel=0.2)
    rate = told.values[1, :, row(fleet, "a.rate")].astype(float)
    assert rate[4].std() == pytest.approx(0.1, rel=0.2)
    assert abs(np.corrcoef(rate[4], rate[3])[0, 1]) < 0.3
    other = told.values[:, :, row(fleet, "b.wear")]
    assert other[1, :5].tobytes() == other[0, :5].tobytes()


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("pusch", "1 m/s", "Did you mean 'push'"),
        ("push", "1 m", "cannot be turned into m/s"),
        ("push", "5", "a plain number cannot be turned into m/s"),
        ("push", "101 m/s", "lies within -100 .. 100 m/s; 101 m/s was asked for."),
        ("push", "9000 m/s", "lies within -100 .. 100 m/s; 9000 m/s was asked for."),
        ("push", "1234567.5 m/s", "; 1234567.5 m/s was asked for."),
        ("push", "1 km/s", "; 1 km/s, which is 1000 m/s, was asked for."),
        ("push", "renewed", "it has no prior"),
        ("place", "1 m", "follows from the state, so it cannot be set"),
        ("x", "ramp to 2 m over 3 s", "the model moves it"),
        ("x", "2 m for 3 s", "leave out 'for'"),
        ("grade", "1 m/s when x > 2 m", "one value for all members"),
        ("push", "1 m/s when y > 2 m", "'y'"),
        ("push", "1 m/s when x > 2 s", "cannot be turned into"),
        ("push", "1 m/s when x >", "is missing"),
    ],
)
def test_that_what_cannot_be_done_is_refused_with_the_reason(
    name: str, change: str, told: str
) -> None:
    fleet = lived(Cart)
    with pytest.raises((InterventionError, UnknownNameError)) as error:
        gone(fleet, [{name: change}], until=3)
    assert told in str(error.value)


def test_that_a_part_can_only_be_renewed_and_only_where_it_has_something_to_renew() -> None:
    with pytest.raises(InterventionError, match="a is a part"):
        acts(Gears.schema, changes({"a": "times 2"}))
    with pytest.raises(InterventionError, match="no state and no param"):
        acts(Gears.schema, changes({"case": "renewed"}))


@pytest.mark.parametrize("foreseen", [None, "10 s"])
def test_that_a_condition_speaks_of_the_fork_and_not_of_what_would_drive_it_freely(
    foreseen: str | None,
) -> None:
    twin = gm.Twin("cart", Cart, members=MEMBERS, foresee_inputs=foreseen)
    twin.bind("l:p", to="place").bind("l:w", to="wind")
    fleet, book = together([twin], horizon=twin.horizon), SeriesBook()
    rows = [
        Reading(Series("l", name), (START + s) * SECOND, 0.1) for s in range(200) for name in "pw"
    ]
    fleet.take(Readings.of(rows, book), book)
    told = {"wind": "30 m/s after 2 s", "push": "5 m/s when wind > 20 m/s"}
    state = fleet.state("cart")
    forks = Forks(state, fleet.crew, [acts(fleet.schema, changes(told))])
    stepper, inputs = fleet.cycle.stepper, fleet.school.inputs
    gone = played(stepper, forks, until=int(state.tick[0]) + 4, every=1, inputs=inputs)
    # It holds from the instant on at which the answer shows that it does.
    assert gone.values[0, :, row(fleet, "wind"), 0] == pytest.approx([0.1, 30, 30, 30])
    assert gone.values[0, :, row(fleet, "push"), 0].tolist() == [0, 5, 5, 5]


def test_that_one_change_may_be_what_others_wait_for_at_one_instant() -> None:
    fleet = lived(Cart)
    told: dict[str, Written] = {
        "x": "times 2 when push > 3 m/s",
        "push": "5 m/s when wind > 20 m/s",
        "wind": "30 m/s",
    }
    told_now = gone(fleet, [{}, told], until=1).values[:, 0, row(fleet, "x")]
    # Twice where it was, once only, and then a second of pushing and of wind.
    np.testing.assert_allclose(told_now[1], 2 * told_now[0] + 35, rtol=1e-5)


@gm.model(dt="1 s")
class Bounded:
    gain: float = gm.param("1", gm.lognormal(1.0, 0.1))
    valve: float = gm.control("1", bounds=(0, 1), default=0.5)
    x: float = gm.state("m", gm.normal(0.0, 1.0))

    def step(self, dt: float) -> Bounded:
        return Bounded(x=self.x + dt * self.gain * self.valve)

    @gm.sensor("m", noise=0.5)
    def place(self) -> float:
        return self.x


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"gain": "-1"}, "gain lies within 0 .. infinity 1; -1 was asked for"),
        ({"gain": "ramp to -1 over 3 s"}, "gain lies within 0"),
        ({"x": "1e39 m"}, "x cannot be set to 1e"),
        ({"x": "1e300 m"}, "x cannot be set to 1e"),
    ],
)
def test_that_nothing_is_set_to_what_it_cannot_be(told: dict[str, Written], why: str) -> None:
    with pytest.raises(InterventionError, match=why):
        acts(lived(Bounded).schema, changes(told))


def test_that_a_control_is_not_multiplied_beyond_what_can_be_set() -> None:
    fleet = lived(Bounded)
    told = gone(fleet, [{"valve": "times 5"}, {"valve": "times -1"}], until=2)
    assert told.values[:, :, row(fleet, "valve"), 0].tolist() == [[1, 1], [0, 0]]


def test_that_forks_do_not_go_on_for_hours() -> None:
    with pytest.raises(InputError, match="shorter reach"):
        gone(lived(Cart), [{}], until=20_000_000, every=1_000_000)
