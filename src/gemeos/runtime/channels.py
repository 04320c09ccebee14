"""Which readings concern which twin of a fleet, and what one instant's readings are in arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int32, Int64

from gemeos.assimilate.observe import NO_CHANNEL, Observed
from gemeos.errors import SchemaError, UnknownNameError
from gemeos.runtime.window import Column, Rows, values_of
from gemeos.schema.binding import Binding
from gemeos.schema.reading import Series, SeriesBook
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Control, Input, Sensor
from gemeos.units.instant import Instant

_ALWAYS = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class Channel:
    """One bound channel of one twin."""

    binding: Binding
    sensor: int
    """Place in ``schema.sensors``, or -1."""
    driven: int
    """Place in ``schema.driven``, or -1."""
    variance: float
    """Of one reading, in squared units of the variable; 0 for what drives."""

    @property
    def since(self) -> Instant:
        """Readings before this are not this sensor's."""
        return _ALWAYS if self.binding.since is None else self.binding.since


def channels_of(schema: Schema, twin: str, bindings: Sequence[Binding]) -> tuple[Channel, ...]:
    """The twin's channels, sorted by name: the order in which readings of one instant are applied.

    Raises:
        UnknownNameError: a binding to a variable that the schema lacks.
        SchemaError: a binding to a variable that no reading can be of, or a sensor without noise.
    """
    mine = sorted(
        (b for b in bindings if b.twin == twin), key=lambda b: (str(b.series), b.since or 0)
    )
    return tuple(_channel(schema, b) for b in mine)


def _channel(schema: Schema, binding: Binding) -> Channel:
    variable = schema.variable(binding.variable)
    match variable:
        case Sensor():
            noise = variable.noise if binding.noise is None else binding.noise
            if not noise:
                raise SchemaError(
                    f"{binding.series} is bound to {binding.twin}.{binding.variable} without "
                    "noise: a filter must know how far one reading can be trusted. Give "
                    f"noise='... {variable.unit}' with the binding or with the sensor."
                )
            return Channel(binding, schema.sensors.index(variable), -1, noise**2)
        case Input() | Control():
            return Channel(binding, -1, schema.driven.index(variable), 0.0)
        case _:
            bindable = [v.name for v in (*schema.sensors, *schema.driven)]
            raise UnknownNameError(
                "sensor, input or control", binding.variable, bindable, where=schema.name
            )


class Fed(NamedTuple):
    """What a batch of readings feeds: each reading as often as it is bound, in their order."""

    reading: Int64[np.ndarray, " fed"]
    """Place in the batch."""
    twin: Int64[np.ndarray, " fed"]
    channel: Int32[np.ndarray, " fed"]
    """Place among the twin's channels."""
    since: Int64[np.ndarray, " fed"]
    """Earlier readings are not this sensor's."""


class Routes:
    """From the number of a series to the twins and channels that it feeds."""

    def __init__(self, channels: Sequence[Sequence[Channel]]) -> None:
        """One sequence of channels a twin, in the fleet's order of twins."""
        self._rows: dict[Series, int] = {}
        counts = [len(of_twin) for of_twin in channels]
        every = [channel for of_twin in channels for channel in of_twin]
        row = np.array(
            [self._rows.setdefault(c.binding.series, len(self._rows)) for c in every], np.int64
        )
        order = np.argsort(row, kind="stable")
        count = np.bincount(row, minlength=len(self._rows))
        # The last row is that of a series that is bound to nothing.
        self._spans = np.zeros((len(self._rows) + 1, 2), np.int64)
        self._spans[:-1] = np.stack([count.cumsum() - count, count], axis=1)
        self._twin = np.repeat(np.arange(len(counts)), counts)[order]
        place = np.concatenate([np.arange(n) for n in (0, *counts)])
        self._channel = place[order].astype(np.int32)
        self._since = np.array([c.since for c in every], np.int64)[order]
        self._book: SeriesBook | None = None
        self._known = np.zeros((0, 2), np.int64)
        self._count = 0

    def fed(self, series: Int32[np.ndarray, " reading"], book: SeriesBook) -> Fed:
        """What readings of series with these numbers in ``book`` feed."""
        spans = self._spans_of(book, int(series.max(initial=-1)) + 1)[series]
        count = spans[:, 1]
        reading = np.repeat(np.arange(len(series)), count)
        place = np.arange(len(reading)) - np.repeat(count.cumsum() - count, count)
        flat = spans[reading, 0] + place
        return Fed(reading, self._twin[flat], self._channel[flat], self._since[flat])

    def _spans_of(self, book: SeriesBook, count: int) -> Int64[np.ndarray, "series 2"]:
        """Where in the flat columns the targets of each number begin, and how many there are."""
        if book is not self._book:
            # A number, once given, stays: what was looked up holds as long as the book does.
            self._book, self._count = book, 0
        if count > len(self._known):
            more = np.zeros((max(count, 2 * len(self._known)), 2), np.int64)
            more[: self._count] = self._known[: self._count]
            self._known = more
        new = [self._rows.get(book.series(number), -1) for number in range(self._count, count)]
        self._known[self._count : self._count + len(new)] = self._spans[new]
        self._count = max(self._count, count)
        return self._known


class Bound:
    """What is bound to the twins of a fleet, as tables: readings become arrays in few calls."""

    def __init__(self, schema: Schema, channels: Sequence[Sequence[Channel]]) -> None:
        """One sequence of channels a twin, in the fleet's order of twins."""
        self._schema = schema
        shape = (len(channels), max((len(c) for c in channels), default=0))
        self._sensor = np.full(shape, -1, np.int32)
        self._driven = np.full(shape, -1, np.int32)
        self._variance = np.ones(shape, np.float64)
        for twin, of_twin in enumerate(channels):
            for place, channel in enumerate(of_twin):
                self._sensor[twin, place] = channel.sensor
                self._driven[twin, place] = channel.driven
                if channel.driven < 0:
                    self._variance[twin, place] = channel.variance
        corrects = self._sensor >= 0
        self.corrects = corrects | ~corrects.any(axis=1, keepdims=True)
        """By twin and channel: whether its readings show that the twin sees its original. What
        drives it does not, as long as anything is measured: a cabinet that tells its programme
        says nothing of the traffic."""

    def gathered(
        self,
        twins: Int64[np.ndarray, " some"],
        ticks: Sequence[int],
        row: Int64[np.ndarray, " reading"],
        readings: Rows,
    ) -> Observed:
        """What was read of several twins, each at its own tick, padded to one length.

        Args:
            twins: Which.
            ticks: The instant of each.
            row: Of each reading the place of its twin in ``twins``; rising.
            readings: Those of a twin in the order of application.
        """
        counts = np.bincount(row, minlength=len(twins))
        shape = (len(twins), int(counts.max(initial=0)))
        channel = np.full(shape, NO_CHANNEL, np.int32)
        sensor = np.full(shape, -1, np.int32)
        value = np.zeros(shape, np.float64)
        variance = np.ones(shape, np.float64)
        valid_at = np.zeros(shape, np.int64)
        driven = (len(twins), len(self._schema.driven))
        before, after = np.full(driven, np.nan), np.full(driven, np.nan)
        if len(readings):
            place = np.arange(len(row)) - (counts.cumsum() - counts)[row]
            which = readings[:, Column.CHANNEL]
            told = values_of(readings)
            channel[row, place] = which
            value[row, place] = told
            valid_at[row, place] = readings[:, Column.VALID_AT]
            of = twins[row]
            sensor[row, place] = self._sensor[of, which]
            variance[row, place] = self._variance[of, which]
            drives = self._driven[of, which]
            driving = np.flatnonzero(drives >= 0)
            if len(driving):
                rest = (row[driving], drives[driving], readings[driving], told[driving])
                self._drive(ticks, *rest, before, after)
                for control, echo in self._schema.echoes:
                    before[:, echo], after[:, echo] = before[:, control], after[:, control]
        return Observed(
            tick=np.array(ticks, np.int64),
            channel=channel,
            sensor=sensor,
            value=value,
            variance=variance,
            valid_at=valid_at,
            driven_before=before,
            driven_after=after,
        )

    def _drive(
        self,
        ticks: Sequence[int],
        row: Int64[np.ndarray, " reading"],
        drives: Int32[np.ndarray, " reading"],
        readings: Rows,
        values: Float64[np.ndarray, " reading"],
        before: Float64[np.ndarray, "twin driven"],
        after: Float64[np.ndarray, "twin driven"],
    ) -> None:
        """Fill in what drives the step that leads to the instants, and what drives behind them."""
        newest: dict[tuple[int, int], Instant] = {}
        for twin, which, valid_at, valid_from, value in zip(
            row.tolist(),
            drives.tolist(),
            readings[:, Column.VALID_AT].tolist(),
            readings[:, Column.VALID_FROM].tolist(),
            values.tolist(),
            strict=True,
        ):
            # An average over the step drives it; a value at an instant drives what comes after.
            if valid_from <= (ticks[twin] - 1) * self._schema.step:
                before[twin, which] = value
            if valid_at >= newest.get((twin, which), valid_at):
                newest[twin, which] = valid_at
                after[twin, which] = value
