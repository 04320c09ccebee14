"""Contract 6: not heard, heard and equal, heard and implausible are three things."""

from __future__ import annotations

import numpy as np
import pytest

from gemeos.assimilate.cycle import Cycle
from gemeos.assimilate.esrf import SerialSquareRoot
from gemeos.ensemble.state import Monitor, TwinState, Verdict
from gemeos.runtime.enrolment import Enrolment
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.phase import Phase, Standing, phase_of
from gemeos.runtime.trust import channel_trust
from gemeos.schema.binding import Binding
from gemeos.schema.reading import Reading, Readings, Series, SeriesBook
from gemeos.simulate.advance import Stepper
from gemeos.testing.linear import Linear
from gemeos.units.instant import SECOND

NOISE = 0.2
ROOM = Linear(
    matrix=np.array([[0.98, 0.0], [0.0, 0.9]]),
    observation=np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 1.0]]),
    prior_mean=np.array([6.0, 0.0]),
    prior_sd=np.array([1.0, 0.3]),
    step_noise_sd=np.array([0.05, 0.1]),
    sensor_noise_sd=NOISE,
)
CHANNELS = ("y0", "y1", "y2")
START = 1_700_000_000
BREAKS = 60


def fleet() -> Fleet:
    bindings = tuple(Binding(Series("link", c), "room", c) for c in CHANNELS)
    enrolled = [Enrolment("room", bindings=bindings)]
    cycle = Cycle(Stepper(ROOM), SerialSquareRoot())
    return Fleet(cycle, enrolled, members=24, seed=8, horizon=10_000 * SECOND)


def log(broken: str | None = None, *, seconds: int = 90, mended: int = 10**9) -> list[Reading]:
    """A slowly cooling room; one sensor falls to zero at ``BREAKS`` and is mended later."""
    rng = np.random.default_rng(1)
    rows = []
    for second in range(seconds):
        for channel in CHANNELS:
            value = 6.0 * 0.98**second + NOISE * rng.normal()
            if channel == broken and BREAKS <= second < mended:
                value = 0.0
            rows.append(Reading(Series("link", channel), (START + second) * SECOND, float(value)))
    return rows


def after(batches: list[list[Reading]]) -> TwinState:
    taking, book = fleet(), SeriesBook()
    for batch in batches:
        taking.take(Readings.of(batch, book), book)
    return taking.state("room")


def verdicts(state: TwinState) -> list[Verdict]:
    told = channel_trust(fleet().channels[0], state.monitors[0])
    return [c.verdict for c in told]


@pytest.mark.parametrize("broken", CHANNELS)
def test_that_a_dead_sensor_is_named_at_its_third_sample_and_no_other_is(broken: str) -> None:
    state = after([log(broken, seconds=BREAKS + 3)])
    expected = [Verdict.DEAD if c == broken else Verdict.SOUND for c in CHANNELS]
    # The room is at 1.8 by then, nine deviations from zero.
    assert verdicts(state) == expected
    assert verdicts(after([log(seconds=BREAKS + 3)])) == [Verdict.SOUND] * 3


def test_that_a_dead_sensor_corrects_nothing_until_it_behaved_again() -> None:
    whole, dead = after([log(seconds=BREAKS)]), after([log("y0", seconds=BREAKS + 20)])
    # Two of its readings were used before it was named.
    assert dead.assimilated[0] - whole.assimilated[0] == 2 * 20 + 2
    level = dead.members[0, 0].astype(np.float64)
    assert abs(level.mean() - 6.0 * 0.98 ** (BREAKS + 19)) < 3 * level.std(ddof=1) + 0.1
    back = after([log("y0", seconds=BREAKS + 40, mended=BREAKS + 20)])
    assert verdicts(back) == [Verdict.SOUND] * 3


@pytest.mark.parametrize("seed", range(4))
def test_that_verdicts_do_not_depend_on_the_order_of_arrival(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = log("y1")
    in_order = after([rows])
    assert verdicts(in_order) == [Verdict.SOUND, Verdict.DEAD, Verdict.SOUND]
    shuffled = [rows[i] for i in rng.permutation(len(rows))]
    shuffled += [shuffled[i] for i in rng.choice(len(shuffled), 15)]
    cuts = np.sort(rng.choice(len(shuffled), 6, replace=False))
    batches = [list(b) for b in np.split(np.array(shuffled, object), cuts)]
    assert after(batches).digest() == in_order.digest()


def test_that_silence_equality_and_implausibility_are_told_apart() -> None:
    silent = after([[r for r in log() if r.series.channel != "y0" or r.valid_at < BREAKS * SECOND]])
    equal = after([[*log(seconds=1)] + [r for r in log() if r.series.channel != "y2"]])
    implausible = after([log("y0")])
    row = silent.monitors[0, 0]
    assert np.isnan(row[Monitor.LAST_AT])
    assert equal.monitors[0, 2, Monitor.COUNT] == 1
    assert implausible.monitors[0, 0, Monitor.EQUAL_RUN] == 30
    assert implausible.monitors[0, 0, Monitor.FAR_RUN] == 30


def test_that_readings_nobody_trusts_leave_a_twin_blind() -> None:
    standing = Standing(
        bound=True,
        running=True,
        finished=False,
        assimilated=500,
        newest=1_000 * SECOND,
        accepted=900 * SECOND,
        now=1_000 * SECOND,
        usual_interval=SECOND,
        lateness=0,
    )
    assert phase_of(standing) is Phase.BLIND
    state = after([log("y0", seconds=BREAKS + 20)])
    last, accepted = (state.monitors[0, :, m] for m in (Monitor.LAST_AT, Monitor.ACCEPTED_AT))
    assert (last == (START + BREAKS + 19) * SECOND).all()
    assert accepted[0] == (START + BREAKS + 1) * SECOND
    assert (accepted[1:] == last[1:]).all()
