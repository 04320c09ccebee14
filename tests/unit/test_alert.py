"""What is kept of an alert: only what was worked out, in the order of the instants."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import gemeos as gm
from gemeos.ensemble.state import TwinState
from gemeos.errors import AssimilationError
from gemeos.runtime import alerts
from gemeos.runtime.alert import AlertRecord
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.run import RunningSite
from gemeos.schema.reading import Reading, Series
from gemeos.testing.played import Batch, PlayedLink
from gemeos.units.instant import SECOND

START = 1_750_000_000 * SECOND
PATIENCE_S = 20.0
BLANK = AlertRecord("tank", "high", "x > 1", 10 * SECOND, 0.5, "model", START)


@gm.model(dt="1 s")
class Level:
    x: float = gm.state("m", gm.normal(0.0, 1.0), noise=0.1)

    def step(self, dt: float) -> Level:
        return Level(x=self.x + 0.0 * dt)

    @gm.sensor("m", noise=0.1)
    def gauge(self) -> float:
        return self.x


def test_that_answers_that_come_in_another_order_stand_in_that_of_their_instants() -> None:
    record = BLANK.asked(START, 0.1).asked(START + 20, 0.9).asked(START + 10, 0.2)
    assert record.issued == (START, START + 10, START + 20)
    assert record.chance == (0.1, 0.2, 0.9)
    assert record.is_on


def test_that_what_could_not_be_worked_out_is_no_issue(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> float:
        raise AssimilationError("all members failed")

    monkeypatch.setattr(alerts, "chance_of", fails)
    with watched() as running:
        (told,) = running["tank"].warnings()
    assert (told.issues, told.chance, told.is_on) == (0, None, False)


def test_that_an_answer_that_is_late_turns_nothing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    turns, later = START + 10 * SECOND, threading.Event()

    def chance(fleet: Fleet, _: str, then: TwinState, *__: object, **___: object) -> float:
        at = int(then.tick[0]) * fleet.schema.step
        if at == turns:
            assert later.wait(PATIENCE_S)
        elif at > turns:
            later.set()
        return 0.9 if at >= turns else 0.1

    monkeypatch.setattr(alerts, "chance_of", chance)
    with watched() as running:
        told = [event.body["is"] for event in running.host.timeline.events(kind="alert", limit=9)]
        (standing,) = running["tank"].warnings()
    assert standing.is_on
    assert told == ["on"]


@contextmanager
def watched() -> Iterator[RunningSite]:
    """A tank whose level is looked ahead at ten times, once all of that is worked out."""
    twin = gm.Twin("tank", Level).bind("l:g", to="gauge")
    twin.watch("high", "x > 1 m", within="10 s", every="2 s")
    rows = [Reading(Series("l", "g"), START + s * SECOND, 0.0) for s in range(20)]
    link = PlayedLink("l", [Batch([row], row.valid_at) for row in rows])
    clock = gm.Replay(START, 1.0, "made for a test")
    with gm.run(gm.Site("s", twins=(twin,), links=(link,), clock=clock)) as running:
        assert link.played.wait(PATIENCE_S)
        settle(running)
        yield running


def settle(running: RunningSite) -> None:
    """Wait for what was asked: behind it on the question threads, and then on the path."""
    for _ in range(2):
        asked = [running.host.compute.aside(lambda: None) for _ in range(4)]
        for each in asked:
            each.result(PATIENCE_S)
        running.host.compute.path(lambda: None).result(PATIENCE_S)
