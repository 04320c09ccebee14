"""Readings inside the horizon: one place, one reading."""

from __future__ import annotations

from gemeos.runtime.window import Entry, Window

STEP = 10


def entry(valid_at: int, value: float = 1.0, **more: int | bool) -> Entry:
    told = {"channel": 0, "sample": 0, "valid_from": valid_at, "revision": -1, "counts": True}
    return Entry(valid_at=valid_at, value=value, **{**told, **more})  # type: ignore[arg-type]


def test_that_a_reading_is_applied_at_the_first_instant_not_before_it() -> None:
    window = Window(STEP)
    assert window.insert(entry(20)) == 2
    assert window.insert(entry(21)) == 3
    assert window.insert(entry(-1)) == 0
    assert list(window.ticks(0)) == [0, 2, 3]


def test_that_a_duplicate_is_recognised_and_a_correction_is_not_one() -> None:
    window = Window(STEP)
    assert window.insert(entry(20)) == 2
    assert window.insert(entry(20)) is None
    assert window.insert(entry(20, 5.0)) == 2
    assert [e.value for e in window.at(2)] == [5.0]
    assert len(window) == 1


def test_that_a_lower_revision_never_replaces_a_higher_one() -> None:
    window = Window(STEP)
    window.insert(entry(20, 2.0, revision=2))
    assert window.insert(entry(20, 1.0, revision=1)) is None
    assert [e.value for e in window.at(2)] == [2.0]


def test_that_several_samples_of_one_instant_stand_beside_each_other() -> None:
    window = Window(STEP)
    window.insert(entry(20, 3.0, sample=1))
    window.insert(entry(20, 2.0, sample=0))
    window.insert(entry(20, 1.0, channel=1))
    assert [e.value for e in window.at(2)] == [2.0, 3.0, 1.0]


def test_that_a_place_that_was_taken_back_is_known_and_does_not_count() -> None:
    window = Window(STEP)
    window.insert(entry(20, 2.0, revision=0))
    assert window.insert(entry(20, 0.0, revision=1, counts=False)) == 2
    assert window.at(2) == []
    assert window.insert(entry(20, 2.0, revision=0)) is None


def test_that_what_lies_before_the_boundary_is_forgotten() -> None:
    window = Window(STEP)
    for at in (5, 15, 25, 35):
        window.insert(entry(at))
    window.forget(2)
    assert list(window.ticks(0)) == [3, 4]
    assert len(window) == 2
