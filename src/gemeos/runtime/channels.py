"""Which readings concern which twin of a fleet, and what one instant's readings are in arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gemeos.assimilate.observe import NO_CHANNEL, Observed
from gemeos.errors import SchemaError, UnknownNameError
from gemeos.runtime.window import Entry
from gemeos.schema.binding import Binding
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
        self._to: dict[tuple[str, str], list[tuple[int, int, Channel]]] = {}
        for twin, of_twin in enumerate(channels):
            for place, channel in enumerate(of_twin):
                series = channel.binding.series
                self._to.setdefault((series.link, series.channel), []).append(
                    (twin, place, channel)
                )

    def of(self, link: str, channel: str) -> Sequence[tuple[int, int, Channel]]:
        """(twin, place of the channel, channel) for each that is fed."""
        return self._to.get((link, channel), ())


def gathered(
    schema: Schema,
    ticks: Sequence[int],
    entries: Sequence[Sequence[Entry]],
    channels: Sequence[Sequence[Channel]],
) -> Observed:
    """What was read of several twins, each at its own tick, padded to one length."""
    twins, most = len(ticks), max((len(e) for e in entries), default=0)
    channel = np.full((twins, most), NO_CHANNEL, np.int32)
    sensor = np.full((twins, most), -1, np.int32)
    value = np.zeros((twins, most), np.float64)
    variance = np.ones((twins, most), np.float64)
    valid_at = np.zeros((twins, most), np.int64)
    before = np.full((twins, len(schema.driven)), np.nan)
    after = np.full((twins, len(schema.driven)), np.nan)
    newest = np.full((twins, len(schema.driven)), _ALWAYS, np.int64)
    for twin, of_twin in enumerate(entries):
        step_begins = (ticks[twin] - 1) * schema.step
        for place, entry in enumerate(of_twin):
            which = channels[twin][entry.channel]
            channel[twin, place] = entry.channel
            value[twin, place] = entry.value
            valid_at[twin, place] = entry.valid_at
            if which.driven < 0:
                sensor[twin, place] = which.sensor
                variance[twin, place] = which.variance
                continue
            # An average over the step drives it; a value at an instant drives what comes after.
            if entry.valid_from <= step_begins:
                before[twin, which.driven] = entry.value
            if entry.valid_at >= newest[twin, which.driven]:
                newest[twin, which.driven] = entry.valid_at
                after[twin, which.driven] = entry.value
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
