"""Twins asked together answer what each answers alone."""

from __future__ import annotations

import numpy as np

from gemeos.schema.reading import Readings, SeriesBook
from tests.contracts.test_contract_1_event_time import MODEL, SCORING, START, fleet_of, log_of


def test_that_twins_asked_together_hold_the_states_that_each_holds_alone() -> None:
    fleet, book = fleet_of(MODEL), SeriesBook()
    # Without every input heard, the last twin is never born.
    log = [r for r in log_of(MODEL, np.random.default_rng(8)) if r.series.channel != "2/u"]
    fleet.take(Readings.of(log, book), book)
    asked = {
        "twin-0": [START + 3, START + 40, START + 41],
        "twin-1": [START + 90],
        "twin-2": [START + 10, START + 50],
    }
    found: dict[tuple[str, int], str] = {}
    for names, states in fleet.states_together(asked):
        for i, name in enumerate(names):
            place = asked[name][sum(n == name for n, _ in found)]
            found[name, place] = states.take([i]).digest()
    assert set(found) == {(name, tick) for name, ticks in asked.items() for tick in ticks}
    for (name, tick), digest in found.items():
        alone = fleet.state_at(name, tick * fleet.schema.step)
        assert alone is not None
        assert digest == alone.digest()


def test_that_asking_on_the_way_changes_nothing_of_what_is_learned_and_remembered() -> None:
    fleet, book = fleet_of(MODEL, 1, scoring=SCORING), SeriesBook()
    fleet.take(Readings.of(log_of(MODEL, np.random.default_rng(8), 1), book), book)
    ticks = range(START + 1, START + 110)
    for tick, state in zip(ticks, fleet.states_at("twin-0", ticks), strict=True):
        alone = fleet.state_at("twin-0", tick * fleet.schema.step)
        assert alone is not None
        assert state.digest() == alone.digest()


def test_that_what_lies_before_the_horizon_is_left_out() -> None:
    fleet, book = fleet_of(MODEL, 1, horizon_s=5), SeriesBook()
    log = sorted(log_of(MODEL, np.random.default_rng(8), 1), key=lambda r: r.valid_at)
    fleet.take(Readings.of(log, book), book)
    (settled,) = fleet.settle(1)
    final = int(settled.state.tick[0])
    found = list(fleet.states_together({"twin-0": [final - 1, final, final + 1]}))
    assert [names for names, _ in found] == [("twin-0",)]
    assert found[0][1].tick.tolist() == [final + 1]
    assert list(fleet.states_together({"twin-0": [final]})) == []
