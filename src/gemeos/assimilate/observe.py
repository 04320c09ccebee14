"""What the members would have read: the sensor at the reading's own time, over its own interval."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Float64, Int32, Int64

from gemeos.ensemble.state import Monitor, TwinState
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Measure
from gemeos.simulate.base import Crew, Steps
from gemeos.units.instant import SECOND

NO_CHANNEL = -1


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """What was read of a batch of twins and belongs to one grid instant of each.

    Readings of a twin stand in the order (channel, sample) in which they are applied; twins with
    fewer are padded with ``channel`` NO_CHANNEL.
    """

    tick: Int64[np.ndarray, " twin"]
    """The instant at which they are applied: the first one at or after ``valid_at``."""
    channel: Int32[np.ndarray, "twin reading"]
    """Place of the channel among the twin's channels."""
    sensor: Int32[np.ndarray, "twin reading"]
    """Place in ``schema.sensors``; -1 for a reading of an input or control."""
    value: Float64[np.ndarray, "twin reading"]
    variance: Float64[np.ndarray, "twin reading"]
    valid_at: Int64[np.ndarray, "twin reading"]
    driven_before: Float64[np.ndarray, "twin driven"]
    """What drives the step that leads to ``tick`` (averages over it); NaN leaves as it was."""
    driven_after: Float64[np.ndarray, "twin driven"]
    """What drives from ``tick`` on; NaN leaves as it was."""

    @property
    def compared(self) -> Bool[np.ndarray, "twin reading"]:
        """Where there is a reading of a sensor."""
        return (self.channel != NO_CHANNEL) & (self.sensor >= 0)


def predicted(
    stepper: Steps, before: TwinState, state: TwinState, crew: Crew, read: Observed
) -> Float[np.ndarray, "twin reading member"]:
    """What each member would have read for each reading, in sensor units.

    Args:
        stepper: The model.
        before: The twins one step earlier; equal to ``state`` for a twin just born.
        state: The twins at ``read.tick``.
        crew: Their constants.
        read: What was read. Readings between two instants are compared with members interpolated
            to their own time.
    """
    schema = stepper.schema
    twins, readings = read.channel.shape
    size = state.members.shape[2]
    out = np.zeros((twins, readings, size), schema.precision)
    if readings == 0:
        return out
    every = np.arange(twins)
    at_tick = stepper.observed(state, crew, state.members)
    fraction = _fraction(schema, read)
    for place in range(readings):
        sensor = np.maximum(read.sensor[:, place], 0)
        column = at_tick[every, sensor, :]
        between = (fraction[:, place] < 1) & read.compared[:, place]
        if between.any():
            share = fraction[:, place].astype(schema.precision)[:, None, None]
            members = before.members + share * (state.members - before.members)
            inside = stepper.observed(state, crew, members)[every, sensor, :]
            column = np.where(between[:, None], inside, column)
        out[:, place, :] = column
    for row, which in enumerate(schema.running):
        covered = schema.sensors[which]
        sums = state.members[:, len(schema.estimated) + row, :]
        if covered.measure is Measure.MEAN:
            sums = sums / sums.dtype.type(round(covered.over * SECOND) // schema.step)
        else:
            sums = sums * sums.dtype.type(schema.step_s)
        out = np.where((read.sensor == which)[:, :, None], sums[:, None, :], out)
    return out


def _fraction(schema: Schema, read: Observed) -> Float64[np.ndarray, "twin reading"]:
    """Where between the instant before and ``tick`` a reading lies: above 0, up to 1."""
    since = read.valid_at - (read.tick[:, None] - 1) * schema.step
    return since / schema.step


def told(
    schema: Schema, state: TwinState, read: Observed
) -> tuple[Float64[np.ndarray, "twin reading"], Bool[np.ndarray, "twin reading"]]:
    """What the readings say of their intervals, and which of them can be compared.

    A counter says how much it grew since its last reading, if that stands at the interval's start
    and the counter has not begun anew. A twin can be compared with an interval only if it lived
    through the whole of it.
    """
    value, usable = read.value.copy(), read.compared.copy()
    for which, sensor in enumerate(schema.sensors):
        if sensor.measure is Measure.INSTANT:
            continue
        here = read.sensor == which
        over = round(sensor.over * SECOND)
        lived = (read.tick - state.born)[:, None] >= over // schema.step
        aligned = read.valid_at % over == 0
        if which in schema.running:
            usable &= ~here | (lived & aligned)
        if sensor.measure is Measure.COUNTER:
            twins, places = np.nonzero(here)
            kept = state.monitors[twins, read.channel[twins, places]]
            grown = read.value[twins, places] - kept[:, Monitor.LAST_VALUE]
            follows = kept[:, Monitor.LAST_AT] == read.valid_at[twins, places] - over
            usable[twins, places] &= follows & (grown >= 0)
            value[twins, places] = grown
    return value, usable


def covers_a_step(schema: Schema) -> Bool[np.ndarray, " sensor"]:
    """Sensors that tell of the whole of one step."""
    return np.array(
        [
            s.measure is not Measure.INSTANT and i not in schema.running
            for i, s in enumerate(schema.sensors)
        ],
        np.bool_,
    )


def steady(
    schema: Schema, was: Float64[np.ndarray, "twin driven *member"], read: Observed
) -> Observed:
    """The same without what was read over a step in which a control with an echo moved.

    Such a reading is a mixture, and nobody knows of how much of either: members know a step with
    one setting only.

    Args:
        schema: Of the twins.
        was: What drove them before the readings came.
        read: The readings.
    """
    if not schema.echoes:
        return read
    places = [control for control, _ in schema.echoes]
    told, stood = read.driven_after[:, places], was.reshape(*was.shape[:2], -1)[:, places, 0]
    moved = (np.isfinite(told) & (told != stood)).any(axis=1)
    if not moved.any():
        return read
    mixed = moved[:, None] & (read.sensor >= 0) & covers_a_step(schema)[read.sensor]
    return replace(
        read,
        channel=np.where(mixed, NO_CHANNEL, read.channel).astype(read.channel.dtype),
        sensor=np.where(mixed, -1, read.sensor).astype(read.sensor.dtype),
    )


def nearest_turn(
    schema: Schema,
    read: Observed,
    value: Float64[np.ndarray, "twin reading"],
    expected: Float64[np.ndarray, "twin reading"],
) -> Float64[np.ndarray, "twin reading"]:
    """Readings of angles moved by whole turns to within half a turn of what was expected."""
    for which, sensor in enumerate(schema.sensors):
        if sensor.wraps is None:
            continue
        turns = np.round((value - expected) / sensor.wraps)
        value = np.where(read.sensor == which, value - turns * sensor.wraps, value)
    return value
