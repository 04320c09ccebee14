"""The cursor: what the site has committed, kept on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gemeos_plants.windfarm.cursor import Cursor, CursorError


def test_that_the_cursor_stops_before_the_first_gap(tmp_path: Path) -> None:
    cursor = Cursor(tmp_path / "cursor", "abc", 0)
    assert cursor.commit([(0, 2), (4, 5)], range(10)) == {0, 1, 2, 4, 5}
    assert cursor.position == 3
    assert cursor.committed(2)
    assert not cursor.committed(3)
    assert cursor.committed(4)
    cursor.commit([(3, 3)], {3, 6})
    assert cursor.position == 6


def test_that_a_notice_of_what_was_never_sent_is_not_believed(tmp_path: Path) -> None:
    cursor = Cursor(tmp_path / "cursor", "abc", 0)
    assert cursor.commit([(-5, 10**15)], {0, 1, 3}) == {0, 1, 3}
    assert cursor.position == 2
    assert cursor.commit([(2, 2), (7, 6)], {4}) == set()
    assert cursor.position == 2


def test_that_the_position_outlives_the_process(tmp_path: Path) -> None:
    path = tmp_path / "cursor"
    cursor = Cursor(path, "abc", 10)
    cursor.commit([(10, 12), (14, 14)], range(10, 20))
    cursor.save(1_000_000)
    assert Cursor(path, "abc", 0).position == 13
    assert Cursor(path, "abc", 50).position == 50
    assert [found.name for found in tmp_path.iterdir()] == ["cursor"]


@pytest.mark.parametrize(
    "content", ["", "not json", "[]", "{}", '{"position": null, "record": "abc"}']
)
def test_that_a_damaged_file_is_told_and_not_taken_for_the_beginning(
    tmp_path: Path, content: str
) -> None:
    path = tmp_path / "cursor"
    path.write_text(content)
    with pytest.raises(CursorError, match="not a cursor"):
        Cursor(path, "abc", 0)


def test_that_the_cursor_of_another_record_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cursor"
    path.write_text(json.dumps({"position": 5, "record": "other"}))
    with pytest.raises(CursorError, match="another record"):
        Cursor(path, "abc", 0)
