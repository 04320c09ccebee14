"""Scenarios of simulations: an answer after the first few, and none waits for one that hangs.

The tank of ``test_engine_twin``. Its leaks do not drift, so that a member is known by its leak.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import ClassVar

import numpy as np
import psutil
import pytest

import gemeos as gm
from gemeos.engines.hosted import HostedEngine
from gemeos.engines.outcome import Failed, Outcome
from gemeos.ensemble.state import TwinState
from gemeos.foresee.executor import Batch, InProcess
from gemeos.foresee.fork import Played
from gemeos.foresee.intervene import acts
from gemeos.runtime.groups import Group, next_group
from gemeos.runtime.questions import crew_of
from gemeos.runtime.run import RunningSite
from gemeos.runtime.scenario import KIND, Progress, ScenarioRecord
from gemeos.runtime.shelf import Shelf
from gemeos.schema.intervention import changes
from gemeos.simulate import company
from gemeos.units.instant import SECOND, Instant
from tests.contracts import mischief_engine
from tests.contracts.tank_engine import TankEngine
from tests.contracts.test_engine_twin import STEP, log, model, reading, running, tank

MEMBERS = 16
PATIENCE_S = 60.0


class Stubborn(TankEngine):
    """Where so much leaks, it does not come to an end of its own while its valve stands so."""

    above: ClassVar[float] = float("inf")
    valve: ClassVar[str] = "shut"
    reached: ClassVar[Event] = Event()
    freed: ClassVar[Event] = Event()
    """Set, those that were stuck go on."""
    calls: ClassVar[list[float]] = []

    def __init__(self) -> None:
        super().__init__()
        self._interrupted = Event()

    def advance(self, t: Instant) -> Outcome[None]:
        water = self._begun()
        if water.leak > self.above and water.valve == self.valve and not self.freed.is_set():
            self.calls.append(water.leak)
            self.reached.set()
            while not self.freed.wait(0.02):
                if self._interrupted.is_set():
                    self._ended = Failed("it was interrupted")
                    return self._ended
        return super().advance(t)

    def interrupt(self) -> None:
        self._interrupted.set()


@pytest.fixture(autouse=True)
def calm() -> Iterator[None]:
    Stubborn.above, Stubborn.valve = float("inf"), "shut"
    Stubborn.reached.clear()
    Stubborn.freed.clear()
    Stubborn.calls.clear()
    yield
    gc.collect()
    assert len(TankEngine.open_ones) == 0


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits longer than it must; what is well takes milliseconds."""
    monkeypatch.setattr(company, "GRACE", 2 * SECOND)


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is given up, however busy the machine is."""
    monkeypatch.setattr(company, "GRACE", 3600 * SECOND)


def stubborn() -> gm.Twin:
    return tank(replace(model(drift=0.0, gust=0.02), opened=Stubborn), members=MEMBERS)


def slowest(site: RunningSite, count: int) -> list[int]:
    """Have so many members hang, those that leak most; their numbers."""
    leaks = site["tank"].now()["leak"].members[-1]
    order = np.argsort(leaks)
    Stubborn.above = float(leaks[order[-count - 1 : -count + 1 or None]].mean())
    return sorted(order[-count:].tolist())


def kept(site: RunningSite, name: str) -> tuple[ScenarioRecord, TwinState]:
    record, packed = Shelf(site.host, KIND, ScenarioRecord).found("tank", name)
    return record, TwinState.from_bytes(packed)


def at_once(site: RunningSite, name: str, blocks: int) -> Played:
    """All members of the scenario in one batch, as those of our own models."""
    record, state = kept(site, name)
    fleet = site.host.fleet("tank")
    batch = Batch(
        state,
        crew_of(fleet, "tank"),
        np.arange(blocks),
        (acts(fleet.schema, changes(record.changes)),) * blocks,
        record.until // STEP,
        record.every // STEP,
        fleet.school.input_span,
    )
    return InProcess().played(fleet.cycle.stepper, batch, lambda _: None)


def test_that_an_answer_by_groups_is_to_the_last_bit_that_of_all_at_once() -> None:
    with running(tank(model(gust=0.02), members=MEMBERS), log(12)) as site:
        leaks = site["tank"].now()["leak"].members[-1]
        # It breaks above 0.5: about half of the members.
        wild = f"times {0.5 / np.quantile(leaks, 0.6)}"
        asked: Mapping[str, Mapping[str, str]] = {
            "nothing": {},
            "shut": {"valve": "2"},
            "when": {"valve": f"2 when gauge > {1.3} m"},
            "ramp": {"inflow": "ramp to 0.05 m/s over 1 min", "leak": "times 1.5 after 30 s"},
            "wild": {"leak": wild},
        }
        for name, words in asked.items():
            told = site["tank"].scenario(name, words, until="2 min", every="20 s", members=24)
            whole = at_once(site, name, 2)
            values = np.concatenate(list(whole.values), axis=2)[:, :, :24]
            sound = ~np.concatenate(list(whole.failed))[:24]
            assert told.values.tobytes() == values[:, :, sound].tobytes(), name
            assert told.provenance.left_out == tuple(np.flatnonzero(~sound))
        assert 4 <= site["tank"].scenarios.record("wild").failed <= 16


def test_that_where_most_fail_at_one_step_nothing_is_told_by_groups_either() -> None:
    with running(tank(model(), members=MEMBERS), log(12)) as site:
        leaks = site["tank"].now()["leak"].members[-1]
        # Three of four break at once, in whatever group they are.
        words = {"leak": f"times {0.5 / np.quantile(leaks, 0.25)} after 30 s"}
        site["tank"].scenarios.begin("wild", words, until="1 min", every="10 s")
        record = site["tank"].scenarios.record("wild", wait_s=PATIENCE_S)
        assert record.progress is Progress.FAILED
        assert (record.ran, record.failed) == (MEMBERS, MEMBERS)
        assert record.reason == at_once(site, "wild", 1).failures[0]
        # So it is where half of the ensemble is asked, of which most fail as well.
        assert (leaks[:8] > np.quantile(leaks, 0.25)).sum() > 4
        site["tank"].scenarios.begin("half", words, until="1 min", every="10 s", members=8)
        half = site["tank"].scenarios.record("half", wait_s=PATIENCE_S)
        assert (half.progress, half.ran, half.failed) == (Progress.FAILED, 8, 8)


def test_that_groups_grow_and_leave_no_remnant() -> None:
    def groups(asked: int, size: int, at_once: int) -> list[Group]:
        found: list[Group] = []
        while (begun := sum(g.count for g in found)) < asked:
            found.append(next_group(begun, asked, size, at_once))
        return found

    # Two processes: four members, then three times as many each time; blocks are not mixed.
    assert [g.count for g in groups(64, 64, 2)] == [4, 12, 36, 12]
    assert [g.count for g in groups(24, 24, 2)] == [4, 12, 8]
    assert [g.count for g in groups(18, 18, 2)] == [4, 14]
    assert groups(20, 8, 2) == [Group(0, 0, 4), Group(0, 4, 4), Group(1, 0, 8), Group(2, 0, 4)]
    assert [g.count for g in groups(5, 24, 2)] == [5]
    assert [g.count for g in groups(3, 24, 1)] == [3]


@pytest.mark.usefixtures("unhurried")
def test_that_the_first_members_answer_while_others_are_under_way() -> None:
    with running(stubborn(), log(12)) as site:
        twin = site["tank"]
        leaks = twin.now()["leak"].members[-1]
        # Those stop that leak more than all of the first group.
        Stubborn.above = float(leaks[:4].max()) * (1 + 1e-4)
        later = np.flatnonzero(leaks > Stubborn.above)
        assert (later >= 4).all()
        assert len(later) >= 1
        twin.scenarios.begin("shut", {"valve": "2"}, until="1 min", every="10 s")
        assert Stubborn.reached.wait(PATIENCE_S)
        early = twin.scenarios.estimate("shut", early=True)
        record = twin.scenarios.record("shut")
        assert record.progress is Progress.RUNNING
        assert record.ran == 4
        assert early.values.shape[2] == record.ran
        assert record.ran / MEMBERS <= site.host.scenarios.fraction("tank", "shut") < 1.0
        Stubborn.freed.set()
        whole = twin.scenarios.estimate("shut")
        assert whole.values.shape[2] == MEMBERS
        assert (whole.values[:, :, : record.ran] == early.values).all()


@pytest.mark.usefixtures("hurried")
def test_that_one_that_hangs_is_left_out_told_and_stays_so(tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    with running(stubborn(), log(12), store) as site:
        (hangs,) = slowest(site, 1)
        told = site["tank"].scenario("shut", valve="2", until="1 min", every="10 s")
        record = site["tank"].scenarios.record("shut")
        assert record.progress is Progress.DONE
        assert (record.ran, record.failed, record.slow) == (MEMBERS, 0, (hangs,))
        assert record.missing == "1 too slow"
        assert told.provenance.left_out == (hangs,)
        # It was begun once, and not again.
        assert len(Stubborn.calls) == 1
        whole = at_once_freed(site, "shut")
        assert told.values.tobytes() == np.delete(whole, hangs, axis=2).tobytes()
        gain = site["tank"].compare("shut", on="gauge")
        assert gain.before.provenance.left_out == (hangs,)
        assert gain.difference.members.shape[1] == MEMBERS - 1
        assert len(Stubborn.calls) == 1
    # The machine is faster now: nothing hangs any more.
    Stubborn.freed.set()
    with running(stubborn(), (), store) as site:
        again = site["tank"].scenarios.estimate("shut")
        assert again.values.tobytes() == told.values.tobytes()
        assert again.provenance.left_out == (hangs,)
        assert site["tank"].scenarios.record("shut").slow == (hangs,)
        same = site["tank"].compare("shut", on="gauge")
        assert (same.difference.members == gain.difference.members).all()


def at_once_freed(site: RunningSite, name: str) -> np.ndarray:
    """What all would have given."""
    Stubborn.freed.set()
    try:
        return at_once(site, name, 1).values[0]
    finally:
        Stubborn.freed.clear()


@pytest.mark.usefixtures("hurried")
def test_that_one_that_hangs_where_nothing_is_changed_is_left_out_of_the_pairs(
    tmp_path: Path,
) -> None:
    store = tmp_path / "s.duckdb"
    Stubborn.valve = "open"
    with running(stubborn(), log(12), store) as site:
        told = site["tank"].scenario("shut", valve="2", until="1 min", every="10 s")
        (hangs,) = slowest(site, 1)
        gain = site["tank"].compare("shut", on="gauge")
        assert told.values.shape[2] == MEMBERS
        assert gain.difference.members.shape[1] == MEMBERS - 1
        record = site["tank"].scenarios.record("shut")
        assert (record.slow, record.slow_beside) == ((), (hangs,))
        assert len(Stubborn.calls) == 1
        # Who asks again waits for nobody.
        site["tank"].compare("shut", on="drained")
        assert len(Stubborn.calls) == 1
    Stubborn.freed.set()
    with running(stubborn(), (), store) as site:
        same = site["tank"].compare("shut", on="gauge")
        assert (same.difference.members == gain.difference.members).all()


@pytest.mark.usefixtures("hurried")
def test_that_the_process_of_one_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int | None] = []
    interrupt = HostedEngine.interrupt

    def noted(engine: HostedEngine) -> None:
        ended.append(engine.pid)
        interrupt(engine)

    monkeypatch.setattr(HostedEngine, "interrupt", noted)
    counter = gm.EngineModel(
        name="counter",
        opened=partial(mischief_engine.opened, limit=60 * SECOND),
        step="10 s",
        window="1 min",
        stride="1 min",
        params=[gm.EngineParam("pace", "1/s", gm.lognormal(1.0, 0.3), sets="rate")],
        controls=[gm.EngineControl("mischief", sets="mischief", choices=("", "hang"))],
        sensors=[gm.EngineSensor("seen", "1", of="count", noise=1.0)],
    )
    twin = gm.Twin("counter", counter, members=6, horizon="1 h").bind("l:g", to="seen")
    with running(twin, [reading(0, 10.0)]) as site:
        asked = site["counter"]
        seen = asked.forecast("20 s", every="10 s", raw=True)["seen"].members[0]
        (hangs,) = np.argsort(seen)[-1:].tolist()
        limit = float(np.sort(seen)[-2:].mean())
        words = f"1 when seen > {limit}"
        told = asked.scenario("hang", mischief=words, until="20 s", every="10 s")
        assert asked.scenarios.record("hang").slow == (hangs,)
        assert told.values.shape[2] == 5
        (pid,) = ended
        assert pid is not None
        assert not psutil.pid_exists(pid)
        # Who is not in it anyway is not begun: nobody has to be ended a second time.
        assert asked.compare("hang", on="seen").difference.members.shape[1] == 5
        assert len(ended) == 1


def test_that_a_budget_ends_within_an_ensemble_and_the_same_is_made_again(tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    twin = tank(model(gust=0.02), members=MEMBERS)
    with running(twin, log(12), store) as site:
        # Too little for anything: the first group is run in any case, of two processes four.
        told = site["tank"].scenario("shut", valve="2", until="1 min", every="10 s", budget="1 ms")
        record = site["tank"].scenarios.record("shut")
        assert (record.progress, record.ran, record.members) == (Progress.DONE, 4, MEMBERS)
        whole = at_once(site, "shut", 1).values[0]
        assert told.values.tobytes() == whole[:, :, :4].tobytes()
    with running(tank(model(gust=0.02), members=MEMBERS), (), store) as site:
        assert site["tank"].scenarios.estimate("shut").values.tobytes() == told.values.tobytes()


@pytest.mark.usefixtures("unhurried")
def test_that_a_scenario_in_which_one_hangs_is_cancelled_at_once() -> None:
    with running(stubborn(), log(12)) as site:
        slowest(site, MEMBERS // 2)
        site["tank"].scenarios.begin("shut", {"valve": "2"}, until="1 min", every="10 s")
        assert Stubborn.reached.wait(PATIENCE_S)
        record = site["tank"].scenarios.cancel("shut")
        assert record.progress is Progress.CANCELLED
        # Nobody of those that were ended is called slow.
        assert record.slow == ()
        assert record.ran < MEMBERS


def patient(*usual: float, budget: float | None = None) -> company.Patience:
    """At 20 s of the machine's time, after members that took so long for a step."""
    ends = None if budget is None else round(budget * SECOND)
    told = company.Patience(lambda: 20 * SECOND, ends=ends)
    told.learn(each * SECOND for each in usual)
    return told


@pytest.mark.parametrize(
    ("took_s", "is_over"),
    # Three steps of a second each by the median: five times that, and five seconds of grace.
    [(14, False), (19.9, False), (20.1, True)],
)
def test_that_one_is_too_slow_at_many_times_what_is_usual(took_s: float, is_over: bool) -> None:
    through = [SECOND, 0.5 * SECOND, 4 * SECOND]
    assert patient().is_over(round(took_s * SECOND), 3, through, late=1) is is_over


def test_that_nobody_is_too_slow_while_as_many_are_late_as_are_through() -> None:
    assert not patient().is_over(3600 * SECOND, 1, [SECOND, SECOND], late=2)
    assert not patient().is_over(3600 * SECOND, 1, [], late=1)
    # Those of earlier groups count: three of them are more than two.
    assert patient(1, 1, 1).is_over(3600 * SECOND, 1, [], late=2)


def test_that_a_spent_budget_shortens_the_patience() -> None:
    # Twice what is usual, and no grace, once the budget is over at 20 s.
    assert patient(1, 1, 1, budget=20).is_over(round(2.1 * SECOND), 1, [], late=1)
    assert not patient(1, 1, 1, budget=20).is_over(round(1.9 * SECOND), 1, [], late=1)
    assert not patient(1, 1, 1, budget=21).is_over(round(2.1 * SECOND), 1, [], late=1)
