"""What drives the members of a forecast: their inputs, each member's by a path of its own.

A twin that is asked to remembers the means of its inputs over equal spans, in its state (contract
1). A forecast then fits ``foresee.inputs`` to them, and each member goes one of the paths; which
one is keyed by the instant and the member, the same for all inputs, so that inputs which went
together go together. Until the present span ends an input is held as last heard; where too little
is remembered, for as long as the forecast goes. Controls are ours: they are held.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from jaxtyping import Float64, Int64

from gemeos.ensemble.noise import standard_normal, streams
from gemeos.ensemble.state import NEVER, Monitor, TwinState
from gemeos.foresee.inputs import foreseen
from gemeos.schema.schema import Schema
from gemeos.simulate.base import Crew, Steps
from gemeos.units.instant import SECOND

_DAY = 86_400 * SECOND
SEASONS: Final = (_DAY, 7 * _DAY)
REMEMBERED: Final = 42 * _DAY
"""Six weeks: with less, recorded traffic and weather went beyond what was foreseen too often."""
MOST_SPANS: Final = 1008
"""Of one input: six weeks of hours, a week of ten minutes. A state is copied often."""
SILENT: Final = 5.0
"""Usual intervals after which an input that is not heard is not known, instead of unchanged."""
_ROOT_2 = math.sqrt(2.0)
_STREAM = streams("inputs", ["path"])


@dataclass(frozen=True)
class InputMemory:
    """How the inputs of a model's twins are remembered and foreseen."""

    schema: Schema
    span: int
    """Steps of the model that one mean covers."""

    @property
    def identity(self) -> str:
        """What is remembered; another memory begins anew."""
        return f"inputs/{self.span}"

    @cached_property
    def spans(self) -> int:
        """How many means are remembered."""
        return min(max(REMEMBERED // (self.span * self.schema.step), 1), MOST_SPANS)

    @cached_property
    def seasons(self) -> tuple[int, ...]:
        """In spans."""
        length = self.span * self.schema.step
        return tuple(s // length for s in SEASONS if s % length == 0 and s > 2 * length)

    def remembered(
        self,
        state: TwinState,
        rows: Int64[np.ndarray, "twin input channel"],
        until: Int64[np.ndarray, " twin"],
    ) -> TwinState:
        """The twins with what drove them up to ``until`` taken into their means.

        Args:
            state: Driven as it is from its instant on.
            rows: Of ``TwinState.monitors`` that an input is heard by; -1 for padding.
            until: The instants that the twins go on to.
        """
        which = np.flatnonzero((state.tick != NEVER) & (state.tick < until))
        if len(which) == 0:
            return state
        means, sums = state.input_means.copy(), state.input_sums.copy()
        for twin in which.tolist():
            begin, end = int(state.tick[twin]), int(until[twin])
            known_until = self._known_until(state, rows, twin)
            numbers = self._numbers(begin, end)
            if numbers[0] > begin // self.span:
                sums[twin] = 0.0  # of a span that is not looked back on any more
            for number in numbers:
                since, upto = max(begin, number * self.span), min(end, (number + 1) * self.span)
                known = since * self.schema.step <= known_until
                value = np.where(known, state.driven[twin, : rows.shape[1]], np.nan)
                sums[twin] += (upto - since) * np.stack([value, np.ones_like(value)], axis=1)
                if upto == (number + 1) * self.span:
                    means[twin, :, number % self.spans] = sums[twin, :, 0] / np.maximum(
                        sums[twin, :, 1], 1.0
                    )
                    sums[twin] = 0.0
        return replace(state, input_means=means, input_sums=sums)

    def ahead(
        self,
        state: TwinState,
        rows: Int64[np.ndarray, "twin input channel"],
        moved: TwinState,
    ) -> TwinState:
        """``moved``, which is ``state`` moved on without readings, with its inputs remembered.

        The ring is read by the instant: spans that went by without being taken in would still
        hold what they held one turn before.
        """
        told = self.remembered(state, rows, moved.tick)
        return replace(moved, input_means=told.input_means, input_sums=told.input_sums)

    def _numbers(self, begin: int, end: int) -> range:
        """The spans that lie between, as far back as is remembered."""
        last = (end - 1) // self.span
        return range(max(begin // self.span, last - self.spans), last + 1)

    def _known_until(
        self, state: TwinState, rows: Int64[np.ndarray, "twin input channel"], twin: int
    ) -> Float64[np.ndarray, " input"]:
        """Up to when each input counts as unchanged; for ever where nothing is bound to it."""
        heard = state.monitors[twin, np.maximum(rows[twin], 0)]
        last = heard[..., Monitor.LAST_AT] + SILENT * heard[..., Monitor.INTERVAL]
        last = np.where(np.isfinite(last), last, np.inf)
        bound = rows[twin] >= 0
        newest = np.where(bound, last, -np.inf).max(axis=1, initial=-np.inf)
        return np.where(bound.any(axis=1), newest, np.inf)

    def drive(self, state: TwinState, crew: Crew, ahead: int) -> Drive:
        """What drives forks of ``state`` for so many steps."""
        members = state.members.shape[2]
        spans = -(-ahead // self.span) + 1
        paths = np.repeat(state.driven[:, :, None], members, axis=2)[:, :, None, :]
        paths = np.repeat(paths, spans, axis=2)
        deviate = standard_normal(crew.keys, state.tick, _STREAM, members)[:, 0]
        for twin in range(len(state)):
            if state.tick[twin] == NEVER:
                continue
            number = int(state.tick[twin]) // self.span
            order = np.arange(number - self.spans, number) % self.spans
            chance = np.array(
                [0.5 * math.erfc(-z / math.sqrt(2.0)) for z in deviate[twin].tolist()]
            )
            for place in range(state.input_means.shape[1]):
                told = foreseen(
                    state.input_means[twin, place, order],
                    ahead=spans,
                    seasons=self.seasons,
                    first=number - self.spans,
                )
                if told is not None:
                    chosen = np.minimum((chance * len(told)).astype(np.int64), len(told) - 1)
                    # The span that is under way is driven as last heard.
                    paths[twin, place, 1:] = told[chosen, 1:].T
        return Drive(self.span, state.tick // self.span, paths)


@dataclass(frozen=True, eq=False)
class Drive:
    """Paths of what drives some forks."""

    span: int
    first: Int64[np.ndarray, " twin"]
    """Number of the span in which each fork begins."""
    paths: Float64[np.ndarray, "twin driven span member"]

    def advance(
        self, stepper: Steps, state: TwinState, crew: Crew, until: Int64[np.ndarray, " twin"]
    ) -> TwinState:
        """The forks moved on to ``until``, driven by their paths."""
        while (state.tick < until).any():
            state = self.at(state)
            ends = (state.tick // self.span + 1) * self.span
            state = stepper.advance(state, crew, np.minimum(ends, until))
        return self.at(state)

    def at(self, state: TwinState) -> TwinState:
        """The forks driven as from their instant on."""
        place = np.minimum(state.tick // self.span - self.first, self.paths.shape[2] - 1)
        return replace(state, driven=self.paths[np.arange(len(state)), :, place])
