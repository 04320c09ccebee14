"""Readings inside the horizon: one place, one reading."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gemeos.runtime.window import Column, Rows, Windows, rows_of, values_of

STEP = 10


def entry(valid_at: int, value: float = 1.0, **more: int) -> dict[str, float]:
    told = {"channel": 0, "sample": 0, "valid_from": valid_at, "revision": -1, "counts": 1}
    return {"valid_at": valid_at, "value": value, **told, **more}


def rows(*entries: dict[str, float]) -> Rows:
    def column(name: str, kind: type[np.generic]) -> np.ndarray:
        return np.array([e[name] for e in entries], kind)

    return rows_of(
        channel=column("channel", np.int32),
        sample=column("sample", np.int32),
        valid_at=column("valid_at", np.int64),
        valid_from=column("valid_from", np.int64),
        revision=column("revision", np.int64),
        counts=column("counts", np.bool_),
        value=column("value", np.float64),
    )


class One:
    """A window of one twin, given one reading at a time."""

    def __init__(self) -> None:
        self.all = Windows(1, STEP)

    def insert(self, *entries: dict[str, float]) -> int | None:
        """The tick from which all is to be computed again; None for nothing new."""
        twins = np.zeros(len(entries), np.int64)
        return self.all.insert(twins, rows(*entries)).since.get(0)

    def at(self, tick: int) -> list[float]:
        """Values that count."""
        _, found = self.all.at([0], [tick])
        return values_of(found).tolist()


def test_that_a_reading_is_applied_at_the_first_instant_not_before_it() -> None:
    window = One()
    assert window.insert(entry(20)) == 2
    assert window.insert(entry(21)) == 3
    assert window.insert(entry(-1)) == 0
    assert list(window.all.ticks(0, 0)) == [0, 2, 3]


def test_that_a_duplicate_is_recognised_and_a_correction_is_not_one() -> None:
    window = One()
    assert window.insert(entry(20)) == 2
    assert window.insert(entry(20)) is None
    assert window.insert(entry(20, 5.0)) == 2
    assert window.at(2) == [5.0]
    assert window.all.count(0) == 1


def test_that_a_lower_revision_never_replaces_a_higher_one() -> None:
    window = One()
    window.insert(entry(20, 2.0, revision=2))
    assert window.insert(entry(20, 1.0, revision=1)) is None
    assert window.at(2) == [2.0]


def test_that_several_samples_of_one_instant_stand_beside_each_other() -> None:
    window = One()
    window.insert(entry(20, 3.0, sample=1))
    window.insert(entry(20, 2.0, sample=0))
    window.insert(entry(20, 1.0, channel=1))
    assert window.at(2) == [2.0, 3.0, 1.0]


def test_that_a_place_that_was_taken_back_is_known_and_does_not_count() -> None:
    window = One()
    window.insert(entry(20, 2.0, revision=0))
    assert window.insert(entry(20, 0.0, revision=1, counts=0)) == 2
    assert window.at(2) == []
    assert window.insert(entry(20, 2.0, revision=0)) is None


def test_that_what_lies_before_the_boundary_is_forgotten() -> None:
    window = One()
    for at in (5, 15, 25, 35):
        window.insert(entry(at))
    window.all.forget(0, 2)
    assert list(window.all.ticks(0, 0)) == [3, 4]
    assert window.all.count(0) == 2


def test_that_places_of_one_batch_that_are_the_same_are_taken_in_the_order_of_coming() -> None:
    window = One()
    told = [entry(20, 1.0), entry(30, 9.0), entry(20, 2.0), entry(20, 2.0), entry(20, 3.0)]
    inserted = window.all.insert(np.zeros(5, np.int64), rows(*told))
    assert inserted.since == {0: 2}
    assert inserted.duplicates == 1
    assert window.at(2) == [3.0]
    assert window.at(3) == [9.0]


def test_that_two_equal_zeros_are_duplicates() -> None:
    window = One()
    window.insert(entry(20, 0.0))
    assert window.insert(entry(20, -0.0)) is None


def test_that_an_empty_batch_changes_nothing() -> None:
    inserted = Windows(2, STEP).insert(np.array([], np.int64), rows())
    assert inserted.since == {}
    assert inserted.duplicates == 0


def test_that_twins_are_answered_in_the_order_asked() -> None:
    windows = Windows(3, STEP)
    told = [entry(20, float(n), channel=9 - n) for n in range(6)]
    windows.insert(np.array([2, 0, 2, 0, 1, 2]), rows(*told))
    place, found = windows.at([2, 1, 0], [2, 5, 2])
    assert place.tolist() == [0, 0, 0, 2, 2]
    assert found[:, Column.CHANNEL].tolist() == [4, 7, 9, 6, 8]
    assert values_of(found).tolist() == [5.0, 2.0, 0.0, 3.0, 1.0]


ENTRIES = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.builds(
            entry,
            st.integers(0, 40),
            st.sampled_from([0.0, 1.0, 2.0]),
            channel=st.integers(0, 1),
            sample=st.integers(0, 1),
            revision=st.integers(-1, 2),
            counts=st.integers(0, 1),
        ),
    ),
    max_size=30,
)


@given(ENTRIES, st.integers(1, 8))
def test_that_batches_and_single_readings_leave_the_same(
    told: list[tuple[int, dict[str, float]]], size: int
) -> None:
    single, batched = Windows(3, STEP), Windows(3, STEP)
    duplicates = [0, 0]
    for first in range(0, len(told), size):
        some = told[first : first + size]
        since: dict[int, int] = {}
        for twin, one in some:
            inserted = single.insert(np.array([twin]), rows(one))
            duplicates[0] += inserted.duplicates
            for who, tick in inserted.since.items():
                since[who] = min(tick, since.get(who, tick))
        whole = batched.insert(np.array([t for t, _ in some]), rows(*(e for _, e in some)))
        duplicates[1] += whole.duplicates
        assert whole.since == since
    assert duplicates[0] == duplicates[1]
    for twin in range(3):
        assert single.ticks(twin, 0) == batched.ticks(twin, 0)
        for tick in single.ticks(twin, 0):
            (_, alone), (_, among) = (w.at([twin], [tick]) for w in (single, batched))
            np.testing.assert_array_equal(alone, among)
            keys = [tuple(r[:3]) for r in among.tolist()]
            assert keys == sorted(set(keys))
