"""Recorded files as sources: times, forms, what is absent and what is refused."""

from __future__ import annotations

import asyncio
from pathlib import Path

import duckdb
import pytest

from gemeos.clock import SystemClock
from gemeos.errors import LinkError, SettingsError, UnknownNameError
from gemeos.link.base import Arrival
from gemeos.link.channels import Channels
from gemeos.link.format import TimeForm
from gemeos.link.replay import FileSource, FileTable
from gemeos.schema.binding import Binding
from gemeos.schema.reading import Reading, Readings, Refused, Series, SeriesBook
from gemeos.units import instant
from gemeos.units.instant import SECOND, Instant


class Rig:
    def __init__(self, *names: str) -> None:
        self.book = SeriesBook()
        bindings = [Binding(Series("file", name), "farm", "power", unit="kW") for name in names]
        self.channels = Channels("file", bindings, {("farm", "power"): "W"}, self.book)
        self.refused: list[Refused] = []

    async def arrivals(self, table: FileTable, batch: int = 1000) -> list[Arrival]:
        async with FileSource(table, self.channels, SystemClock(), batch=batch) as source:
            arrivals = [arrival async for arrival in source.arrivals()]
        self.refused = [row for arrival in arrivals for row in arrival.refused]
        return arrivals

    async def rows(self, table: FileTable) -> list[Reading]:
        arrivals = await self.arrivals(table)
        return list(Readings.joined([a.readings for a in arrivals]).rows(self.book))


def written(folder: Path, text: str, name: str = "record.csv") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


WIDE = "{turbine}/{tag}"


async def test_that_a_wide_table_is_read_in_order_of_time_without_what_is_absent(
    tmp_path: Path,
) -> None:
    path = written(
        tmp_path,
        "when,turbine,P,Q,note\n"
        "2026-07-01T00:10:00+09:00,R1,2,1,x\n"
        "2026-07-01T00:00:00+09:00,R1,1,NaN,y\n"
        "2026-06-30T15:00:00Z,R2,,4,z\n",
    )
    rig = Rig("R1/P", "R1/Q", "R2/P", "R2/Q")
    rows = await rig.rows(FileTable(path, time="when", channel=WIDE))
    first, second = instant("2026-06-30T15:00Z"), instant("2026-06-30T15:10Z")
    assert [(str(r.series), r.valid_at, r.value) for r in rows] == [
        ("file/R1/P", first, 1000.0),
        ("file/R2/Q", first, 4000.0),
        ("file/R1/P", second, 2000.0),
        ("file/R1/Q", second, 1000.0),
    ]
    assert rig.refused == []


async def test_that_times_without_offset_are_read_in_the_declared_zone(tmp_path: Path) -> None:
    path = written(tmp_path, "when;c;v\n2014-07-01 12:00:00;a;1\n2014-01-31 12:00:00;a;2\n")
    table = FileTable(path, time="when", channel="{c}", value="v", zone="Europe/Paris")
    assert [(r.valid_at, r.value) for r in await Rig("a").rows(table)] == [
        (instant("2014-01-31T11:00Z"), 2000.0),
        (instant("2014-07-01T10:00Z"), 1000.0),
    ]


async def test_that_times_without_offset_and_zone_are_refused_and_counted(tmp_path: Path) -> None:
    path = written(tmp_path, "when,c,v\n2014-07-01 12:00:00,a,1\nsoon,a,2\n2014-07-01T12:00Z,a,3\n")
    rig = Rig("a")
    assert len(await rig.rows(FileTable(path, time="when", channel="{c}", value="v"))) == 1
    [refused] = rig.refused
    assert refused.reason.startswith("2 rows")
    assert refused.payload == b"2014-07-01 12:00:00"


@pytest.mark.parametrize(
    ("form", "raw", "text"),
    [
        (TimeForm.SECONDS, "1404216000.5", "2014-07-01T12:00:00.5Z"),
        (TimeForm.MILLISECONDS, "1404216000001", "2014-07-01T12:00:00.001Z"),
        (TimeForm.MICROSECONDS, "1404216000000001", "2014-07-01T12:00:00.000001Z"),
    ],
)
async def test_that_times_in_numbers_are_read_exactly(
    tmp_path: Path, form: TimeForm, raw: str, text: str
) -> None:
    path = written(tmp_path, f"t,v\n{raw},1\n")
    [row] = await Rig("v").rows(FileTable(path, time="t", form=form))
    assert row.valid_at == instant(text)


@pytest.mark.parametrize("kind", ["TIMESTAMPTZ", "TIMESTAMP", "BIGINT"])
async def test_that_parquet_is_read_with_its_own_types(tmp_path: Path, kind: str) -> None:
    path = str(tmp_path / "record.parquet")
    stamp = {
        "TIMESTAMPTZ": "TIMESTAMPTZ '2014-07-01 14:00:00+02:00'",
        "TIMESTAMP": "TIMESTAMP '2014-07-01 14:00:00'",
        "BIGINT": "1404216000",
    }[kind]
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT {stamp} AS t, 1.5::FLOAT AS v, 'x' AS other) TO '{path}'")
    table = FileTable(
        path,
        time="t",
        form=TimeForm.SECONDS if kind == "BIGINT" else TimeForm.ISO,
        zone="Europe/Paris" if kind == "TIMESTAMP" else None,
    )
    [row] = await Rig("v").rows(table)
    assert (row.valid_at, row.value) == (instant("2014-07-01T12:00Z"), 1500.0)
    if kind == "TIMESTAMP":
        with pytest.raises(SettingsError, match="Declare their zone"):
            await Rig("v").rows(FileTable(path, time="t"))


async def test_that_an_interval_is_told_from_either_end(tmp_path: Path) -> None:
    path = written(tmp_path, "t,v\n2026-07-01T00:10Z,1\n")
    at = instant("2026-07-01T00:10Z")
    [row] = await Rig("v").rows(FileTable(path, time="t", interval=600 * SECOND))
    assert (row.valid_from, row.valid_at) == (at - 600 * SECOND, at)
    table = FileTable(path, time="t", interval=600 * SECOND, stamped_at_start=True)
    [row] = await Rig("v").rows(table)
    assert (row.valid_from, row.valid_at) == (at, at + 600 * SECOND)


async def test_that_what_is_no_number_is_told_once_a_channel(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "t,c,v\n2026-07-01T00:00Z,a,1\n2026-07-01T00:01Z,a,broken\n2026-07-01T00:02Z,a,inf\n"
        "2026-07-01T00:00Z,aa,5\n1999-07-01T00:00Z,a,9\n",
    )
    rig = Rig("a", "b")
    rows = await rig.rows(FileTable(path, time="t", channel="{c}", value="v"))
    assert [r.value for r in rows] == [1000.0]
    reasons = {refused.channel: refused.reason for refused in rig.refused}
    assert set(reasons) == {"", "a", "aa"}
    assert reasons["a"].startswith("2 values")
    assert "Did you mean 'a'?" in reasons["aa"]
    assert "2000-01-01" in reasons[""]


async def test_that_a_missing_column_or_channel_is_told_with_the_nearest(tmp_path: Path) -> None:
    path = written(tmp_path, "when,turbine,P_avg\n2026-07-01T00:00Z,R1,1\n")
    with pytest.raises(UnknownNameError, match="Did you mean 'when'"):
        await Rig("R1/P_avg").rows(FileTable(path, time="whn", channel=WIDE))
    with pytest.raises(UnknownNameError, match=r"'R1/P_avgg'.*Did you mean 'P_avg'"):
        await Rig("R1/P_avgg").rows(FileTable(path, time="when", channel=WIDE))


async def test_that_names_with_quotes_are_names_and_nothing_else(tmp_path: Path) -> None:
    path = written(tmp_path, 't,"a\'; DROP TABLE x; --""b"\n2026-07-01T00:00Z,1\n', "o'clock.csv")
    name = "a'; DROP TABLE x; --\"b"
    assert [r.value for r in await Rig(name).rows(FileTable(path, time="t"))] == [1000.0]


async def test_that_no_arrival_splits_an_instant(tmp_path: Path) -> None:
    lines = [
        f"2026-07-01T00:{minute:02}:00Z,{channel},{minute}"
        for minute in range(6)
        for channel in "abcde"[: 5 if minute == 3 else 2]
    ]
    path = written(tmp_path, "t,c,v\n" + "\n".join(lines) + "\n")
    rig = Rig(*"abcde")
    arrivals = await rig.arrivals(FileTable(path, time="t", channel="{c}", value="v"), batch=3)
    times = [set(arrival.readings.valid_at.tolist()) for arrival in arrivals]
    assert sum(len(t) for t in times) == len(set.union(*times)) == 6
    # Minute 3 alone has more than a batch, and comes whole.
    assert sorted(len(arrival.readings) for arrival in arrivals) == [2, 2, 2, 2, 2, 5]
    assert [arrival.plant_time for arrival in arrivals] == sorted(max(t) for t in times)


class WallInHand:
    """A wall clock that is moved by hand."""

    def __init__(self) -> None:
        self.time: Instant = instant("2026-11-22T00:00Z")

    def now(self) -> Instant:
        return self.time

    def wall(self) -> Instant:
        return self.time


async def test_that_a_paced_file_waits_for_the_wall_clock(tmp_path: Path) -> None:
    lines = [f"2026-07-01T00:0{minute}:00Z,{minute}" for minute in range(5)]
    path = written(tmp_path, "t,v\n" + "\n".join(lines) + "\n")
    clock = WallInHand()
    table = FileTable(path, time="t")
    async with FileSource(table, Rig("v").channels, clock, pace=60.0) as source:
        arrivals = source.arrivals()
        first = await anext(arrivals)
        assert first.readings.value.tolist() == [0.0]
        waiting = asyncio.ensure_future(anext(arrivals))
        done, _ = await asyncio.wait([waiting], timeout=0.6)
        assert not done
        clock.time += 2 * SECOND  # two minutes of the record
        second = await waiting
        assert second.readings.value.tolist() == [1000.0, 2000.0]
        clock.time += 3600 * SECOND
        assert [a.readings.value.tolist() async for a in arrivals] == [[3000.0, 4000.0]]
        assert source.finished


async def test_that_a_file_that_is_no_table_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, "not parquet", "record.parquet")
    with pytest.raises(LinkError, match=r"record\.parquet"):
        await Rig("v").rows(FileTable(path, time="t"))


def test_that_a_table_that_cannot_be_is_refused() -> None:
    with pytest.raises(SettingsError, match="value = "):
        FileTable("x.csv", time="t", channel="{turbine}")
    with pytest.raises(SettingsError, match="interval"):
        FileTable("x.csv", time="t", stamped_at_start=True)
    with pytest.raises(SettingsError, match="Did you mean"):
        FileTable("x.csv", time="t", zone="Europe/Pariss")
    with pytest.raises(SettingsError, match="above 0"):
        FileSource(FileTable("x.csv", time="t"), Rig("v").channels, SystemClock(), pace=0.0)
