"""A snapshot by replay is what was done, done again."""

from __future__ import annotations

from gemeos.engines.replay import Replayed
from gemeos.engines.spec import Fork, Snapshot
from tests.contracts.mischief_engine import STEP, Counter


def counter() -> Replayed:
    return Replayed(Counter(b"{}"))


def test_that_it_adds_snapshots_and_leaves_the_rest() -> None:
    can = counter().describe().capabilities
    assert can.snapshot is Snapshot.REPLAY
    assert can.fork is Fork.PROCESS


def test_that_a_replay_ends_where_the_original_stood() -> None:
    original = counter()
    original.begin({"first": 5.0}, 3)
    original.set({"rate": 2.0})
    original.advance(2 * STEP)
    original.set({"rate": 0.5})
    original.set({"mischief": "none that it knows"})
    original.advance(6 * STEP)
    again = counter()
    again.restore(original.snapshot(), 6 * STEP)
    names = ("first", "rate", "mischief", "count")
    assert again.get(names) == original.get(names) == [5.0, 0.5, "none that it knows", 11.0]


def test_that_a_replay_can_be_kept_and_replayed_again() -> None:
    original = counter()
    original.begin({}, 3)
    original.set({"rate": 3.0})
    original.advance(STEP)
    second = counter()
    second.restore(original.snapshot(), STEP)
    second.advance(2 * STEP)
    third = counter()
    third.restore(second.snapshot(), 2 * STEP)
    assert third.get(["count"]) == [6.0]
    third.end()


def test_that_a_new_beginning_is_a_new_log() -> None:
    original = counter()
    original.begin({}, 3)
    original.set({"rate": 3.0})
    original.advance(STEP)
    original.begin({}, 3)
    original.advance(STEP)
    again = counter()
    again.restore(original.snapshot(), STEP)
    assert again.get(["count"]) == [1.0]
