"""Contract 1: the state is a function of the readings, never of the order in which they came."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemeos.assimilate.cycle import Cycle
from gemeos.assimilate.esrf import SerialSquareRoot
from gemeos.foresee.issue import Scoring
from gemeos.runtime.enrolment import Enrolment
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.school import Foresight
from gemeos.schema.binding import Binding
from gemeos.schema.reading import Quality, Reading, Readings, Series, SeriesBook
from gemeos.simulate.advance import Stepper
from gemeos.testing.linear import Linear
from gemeos.units.instant import SECOND

MODEL = Linear(
    matrix=np.array([[1.0, 0.1], [-0.1, 0.98]]),
    observation=np.array([[1.0, 0.0], [0.5, 0.5]]),
    prior_mean=np.array([0.0, 0.0]),
    prior_sd=np.array([1.0, 1.0]),
    step_noise_sd=np.array([0.05, 0.1]),
    sensor_noise_sd=0.3,
    push=np.array([0.0, 0.2]),
)
AVERAGED = Linear(
    matrix=MODEL.matrix,
    observation=MODEL.observation,
    prior_mean=MODEL.prior_mean,
    prior_sd=MODEL.prior_sd,
    step_noise_sd=MODEL.step_noise_sd,
    sensor_noise_sd=0.3,
    mean_over_s=5.0,
)
START = 1_700_000_000
SCORING = Scoring((SECOND, 5 * SECOND), ("y0", "y1"), 2 * SECOND)
"""Twins that learn from their own forecasts at these leads; they remember their inputs, too."""


def fleet_of(
    model: Linear, twins: int = 3, *, horizon_s: int = 10_000, scoring: Scoring | None = None
) -> Fleet:
    channels = ["y0", "y1"] + (["u"] if model.push is not None else [])
    enrolled = [
        Enrolment(
            f"twin-{i}",
            bindings=tuple(Binding(Series("link", f"{i}/{c}"), f"twin-{i}", c) for c in channels),
        )
        for i in range(twins)
    ]
    return Fleet(
        Cycle(Stepper(model), SerialSquareRoot()),
        enrolled,
        members=16,
        seed=5,
        horizon=horizon_s * SECOND,
        foresight=Foresight(scoring, None if scoring is None else 5),
    )


def log_of(model: Linear, rng: np.random.Generator, twins: int = 3) -> list[Reading]:
    """Irregular readings of every channel, some between the grid's instants."""
    rows = []
    for i in range(twins):
        for name in ("y0", "y1"):
            seconds = np.unique(rng.integers(0, 400, 30)) * 0.25
            if model.mean_over_s:
                seconds = np.arange(5, 60, 5) * 1.0
            for s in seconds:
                at = round((START + s) * SECOND)
                since = round(at - model.mean_over_s * SECOND) if model.mean_over_s else None
                rows.append(
                    Reading(
                        Series("link", f"{i}/{name}"), at, float(rng.normal()), valid_from=since
                    )
                )
        if model.push is not None:
            rows += [
                Reading(Series("link", f"{i}/u"), (START + int(s)) * SECOND, float(rng.normal()))
                for s in (0, 20, 21, 50)
            ]
    return rows


def digests(fleet: Fleet) -> list[str]:
    return [fleet.state(name).digest() for name in fleet.names]


def taken_in(
    model: Linear, batches: list[list[Reading]], scoring: Scoring | None = None
) -> list[str]:
    fleet, book = fleet_of(model, scoring=scoring), SeriesBook()
    for batch in batches:
        fleet.take(Readings.of(batch, book), book)
    return digests(fleet)


@pytest.mark.no_cover
@pytest.mark.parametrize("model", [MODEL, AVERAGED], ids=["instants", "averages"])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_that_a_log_permuted_delayed_duplicated_and_corrected_ends_in_the_equal_state(
    model: Linear, seed: int
) -> None:
    shuffled_ends_as_in_order(model, seed)


@pytest.mark.no_cover
@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_that_it_does_so_for_what_was_learned_from_forecasts(seed: int) -> None:
    shuffled_ends_as_in_order(MODEL, seed, twins=1, scoring=SCORING)


def shuffled_ends_as_in_order(
    model: Linear, seed: int, *, twins: int = 3, scoring: Scoring | None = None
) -> None:
    rng = np.random.default_rng(seed)
    log = log_of(model, rng, twins)
    # Corrections and retractions carry their revision with them.
    for row in rng.choice(len(log), 8, replace=False):
        old = log[row]
        log.append(Reading(old.series, old.valid_at, old.value + 1.0, old.valid_from, revision=2))
    for row in rng.choice(len(log), 4, replace=False):
        old = log[row]
        log.append(
            Reading(
                old.series,
                old.valid_at,
                np.nan,
                old.valid_from,
                revision=3,
                quality=Quality.RETRACTED,
            )
        )
    in_order = sorted(log, key=lambda r: (r.valid_at, r.revision))
    reference = taken_in(model, [in_order], scoring)
    shuffled = [log[i] for i in rng.permutation(len(log))]
    shuffled += [shuffled[i] for i in rng.choice(len(shuffled), 20)]
    cuts = np.sort(rng.choice(len(shuffled), 12, replace=False))
    batches = [list(b) for b in np.split(np.array(shuffled, object), cuts)]
    assert taken_in(model, batches, scoring) == reference


def test_that_a_late_reading_changes_what_was_learned_as_it_would_have_in_time() -> None:
    log = sorted(log_of(MODEL, np.random.default_rng(4)), key=lambda r: r.valid_at)
    late = next(r for r in log if r.series.channel == "0/y0" and r.valid_at > log[60].valid_at)
    without = [r for r in log if r is not late]

    def lessons(batches: list[list[Reading]]) -> np.ndarray:
        fleet, book = fleet_of(MODEL, scoring=SCORING), SeriesBook()
        for batch in batches:
            fleet.take(Readings.of(batch, book), book)
        return fleet.state("twin-0").lessons

    in_time = lessons([log])
    assert (in_time != lessons([without])).any()
    np.testing.assert_array_equal(lessons([without, [late]]), in_time)


def test_that_one_reading_at_a_time_ends_in_the_equal_state_as_all_at_once() -> None:
    log = log_of(MODEL, np.random.default_rng(1))
    in_order = sorted(log, key=lambda r: r.valid_at)
    assert taken_in(MODEL, [[r] for r in in_order]) == taken_in(MODEL, [log])


def test_that_a_late_reading_changes_the_state_as_it_would_have_in_time() -> None:
    log = sorted(log_of(MODEL, np.random.default_rng(2)), key=lambda r: r.valid_at)
    without = [r for i, r in enumerate(log) if i != 40]
    assert taken_in(MODEL, [without]) != taken_in(MODEL, [log])
    assert taken_in(MODEL, [without, [log[40]]]) == taken_in(MODEL, [log])


def test_that_the_number_of_twins_in_the_array_changes_no_bit_of_one_twin() -> None:
    log = log_of(MODEL, np.random.default_rng(9))
    book = SeriesBook()
    together, alone = fleet_of(MODEL, 3), fleet_of(MODEL, 1)
    together.take(Readings.of(log, book), book)
    alone.take(Readings.of(log, book), book)
    assert together.state("twin-0").digest() == alone.state("twin-0").digest()


def test_that_readings_older_than_the_horizon_are_told_and_change_nothing() -> None:
    fleet, book = fleet_of(MODEL, 1, horizon_s=20), SeriesBook()
    series = Series("link", "0/y0")
    for s in range(200):
        fleet.take(Readings.of([Reading(series, (START + s) * SECOND, 0.1)], book), book)
        fleet.settle(10 * SECOND)
    before = digests(fleet)
    taken = fleet.take(Readings.of([Reading(series, (START + 3) * SECOND + 1, 9.0)], book), book)
    assert taken.too_late == (("twin-0", (START + 3) * SECOND + 1),)
    assert digests(fleet) == before
    inside = fleet.take(Readings.of([Reading(series, (START + 190) * SECOND + 1, 9.0)], book), book)
    assert inside.rewound == ("twin-0",)
    assert digests(fleet) != before


def test_that_going_on_from_a_final_state_gives_the_equal_state() -> None:
    log = sorted(log_of(MODEL, np.random.default_rng(6), 1), key=lambda r: r.valid_at)
    book = SeriesBook()
    first, second = fleet_of(MODEL, 1, horizon_s=30), fleet_of(MODEL, 1, horizon_s=30)
    settled = []
    for row in log:
        first.take(Readings.of([row], book), book)
        settled += first.settle(5 * SECOND)
    assert settled
    keyframe = settled[-1]
    second.restore([keyframe.twin], keyframe.state)
    after = [r for r in log if r.valid_at > keyframe.state.tick[0] * SECOND]
    second.take(Readings.of(after, book), book)
    assert digests(second) == digests(first)


def test_that_a_question_about_the_past_uses_readings_up_to_then_and_no_later_one() -> None:
    log = sorted(log_of(MODEL, np.random.default_rng(12), 1), key=lambda r: r.valid_at)
    book = SeriesBook()
    whole = fleet_of(MODEL, 1)
    whole.take(Readings.of(log, book), book)
    when = (START + 40) * SECOND
    until = fleet_of(MODEL, 1)
    until.take(Readings.of([r for r in log if r.valid_at <= when], book), book)
    asked = whole.state_at("twin-0", when)
    known = until.state_at("twin-0", when)
    assert asked is not None
    assert known is not None
    assert asked.digest() == known.digest()
    assert asked.tick[0] == START + 40


def test_that_a_question_about_a_time_between_two_instants_is_not_moved_by_what_comes_then() -> (
    None
):
    # At second 7.5 nothing is known of a reading of 7.75, which is applied at 8 as well: so no
    # forecast is issued anew as if the twin went on.
    series = Series("link", "0/y0")
    log = [Reading(Series("link", "0/u"), START * SECOND, 0.0)]
    log += [Reading(series, (START + s) * SECOND, 0.1) for s in range(6)]
    later = Reading(series, (START + 7) * SECOND + 750_000, 0.1)
    asked = []
    for rows in (log, [*log, later]):
        fleet, book = fleet_of(MODEL, 1, scoring=SCORING), SeriesBook()
        fleet.take(Readings.of(rows, book), book)
        state = fleet.state_at("twin-0", (START + 7) * SECOND + 500_000)
        assert state is not None
        asked.append(state.digest())
    assert asked[0] == asked[1]
