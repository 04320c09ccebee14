"""What a search leaves behind: enough to make it again, and what was rejected beside the winner."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import gemeos as gm
from gemeos.clock import ReplayClock
from gemeos.errors import InputError, StoppedError
from gemeos.foresee.fork import Played
from gemeos.foresee.verdict import Advice
from gemeos.runtime.optimisation import OptimisationRecord
from gemeos.runtime.run import RunningSite
from gemeos.runtime.scenario import Progress
from gemeos.schema.reading import Reading, Series
from gemeos.testing.played import Batch, PlayedLink
from gemeos.units.instant import SECOND

START = 1_750_000_000 * SECOND
PATIENCE_S = 20.0


@gm.model(dt="1 s")
class Tank:
    level: float = gm.state("m", gm.normal(2.0, 0.1), noise=0.01)
    valve: float = gm.control("1", bounds=(0, 1), default=1.0)
    lamp: float = gm.control("W", bounds=(0, 60), default=0.0)

    def step(self, dt: float) -> Tank:
        return Tank(level=self.level + dt * 0.01 * (2.0 * self.valve - self.level))

    @gm.sensor("m", noise=0.05)
    def gauge(self) -> float:
        return self.level


class HeldClock(ReplayClock):
    """The machine's time stands still, so that a search goes on until it is let go."""

    held = 0

    def wall(self) -> int:
        return self.held


@contextmanager
def running(store: Path | None = None) -> Iterator[RunningSite]:
    rows = [Reading(Series("l", "g"), START + s * SECOND, 2.0) for s in range(50)]
    link = PlayedLink("l", [Batch(rows, START + 49 * SECOND)])
    twin = gm.Twin("tank", Tank, members=32).bind("l:g", to="gauge")
    clock = gm.Replay(START, 1.0, "made for a test")
    with gm.run(gm.Site("s", twins=(twin,), links=(link,), clock=clock, store=store)) as site:
        assert link.played.wait(PATIENCE_S)
        yield site


def sought(site: RunningSite, name: str, budget: str, seed: int = 3) -> OptimisationRecord:
    return site["tank"].optimise(
        name,
        over={"valve": "0 .. 1"},
        until="2 min",
        every="10 s",
        minimise="last(abs(level - 1.5 m))",
        budget=budget,
        seed=seed,
    )


def test_that_a_search_that_its_time_ended_is_made_again_to_the_last_bit() -> None:
    with running() as site:
        clock = HeldClock(START + 49 * SECOND)
        site.host.clock = clock
        searches = site["tank"].optimisations
        searches.begin(
            "timed",
            {"valve": "0 .. 1"},
            until="2 min",
            every="10 s",
            minimise="last(abs(level - 1.5 m))",
            budget="10 s",
            seed=3,
        )
        late = time.monotonic() + PATIENCE_S
        while searches.progress("timed") == 0.0:
            assert time.monotonic() < late
            time.sleep(0.01)
        clock.held = 3600 * SECOND
        timed = searches.record("timed", wait_s=PATIENCE_S)
        assert 0 < timed.ran < timed.runs
        assert timed.again == f"{timed.ran} of {timed.runs} runs"
        again = sought(site, "again", timed.again)
        assert (again.ran, again.tried, again.method) == (timed.ran, timed.tried, timed.method)
        assert again.candidates == timed.candidates
        assert again.finalists[: len(timed.finalists)] == timed.finalists
        assert again.again == timed.again
        # As many runs planned from the beginning are another search.
        assert sought(site, "short", f"{timed.ran} runs").candidates != timed.candidates


@pytest.mark.parametrize("budget", ["0 of 100 runs", "101 of 100 runs"])
def test_that_a_search_cannot_end_after_more_runs_than_it_has(budget: str) -> None:
    with running() as site, pytest.raises(InputError, match="100 runs cannot be ended after"):
        sought(site, "odd", budget)


def test_that_the_winner_is_among_the_candidates_however_late_it_was_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gemeos.runtime.tried.MOST_TRIED", 3)
    with running() as site:
        found = sought(site, "many", "200 runs")
    assert found.tried > 3 + len(found.finalists)
    kept = [t.values for t in found.candidates]
    assert len(kept) <= 3 + len(found.finalists)
    assert all(finalist in kept for finalist in found.finalists)
    winner = found.candidates[kept.index(found.finalists[0])]
    assert winner.runs > 0
    # It comes within a tenth of what can be reached: the wandering of two minutes by 0.01 m a step.
    assert winner.value is not None
    assert winner.value < 0.2


def test_that_after_a_restart_all_of_a_search_is_there(tmp_path: Path) -> None:
    with running(tmp_path / "store") as site:
        best = sought(site, "best", "100 runs", seed=7)
        vain = site["tank"].optimise(
            "vain",
            over={"lamp": "0 W, 20 W, 40 W"},
            until="1 min",
            minimise="mean(level)",
            budget="60 runs",
            seed=11,
            cost="mean(lamp)",
        )
    with running(tmp_path / "store") as site:
        searches = site["tank"].optimisations
        assert [r.name for r in searches.all()] == ["best", "vain"]
        assert searches.record("best") == best
        again = searches.record("vain")
    assert again == vain
    assert (again.seed, again.advice) == (11, Advice.NOTHING)
    # What was rejected is there with its values: each lamp, and the best of them, not advised.
    assert sorted(t.values["lamp"] for t in again.candidates) == [0.0, 20.0, 40.0]
    assert again.winner is not None
    assert again.price is not None
    assert len(best.candidates) == best.tried > 20
    assert best.is_recommended
    assert len(best.finalists) > 1


def test_that_a_search_that_fails_on_the_way_raises_where_it_is_waited_for_and_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def out_of_order(*_: object) -> Played:
        raise RuntimeError("no core is left")

    with running() as site:
        monkeypatch.setattr(site.host.executor, "played", out_of_order)
        with pytest.raises(StoppedError, match="broken is failed: RuntimeError: no core is left"):
            sought(site, "broken", "64 runs")
        assert site["tank"].optimisations.record("broken").progress is Progress.FAILED
