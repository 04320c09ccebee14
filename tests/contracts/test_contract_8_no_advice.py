"""Contract 8: a twin that is out of step gives no advice, however good a plan would look."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

import gemeos as gm
from gemeos.clock import ReplayClock
from gemeos.foresee.verdict import Advice
from gemeos.runtime.phase import Phase
from gemeos.runtime.run import RunningSite
from gemeos.schema.reading import Reading, Readings, Series
from gemeos.testing.played import Batch, PlayedLink
from gemeos.units.instant import SECOND

START = 1_750_000_000 * SECOND
PATIENCE_S = 20.0


@gm.model(dt="1 s")
class Tank:
    level: float = gm.state("m", gm.normal(2.0, 0.5), noise=0.01)
    valve: float = gm.control("m/s", bounds=(0, 1), default=1.0)

    def step(self, dt: float) -> Tank:
        return Tank(level=self.level + dt * 0.1 * self.valve)

    @gm.sensor("m", noise=0.05)
    def gauge(self) -> float:
        return self.level


@pytest.mark.parametrize("silent_s", [0, 500])
def test_that_a_blind_twin_gives_no_advice(silent_s: int) -> None:
    rows = [Reading(Series("l", "g"), START + s * SECOND, 2.0 + 0.1 * s) for s in range(50)]
    end = START + (49 + silent_s) * SECOND
    link = PlayedLink("l", [Batch(rows, START + 49 * SECOND), Batch([], end)])
    twin = gm.Twin("tank", Tank).bind("l:g", to="gauge")
    clock = gm.Replay(START, 1.0, "made for a test")
    with gm.run(gm.Site("s", twins=(twin,), links=(link,), clock=clock)) as site:
        assert link.played.wait(PATIENCE_S)
        tank, late = site["tank"], time.monotonic() + PATIENCE_S
        is_blind = silent_s > 0
        while (tank.trust().phase is Phase.BLIND) is not is_blind and time.monotonic() < late:
            time.sleep(0.02)
        found = tank.optimise(
            over={"valve": "0 m/s, 1 m/s"},
            until="10 s",
            minimise="mean(last(level))",
            budget="20 runs",
        )
    # To shut the valve keeps the level a metre lower: only who hears may say so.
    assert found.is_recommended is not is_blind
    assert (found.advice is Advice.NOTHING) is is_blind
    assert ("tank is blind: what it foresees is not to be relied on." in found.reasons) is is_blind
    assert (found.winner is None) is is_blind


def rows(since: int, until: int, *, off: float = 0.0) -> list[Reading]:
    """The level rises as the model says; each is ``off`` by turns above and below it."""
    return [
        Reading(Series("l", "g"), START + s * SECOND, 2.0 + 0.1 * s + off * (-1) ** s)
        for s in range(since, until)
    ]


def wait_for(so: Callable[[], bool]) -> None:
    late = time.monotonic() + PATIENCE_S
    while not so():
        assert time.monotonic() < late, "it did not come"
        time.sleep(0.01)


# Ten times the noise that the gauge is declared to have: spread and error do not agree.
@pytest.mark.parametrize("off", [0.0, 0.5])
def test_that_a_drifting_twin_gives_no_advice(off: float) -> None:
    link = PlayedLink("l", [Batch(rows(0, 100, off=off), START + 99 * SECOND)])
    twin = gm.Twin("tank", Tank).bind("l:g", to="gauge")
    clock = gm.Replay(START, 1.0, "made for a test")
    with gm.run(gm.Site("s", twins=(twin,), links=(link,), clock=clock)) as site:
        assert link.played.wait(PATIENCE_S)
        tank = site["tank"]
        assert (tank.trust().phase is Phase.DRIFTING) is (off > 0)
        found = tank.optimise(
            over={"valve": "0 m/s, 1 m/s"},
            until="10 s",
            minimise="mean(last(level))",
            budget="20 runs",
        )
    why = "tank is drifting: what it foresees is not to be relied on."
    assert (found.advice is Advice.NOTHING) is (found.winner is None) is (off > 0)
    assert found.reasons == (why,) if off else why not in found.reasons
    # Nothing was run for what nobody may rely on.
    assert (found.ran == 0) is (off > 0)


def test_that_what_drives_a_twin_does_not_keep_it_from_being_blind() -> None:
    # The gauge falls silent at 100 s. The valve goes on telling where it stands, of its own accord
    # a reading a second: nothing of that shows what the tank does.
    told = [Reading(Series("l", "v"), START + s * SECOND, 0.0) for s in range(200)]
    seen = [*rows(0, 100), *told]
    link = PlayedLink("l", [Batch(seen, START + 199 * SECOND)])
    twin = gm.Twin("tank", Tank).bind("l:g", to="gauge").bind("l:v", to="valve")
    clock = gm.Replay(START, 1.0, "made for a test")
    with gm.run(gm.Site("s", twins=(twin,), links=(link,), clock=clock)) as site:
        assert link.played.wait(PATIENCE_S)
        tank = site["tank"]
        wait_for(lambda: tank.trust().newest == START + 199 * SECOND)
        assert tank.trust().phase is Phase.BLIND
        found = tank.optimise(
            over={"valve": "0 m/s, 1 m/s"},
            until="10 s",
            minimise="mean(last(level))",
            budget="20 runs",
        )
    assert found.reasons == ("tank is blind: what it foresees is not to be relied on.",)
    assert (found.advice, found.ran) == (Advice.NOTHING, 0)


class HeldClock(ReplayClock):
    """The machine's time stands still, so that a search goes on until it is let go."""

    held = 0

    def wall(self) -> int:
        return self.held


def wild(site: RunningSite) -> None:
    """Readings that do not fit the model."""
    host = site.host
    readings = Readings.of(rows(50, 150, off=0.5), host.timeline.book)

    def taken() -> None:
        commit = host.timeline.append(readings, known_at=host.clock.now())
        host.clock.follow(START + 149 * SECOND)  # type: ignore[attr-defined]
        host._assimilate(readings, commit)

    host.compute.path(taken).result(PATIENCE_S)


def silent(site: RunningSite) -> None:
    """Time goes on, and nothing is heard."""
    site.host.clock.follow(START + 500 * SECOND)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("meanwhile", "phase"), [(wild, Phase.DRIFTING), (silent, Phase.BLIND), (None, Phase.IN_STEP)]
)
def test_that_a_twin_that_falls_out_of_step_during_the_search_gives_no_advice(
    meanwhile: Callable[[RunningSite], None] | None, phase: Phase
) -> None:
    link = PlayedLink("l", [Batch(rows(0, 50), START + 49 * SECOND)])
    twin = gm.Twin("tank", Tank).bind("l:g", to="gauge")
    replayed = gm.Replay(START, 1.0, "made for a test")
    with gm.run(gm.Site("s", twins=(twin,), links=(link,), clock=replayed)) as site:
        assert link.played.wait(PATIENCE_S)
        site.host.clock = clock = HeldClock(START + 49 * SECOND)
        tank = site["tank"]
        searches = tank.optimisations
        searches.begin(
            "shut",
            {"valve": "0 m/s .. 1 m/s"},
            until="10 s",
            minimise="mean(last(level))",
            budget="10 s",
        )
        wait_for(lambda: searches.progress("shut") > 0.0)
        assert tank.trust().phase is Phase.IN_STEP
        if meanwhile is not None:
            meanwhile(site)
        assert tank.trust().phase is phase
        clock.held = 3600 * SECOND
        found = searches.record("shut", wait_s=PATIENCE_S)
    is_refused = meanwhile is not None
    assert found.tried > 0
    assert (found.advice is Advice.NOTHING) is is_refused
    assert (found.winner is None) is is_refused
    assert any(f"tank is {phase.value}" in reason for reason in found.reasons) is is_refused
