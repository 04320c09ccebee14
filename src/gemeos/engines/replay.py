"""Snapshots for engines that have none: what was done, done again from the beginning.

As exact as the engine is deterministic, and as slow as the run was. The log grows with every
``set``, so a long life is better kept by an engine that can write its state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import final

import msgspec

from gemeos.engines.inside import Inside, NudgeInside, PlaceInside
from gemeos.engines.spec import Snapshot, Spec, Value, Values
from gemeos.units.instant import Span


class _Written(msgspec.Struct):
    at: Span
    values: Values
    nudged: bool


class _Log(msgspec.Struct):
    params: Values
    seed: int
    written: list[_Written]


@final
class Replayed:
    """``inside`` with snapshots by replay. It remembers what it is told and hands it on."""

    def __init__(self, inside: Inside) -> None:
        self._inside = inside
        self._placed = inside if isinstance(inside, PlaceInside) else None
        self._log = _Log({}, 0, [])
        self._elapsed: Span = 0

    def describe(self) -> Spec:
        """As ``inside`` does, with the one capability more."""
        spec = self._inside.describe()
        return replace(spec, capabilities=replace(spec.capabilities, snapshot=Snapshot.REPLAY))

    def begin(self, params: Values, seed: int) -> None:
        """A new log."""
        self._log = _Log(params, seed, [])
        self._elapsed = 0
        self._inside.begin(params, seed)

    def set(self, values: Values) -> None:
        """Remembered."""
        self._write(values, nudged=False)

    def nudge(self, values: Values) -> None:
        """Remembered."""
        self._write(values, nudged=True)

    def advance(self, elapsed: Span) -> None:
        """The log says how far, not in how many calls: those make no difference."""
        self._inside.advance(elapsed)
        self._elapsed = elapsed

    def get(self, names: Sequence[str]) -> list[Value]:
        """Not remembered."""
        return self._inside.get(names)

    def snapshot(self) -> bytes:
        """The log."""
        return msgspec.msgpack.encode(self._log)

    def restore(self, kept: bytes, elapsed: Span) -> None:
        """All of it again."""
        log = msgspec.msgpack.decode(kept, type=_Log)
        self.begin(log.params, log.seed)
        for entry in log.written:
            if entry.at > self._elapsed:
                self.advance(entry.at)
            self._write(entry.values, nudged=entry.nudged)
        if elapsed > self._elapsed:
            self.advance(elapsed)

    def end(self) -> None:
        """Of ``inside``."""
        self._inside.end()

    def place(
        self,
        params: Mapping[str, float],
        held: Mapping[str, float],
        states: Mapping[str, float],
    ) -> None:
        """Where nothing is remembered, nothing has to be done again."""
        if self._placed is None:
            raise TypeError(f"{type(self._inside).__name__} cannot be put anywhere")
        self._placed.place(params, held, states)
        self._elapsed = 0

    def _nudging(self) -> NudgeInside:
        if not isinstance(self._inside, NudgeInside):
            raise TypeError(f"{type(self._inside).__name__} declares what it has no nudge for")
        return self._inside

    def _write(self, values: Values, *, nudged: bool) -> None:
        if nudged:
            self._nudging().nudge(values)
        else:
            self._inside.set(values)
        self._log.written.append(_Written(self._elapsed, values, nudged))
