"""A recorded farm as arrays, and the walk through it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
import numpy as np
import pytest

from gemeos.ensemble.blend import blended, learned, settings_for, unlearned, weights
from gemeos.ensemble.calibrate import quantiles
from gemeos.errors import InputError
from gemeos.runtime.fleet import Fleet
from gemeos.schema.reading import Reading, Readings, SeriesBook
from gemeos.simulate.advance import Stepper
from gemeos.twins.windfarm import bound, farm
from gemeos.twins.windfarm.physics import WindFarm
from gemeos.twins.windfarm.record import Deprived, Record, observed, read_record
from gemeos.twins.windfarm.walk import NAME, Walker, blended_online, crew_of, forecasts

FARM = farm("la_haute_borne")
TAGS = {tag: form.channel.split("/")[-1] for tag, form in FARM.channels.items()}
DAY = dt.date(2014, 3, 1)
MEMBERS = 8


def table(folder: Path, rows: list[tuple[str, str, float]]) -> None:
    """Rows (turbine, stamp, power); other tags are made of power."""
    with duckdb.connect() as database:
        columns = ", ".join(f"{c} FLOAT" for c in TAGS.values())
        database.execute(
            f"CREATE TABLE t (Wind_turbine_name VARCHAR, Date_time TIMESTAMPTZ, {columns})"
        )
        for turbine, stamp, power in rows:
            marks = ", ".join("?" for _ in range(2 + len(TAGS)))
            values = [power if tag == "power" else 0.01 * power for tag in TAGS]
            database.execute(f"INSERT INTO t VALUES ({marks})", [turbine, stamp, *values])  # noqa: S608 -- marks only
        database.execute(f"COPY t TO '{folder / 'scada_x.parquet'}' (FORMAT parquet)")


def made_up(rows: int) -> Record:
    """A quiet day: wind, power and vane of four turbines, made with dice."""
    rng = np.random.default_rng(4)
    wind = 7.0 + np.cumsum(0.2 * rng.standard_normal(rows))[:, None] + np.zeros((rows, 4))
    power = np.interp(wind, FARM.types["MM82"].speed, FARM.types["MM82"].power)
    values = {
        "power": power + 20.0 * rng.standard_normal((rows, 4)),
        "wind": wind + 0.1 * rng.standard_normal((rows, 4)),
        "vane": 5.0 * rng.standard_normal((rows, 4)),
        "pitch": np.full((rows, 4), -1.0),
        "yaw": np.full((rows, 4), 200.0),
        "temperature": np.full((rows, 4), 9.0),
    }
    values["wind"][3, 1] = np.nan
    return Record(2_300_000, values)


def test_that_rows_outside_the_days_asked_for_are_not_read(tmp_path: Path) -> None:
    stamps = ["2014-02-28 23:50:00+00", "2014-03-01 00:00:00+00", "2014-03-02 00:00:00+00"]
    table(tmp_path, [("R80711", s, 100.0 * i) for i, s in enumerate(stamps)])
    record = read_record(tmp_path, FARM, DAY, dt.date(2014, 3, 2))
    assert len(record) == 144
    assert record.values["power"][0, 0] == 100.0
    assert np.isnan(record.values["power"][1:]).all()


def test_that_an_instant_that_is_there_twice_is_left_out(tmp_path: Path) -> None:
    stamp = "2014-03-01 00:10:00+00"
    table(tmp_path, [("R80711", stamp, 1.0), ("R80711", stamp, 2.0), ("R80721", stamp, 3.0)])
    record = read_record(tmp_path, FARM, DAY, dt.date(2014, 3, 2))
    assert np.isnan(record.values["power"][1, 0])
    assert record.values["power"][1, 1] == 3.0


def test_that_a_folder_without_this_farm_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no table"):
        read_record(tmp_path, FARM, DAY, dt.date(2014, 3, 2))
    table(tmp_path, [("X1", "2014-03-01 00:10:00+00", 1.0)])
    with pytest.raises(InputError, match="no row"):
        read_record(tmp_path, FARM, DAY, dt.date(2014, 3, 2))


def test_that_a_farm_that_draws_power_counts_as_nothing() -> None:
    record = Record(0, {"power": np.array([[-2.0, -1.0, 0.5, -3.0], [10.0, 20.0, np.nan, 0.0]])})
    assert record.farm_power[0] == 0.0
    assert np.isnan(record.farm_power[1])


def test_that_each_copy_hears_what_it_is_not_deprived_of() -> None:
    record, model = made_up(5), WindFarm(FARM)
    walker, _ = Walker.of(bound("w", model, members=MEMBERS), FARM)
    one = np.array([[False] * 4, [True, False, False, False]])
    none = np.zeros_like(one)
    both = Deprived(one, none).joined(Deprived(one, one))
    read = observed(model.schema, walker.hearing, record, 4, both)
    heard = [{model.schema.sensors[i].name for i in row[row >= 0]} for row in read.sensor]
    assert heard[1] == heard[0] - {"R80711.power"}
    assert heard[3] == {n for n in heard[0] if not n.startswith("R80711.")}
    names = [v.name for v in model.schema.driven]
    power, pitch = names.index("R80711.heard_power"), names.index("R80711.pitch")
    assert np.isnan(read.driven_after[1, power])
    assert read.driven_after[1, pitch] == -1.0
    assert np.isnan(read.driven_after[3, pitch])


def test_that_walking_a_record_equals_taking_its_readings_live() -> None:
    """The same members, bit for bit, as a fleet that is given readings out of order."""
    record, model = made_up(12), WindFarm(FARM)
    declared = bound(NAME, model, members=MEMBERS)
    walker, state = Walker.of(declared, FARM)
    heard = Deprived.of_nothing(1, 4)
    walked = walker.follow(state, record, range(12), heard, every=1, kept_twins=[0])
    fleet = Fleet(
        declared.cycle(),
        [declared.enrolment],
        members=MEMBERS,
        seed=declared.seed,
        horizon=declared.horizon,
    )
    book, rows = SeriesBook(), []
    for binding in declared.bindings:
        turbine, column = binding.series.channel.split("/")
        tag = {c: t for t, c in TAGS.items()}[column]
        place = [t.name for t in FARM.turbines].index(turbine)
        for row in range(12):
            value = float(record.values[tag][row, place])
            if np.isnan(value) or binding.variable.split(".")[1].startswith("heard"):
                continue
            at = (record.first_tick + row) * model.schema.step
            rows.append(Reading(binding.series, at, value, valid_from=at - model.schema.step))
    order = np.random.default_rng(9).permutation(len(rows))
    fleet.take(Readings.of([rows[i] for i in order], book), book)
    assert np.array_equal(fleet.state(NAME).members[0], walked.members[-1, 0])


def test_that_deprived_copies_walk_side_by_side_as_they_would_alone() -> None:
    record, model = made_up(8), WindFarm(FARM)
    walker, state = Walker.of(bound(NAME, model, members=MEMBERS), FARM)
    one = np.eye(4, dtype=np.bool_)[:1]
    copies = [Deprived.of_nothing(1, 4), Deprived(one, np.zeros_like(one)), Deprived(one, one)]
    together = walker.follow(
        state.take([0, 0, 0]),
        record,
        range(8),
        copies[0].joined(copies[1]).joined(copies[2]),
        every=8,
        kept_twins=[],
    )
    for place, copy in enumerate(copies):
        alone = walker.follow(state, record, range(8), copy, every=8, kept_twins=[])
        assert np.array_equal(together.state.members[place], alone.state.members[0])


def test_that_forecasts_side_by_side_equal_forecasts_one_by_one() -> None:
    record, model = made_up(17), WindFarm(FARM)
    walker, state = Walker.of(bound(NAME, model, members=MEMBERS), FARM)
    heard = Deprived.of_nothing(1, 4)
    # Ticks that are multiples of six: rows 4, 10 and 16, the last one.
    kept = walker.follow(state, record, range(17), heard, every=6, kept_twins=[0])
    together = forecasts(model, kept, 0, record.first_tick, [1, 6], seeds=[0, 1])
    assert together.shape == (3, 2, 2 * MEMBERS)
    stepper = Stepper(WindFarm(FARM, still=True))
    power = [v.name for v in stepper.schema.outputs].index("farm.power")
    crew = crew_of(stepper.schema, 1, 0)
    alone = kept.state.take([0])
    for lead, place in ((1, 0), (6, 1)):
        alone = stepper.advance(alone, crew, kept.state.tick + lead)
        told = stepper.observed(alone, crew, alone.members)[0, power]
        assert np.array_equal(told, together[2, place, :MEMBERS])


def test_that_a_forecast_is_blended_only_by_truths_that_had_come_in() -> None:
    """Worked one forecast at a time; then truths that come later must change nothing before."""
    settings = settings_for(0.0, 100.0, 1.0)
    rng = np.random.default_rng(2)
    leads, rows = [2, 5], np.arange(0, 40, 2)
    raw = quantiles(rng.uniform(0, 100, (len(rows), 2, 64)), settings.calibration)
    truths = rng.uniform(0, 100, 50)
    out = blended_online(settings, raw, truths, rows, leads)
    known = unlearned(settings, 2)
    for issue in range(1, 11):
        # Two rows ahead are known one issue later, five rows ahead three issues later.
        then = np.array([issue - 1, issue - 3])
        came = np.where(then >= 0, truths[rows[then] + np.array(leads)], np.nan)
        known = learned(known, settings, raw[then, [0, 1]], truths[rows[then]], came)
    assert out.blended[10] == pytest.approx(blended(known, settings, raw[10], truths[rows[10]]))
    assert out.weights[10] == pytest.approx(weights(known, settings))
    later = truths.copy()
    later[rows[10] + 1 :] = 99.0
    again = blended_online(settings, raw, later, rows, leads)
    assert np.array_equal(again.blended[:11], out.blended[:11])
    assert not np.array_equal(again.blended[15:], out.blended[15:])
