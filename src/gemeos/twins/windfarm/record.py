"""A recorded farm as arrays, and its readings as the filter is given them.

Only for validation: the live twin takes readings through links. The model, the filter and the
state are the same; here many differently deprived copies of the twin follow one record side by
side, on the axis of twins.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64

from gemeos.assimilate.observe import NO_CHANNEL, Observed
from gemeos.errors import InputError
from gemeos.runtime.channels import Channel
from gemeos.schema.schema import Schema
from gemeos.twins.windfarm.farm import Farm
from gemeos.twins.windfarm.schema import SENSORS_A_TURBINE

TURBINE_COLUMN: Final = "Wind_turbine_name"
TIME_COLUMN: Final = "Date_time"
TABLES: Final = "scada*.parquet"
INPUT_TAGS: Final = ("pitch", "yaw", "temperature", "power", "wind")
"""Tags in the order of ``schema.INPUTS_A_TURBINE``."""
HEARD_POWER: Final = INPUT_TAGS.index("power")
POWER_TAG: Final = SENSORS_A_TURBINE.index("power")


@dataclass(frozen=True, eq=False)
class Record:
    """Interval means of every turbine, on the grid."""

    first_tick: int
    """Grid instant of the first row: the end of its interval, in steps since 1970."""
    values: Mapping[str, Float64[np.ndarray, "time turbine"]]
    """By tag; NaN where nothing was recorded."""

    def __len__(self) -> int:
        return len(self.values["power"])

    def place(self, day: dt.date, step_s: float) -> int:
        """Row of that day's first instant (UTC as stamped)."""
        at = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC).timestamp()
        return round(at / step_s) - self.first_tick

    @property
    def farm_power(self) -> Float64[np.ndarray, " time"]:
        """Of all turbines, kW; NaN where one is missing. What is drawn counts as nothing."""
        return np.maximum(self.values["power"].sum(axis=1), 0.0)


def read_record(folder: Path, farm: Farm, since: dt.date, until: dt.date) -> Record:
    """The rows with stamps from ``since`` to before ``until``; no other row is read.

    An instant that a turbine has twice, as in the hour that summer time doubled, is left out: it
    cannot be told which value is which.

    Raises:
        InputError: no such table there, or nothing of this farm in it.
    """
    tables = sorted(folder.glob(TABLES))
    if not tables:
        raise InputError(f"{folder} holds no table {TABLES}.")
    tags = {tag: form.channel.split("/")[-1] for tag, form in farm.channels.items()}
    columns = ", ".join(f'"{column}"' for column in tags.values())
    with duckdb.connect() as database:
        found = database.execute(
            f'SELECT "{TURBINE_COLUMN}" AS turbine, epoch("{TIME_COLUMN}") AS at, {columns} '  # noqa: S608 -- names from our own description
            f'FROM read_parquet($tables) WHERE "{TIME_COLUMN}" >= $since '
            f'AND "{TIME_COLUMN}" < $until',
            {
                "tables": [str(t) for t in tables],
                "since": dt.datetime(since.year, since.month, since.day, tzinfo=dt.UTC),
                "until": dt.datetime(until.year, until.month, until.day, tzinfo=dt.UTC),
            },
        ).fetchnumpy()
    names = {t.name: i for i, t in enumerate(farm.turbines)}
    turbine = np.array([names.get(str(n), -1) for n in found["turbine"]])
    if not (turbine >= 0).any():
        raise InputError(f"{folder} has no row of {farm.name} from {since} to before {until}.")
    mine = turbine >= 0
    tick = np.round(np.asarray(found["at"], np.float64) / farm.interval_s).astype(np.int64)
    first = round(
        dt.datetime(since.year, since.month, since.day, tzinfo=dt.UTC).timestamp() / farm.interval_s
    )
    rows = round((until - since).total_seconds() / farm.interval_s)
    where = (tick[mine] - first, turbine[mine])
    times = np.zeros((rows, len(names)), np.int64)
    np.add.at(times, where, 1)
    values = {}
    for tag, column in tags.items():
        told = np.ma.filled(np.ma.asarray(found[column], np.float64), np.nan)[mine]
        form = farm.channels[tag]
        table = np.full((rows, len(names)), np.nan)
        table[where] = told * form.scale + form.offset
        table[times > 1] = np.nan
        values[tag] = table
    return Record(first, values)


@dataclass(frozen=True, eq=False)
class Deprived:
    """Which turbines' channels each copy of the twin does not hear."""

    power: Bool[np.ndarray, "twin turbine"]
    everything: Bool[np.ndarray, "twin turbine"]
    """Power and all other channels."""

    @staticmethod
    def of_nothing(twins: int, turbines: int) -> Deprived:
        """All is heard."""
        none = np.zeros((twins, turbines), np.bool_)
        return Deprived(none, none)

    def joined(self, other: Deprived) -> Deprived:
        """The copies of both, one after the other."""
        return Deprived(
            np.concatenate([self.power, other.power]),
            np.concatenate([self.everything, other.everything]),
        )


@dataclass(frozen=True, eq=False)
class Hearing:
    """Which sensor is which column of a record, in the order in which readings are applied."""

    sensor: Int32[np.ndarray, " reading"]
    """Place in ``schema.sensors``."""
    channel: Int32[np.ndarray, " reading"]
    """Place among the bound channels."""
    variance: Float64[np.ndarray, " reading"]
    turbine: Int64[np.ndarray, " reading"]
    tag: tuple[str, ...]

    @staticmethod
    def of(schema: Schema, farm: Farm, channels: Sequence[Channel]) -> Hearing:
        """As the channels of a bound twin stand."""
        names = [t.name for t in farm.turbines]
        heard = [(i, c) for i, c in enumerate(channels) if c.sensor >= 0]
        parts = [schema.sensors[c.sensor].name.split(".") for _, c in heard]
        return Hearing(
            sensor=np.array([c.sensor for _, c in heard], np.int32),
            channel=np.array([i for i, _ in heard], np.int32),
            variance=np.array([c.variance for _, c in heard]),
            turbine=np.array([names.index(p[0]) for p in parts]),
            tag=tuple(p[1] for p in parts),
        )


def observed(
    schema: Schema, hearing: Hearing, record: Record, row: int, deprived: Deprived
) -> Observed:
    """What each copy hears at that row."""
    twins = len(deprived.power)
    told = np.stack([record.values[tag][row] for tag in SENSORS_A_TURBINE])
    tags = np.array([SENSORS_A_TURBINE.index(t) for t in hearing.tag])
    readings = told[tags, hearing.turbine]
    deaf = deprived.everything[:, hearing.turbine]
    deaf = deaf | (deprived.power[:, hearing.turbine] & (tags == POWER_TAG))
    hears = ~deaf & np.isfinite(readings)
    inputs = np.stack([record.values[tag][row] for tag in INPUT_TAGS], axis=1)
    driven = np.tile(inputs, (twins, 1, 1))
    driven[deprived.everything] = np.nan
    driven[:, :, HEARD_POWER][deprived.power] = np.nan
    untold = np.full((twins, len(schema.driven) - inputs.size), np.nan)  # set-points
    after = np.concatenate([driven.reshape(twins, -1), untold], axis=1)
    tick = record.first_tick + row
    return Observed(
        tick=np.full(twins, tick, np.int64),
        channel=np.where(hears, hearing.channel, NO_CHANNEL).astype(np.int32),
        sensor=np.where(hears, hearing.sensor, -1).astype(np.int32),
        value=np.where(hears, np.nan_to_num(readings), 0.0),
        variance=np.tile(hearing.variance, (twins, 1)),
        valid_at=np.full(hears.shape, tick * schema.step, np.int64),
        driven_before=after,
        driven_after=after,
    )
