"""A pool of simulations: what it predicts, and what happens to members that fail."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import psutil
import pytest

from gemeos.assimilate.es_mda import Params
from gemeos.assimilate.sliding import Runs
from gemeos.engines.base import SupportsFork
from gemeos.engines.hosted import HostedEngine
from gemeos.engines.outcome import Crashed, Outcome
from gemeos.engines.pool import EnginePool, Samples, Window, begun, seeds
from gemeos.engines.spec import Value
from gemeos.errors import (
    EngineError,
    InputError,
    StoppedError,
    TooFewMembersError,
    UnknownNameError,
)
from gemeos.testing.contracts.engine import T0, Mischief, told
from gemeos.units.instant import SECOND, Instant
from tests.contracts.mischief_engine import opened
from tests.contracts.oscillator_engine import OscillatorEngine

WINDOW = Window(("place", "speed"), every=SECOND // 10, samples=4, slides=2)


def push(values: Params) -> dict[str, Value]:
    return {"push": float(values[0])}


def oscillators(count: int = 5) -> list[SupportsFork]:
    return begun(OscillatorEngine, {}, seeds(1, "mass", count), T0)


def row(*values: float) -> Params:
    return np.array([values], np.float64)


@pytest.fixture
def pool() -> Iterator[EnginePool]:
    with EnginePool(oscillators(), WINDOW, push, name="mass") as made:
        yield made


def by_hand(seed: int, force: float, samples: int) -> Samples:
    """The same simulation without any pool."""
    engine = OscillatorEngine()
    engine.reset({}, seed, T0)
    engine.set({"push": force})
    rows = []
    for sample in range(samples):
        told(engine.advance(T0 + (sample + 1) * WINDOW.every))
        read = told(engine.get(WINDOW.names))
        rows.append([float(read[name]) for name in WINDOW.names])
    return np.array(rows)


def test_that_members_are_run_with_their_own_values_and_seeds(pool: EnginePool) -> None:
    runs: Runs = pool
    forces = (0.0, 1.0, -1.0, 2.0, 0.5)
    predicted = runs.predict(row(*forces), 0)
    expected = [by_hand(s, f, 4).ravel() for s, f in zip(seeds(1, "mass", 5), forces, strict=True)]
    assert np.array_equal(predicted, np.stack(expected, axis=1))


def test_that_predicting_leaves_no_trace(pool: EnginePool) -> None:
    first = pool.predict(row(1, 2, 3, 4, 5))
    pool.predict(row(9, 9, 9, 9, 9))
    assert pool.now == T0
    assert np.array_equal(pool.predict(row(1, 2, 3, 4, 5)), first)


def test_that_another_draw_is_another_members_chance(pool: EnginePool) -> None:
    own = pool.predict(row(1, 1, 1, 1, 1))
    next_ones = pool.predict(row(1, 1, 1, 1, 1), draw=2)
    assert np.array_equal(next_ones, np.roll(own, -2, axis=1))


def test_that_members_roll_on_to_where_the_next_window_begins(pool: EnginePool) -> None:
    values = row(1, 2, 3, 4, 5)
    whole = pool.predict(values)
    assert pool.advance(values).tolist() == [0, 1, 2, 3, 4]
    assert pool.now == T0 + 2 * WINDOW.every
    # The second half of the first window is the first half of the second.
    assert np.array_equal(pool.predict(values)[:4], whole[4:])


def test_that_the_number_of_workers_changes_nothing() -> None:
    every = []
    for workers in (1, 4):
        with EnginePool(oscillators(), WINDOW, push, name="mass", workers=workers) as pool:
            every.append(pool.predict(row(1, 2, 3, 4, 5)))
    assert np.array_equal(every[0], every[1])


def test_that_readings_are_what_is_told_of_the_samples() -> None:
    def last_less_first(samples: Samples) -> Samples:
        return samples[-1] - samples[0]

    window = Window(WINDOW.names, WINDOW.every, 4, told=last_less_first)
    with EnginePool(oscillators(), window, push, name="mass") as pool:
        predicted = pool.predict(row(1, 1, 1, 1, 1))
    samples = by_hand(seeds(1, "mass", 5)[3], 1.0, 4)
    assert predicted[:, 3].tolist() == (samples[3] - samples[0]).tolist()


def test_that_what_cannot_be_a_pool_is_refused(pool: EnginePool) -> None:
    apart = oscillators()
    told(apart[1].advance(T0 + SECOND))
    with pytest.raises(InputError, match="one instant"):
        EnginePool(apart, WINDOW, push, name="mass")
    with pytest.raises(InputError, match="2 to 256"):
        EnginePool(oscillators(1), WINDOW, push, name="mass")
    with pytest.raises(UnknownNameError, match="place"):
        EnginePool(oscillators(), Window(("plac",), SECOND, 1), push, name="mass")
    with pytest.raises(InputError, match="5 members"):
        pool.predict(row(1, 2))
    with pytest.raises(InputError, match="slide"):
        Window(("place",), SECOND, 3, slides=4)
    misspelt = EnginePool(oscillators(), WINDOW, lambda _: {"puhs": 1.0}, name="mass")
    with pytest.raises(UnknownNameError, match="push"):
        misspelt.predict(row(1, 1, 1, 1, 1))


def test_that_a_closed_pool_says_so(pool: EnginePool) -> None:
    pool.close()
    pool.close()
    with pytest.raises(StoppedError, match="closed"):
        pool.predict(row(1, 1, 1, 1, 1))


HOW = ("", Mischief.CRASH.value, Mischief.HANG.value, Mischief.NOT_FINITE.value, "raise")
COUNT = Window(("count",), every=SECOND, samples=3)


def counting(values: Params) -> dict[str, Value]:
    """A rate, and what the member is up to."""
    return {"rate": float(values[0]), "mischief": HOW[int(values[1])]}


@pytest.fixture(scope="module")
def counter() -> Iterator[HostedEngine]:
    with opened(limit=SECOND) as engine:
        yield engine


@pytest.fixture
def counters(counter: HostedEngine) -> Iterator[EnginePool]:
    members = begun(counter.another, {}, seeds(1, "counter", 8), T0)
    with EnginePool(members, COUNT, counting, name="counter") as pool:
        yield pool


RATES = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)
WELL = np.array([RATES, [0.0] * 8])
ILL = np.array([RATES, [0.0, 1.0, 0.0, 2.0, 0.0, 3.0, 4.0, 0.0]])


def test_that_members_that_crash_hang_or_tell_nothing_are_values(counters: EnginePool) -> None:
    predicted = counters.predict(ILL)
    for i in (0, 2, 4, 7):
        assert predicted[:, i].tolist() == [RATES[i], 2 * RATES[i], 3 * RATES[i]]
        assert counters.failures[i] is None
    assert np.isnan(predicted[:, [1, 3, 5, 6]]).all()
    why = counters.failures
    assert "crashed" in (why[1] or "")
    assert "within 1 s" in (why[3] or "")
    assert "finite number for count" in (why[5] or "")
    assert "no such valve" in (why[6] or "")
    # Those were forks: where the window begins, all of them still stand.
    assert np.isfinite(counters.predict(WELL)).all()
    assert set(counters.failures) == {None}


def test_that_members_lost_on_the_way_are_doubled_from_living_ones(counters: EnginePool) -> None:
    origin = counters.advance(ILL)
    # The nearest living one above, around the end.
    assert origin.tolist() == [0, 2, 2, 4, 4, 7, 7, 7]
    assert {m.now for m in counters.members} == {T0 + 3 * SECOND}
    start = 3.0 * np.array(RATES)[origin]
    rates = np.array(RATES)
    assert counters.predict(WELL)[2].tolist() == (start + 3 * rates).tolist()
    counters.advance(WELL)
    assert counters.predict(WELL)[0].tolist() == (start + 4 * rates).tolist()


def test_that_half_of_the_members_must_get_on(counters: EnginePool) -> None:
    ill = np.array([RATES, [4.0] * 5 + [0.0] * 3])
    with pytest.raises(TooFewMembersError, match=r"5 of 8 members of counter.*no such valve"):
        counters.advance(ill)


def test_that_a_pool_of_which_nobody_tells_anything_says_why(counters: EnginePool) -> None:
    with pytest.raises(TooFewMembersError, match=r"8 of 8.*no such valve"):
        counters.predict(np.array([RATES, [4.0] * 8]))


def test_that_processes_end_with_the_pool(counter: HostedEngine) -> None:
    members = begun(counter.another, {}, seeds(1, "counter", 3), T0)
    pids = [m.pid for m in members if isinstance(m, HostedEngine)]
    with EnginePool(members, COUNT, counting, name="counter") as pool:
        pool.predict(WELL[:, :3])
        assert all(is_running(pid) for pid in pids)
    assert len(pids) == 3
    assert not any(is_running(pid) for pid in pids)


def is_running(pid: int | None) -> bool:
    """A zombie that nobody has waited for has ended."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_that_members_that_cannot_begin_are_told() -> None:
    class Reluctant(OscillatorEngine):
        def reset(self, *_: object) -> Outcome[None]:
            return Crashed(7)

    with pytest.raises(EngineError, match="a member could not begin, it crashed with 7"):
        begun(Reluctant, {}, [1, 2], T0)


class Slow(OscillatorEngine):
    """Takes its time where it is pushed hard."""

    def advance(self, t: Instant) -> Outcome[None]:
        if told(self.get(["push"]))["push"] == HARD:
            time.sleep(0.3)
        return super().advance(t)


HARD = 9.0


def slow_pool() -> EnginePool:
    members = begun(Slow, {}, seeds(1, "mass", 5), T0)
    return EnginePool(members, WINDOW, push, name="mass", limit=SECOND // 2)


def test_that_stragglers_are_left_behind() -> None:
    with slow_pool() as pool:
        predicted = pool.predict(row(1, HARD, 1, 1, 1))
        assert np.isnan(predicted[:, 1]).all()
        assert np.isfinite(predicted[:, [0, 2, 3, 4]]).all()
        assert pool.failures[1] == "was not done within 0.5 s"


@pytest.mark.timed
def test_that_a_pool_can_be_cancelled_from_another_thread() -> None:
    with slow_pool() as pool:
        hurry = threading.Timer(0.1, pool.cancel)
        hurry.start()
        before = time.monotonic()
        with pytest.raises(StoppedError, match="cancelled"):
            pool.predict(row(HARD, HARD, HARD, HARD, HARD))
        # Two workers, each at its first sleep; five members' whole time would be over 1.2 s.
        assert time.monotonic() - before < 1.0
        with pytest.raises(StoppedError, match="cancelled"):
            pool.advance(row(1, 1, 1, 1, 1))


def test_that_seeds_are_of_31_bits_and_do_not_depend_on_how_many_there_are() -> None:
    many = seeds(3, "city", 200)
    assert seeds(3, "city", 5) == many[:5]
    assert len(set(many)) == 200
    assert all(0 <= s < 2**31 for s in many)
    assert seeds(4, "city", 5) != many[:5]
