"""A twin whose cycles take long goes beside the path, and nobody waits for it.

Its fit to a window waits here until it is let go on: what happens meanwhile is what is looked at.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
import pytest

import gemeos as gm
from gemeos.assimilate.es_mda import Draws, EsMda, Params, Predict, Smoothed
from gemeos.assimilate.observed import Observed
from gemeos.assimilate.windowed import WindowedCycle
from gemeos.engines.outcome import Outcome
from gemeos.engines.stepper import EngineStepper
from gemeos.errors import AssimilationError
from gemeos.foresee import once
from gemeos.foresee.issue import readings_ahead
from gemeos.runtime import beside
from gemeos.runtime.run import RunningSite
from gemeos.schema.phase import Phase
from gemeos.schema.reading import Reading, Readings, Series
from gemeos.testing.linear import Linear
from gemeos.testing.played import Batch, PlayedLink
from gemeos.timeline.memory import MemoryTimeline
from gemeos.units.instant import SECOND, Instant
from tests.contracts.tank_engine import TankEngine
from tests.contracts.test_engine_twin import PATIENCE_S, START, STEP, fleet, log, model, taken, tank

INSTANTS: Final = 44
FREE_FITS: Final = 5
"""Fits that are not held up: by then the twin has heard enough to be in step."""


class CountedTank(TankEngine):
    """Counts how often members are run."""

    runs: ClassVar[int] = 0

    def advance(self, t: Instant) -> Outcome[None]:
        type(self).runs += 1
        return super().advance(t)


@dataclass
class Gate:
    """Where fits wait, or fail with ``error``, until it is open."""

    begun: threading.Event = field(default_factory=threading.Event)
    open: threading.Event = field(default_factory=threading.Event)
    error: str = ""
    free: int = FREE_FITS
    fits: int = 0

    def passed(self) -> None:
        self.fits += 1
        if self.fits > self.free:
            self.begun.set()
            if self.error and not self.open.is_set():
                raise RuntimeError(self.error)
            assert self.open.wait(PATIENCE_S)


@dataclass(frozen=True)
class Held(EsMda):
    """The smoother, behind a gate; of the same identity."""

    gate: Gate = field(default_factory=Gate, compare=False)

    def smoothed(
        self, params: Params, predict: Predict, observed: Observed, draws: Draws
    ) -> Smoothed:
        self.gate.passed()
        return super().smoothed(params, predict, observed, draws)


WALK: Final = Linear(
    matrix=np.array([[0.95]]),
    observation=np.array([[1.0]]),
    prior_mean=np.array([0.0]),
    prior_sd=np.array([2.0]),
    step_noise_sd=np.array([0.3]),
    sensor_noise_sd=0.3,
)


def slow(gate: Gate | None = None, *, horizon: int = 3600) -> gm.Twin:
    """The tank; without a gate it is as fast as it can be."""
    of = replace(
        model(gust=0.01),
        opened=CountedTank,
        smoother=EsMda(cut_off=0.0) if gate is None else Held(cut_off=0.0, gate=gate),
    )
    twin = tank(of, members=8)
    twin.horizon = horizon * SECOND
    return twin


def pot_of(row: Reading) -> Reading:
    """What the other twin reads at the same time."""
    return Reading(Series("l", "p"), row.valid_at, 0.5)


@contextmanager
def living(
    twin: gm.Twin, batches: Sequence[Batch], store: Path | None = None
) -> Iterator[RunningSite]:
    """A site of the slow twin and another; all that was sent is acknowledged."""
    pot = gm.Twin("pot", WALK, members=8).bind("l:p", to="y0")
    link = PlayedLink("l", batches)
    clock = gm.Replay(START, 1.0, "made for a test")
    site = gm.Site(
        "s", twins=(twin, pot), links=(link,), clock=clock, store=store, keyframes_every=60 * SECOND
    )
    with gm.run(site) as live:
        assert link.played.wait(PATIENCE_S)
        yield live


def both(rows: Sequence[Reading]) -> list[Batch]:
    return [Batch([row, pot_of(row)], row.valid_at) for row in rows]


def alone(rows: Sequence[Reading]) -> str:
    """Digest of the tank that took in all that at once."""
    with fleet(slow()) as of:
        return taken(of, [rows]).digest()


def test_that_others_are_kept_in_step_and_asked_while_a_fit_is_at_work() -> None:
    rows, gate = log(INSTANTS), Gate()
    last = rows[-1].valid_at
    with living(slow(gate), both(rows)) as site:
        # All is acknowledged, and the fit has been at work since long before the last of it.
        assert gate.begun.wait(PATIENCE_S)
        assert site["pot"].trust().newest == last
        assert site["pot"].trust().assimilated == INSTANTS
        assert site["pot"].now().provenance.data_until == last
        assert len(site.questions.readings("tank", START - 1, last)) == INSTANTS
        # The one that is behind says so, and answers with what it knows.
        trust = site["tank"].trust()
        assert trust.newest is not None
        assert trust.newest < last - 5 * STEP
        assert trust.phase is Phase.CATCHING_UP
        now = site["tank"].now()
        assert now.times[-1] == last
        assert now.provenance.data_until == trust.newest
        assert not gate.open.is_set()
        gate.open.set()
        assert site.caught_up(PATIENCE_S)
        assert site["tank"].trust().newest == last
        assert site.host.snapshot("tank").digest() == alone(rows)


def test_that_a_question_of_the_past_does_not_wait_for_a_fit() -> None:
    rows, gate = log(INSTANTS), Gate()
    with living(slow(gate), both(rows)) as site:
        assert gate.begun.wait(PATIENCE_S)
        newest = site["tank"].trust().newest
        assert newest is not None
        while_at_work = site["tank"].at(newest - STEP)
        # What is under way is not gone through: the twin stands where it stood.
        under_way = site["tank"].at(newest + STEP)
        assert not gate.open.is_set()
        assert while_at_work.provenance.data_until == newest - STEP
        assert under_way.provenance.data_until == newest
        gate.open.set()
        assert site.caught_up(PATIENCE_S)
        again = site["tank"].at(newest - STEP)
        assert again.provenance.origin == while_at_work.provenance.origin
        assert (again["gauge"].members == while_at_work["gauge"].members).all()
        assert site["tank"].at(newest + STEP).provenance.data_until == newest + STEP


def test_that_what_comes_late_keeps_no_question_of_the_past_waiting() -> None:
    rows, gate = log(INSTANTS), Gate(free=1000)
    late = replace(rows[32], value=rows[32].value + 1.0, revision=2)
    with fleet(slow(gate)) as of:
        before = taken(of, [rows]).digest()
        early = of.state_at("tank", rows[28].valid_at)
        gate.free = gate.fits
        goes_back = threading.Thread(target=lambda: taken(of, [[late]]))
        goes_back.start()
        # The fit behind it is done again; what lies before it is there meanwhile.
        assert gate.begun.wait(PATIENCE_S)
        again = of.state_at("tank", rows[28].valid_at)
        assert early is not None
        assert again is not None
        assert again.digest() == early.digest()
        assert not gate.open.is_set()
        gate.open.set()
        goes_back.join(PATIENCE_S)
        amended = of.state("tank").digest()
    assert amended != before
    assert amended == alone([*rows, late])


def test_that_one_that_falls_far_behind_reads_from_the_store(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(beside, "MOST_HELD", 3)
    monkeypatch.setattr(beside, "AT_ONCE", 7)
    rows, gate = log(INSTANTS), Gate()
    amended = [replace(rows[i], value=rows[i].value + 1.0, revision=2) for i in (20, 40)]
    with living(slow(gate), both([*rows, *amended])) as site:
        assert gate.begun.wait(PATIENCE_S)
        gate.open.set()
        assert site.caught_up(PATIENCE_S)
        assert site.host.snapshot("tank").digest() == alone([*rows, *amended])
        assert site.host.counted["too_late"] == 0
        assert site["tank"].trust().phase is Phase.IN_STEP


def test_that_a_gap_in_the_store_is_jumped_over_and_leads_to_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(beside, "MOST_HELD", 3)
    monkeypatch.setattr(beside, "AT_ONCE", 7)
    since: list[Instant] = []

    def noted(
        self: MemoryTimeline,
        series: Sequence[int],
        begin: Instant,
        until: Instant,
        *,
        known_by: Instant | None = None,
    ) -> Readings:
        if threading.current_thread().name.startswith("gemeos-tank-path"):
            since.append((begin - START) // STEP)
        return ranged(self, series, begin, until, known_by=known_by)

    ranged = MemoryTimeline.range
    monkeypatch.setattr(MemoryTimeline, "range", noted)
    # After a silence of 20 steps it goes on, and again after one of 200: from 26 and 48 on.
    rows, gate = log(30), Gate(free=2)
    gaps = [0] * 26 + [20] * 2 + [220] * 2
    rows = [
        replace(row, valid_at=row.valid_at + gap * STEP)
        for row, gap in zip(rows, gaps, strict=True)
    ]
    with living(slow(gate), both(rows)) as site:
        assert gate.begun.wait(PATIENCE_S)
        gate.open.set()
        assert site.caught_up(PATIENCE_S)
        assert site.host.snapshot("tank").digest() == alone(rows)
        assert site["tank"].trust().assimilated == len(rows)
    # Piece by piece the long silence alone is asked for 27 times.
    assert len([s for s in since if 40 <= s < 248 - 7]) <= 3


def test_that_a_kill_in_the_midst_of_a_fit_loses_nothing(tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    lived = subprocess.run(
        [sys.executable, "-c", KILLED, str(store)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert lived.returncode == -signal.SIGKILL, lived.stderr
    rows = log(FEW)
    assert int(lived.stdout) < rows[-1].valid_at
    with living(slow(horizon=60), (), store) as site:
        assert site.caught_up(PATIENCE_S)
        # What had come too late for it was acknowledged, and never told: it is healed all the same.
        ends = time.monotonic() + PATIENCE_S
        while not site.host.timeline.events(kind="healed"):
            assert time.monotonic() < ends
            time.sleep(0.05)
        assert site.host.snapshot("tank").digest() == alone(rows)


FEW: Final = 28
KILLED: Final = """
import os, signal, sys
from pathlib import Path
from tests.contracts.test_slow_twins import FEW, PATIENCE_S, Gate, both, living, log, slow

gate, rows = Gate(free=3), log(FEW)
# The fifth comes last of all.
with living(slow(gate, horizon=60), both([*rows[:4], *rows[5:], rows[4]]), Path(sys.argv[1])) as s:
    assert gate.begun.wait(PATIENCE_S)
    print(s["tank"].trust().newest, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_that_a_stop_does_not_wait_for_a_fit() -> None:
    gate = Gate()
    begun: list[int] = []
    with living(slow(gate), both(log(INSTANTS))) as site:
        assert gate.begun.wait(PATIENCE_S)
        cycle = site.host.fleet("tank").cycle
        assert isinstance(cycle, WindowedCycle)
        assert isinstance(cycle.stepper, EngineStepper)
        halted = cycle.stepper.halted

        def let_go() -> None:
            assert halted.wait(PATIENCE_S)
            begun.append(CountedTank.runs)
            gate.open.set()

        waits = threading.Thread(target=let_go)
        waits.start()
    waits.join()
    # It was let go on when the site was to end: no member was run any more.
    assert begun == [CountedTank.runs]


def test_that_a_fit_that_fails_is_told_at_once_and_tried_again() -> None:
    rows, gate = log(INSTANTS), Gate(error="the network is gone")
    with living(slow(gate), both(rows)) as site:
        assert gate.begun.wait(PATIENCE_S)
        ends = time.monotonic() + PATIENCE_S
        while not (told := site.host.timeline.events(kind="stands_still")):
            assert time.monotonic() < ends
            time.sleep(0.05)
        assert [(e.twin, e.cause) for e in told] == [("tank", "the network is gone")]
        assert site["tank"].trust().phase is Phase.STOPPED
        with pytest.raises(AssimilationError, match="the network is gone"):
            site["tank"].now()
        assert site["pot"].trust().newest == rows[-1].valid_at
        assert site["pot"].trust().phase is Phase.IN_STEP
        gate.open.set()
        assert site.caught_up(PATIENCE_S)
        assert site["tank"].trust().phase is Phase.IN_STEP
        assert site.host.snapshot("tank").digest() == alone(rows)


def test_that_a_forecast_that_is_learned_from_and_scored_is_run_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs = 0

    def counted(*args: object, **more: object) -> object:
        nonlocal runs
        runs += 1
        return readings_ahead(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(once, "readings_ahead", counted)
    rows = log(26)

    def lived() -> tuple[str, int]:
        nonlocal runs
        runs = 0
        twin = tank(replace(model(gust=0.01), smoother=EsMda()), members=8, leads=("1 min",))
        with living(twin, both(rows)) as site:
            assert site.caught_up(PATIENCE_S)
            stored = site.host.timeline.forecasts("tank", "gauge", START - 1, 2**62)
            # At whole minutes, the first of which is that of its birth.
            assert np.unique(stored.issued_at).tolist() == [START + k * 6 * STEP for k in range(5)]
            return site.host.snapshot("tank").digest(), runs

    digest, times = lived()
    assert times == 5
    monkeypatch.setattr(once, "MOST_KEPT", 0)
    again, times = lived()
    # Nothing is remembered: each is run to be stored, and to be learned from at the next reading.
    assert times == 2 * 5
    assert again == digest


def test_that_a_reading_that_comes_while_an_empty_store_is_looked_through_is_taken_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is stored between two questions of a start: that nothing is there, and what is newest."""
    looked = MemoryTimeline.changed_since
    raced = threading.Event()

    def late(
        self: MemoryTimeline,
        series: Sequence[int],
        commit: Instant,
        until: Instant,
        *,
        known_by: Instant | None,
    ) -> Instant | None:
        def look() -> Instant | None:
            return looked(self, series, commit, until, known_by=known_by)

        found = look()
        if found is None and not raced.is_set():
            ends = time.monotonic() + PATIENCE_S
            while look() is None and time.monotonic() < ends:
                time.sleep(0.01)
            raced.set()
        return found

    monkeypatch.setattr(MemoryTimeline, "changed_since", late)
    link = PlayedLink("l", [Batch([row], row.valid_at) for row in log(6)])
    clock = gm.Replay(START, 1.0, "made for a test")
    site = gm.Site("s", twins=(tank(model(), members=8),), links=(link,), clock=clock)
    with gm.run(site) as live:
        assert link.played.wait(PATIENCE_S)
        assert live.caught_up(20.0)
        assert raced.is_set()
        assert live["tank"].trust().assimilated == 6
