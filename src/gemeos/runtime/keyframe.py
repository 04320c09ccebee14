"""What a keyframe stores beside the state: whose rows they are, so that another model can read it.

Contract 11: a model can change under a living twin. What the new model shares with the old by
name and unit goes on with the ensemble that it had; what is new begins with its prior.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import msgspec
import numpy as np
from jaxtyping import Float, Float64, Int64, Shaped

from gemeos.ensemble.state import TwinState, unheard
from gemeos.errors import TimelineError
from gemeos.runtime.fleet import Fleet
from gemeos.schema.coordinate import Above, Between, Coordinate, Whole


class _Row(msgspec.Struct, frozen=True, array_like=True):
    name: str
    unit: str
    bounds: tuple[float, ...]
    """None, one or two: which coordinate it is in."""


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    rows: tuple[_Row, ...]
    driven: tuple[tuple[str, str], ...]
    """Names and units."""
    channels: tuple[str, ...]
    state: bytes
    outputs: tuple[tuple[str, str], ...] = ()
    """Names and units of those that are kept with the ensemble."""


@dataclass(frozen=True, slots=True)
class Carried:
    """A state in the rows of another model, and what became of each variable."""

    state: TwinState
    kept: tuple[str, ...]
    begun: tuple[str, ...]
    """New, or of another unit than before: they begin with their priors."""
    dropped: tuple[str, ...]


_Monitors: TypeAlias = Float64[np.ndarray, "1 _ monitor"]
_WindowRead: TypeAlias = Float64[np.ndarray, "1 slot _ told"]
_Outward: TypeAlias = Float[np.ndarray, " member"]


def packed(fleet: Fleet, twin: str, state: TwinState) -> bytes:
    """The state with the names of its rows, for the store."""
    schema = fleet.schema
    kept = _Kept(
        rows=tuple(_Row(v.name, v.unit, _bounds(v.coordinate)) for v in schema.estimated),
        driven=tuple((v.name, v.unit) for v in schema.driven),
        channels=_channels(fleet, twin),
        state=state.to_bytes(),
        outputs=_kept_outputs(fleet),
    )
    return msgspec.msgpack.encode(kept)


def unpacked(fleet: Fleet, twin: str, stored: bytes) -> TwinState:
    """The state, for the model that made it.

    What is bound to the twin may have changed since: a channel keeps what was remembered of it by
    its name, and a new one begins unheard.

    Args:
        fleet: Of that model.
        twin: One of its twins.
        stored: What ``packed`` made.

    Raises:
        TimelineError: these bytes are no keyframe.
    """
    kept = _read(stored)
    state = TwinState.from_bytes(kept.state)
    channels = _channels(fleet, twin)
    if kept.channels == channels and state.monitors.shape[1] == fleet.channel_rows:
        return state
    return replace(
        state,
        monitors=_by_name(fleet, channels, kept.channels, state.monitors),
        window_read=_read_by_name(fleet, channels, kept.channels, state.window_read),
    )


def carried(fleet: Fleet, twin: str, stored: bytes) -> Carried:
    """The state for another model than the one that made it.

    Args:
        fleet: Of the new model.
        twin: One of its twins.
        stored: What ``packed`` made of the old one.

    Raises:
        TimelineError: these bytes are no keyframe.
    """
    old = _read(stored)
    was, born = TwinState.from_bytes(old.state), fleet.genesis(twin)
    members = born.members.copy()
    rows = {(r.name, r.unit): (i, r) for i, r in enumerate(old.rows)}
    kept, begun = [], []
    # An ensemble of another size is filled by going around the old one again.
    source = np.arange(members.shape[2]) % was.members.shape[2]
    for row, variable in enumerate(fleet.schema.estimated):
        found = rows.get((variable.name, variable.unit))
        if found is None:
            begun.append(variable.name)
            continue
        place, told = found
        natural: _Outward = _coordinate(told.bounds).outward(was.members[0, place, source])
        members[0, row] = variable.coordinate.inward(natural.astype(members.dtype))
        kept.append(variable.name)
    simulations = _gone_on_from(fleet, was, born, source)
    if fleet.schema.keeps_outputs:
        _carry_outputs(fleet, old, was, members, source)
    driven = born.driven.copy()
    heard = {name: was.driven[0, i] for i, name in enumerate(old.driven)}
    for place, drive in enumerate(fleet.schema.driven):
        driven[0, place] = heard.get((drive.name, drive.unit), driven[0, place])
    monitors = _by_name(fleet, _channels(fleet, twin), old.channels, was.monitors)
    state = replace(
        was,
        members=members,
        driven=driven,
        monitors=monitors,
        # What was learned of forecasts is of those of the old model, or at other leads; and inputs
        # may be others, or remembered otherwise.
        issued=born.issued,
        awaiting=born.awaiting,
        read_then=born.read_then,
        lessons=born.lessons,
        forecast_drift=born.forecast_drift,
        input_means=born.input_means,
        input_sums=born.input_sums,
        # The window begins anew, and so do simulations of another engine.
        simulations=simulations,
        window_read=born.window_read,
        window_driven=born.window_driven,
    )
    names = {v.name for v in fleet.schema.estimated}
    dropped = [r.name for r in old.rows if r.name not in names]
    if was.lessons.size:
        dropped.append("what was learned of its forecasts")
    if was.input_means.size:
        dropped.append("means of its inputs")
    if was.simulations.size and simulations is born.simulations:
        dropped.append("its simulations, which begin anew")
    return Carried(state, tuple(kept), tuple(begun), tuple(dropped))


def _kept_outputs(fleet: Fleet) -> tuple[tuple[str, str], ...]:
    schema = fleet.schema
    return tuple((v.name, v.unit) for v in schema.outputs) if schema.keeps_outputs else ()


def _gone_on_from(
    fleet: Fleet, was: TwinState, born: TwinState, source: Int64[np.ndarray, " new"]
) -> Shaped[np.ndarray, "twin place new"]:
    """The old simulations, if the new model is of the same engine; else what is born."""
    places, begins = born.simulations.shape[1], int(was.tick[0]) * fleet.schema.step
    old = was.simulations[0, 0] if was.simulations.shape[1] else was.simulations[0, :0]
    fits = [each is not None and each.at == begins and fleet.cycle.takes(each) for each in old]
    if not (places and fits and all(fits)):
        return born.simulations
    simulations = born.simulations.copy()
    simulations[0] = np.tile(old[source], (places, 1))
    return simulations


def _carry_outputs(
    fleet: Fleet,
    old: _Kept,
    was: TwinState,
    members: Float[np.ndarray, "twin row new"],
    source: Int64[np.ndarray, " new"],
) -> None:
    """Write what was told last into ``members``; of what is new nothing is known before a step."""
    rows = {told: i - len(old.outputs) for i, told in enumerate(old.outputs)}
    first = fleet.schema.row_of_outputs
    for row, told in enumerate(_kept_outputs(fleet), start=first):
        known = told in rows
        members[0, row] = was.members[0, rows[told], source] if known else np.nan


def _channels(fleet: Fleet, twin: str) -> tuple[str, ...]:
    return tuple(str(c.binding.series) for c in fleet.channels[fleet.place(twin)])


def _by_name(
    fleet: Fleet, channels: Sequence[str], were: Sequence[str], monitors: _Monitors
) -> _Monitors:
    """Monitors of ``were`` as those of ``channels``, in as many rows as the fleet has."""
    watched = dict(zip(were, monitors[0], strict=False))  # behind them: rows of other twins
    rows = unheard(1, fleet.channel_rows)
    for place, name in enumerate(channels):
        rows[0, place] = watched.get(name, rows[0, place])
    return rows


def _read_by_name(
    fleet: Fleet, channels: Sequence[str], were: Sequence[str], read: _WindowRead
) -> _WindowRead:
    """The same of what was read within the window; a new channel has read nothing yet."""
    rows = np.full((*read.shape[:2], fleet.channel_rows, read.shape[3]), np.nan)
    places = {name: place for place, name in enumerate(were)}
    for place, name in enumerate(channels):
        if name in places:
            rows[:, :, place] = read[:, :, places[name]]
    return rows


def _read(stored: bytes) -> _Kept:
    try:
        return msgspec.msgpack.decode(stored, type=_Kept)
    except msgspec.DecodeError as error:
        raise TimelineError(f"A stored keyframe cannot be read: {error}.") from error


def _bounds(coordinate: Coordinate) -> tuple[float, ...]:
    match coordinate:
        case Whole():
            return ()
        case Above(least):
            return (least,)
        case Between(least, most):
            return (least, most)


def _coordinate(bounds: tuple[float, ...]) -> Coordinate:
    match bounds:
        case ():
            return Whole()
        case (least,):
            return Above(least)
        case (least, most):
            return Between(least, most)
        case _:
            raise TimelineError(f"A stored keyframe has {len(bounds)} bounds for one variable.")
