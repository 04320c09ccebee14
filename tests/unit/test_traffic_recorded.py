"""What was counted before a twin was born, read out of tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gemeos.errors import SchemaError, UnknownNameError
from gemeos.twins.traffic import read_district
from gemeos.twins.traffic.demand.guess import scaled
from gemeos.twins.traffic.demand.recorded import Recorded, expected_by, read_recorded
from gemeos.twins.traffic.demand.seen import Loop
from gemeos.twins.traffic.demand.ways import Way
from gemeos.twins.traffic.district import District
from tests.unit.traffic_files import NET

DESCRIBED = """
name = "corner"
network = "corner.net.xml"
counts = {counts}
[channels]
count = {{ channel = "q/{{detector}}", unit = "" }}
[[detectors]]
name = "a"
lane = "west_0"
position_m = 10
[[detectors]]
name = "b"
lane = "south_0"
position_m = 10
"""
MINUTES = """time,b temperature,q/a,q/b
2026-03-02T07:01Z,4.5,3,1
2026-03-02T07:02Z,4.5,5,
2026-03-02T07:04Z,4.5,4,2
"""
QUARTERS = """time,q/a
2026-03-03T07:15,100
2026-03-03T07:30,200
"""


def district(folder: Path, **files: str) -> District:
    (folder / "corner.net.xml").write_text(NET)
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    told = DESCRIBED.format(counts=[f"{name}.csv" for name in files])
    (folder / "district.toml").write_text(told)
    return read_district(folder)


def read(folder: Path, **files: str) -> Recorded:
    known = district(folder, **files)
    return read_recorded(known.counts, known)


def test_that_counts_of_minutes_are_means_over_the_minutes_that_were_told(tmp_path: Path) -> None:
    recorded = read(tmp_path, monday=MINUTES)
    # 12 vehicles in three minutes; 3 in the two minutes of which something is known.
    assert recorded.hourly == pytest.approx([240.0, 90.0])
    assert recorded.hours == pytest.approx(0.05)


def test_that_quarters_of_an_hour_are_told_from_minutes(tmp_path: Path) -> None:
    recorded = read(tmp_path, tuesday=QUARTERS)
    assert recorded.hourly[0] == pytest.approx(600.0)
    assert np.isnan(recorded.hourly[1])


def test_that_several_days_count_by_their_length(tmp_path: Path) -> None:
    recorded = read(tmp_path, monday=MINUTES, tuesday=QUARTERS)
    # 12 in 3 minutes and 300 in 30.
    assert recorded.hourly == pytest.approx([312.0 / 0.55, 90.0])
    assert recorded.hours == pytest.approx(0.55)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("when,q/a\n2026-03-02T07:01Z,3\n", "no column 'time'"),
        ("time,q/a\n", "fewer than two|equal distances"),
        ("time,q/a\n2026-03-02T07:01Z,3\n", "equal distances"),
        (MINUTES.replace("07:04", "07:02"), "equal distances"),
        (MINUTES.replace("07:04Z", "07:03:30Z"), "equal distances"),
        (MINUTES.replace("07:04Z", "soon"), "soon"),
        (MINUTES.replace("07:04Z", "07:04"), "no table of counts"),
        (MINUTES.replace(",4,2", ",many,2"), "many"),
        (MINUTES.replace(",4,2", ",-4,2"), "q/a"),
        (MINUTES.replace(",4,2", ",nan,2"), "q/a"),
    ],
)
def test_that_a_table_that_cannot_be_used_is_told(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=told):
        read(tmp_path, monday=text)


def test_that_columns_of_nobody_are_told_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="q/a"):
        read(tmp_path, monday=MINUTES.replace("q/a", "Q/a").replace("q/b", "Q/b"))


def test_that_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    district(tmp_path, monday=MINUTES)
    (tmp_path / "monday.csv").unlink()
    with pytest.raises(UnknownNameError, match=r"monday\.csv"):
        read_district(tmp_path)


def test_that_loops_that_told_nothing_leave_what_was_expected() -> None:
    ways = (Way("one", ("a", "b"), 100.0), Way("two", ("c", "d"), 50.0))
    loops = (Loop("on a", "a_0"), Loop("on c", "c_0"))
    lanes = {"a": ["a_0"], "c": ["c_0"]}
    over = np.eye(2)
    told = Recorded(np.array([np.nan, np.nan]), 1.0)
    assert expected_by(ways, loops, over, lanes, told, first=scaled) == pytest.approx([100.0, 50.0])
    # A whole week of one of them: it is as often as counted, within the 6 % that ways are wrong.
    counted = expected_by(
        ways, loops, over, lanes, Recorded(np.array([200.0, np.nan]), 168.0), first=scaled
    )
    assert counted[0] == pytest.approx(200.0, rel=0.06)
