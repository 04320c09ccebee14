"""The state of twins: the ensemble, and everything else that influences a later estimate.

Contract 1: what is not in here cannot influence the filter. A checkpoint, a keyframe and a fork
are this struct and nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Final

import msgspec
import numpy as np
from jaxtyping import Float, Float64, Int64, Shaped, UInt64

from gemeos.ensemble.noise import standard_normal, streams
from gemeos.ensemble.simulation import Stored, identity_of
from gemeos.errors import TimelineError
from gemeos.schema.schema import Schema

NEVER: Final = np.iinfo(np.int64).min
"""The tick of what has not happened."""
RELAXATION_AT_BIRTH: Final = 0.1
"""What ``TwinState.relaxation`` begins with."""


class Monitor(IntEnum):
    """What is remembered of a channel; the columns of ``TwinState.monitors``."""

    COUNT = 0
    """Readings assimilated."""
    LAST_AT = 1
    """``valid_at`` of the newest, in microseconds."""
    LAST_VALUE = 2
    EQUAL_RUN = 3
    """How many readings in a row had one value."""
    INNOVATION = 4
    """Running mean of the normalised innovations, (read - expected) / expected spread."""
    SURPRISE = 5
    """Running mean of their squares: 1 where spread and error agree."""
    INTERVAL = 6
    """Running mean of the time between readings, in microseconds."""
    COMPARED = 7
    """Readings compared with what was expected; stays 0 for inputs and controls."""
    LEAST = 8
    """The least value read so far: the channel's floor."""
    RUNS = 9
    """How often a run of equal values ended."""
    USUAL_RUN = 10
    """Running mean of the lengths of those runs."""
    RUN_CHANCE = 11
    """How likely the present run is, from the channel's own history."""
    FAR_RUN = 12
    """How many readings in a row were far from what was expected."""
    ABOVE = 13
    """Evidence that the channel reads too much; sums of ``assimilate.fault``."""
    BELOW = 14
    """Evidence that it reads too little."""
    SPIKES = 15
    """Evidence that single readings jump away and back."""
    LOST = 16
    """Evidence that the ensemble is nowhere near what the channel reads."""
    FROZEN = 17
    """Readings that must move and be plausible before a stuck or dead channel counts again."""
    VERDICT = 18
    """A ``Verdict``."""
    ACCEPTED_AT = 19
    """``valid_at`` of the newest reading that was not of an untrusted channel."""
    RUN_LOW = 20
    """Least distance from what was expected, in the present run of equal values."""
    RUN_HIGH = 21
    """Largest such distance."""


class Verdict(IntEnum):
    """What is held of a channel. The order tells nothing."""

    SOUND = 0
    STUCK = 1
    """It repeats one value while the ensemble moves on."""
    DEAD = 2
    """It reads zero, or its least value, where the ensemble expects clearly otherwise."""
    BIASED = 3
    """It is off to one side, and the other channels are not."""
    SPIKING = 4
    """Single readings jump away and back."""


UNTRUSTED: Final = (Verdict.STUCK, Verdict.DEAD, Verdict.BIASED)
"""Channels that correct nothing until they have behaved again. They are watched all the same."""


class Told(IntEnum):
    """What is kept of a channel at one tick of a window; columns of ``TwinState.window_read``."""

    VALUE = 0
    """Mean of its readings there; NaN where there was none that counts."""
    VARIANCE = 1
    """Of its error."""
    SHARE = 2
    """Where between the tick before and this one it lies: above 0, up to 1."""
    SCATTER = 3
    """Variance that the simulator's own chance gives to it."""
    SENSOR = 4
    """Place in ``schema.sensors``."""


@dataclass(frozen=True, slots=True)
class WindowRoom:
    """What a state needs for readings that are kept, and gone through again."""

    places: int
    """Simulations of each member."""
    slots: int
    """Ticks that a window covers at most."""


NO_WINDOW: Final = WindowRoom(0, 0)
"""Of our own models: each reading is used once."""


class Drift(IntEnum):
    """A sequential test; the columns of ``TwinState.drift`` and ``forecast_drift``."""

    EVIDENCE = 0
    """Against "spread and error agree"; ``assimilate.drift`` tells the measure."""
    COUNT = 1
    """Readings, or forecasts, tested since the test was begun anew."""
    REJECTED = 2
    """1 from a rejection until enough readings have passed again, else 0."""


@dataclass(frozen=True, slots=True, eq=False)
class TwinState:
    """One or many twins of one schema at their own instants. One twin is a batch of one.

    All arrays belong together by their first axis. Nobody changes an array of a state that is
    held elsewhere: a step makes a new state.
    """

    tick: Int64[np.ndarray, " twin"]
    """Grid instant, in steps since 1970; NEVER before the first reading."""
    born: Int64[np.ndarray, " twin"]
    """The tick at which the prior was put; NEVER while an input without default is unheard."""
    cycles: Int64[np.ndarray, " twin"]
    """How many instants with readings have been gone through."""
    members: Float[np.ndarray, "twin row member"]
    """Coordinates (``schema.coordinate``) of states and params, then running sums, then outputs
    where they are kept."""
    driven: Float64[np.ndarray, "twin driven *member"]
    """Inputs and controls as last heard, in declared units; NaN where never. Only in forks whose
    members are driven apart it has an axis of members."""
    monitors: Float64[np.ndarray, "twin channel monitor"]
    """One row a bound channel, columns as in ``Monitor``."""
    assimilated: Int64[np.ndarray, " twin"]
    """Readings that corrected the ensemble."""
    failed: Int64[np.ndarray, " twin"]
    """Members that failed in a step and were replaced by a living one's copy."""
    relaxation: Float64[np.ndarray, " twin"]
    """Estimate of how much of a lost spread must be given back (``assimilate.inflate``)."""
    drift: Float64[np.ndarray, "twin test"]
    """Columns as in ``Drift``."""
    recovered: Int64[np.ndarray, " twin"]
    """How often the ensemble was lost and widened again."""
    issued: Int64[np.ndarray, "twin slot"]
    """Ticks of the forecasts whose truth is to come (``foresee.reissue``); NEVER in a free slot."""
    awaiting: Float64[np.ndarray, "twin slot variable level"]
    """Their quantiles, as the ensemble gave them; NaN where it gave none."""
    read_then: Float64[np.ndarray, "twin slot variable"]
    """What had been read last when they were issued; NaN where nothing had."""
    lessons: Float64[np.ndarray, "twin variable lesson"]
    """How earlier ones turned out: what corrects the next (``ensemble.blend``)."""
    forecast_drift: Float64[np.ndarray, "twin test"]
    """The sequential test of the corrected ones; columns as in ``Drift``."""
    input_means: Float64[np.ndarray, "twin input span"]
    """Means of the inputs over spans of time, in a ring: what they are foreseen from
    (``foresee.drive``). NaN where unknown."""
    input_sums: Float64[np.ndarray, "twin input 2"]
    """Of the span under way: the sum over steps, and how many."""
    simulations: Shaped[np.ndarray, "twin place member"]
    """Of a model that somebody else moves, each member's ``ensemble.simulation.Simulation``: where
    it stands now, and where the window of readings begins that it is fitted to. None of what was
    not begun; no places where our own models move the members."""
    window_read: Float64[np.ndarray, "twin moment channel told"]
    """What was read within that window, by tick in a ring; columns as in ``Told``."""
    window_driven: Float64[np.ndarray, "twin moment driven"]
    """What drove the step that led to each tick of the window."""

    def __len__(self) -> int:
        return len(self.tick)

    def take(self, twins: Sequence[int] | Int64[np.ndarray, " some"]) -> TwinState:
        """Copies of the states of those twins."""
        chosen = np.asarray(twins, np.intp)
        return TwinState(*(getattr(self, f.name)[chosen] for f in fields(self)))

    def put(self, twins: Sequence[int] | Int64[np.ndarray, " some"], other: TwinState) -> None:
        """Write ``other`` over those twins. Only for the one who owns this state's arrays."""
        chosen = np.asarray(twins, np.intp)
        for f in fields(self):
            getattr(self, f.name)[chosen] = getattr(other, f.name)

    def digest(self) -> str:
        """Hash of every bit in it. Equal states have equal hashes."""
        seen = hashlib.sha256()
        for f in fields(self):
            array = np.ascontiguousarray(getattr(self, f.name))
            if array.dtype.hasobject:
                array = _identities(array)
            seen.update(f"{f.name}{array.dtype.str}{array.shape}".encode())
            seen.update(array.tobytes())
        return seen.hexdigest()

    def to_bytes(self) -> bytes:
        """For the store: MessagePack of names, kinds, shapes and raw little-endian arrays."""
        arrays = {f.name: np.ascontiguousarray(getattr(self, f.name)) for f in fields(self)}
        return msgspec.msgpack.encode(
            {
                n: (a.dtype.str, a.shape, _kept(a) if a.dtype.hasobject else a.tobytes())
                for n, a in arrays.items()
            }
        )

    @staticmethod
    def from_bytes(packed: bytes) -> TwinState:
        """The state that ``to_bytes`` packed.

        Raises:
            TimelineError: these bytes are no state.
        """
        try:
            told = msgspec.msgpack.decode(
                packed, type=dict[str, tuple[str, tuple[int, ...], bytes]]
            )
            arrays = {
                name: _found(raw, shape)
                if np.dtype(kind).hasobject
                else np.frombuffer(raw, np.dtype(kind)).reshape(shape).copy()
                for name, (kind, shape, raw) in told.items()
            }
            _complete(arrays)
        except (msgspec.DecodeError, ValueError, TypeError) as error:
            raise TimelineError(f"A stored state cannot be read: {error}.") from error
        _check_complete(arrays)
        return TwinState(**arrays)


def _identities(simulations: Shaped[np.ndarray, "*any"]) -> Shaped[np.ndarray, "*any"]:
    """As texts of one length, which have bytes to be hashed."""
    told = [identity_of(each) for each in simulations.ravel()]
    return np.array(told, np.str_).reshape(simulations.shape)


def _kept(simulations: Shaped[np.ndarray, "*any"]) -> bytes:
    """Each once, however many members share it, and which one is where."""
    there: dict[str, tuple[str, int, bytes]] = {}
    places: list[str] = []
    for each in simulations.ravel():
        places.append(identity_of(each))
        if each is not None and each.identity not in there:
            there[each.identity] = (each.identity, each.at, each.packed())
    return msgspec.msgpack.encode((list(there.values()), places))


def _found(kept: bytes, shape: tuple[int, ...]) -> Shaped[np.ndarray, "*any"]:
    stored, places = msgspec.msgpack.decode(
        kept, type=tuple[list[tuple[str, int, bytes]], list[str]]
    )
    there = {identity: Stored(identity, at, packed) for identity, at, packed in stored}
    simulations = np.full(len(places), None, object)
    for place, identity in enumerate(places):
        simulations[place] = there.get(identity)
    return simulations.reshape(shape)


def _complete(arrays: dict[str, np.ndarray]) -> None:
    """Add what states did not have before there were windows: none of them had one."""
    if "tick" in arrays and "simulations" not in arrays:
        twins, channels = arrays["monitors"].shape[:2]
        members, driven = arrays["members"].shape[2], arrays["driven"].shape[1]
        arrays |= _windowless(NO_WINDOW, twins, members, channels, driven)


def _windowless(
    room: WindowRoom, twins: int, members: int, channels: int, driven: int
) -> dict[str, np.ndarray]:
    return {
        "simulations": np.full((twins, room.places, members), None, object),
        "window_read": np.full((twins, room.slots, channels, len(Told)), np.nan),
        "window_driven": np.full((twins, room.slots, driven), np.nan),
    }


def _check_complete(arrays: Mapping[str, np.ndarray]) -> None:
    """Refuse what another version of this program stored: a state without its monitors is none."""
    ours = {f.name for f in fields(TwinState)}
    odd = [f"lacks {n}" for n in sorted(ours - set(arrays))]
    odd += [f"has an unknown {n}" for n in sorted(set(arrays) - ours)]
    shapes = {"monitors": len(Monitor), "drift": len(Drift), "forecast_drift": len(Drift)}
    for name, columns in shapes.items():
        if name in arrays and arrays[name].shape[-1:] != (columns,):
            odd.append(f"has {name} of {arrays[name].shape[-1:]} columns instead of {columns}")
    if odd:
        raise TimelineError(
            f"A stored state {', '.join(odd)}: another version of this program stored it. The twin "
            "has to be kept in step again from its readings."
        )


def joined(states: Sequence[TwinState]) -> TwinState:
    """One batch of all of them, one behind the other. At least one is given."""
    return TwinState(
        *(np.concatenate([getattr(s, f.name) for s in states]) for f in fields(TwinState))
    )


def drawn(
    schema: Schema,
    keys: UInt64[np.ndarray, " twin"],
    ticks: Int64[np.ndarray, " twin"],
    members: int,
) -> Float[np.ndarray, "twin row member"]:
    """Members drawn from the priors, another draw for another tick; running sums are zero."""
    estimated = schema.estimated
    deviates = standard_normal(
        keys, ticks, streams("prior", [v.name for v in estimated]), members
    ).astype(schema.precision)
    ensemble = np.zeros((len(keys), schema.rows, members), schema.precision)
    for row, variable in enumerate(estimated):
        natural = variable.prior.at(deviates[:, row, :])
        ensemble[:, row, :] = variable.coordinate.inward(natural)
    return ensemble


@dataclass(frozen=True, slots=True, eq=False)
class Unlearned:
    """The room that twins need for what their forecasts rest on, before the first of them."""

    slots: int
    """Forecasts that can be under way at once."""
    levels: int
    """Quantiles of each."""
    lessons: Float64[np.ndarray, "variable lesson"]
    """What is held of each variable's forecasts before any turned out."""
    inputs: int = 0
    """How many inputs are remembered."""
    spans: int = 0
    """How many means of each."""


NOTHING_TO_LEARN: Final = Unlearned(0, 0, np.zeros((0, 0)))
"""Of twins whose forecasts are not scored, and whose inputs are held."""


def newborn(
    schema: Schema,
    keys: UInt64[np.ndarray, " twin"],
    *,
    members: int,
    channels: int,
    unlearned: Unlearned = NOTHING_TO_LEARN,
    room: WindowRoom = NO_WINDOW,
) -> TwinState:
    """Twins before their first reading: each member a draw from the priors."""
    twins = len(keys)
    awaited = (twins, unlearned.slots, len(unlearned.lessons))
    never = np.full(twins, NEVER, np.int64)
    defaults = [np.nan if v.default is None else v.default for v in schema.driven]
    zero = np.zeros(twins, np.int64)
    return TwinState(
        tick=never.copy(),
        born=never.copy(),
        cycles=zero.copy(),
        members=drawn(schema, keys, never, members),
        driven=np.tile(np.array(defaults, np.float64), (twins, 1)),
        monitors=unheard(twins, channels),
        assimilated=zero.copy(),
        failed=zero.copy(),
        relaxation=np.full(twins, RELAXATION_AT_BIRTH),
        drift=np.zeros((twins, len(Drift)), np.float64),
        recovered=zero.copy(),
        issued=np.full(awaited[:2], NEVER, np.int64),
        awaiting=np.zeros((*awaited, unlearned.levels)),
        read_then=np.full(awaited, np.nan),
        lessons=np.tile(unlearned.lessons, (twins, 1, 1)),
        forecast_drift=np.zeros((twins, len(Drift)), np.float64),
        input_means=np.full((twins, unlearned.inputs, unlearned.spans), np.nan),
        input_sums=np.zeros((twins, unlearned.inputs, 2)),
        **_windowless(room, twins, members, channels, len(schema.driven)),
    )


def unheard(twins: int, channels: int) -> Float64[np.ndarray, "twin channel monitor"]:
    """The monitors of channels before their first reading."""
    return np.tile(_UNHEARD, (twins, channels, 1))


def _unheard() -> Float64[np.ndarray, " monitor"]:
    monitors = np.zeros(len(Monitor), np.float64)
    monitors[[Monitor.LAST_AT, Monitor.LAST_VALUE, Monitor.INTERVAL, Monitor.ACCEPTED_AT]] = np.nan
    monitors[Monitor.LEAST] = np.inf
    # As if one run of two had been seen: a channel that never changed has no history to break.
    monitors[[Monitor.RUNS, Monitor.USUAL_RUN, Monitor.RUN_CHANCE]] = 1.0, 2.0, 1.0
    return monitors


_UNHEARD: Final = _unheard()


def natural(
    schema: Schema, members: Float[np.ndarray, "twin row member"]
) -> Float[np.ndarray, "twin variable member"]:
    """Natural values of states and params, as models are given them."""
    values = np.empty((members.shape[0], len(schema.estimated), members.shape[2]), members.dtype)
    for row, variable in enumerate(schema.estimated):
        values[:, row, :] = variable.coordinate.outward(members[:, row, :])
    return values
