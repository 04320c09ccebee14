"""Contract 1: ``at`` answers from readings up to then, and ``known_by`` from what was known."""

from __future__ import annotations

import numpy as np
import pytest

import gemeos as gm
from gemeos.clock import ReplayClock
from gemeos.errors import OutOfReachError
from gemeos.runtime.host import Host
from gemeos.schema.reading import Reading, Readings, Series
from gemeos.timeline.memory import MemoryTimeline
from gemeos.units import span
from gemeos.units.instant import SECOND

START = 1_700_000_000 * SECOND
SERIES = Series("hand", "gauge")


@gm.model(dt="1 s")
class Tank:
    level: float = gm.state("m", gm.normal(1.0, 0.5), noise=0.05)

    def step(self, dt: float) -> Tank:
        return Tank(level=self.level + 0.0 * dt)

    @gm.sensor("m", noise=0.05)
    def gauge(self) -> float:
        return self.level


def host_of() -> Host:
    twin = gm.Twin("tank", Tank, members=24, horizon="30 s").bind("hand:gauge", to="gauge")
    site = gm.Site(
        "s",
        twins=(twin,),
        links=(gm.HttpLink(name="hand"),),
        clock=gm.Replay(START, 1.0, "a test's own time"),
        keyframes_every=span("20 s"),
    )
    host = Host(site, MemoryTimeline())
    host.resume()
    return host


def take(host: Host, second: int, value: float, known_s: int) -> None:
    assert isinstance(host.clock, ReplayClock)
    host.clock.follow(START + known_s * SECOND)
    rows = [Reading(SERIES, START + second * SECOND, value)]
    readings = Readings.of(rows, host.timeline.book)
    host._assimilate(readings, host.timeline.append(readings, known_at=host.clock.now()))


def levels(host: Host, second: int, known_s: int | None = None) -> np.ndarray:
    known_by = None if known_s is None else START + known_s * SECOND
    return host.questions.at("tank", START + second * SECOND, known_by=known_by)["level"].members


VALUES = 1.0 + np.random.default_rng(3).normal(0, 0.2, 200)


@pytest.mark.parametrize("second", [5, 60, 120, 150, 198])
def test_that_the_past_is_answered_as_it_was_held_then_where_nothing_came_late(second: int) -> None:
    host, then = host_of(), host_of()
    for s in range(200):
        take(host, s, VALUES[s], s)
    for s in range(second + 1):
        take(then, s, VALUES[s], s)
    assert (levels(host, second) == levels(then, second)).all()
    # The same from the timeline alone, as a restarted site would answer.
    assert (levels(host, second, known_s=second) == levels(then, second)).all()


def test_that_what_was_believed_then_does_not_know_what_came_later() -> None:
    host, believed, right = host_of(), host_of(), host_of()
    for s in range(100):
        if s != 80:
            take(host, s, VALUES[s], s)
            take(believed, s, VALUES[s], s)
        take(right, s, VALUES[s], s)
    take(host, 80, VALUES[80], 100)
    assert (levels(host, 90) == levels(right, 90)).all()
    assert (levels(host, 90, known_s=99) == levels(believed, 90)).all()
    assert (levels(host, 90, known_s=100) == levels(right, 90)).all()


def test_that_a_reading_too_late_for_the_live_twin_is_in_the_answer_about_its_time() -> None:
    host, right = host_of(), host_of()
    for s in range(200):
        if s != 40:
            take(host, s, VALUES[s], s)
        take(right, s, VALUES[s], s)
    take(host, 40, VALUES[40], 200)
    assert host.too_late("tank") == 1
    assert (levels(host, 60) == levels(right, 60)).all()


def test_that_a_time_before_the_first_reading_is_out_of_reach() -> None:
    host = host_of()
    take(host, 10, 1.0, 10)
    with pytest.raises(OutOfReachError, match="tank had no reading by 2023-11-14T22:13:2"):
        levels(host, 5)
    with pytest.raises(OutOfReachError, match="that was known by"):
        levels(host, 10, known_s=5)


def test_that_a_silent_twin_answers_the_same_asked_once_or_again_and_again() -> None:
    often, once = host_of(), host_of()
    for host in (often, once):
        take(host, 0, 1.0, 0)
    for second in (3, 7, 40):
        often.clock.follow(START + second * SECOND)  # type: ignore[attr-defined]
        often.questions.now("tank")
    told = often.questions.now("tank")
    once.clock.follow(START + 40 * SECOND)  # type: ignore[attr-defined]
    assert told.times[0] == START + 40 * SECOND
    assert (told.values == once.questions.now("tank").values).all()
    # A reading begins it anew.
    take(often, 41, 1.2, 41)
    take(once, 41, 1.2, 41)
    assert (often.questions.now("tank").values == once.questions.now("tank").values).all()
