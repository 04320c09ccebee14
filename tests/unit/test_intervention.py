"""How changes are written, and that what is stored reads back to the same."""

from __future__ import annotations

import pytest

import gemeos as gm
from gemeos.errors import InterventionError
from gemeos.schema.intervention import (
    Change,
    Hold,
    Profile,
    Ramp,
    Renewed,
    Times,
    Written,
    as_written,
    changes,
)
from gemeos.units import Quantity, instant
from gemeos.units.instant import SECOND

HOUR = 3600 * SECOND


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("200 km/h", Change(Hold(Quantity(200.0, "km/h")))),
        ("-5", Change(Hold(Quantity(-5.0, "")))),
        ("ramp to 200 km/h over 2 h", Change(Ramp(Quantity(200.0, "km/h"), 2 * HOUR))),
        (
            "ramp from 20 km/h to 200 km/h over 2 h after 1 h",
            Change(Ramp(Quantity(200.0, "km/h"), 2 * HOUR, Quantity(20.0, "km/h")), HOUR),
        ),
        ("times 0.8 after 1 h for 30 min", Change(Times(0.8), HOUR, HOUR // 2)),
        ("times 0.8 for 30 min after 1 h", Change(Times(0.8), HOUR, HOUR // 2)),
        (
            "0 kW when stress > 120 MPa and wind < 20 m/s",
            Change(Hold(Quantity(0.0, "kW")), when="stress > 120 MPa and wind < 20 m/s"),
        ),
        ("renewed after 2 s", Change(Renewed(), 2 * SECOND)),
        (
            "profile 0 h: 0 km/h, 1 h: 80 km/h",
            Change(Profile(((0, Quantity(0.0, "km/h")), (HOUR, Quantity(80.0, "km/h"))))),
        ),
    ],
)
def test_that_a_change_is_read_as_it_is_meant_and_written_back(text: str, meant: Change) -> None:
    read = changes({"x": text})
    assert read == {"x": (meant,)}
    assert changes(as_written(read)) == read


def test_that_python_s_words_are_the_same_as_text() -> None:
    text = (
        "ramp from 0 km/h to 200 km/h over 2 h; 5 m/s for 10 min; times 2 when a > 1;"
        "profile 1 min: 1 m/s, 2 min: 2 m/s; renewed after 1 h"
    )
    program = [
        gm.ramp("0 km/h", "200 km/h", "2 h"),
        gm.hold("5 m/s", lasting="10 min"),
        gm.times(2, when="a > 1"),
        gm.profile([("1 min", "1 m/s"), ("2 min", "2 m/s")]),
        gm.renewed(after="1 h"),
    ]
    assert changes({"x": text}) == changes({"x": program})


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("", "There is no change here"),
        ("5 zorkmid", "zorkmid"),
        ("ramp 200 km/h", "Write it as in 'ramp to 200 km/h over 2 h'"),
        ("ramp to 2 m over 0 s", "A ramp takes time"),
        ("5 m after -1 s", "lies before the fork"),
        ("5 m at 2020-01-01T00:00Z", "changes count from the fork. Write it as in 'after 5 min'"),
        ("5 m from 2020-01-01T00:00Z", "in the past, fork earlier: at=..."),
        ("ramp to 5 m over 1 h at noon", "names a moment"),
        ("5 m after 14:03", "names a moment"),
        ("5 m for 0 s", "would last no time"),
        ("5 m for 1 s for 2 s", "says 'for' twice"),
        ("5 m after noon", "'noon' is not a length of time"),
        ("times 3 m", "has a unit"),
        ("profile 0 s: 1 m", "2 to 200 points"),
        ("profile 1 s: 1 m, 1 s: 2 m", "rise"),
        ("profile 1 s 1 m, 2 s: 2 m", "is no point of a profile"),
        (float("nan"), "nan cannot be set"),
        ([], "1 to 200 changes, not 0"),
        (";".join(["5 m"] * 201), "1 to 200 changes, not 201"),
        ("9" * 5000, "at most 4000"),
    ],
)
def test_that_what_cannot_be_read_is_told_with_the_name_of_its_variable(
    written: Written, told: str
) -> None:
    with pytest.raises(InterventionError, match=r"^level: ") as error:
        changes({"level": written})
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (
            "5 m at 2020-01-01T00:00Z",
            "lies before the fork at 2026-01-01T12:00:00+00:00, in what has happened. Fork earlier",
        ),
        (
            "5 m at 2020-01-01T00:00Z",
            "at=2020-01-01T00:00:00+00:00; changes count from there, as in 'after 5 min'.",
        ),
        ("5 m from 2025-12-31T00:00Z", "Fork earlier instead"),
        ("5 m since 2026-01-01T20:59+09:00", "Fork earlier instead"),
        ("5 m after 2026-01-01T13:30Z", "Write 'after 90 min'."),
        ("5 m at 2026-01-01T21:00:05+09:00", "Write 'after 5 s'."),
    ],
)
def test_that_a_moment_is_told_where_it_lies_and_how_to_write_it(written: str, told: str) -> None:
    with pytest.raises(InterventionError) as error:
        changes({"level": written}, fork=instant("2026-01-01T12:00Z"))
    assert told in str(error.value)
