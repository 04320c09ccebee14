"""Hindcasts and alerts: judged by what happened; alike in the process and from elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import gemeos as gm
from gemeos.errors import InputError, OutOfReachError, SchemaError, UnknownNameError
from gemeos.runtime.asks_what_if import AsksWhatIf
from gemeos.runtime.run import RunningSite
from gemeos.runtime.scenario import Progress
from gemeos.schema.reading import Reading, Series
from gemeos.serve.client import connect
from gemeos.testing.played import Batch, PlayedLink
from gemeos.testing.served import served
from gemeos.units.instant import SECOND, Instant

START = 1_750_000_000 * SECOND
PATIENCE_S = 40.0
CYCLE, TOP = 100, 10.0
FLOOD = range(330, 390)
"""Seconds in which it fills two and a half times as fast, to nine metres, which it holds."""
END = 594


@gm.model(dt="1 s")
class Basin:
    """Fills evenly and is emptied by somebody whom the model does not know."""

    level: float = gm.state("m", gm.normal(0.0, 1.0), noise=0.05)
    rate: float = gm.param("m/s", gm.normal(0.1, 0.05), drift=1e-4)

    def step(self, dt: float) -> Basin:
        return Basin(level=self.level + dt * self.rate)

    @gm.sensor("m", noise=0.05)
    def gauge(self) -> float:
        return self.level


def second(number: float) -> Instant:
    return START + round(number * SECOND)


def level(at: int) -> float:
    """Up by ten metres in each hundred seconds, and empty again; but for the flood."""
    if at in FLOOD:
        # Rippled: a gauge that told one number for a minute would count as stuck.
        return min(3.3 + 0.25 * (at - FLOOD.start), 9.0 + 0.03 * (at % 3))
    return TOP * (at % CYCLE) / CYCLE


def basin_site(*, punctual: bool = False) -> tuple[gm.Site, PlayedLink]:
    """Of the flood's readings nobody knew before the end, unless they are ``punctual``."""
    series = Series("l", "g")
    rows = {s: Reading(series, second(s), level(s)) for s in range(END + 1)}
    late = [] if punctual else [rows.pop(s) for s in FLOOD]
    known = list(rows.values())
    batches = [Batch(two, two[-1].valid_at) for two in zip(known[::2], known[1::2], strict=False)]
    batches.append(Batch(known[-1:], known[-1].valid_at))
    batches.append(Batch(late, second(END)))
    link = PlayedLink("l", batches)
    twin = gm.Twin("basin", Basin, members=64, horizon="20 s").bind("l:g", to="gauge")
    twin.watch("full", "level > 8 m", within="20 s", every="2 s")
    clock = gm.Replay(START, 1.0, "made for a test")
    return gm.Site("s", twins=(twin,), links=(link,), clock=clock), link


@pytest.fixture(scope="module", params=["embedded", "connected"])
def basin(request: pytest.FixtureRequest) -> Iterator[AsksWhatIf]:
    site, link = basin_site()
    if request.param == "embedded":
        with gm.run(site) as running:
            assert link.played.wait(PATIENCE_S)
            yield running["basin"]
        return
    with served(site) as serving, connect(serving.url) as connection:
        assert link.played.wait(PATIENCE_S)
        yield connection["basin"]


def test_that_what_comes_evenly_is_warned_of_as_early_as_it_is_asked_for(
    basin: AsksWhatIf,
) -> None:
    # The level passes 8 m eighty seconds into each cycle: at 180, 280 and so on.
    told = basin.hindcast(
        "level > 8 m", within="20 s", every="1 s", since=second(110), until=second(345), likely=0.5
    )
    assert told.progress is Progress.DONE
    assert (told.hits, told.misses) == (2, 0)
    # Half of the members reach 8 m within 20 s when the level is 6 m: twenty seconds before, and
    # the filter, which was thrown back when the basin was emptied, has caught up by then.
    assert all(15 * SECOND <= lead <= 25 * SECOND for lead in told.leads)
    assert told.issues == 236
    begins = [first for first, _ in told.occurrences]
    assert [round((b - START) / SECOND) for b in begins] == pytest.approx([181, 281], abs=2)
    assert told.brier_skill is not None
    assert told.brier_skill > 0.5
    assert "2 were warned of" in told.told
    basin.hindcasts.drop(told.name)


def test_that_only_what_was_known_then_warns(basin: AsksWhatIf) -> None:
    # It is above 8 m from second 349 on. Who reads the flood sees it coming; who has heard nothing
    # since second 329 expects 5 m then.
    asked = {"within": "10 s", "every": "1 s", "since": second(310), "until": second(370)}
    told = basin.hindcast("level > 8 m", **asked)  # type: ignore[arg-type]
    assert (told.hits, told.misses) == (0, 1)
    ((first, _),) = told.occurrences
    assert (first - START) / SECOND == pytest.approx(349, abs=2)
    basin.hindcasts.drop(told.name)


def test_that_the_same_readings_in_time_would_have_warned() -> None:
    site, link = basin_site(punctual=True)
    asked = {"within": "10 s", "every": "1 s", "since": second(310), "until": second(370)}
    with gm.run(site) as running:
        assert link.played.wait(PATIENCE_S)
        told = running["basin"].hindcast("level > 8 m", **asked)  # type: ignore[arg-type]
    assert (told.hits, told.misses) == (1, 0)
    assert told.leads[0] >= 2 * SECOND


def test_that_an_alert_shows_how_it_has_done_as_it_was_issued(basin: AsksWhatIf) -> None:
    (told,) = basin.warnings()
    assert (told.name, told.condition, told.within) == ("full", "level > 8 m", 20 * SECOND)
    # Above 8 m from seconds 80, 180, 280, 480 and 580 on, each seen coming. In between nothing was
    # heard from 330 to 389, and with the next reading it was above already: missed.
    assert (told.hits, told.misses) == (5, 1)
    assert told.median_lead is not None
    assert 14 * SECOND <= told.median_lead <= 26 * SECOND
    assert told.issued_at == second(END)
    # The basin is nearly full at the end.
    assert told.is_on
    assert told.is_so
    assert told.chance == 1.0
    assert told.brier_skill is not None
    assert told.brier_skill > 0.3


def test_that_an_alert_is_told_when_it_turns_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    site, link = basin_site(punctual=True)
    stored = replace(site, store=tmp_path / "s.duckdb")
    with gm.run(stored) as running:
        assert link.played.wait(PATIENCE_S)
        settle(running)
        (before,) = running["basin"].warnings()
        assert (before.hits, before.misses) == (6, 0)
        events = list(reversed(running.host.timeline.events(kind="alert", limit=1000)))
        # Six warnings, of which the last still stands; around the threshold one may be taken back.
        told = [e.body["is"] for e in events]
        assert told == [*["on", "off"] * (len(events) // 2), "on"]
        assert 11 <= len(events) <= 15
        assert {e.body["name"] for e in events} == {"full"}
    with gm.run(replace(stored, links=(PlayedLink("l", []),))) as running:
        (after,) = running["basin"].warnings()
        # What was asked since the record was written last is forgotten, and nothing else.
        assert before.issues - 10 < after.issues <= before.issues
        assert (after.hits, after.misses, after.is_on) == (6, 0, True)


def settle(running: RunningSite) -> None:
    """Wait until the chances of the last readings are worked out."""
    alerts, end = running.host.alerts, time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if running["basin"].warnings()[0].issued_at == second(END) and not alerts.under_way:
            return
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("asked", "kind", "told"),
    [
        ({"condition": "levell > 8 m"}, UnknownNameError, "Did you mean 'level'"),
        ({"within": "0.5 s"}, SchemaError, "steps of 1 s"),
        ({"every": "1.5 s"}, SchemaError, "whole number"),
        ({"likely": 0.0}, SchemaError, "is none"),
        ({"name": "full"}, SchemaError, "watches for 'full' already"),
    ],
)
def test_that_an_alert_that_cannot_be_is_refused_where_it_is_declared(
    asked: dict[str, object], kind: type[Exception], told: str
) -> None:
    twin = gm.Twin("basin", Basin).watch("full", "level > 8 m", within="20 s")
    whole = {"name": "high", "condition": "level > 8 m", "within": "20 s", **asked}
    with pytest.raises(kind, match=told):
        twin.watch(**whole)  # type: ignore[arg-type]


def test_that_a_hindcast_is_kept_until_it_is_dropped(basin: AsksWhatIf) -> None:
    hindsight = basin.hindcasts
    hindsight.begin("june", "level > 8 m", within="20 s", since=second(110), until=second(200))
    done = hindsight.record("june", wait_s=PATIENCE_S)
    assert hindsight.progress("june") == 1.0
    assert [r.name for r in hindsight.all()] == ["june"]
    assert done.every == 3 * SECOND
    with pytest.raises(InputError, match="has the hindcast 'june' already"):
        hindsight.begin("june", "level > 8 m", within="20 s", since=second(110), until=second(200))
    hindsight.drop("june")
    with pytest.raises(UnknownNameError, match="no hindcast 'june'"):
        hindsight.record("june")


@pytest.mark.parametrize(
    ("asked", "kind", "told"),
    [
        ({"condition": "levell > 8 m"}, UnknownNameError, "Did you mean 'level'"),
        ({"condition": "level > 8 s"}, InputError, "cannot be turned into"),
        ({"condition": "level >"}, InputError, "is missing"),
        ({"within": "0.1 s"}, InputError, "shorter than a step"),
        ({"within": "10 min"}, InputError, "no longer than the reach"),
        ({"until": second(END + 100)}, InputError, "ends in the past"),
        ({"since": second(-100)}, OutOfReachError, "had no reading by"),
        ({"likely": 2.0}, InputError, "2.0|<= 1"),
    ],
)
def test_that_what_cannot_be_gone_through_is_refused_and_not_kept(
    basin: AsksWhatIf, asked: dict[str, object], kind: type[Exception], told: str
) -> None:
    whole = {
        "condition": "level > 8 m",
        "within": "20 s",
        "since": second(110),
        "until": second(200),
        **asked,
    }
    with pytest.raises(kind, match=told):
        basin.hindcast(**whole)  # type: ignore[arg-type]
    assert basin.hindcasts.all() == []
