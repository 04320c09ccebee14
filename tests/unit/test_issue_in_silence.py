"""Forecasts as issued when a source was silent for long and returns."""

from __future__ import annotations

import numpy as np
import pytest

import gemeos as gm
from gemeos.clock import ReplayClock
from gemeos.runtime import scores
from gemeos.runtime.host import Host
from gemeos.schema.reading import Reading, Readings, Series
from gemeos.timeline.memory import MemoryTimeline
from gemeos.units.instant import SECOND

START = 1_700_000_000 * SECOND


@gm.model(dt="1 s")
class Still:
    """Stays where it is, nearly."""

    x: float = gm.state("m", gm.normal(0.0, 1.0), noise=0.01)

    def step(self, dt: float) -> Still:  # noqa: ARG002
        return Still(x=self.x)

    @gm.sensor("m", noise=0.1)
    def gauge(self) -> float:
        return self.x


def host_of() -> Host:
    twin = gm.Twin("still", Still, members=8, leads=("2 s", "5 s"), forecast_every="2 s")
    site = gm.Site(
        "s",
        twins=(twin.bind("hand:gauge", to="gauge"),),
        links=(gm.HttpLink(name="hand"),),
        clock=gm.Replay(START, 1.0, "a test's own time"),
    )
    host = Host(site, MemoryTimeline())
    host.resume()
    return host


def fed(host: Host, seconds: list[int]) -> None:
    """One reading at each of them, all in one batch."""
    assert isinstance(host.clock, ReplayClock)
    at = START + seconds[-1] * SECOND
    host.clock.follow(at)
    log = [Reading(Series("hand", "gauge"), START + s * SECOND, 0.01 * (s % 7)) for s in seconds]
    rows = Readings.of(log, host.timeline.book)
    host._assimilate(rows, host.timeline.append(rows, known_at=at))


def issued(seconds: list[int]) -> list[int]:
    """Seconds at which forecasts were issued after one reading at each of ``seconds``."""
    host = host_of()
    for second in seconds:
        fed(host, [second])
    found = host.timeline.forecasts("still", "gauge", 0, 2**62).issued_at
    return sorted({(int(at) - START) // SECOND for at in found})


def test_that_in_a_silence_only_forecasts_are_issued_whose_truth_may_come() -> None:
    # At even seconds. Between 4 and 600 nothing is read: from 6 to 594 no forecast of 2 or 5 s
    # ends where something is.
    assert issued([0, 1, 2, 3, 4]) == [0, 2, 4]
    assert issued([0, 1, 2, 3, 4, 600]) == [0, 2, 4, 596, 598, 600]
    assert issued([0, 4, 8]) == [0, 2, 4, 6, 8]


def test_that_a_backlog_is_forecast_as_if_it_had_come_reading_by_reading(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scores, "AT_ONCE", 7)
    at_once, one_by_one = host_of(), host_of()
    fed(at_once, list(range(101)))
    for second in range(101):
        fed(one_by_one, [second])
    got, want = (h.timeline.forecasts("still", "gauge", 0, 2**62) for h in (at_once, one_by_one))
    # At every even second, two leads.
    assert len(got.issued_at) == 2 * 51
    np.testing.assert_array_equal(got.issued_at, want.issued_at)
    np.testing.assert_array_equal(got.members, want.members)
    np.testing.assert_array_equal(got.corrected, want.corrected)
    assert at_once.scores.of("still") == one_by_one.scores.of("still")
