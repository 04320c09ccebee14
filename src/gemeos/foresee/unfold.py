"""How the changes of one fork unfold while it moves, each member's at its own time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

from gemeos.ensemble.clause import Values
from gemeos.ensemble.state import drawn
from gemeos.foresee.intervene import FOR_EVER, Act, Acts, Held, Line, Place, Redrawn, Scaled
from gemeos.schema.schema import Schema


@dataclass(eq=False)
class Unfolding:
    """The acts of one fork on its way. The only thing of a fork that is changed in place."""

    acts: Acts
    start: int
    """The tick of the fork."""
    members: int
    since: list[Int64[np.ndarray, " member"]] = field(init=False)
    """The tick from which each act acts on each member; ``FOR_EVER`` while it waits."""
    _begun: list[Bool[np.ndarray, " member"]] = field(init=False)
    _origin: list[Float64[np.ndarray, " member"]] = field(init=False)
    """What a line without a first value begins from, once it has begun."""

    def __post_init__(self) -> None:
        """Acts without a condition begin at their time."""
        each, size = self.acts.each, self.members
        self.since = [
            np.full(size, FOR_EVER if a.condition else self.start + a.begins) for a in each
        ]
        self._begun = [np.zeros(size, bool) for _ in each]
        self._origin = [np.full(size, np.nan) for _ in each]

    @property
    def waits(self) -> bool:
        """Whether some member still waits for a condition."""
        pairs = zip(self.acts.each, self.since, strict=True)
        return any(a.condition is not None and (s == FOR_EVER).any() for a, s in pairs)

    def look(self, tick: int, values: Values) -> bool:
        """Start the clock of what waited for a condition that holds at ``tick``.

        Returns:
            Whether something begins at once.
        """
        begins = False
        for act, since in zip(self.acts.each, self.since, strict=True):
            if act.condition is not None:
                holds = act.condition.holds(values)[0] & (since == FOR_EVER)
                since[holds] = tick + act.begins
                begins |= act.begins == 0 and bool(holds.any())
        return begins

    def next(self, tick: int) -> int:
        """The next tick at which something begins, ends, moves on, or may begin."""
        if self.waits:
            return tick + 1
        ahead = FOR_EVER
        for act, since in zip(self.acts.each, self.since, strict=True):
            if ((since <= tick) & (tick < since + act.moving)).any():
                return tick + 1
            for edge in (since, since + act.lasts):
                ahead = min(ahead, int(edge.min(initial=FOR_EVER, where=edge > tick)))
        return ahead

    def driven(
        self,
        tick: int,
        free: Float64[np.ndarray, " driven *member"],
        before: Float64[np.ndarray, " driven *member"],
    ) -> Float64[np.ndarray, " driven *member"]:
        """What drives the fork from ``tick`` on.

        Args:
            tick: At this instant.
            free: What would drive it without interventions.
            before: What drove it up to now.
        """
        told = free.copy()
        for place, act in self._of(Place.DRIVEN):
            active = self._active(place, act, tick)
            if not active.any():
                continue
            for row in act.rows:
                self._begin(place, tick, np.broadcast_to(before[row], self.members))
                value = self._course(place, act.move, tick, told[row])
                if told.ndim == 1:
                    # Nothing waits for a condition here, so that all members are driven alike.
                    told[row] = value[0]
                else:
                    told[row, active] = value[active]
        return told

    def consts(self, tick: int, own: Float[np.ndarray, " const"]) -> Float[np.ndarray, " const"]:
        """The fork's constants from ``tick`` on."""
        told = own.copy()
        for place, act in self._of(Place.CONST):
            if self._active(place, act, tick).any():
                told[act.rows] = self._course(place, act.move, tick, told[act.rows])[
                    : len(act.rows)
                ]
        return told

    def moved(
        self,
        tick: int,
        schema: Schema,
        key: np.uint64,
        rows: Float[np.ndarray, "row member"],
    ) -> Float[np.ndarray, "row member"]:
        """The fork's members with states and params changed that are to change at ``tick``."""
        told = rows
        for place, act in self._of(Place.MEMBERS):
            since = self.since[place]
            moves = (since < tick) & (tick <= since + act.moving)
            active = (since <= tick) & (~self._begun[place] | moves)
            if not active.any():
                continue
            told = told.copy() if told is rows else told
            for row in act.rows:
                told[row, active] = self._row(place, act, tick, schema, key, told, int(row))[active]
            self._begun[place] |= active
        return told

    def _row(
        self,
        place: int,
        act: Act,
        tick: int,
        schema: Schema,
        key: np.uint64,
        rows: Float[np.ndarray, "row member"],
        row: int,
    ) -> Float[np.ndarray, " member"]:
        if isinstance(act.move, Redrawn):
            fresh = drawn(schema, np.array([key]), np.array([tick]), self.members)
            return fresh[0, row].astype(rows.dtype)
        coordinate = schema.estimated[row].coordinate
        natural = coordinate.outward(rows[row])
        self._begin(place, tick, natural.astype(np.float64))
        told = self._course(place, act.move, tick, natural.astype(np.float64))
        return coordinate.inward(told.astype(rows.dtype))

    def _of(self, where: Place) -> list[tuple[int, Act]]:
        return [(i, a) for i, a in enumerate(self.acts.each) if a.place is where]

    def _active(self, place: int, act: Act, tick: int) -> Bool[np.ndarray, " member"]:
        since = self.since[place]
        return (since <= tick) & (tick < since + act.lasts)

    def _begin(self, place: int, tick: int, before: Float64[np.ndarray, " member"]) -> None:
        """Remember from where a line goes, of the members whose act begins now."""
        first = (self.since[place] <= tick) & np.isnan(self._origin[place])
        self._origin[place][first] = before[first]

    def _course(
        self, place: int, move: Held | Line | Scaled | Redrawn, tick: int, free: np.ndarray
    ) -> Float64[np.ndarray, " member"]:
        """The value of each member at ``tick``."""
        match move:
            case Held(value):
                return np.full(self.members, value)
            case Scaled(factor, least, most):
                scaled = np.clip(factor * free, least, most)
                return np.broadcast_to(scaled, self.members).astype(np.float64)
            case Line(at, value):
                gone = (tick - self.since[place]).astype(np.float64)
                start = value[0] if np.isfinite(value[0]) else self._origin[place]
                first = np.clip(gone / at[1], 0.0, 1.0)
                begun = start + first * (value[1] - start)
                return np.where(gone < at[1], begun, np.interp(gone, at[1:], value[1:]))
            case Redrawn():
                raise AssertionError("Only states and params are drawn again.")
            case _:
                assert_never(move)
