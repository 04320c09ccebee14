"""Hindcasts: only what was known then, judged by what happened; alike here and from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import gemeos as gm
from gemeos.errors import InputError, OutOfReachError, UnknownNameError
from gemeos.runtime.asked import AsksWhatIf
from gemeos.runtime.scenario import Progress
from gemeos.schema.reading import Reading, Series
from gemeos.serve.client import connect
from gemeos.testing.played import Batch, PlayedLink
from gemeos.testing.served import served
from gemeos.units.instant import SECOND, Instant

START = 1_750_000_000 * SECOND
PATIENCE_S = 20.0
CYCLE, TOP = 100, 10.0
FLOOD = range(330, 390)
"""Seconds in which it fills two and a half times as fast, to nine metres, which it holds."""
END = 600


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
        return min(3.3 + 0.25 * (at - FLOOD.start), 9.0)
    return TOP * (at % CYCLE) / CYCLE


def basin_site(*, punctual: bool = False) -> tuple[gm.Site, PlayedLink]:
    """Of the flood's readings nobody knew before the end, unless they are ``punctual``."""
    series = Series("l", "g")
    rows = {s: Reading(series, second(s), level(s)) for s in range(END + 1)}
    late = [] if punctual else [rows.pop(s) for s in FLOOD]
    batches = [Batch([r], r.valid_at) for r in rows.values()]
    batches.append(Batch(late, second(END)))
    link = PlayedLink("l", batches)
    twin = gm.Twin("basin", Basin, members=64, horizon="20 s").bind("l:g", to="gauge")
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
        ({"condition": "levl > 8 m"}, UnknownNameError, "Did you mean 'level'"),
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
