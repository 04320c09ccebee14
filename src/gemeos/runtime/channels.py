"""Which readings concern which twin of a fleet, and what one instant's readings are in arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from jaxtyping import Float64, Int32, Int64

from gemeos.assimilate.observe import NO_CHANNEL, Observed
from gemeos.errors import SchemaError, UnknownNameError
from gemeos.runtime.window import Entry
from gemeos.schema.binding import Binding
from gemeos.schema.reading import SeriesBook
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


class Routes:
    """From the number of a series to the twins and channels that it feeds."""

    def __init__(self, channels: Sequence[Sequence[Channel]]) -> None:
        """One sequence of channels a twin, in the fleet's order of twins."""
        self._to: dict[tuple[str, str], list[tuple[int, int, Instant]]] = {}
        self._book: SeriesBook | None = None
        self._known: dict[int, Sequence[tuple[int, int, Instant]]] = {}
        for twin, of_twin in enumerate(channels):
            for place, channel in enumerate(of_twin):
                series = channel.binding.series
                self._to.setdefault((series.link, series.channel), []).append(
                    (twin, place, channel.since)
                )

    def of(self, book: SeriesBook) -> Callable[[int], Sequence[tuple[int, int, Instant]]]:
        """From a number in ``book`` to (twin, place of the channel, since) for each that is fed."""
        if book is not self._book:
            # A number, once given, stays: what was looked up holds as long as the book does.
            self._book, self._known = book, {}
        known = self._known

        def fed(number: int) -> Sequence[tuple[int, int, Instant]]:
            found = known.get(number)
            if found is None:
                series = book.series(number)
                found = known[number] = self._to.get((series.link, series.channel), ())
            return found

        return fed


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

    def gathered(
        self,
        twins: Int64[np.ndarray, " some"],
        ticks: Sequence[int],
        entries: Sequence[Sequence[Entry]],
    ) -> Observed:
        """What was read of several twins, each at its own tick, padded to one length."""
        counts = np.array([len(e) for e in entries], np.int64)
        shape = (len(twins), int(counts.max(initial=0)))
        channel = np.full(shape, NO_CHANNEL, np.int32)
        sensor = np.full(shape, -1, np.int32)
        value = np.zeros(shape, np.float64)
        variance = np.ones(shape, np.float64)
        valid_at = np.zeros(shape, np.int64)
        driven = (len(twins), len(self._schema.driven))
        before, after = np.full(driven, np.nan), np.full(driven, np.nan)
        flat = list(chain.from_iterable(entries))
        if flat:
            channels, _, at, _, values, _, _ = zip(*flat, strict=True)
            row = np.repeat(np.arange(len(twins)), counts)
            place = np.arange(len(flat)) - np.repeat(counts.cumsum() - counts, counts)
            which = np.array(channels, np.int32)
            channel[row, place] = which
            value[row, place] = values
            valid_at[row, place] = at
            sensor[row, place] = self._sensor[twins[row], which]
            variance[row, place] = self._variance[twins[row], which]
            drives = self._driven[twins[row], which]
            self._drive(ticks, flat, row, drives, before, after)
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
        flat: Sequence[Entry],
        row: Int64[np.ndarray, " reading"],
        drives: Int32[np.ndarray, " reading"],
        before: Float64[np.ndarray, "twin driven"],
        after: Float64[np.ndarray, "twin driven"],
    ) -> None:
        """Fill in what drives the step that leads to the instants, and what drives behind them."""
        newest: dict[tuple[int, int], Instant] = {}
        for place in np.flatnonzero(drives >= 0).tolist():
            entry, twin, which = flat[place], int(row[place]), int(drives[place])
            # An average over the step drives it; a value at an instant drives what comes after.
            if entry.valid_from <= (ticks[twin] - 1) * self._schema.step:
                before[twin, which] = entry.value
            if entry.valid_at >= newest.get((twin, which), entry.valid_at):
                newest[twin, which] = entry.valid_at
                after[twin, which] = entry.value
