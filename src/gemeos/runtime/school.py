"""What the forecasts of a fleet rest on: what was learned of earlier ones, where inputs go."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float64, Int64

from gemeos.ensemble.blend import LEVELS
from gemeos.ensemble.state import NOTHING_TO_LEARN, TwinState, Unlearned
from gemeos.foresee.drive import InputMemory
from gemeos.foresee.forecast import Path
from gemeos.foresee.issue import Scoring, readings_ahead
from gemeos.foresee.lessons import Ears, read_last
from gemeos.foresee.once import Foretells
from gemeos.foresee.reissue import Reissue
from gemeos.runtime.channels import Channel
from gemeos.schema.variable import Input
from gemeos.simulate.base import Crew, Steps


@dataclass(frozen=True)
class Foresight:
    """What twins of a fleet are asked to foresee by."""

    scoring: Scoring | None = None
    """The forecasts that they learn from; None where they are held to none."""
    input_span: int | None = None
    """Steps that one remembered mean of an input covers; None where inputs are held."""


@dataclass(frozen=True, eq=False)
class School:
    """Lessons and inputs of a fleet's twins, and how each of them hears what came."""

    reissue: Reissue | None
    ears: Ears | None
    """A row a twin of the fleet; None where nothing is scored."""
    inputs: InputMemory | None
    heard_by: Int64[np.ndarray, "twin input channel"]
    """Rows of ``TwinState.monitors`` that an input is heard by; -1 for padding."""
    foretell: Foretells = readings_ahead
    """Runs the forecasts that the twins learn from, and those that are stored and scored."""

    @property
    def identity(self) -> str:
        """Hash of what lessons and memories are of; empty where there are none."""
        parts = [part.identity for part in (self.reissue, self.inputs) if part is not None]
        if not parts:
            return ""
        return f"+foresight-{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:16]}"

    @property
    def input_span(self) -> int | None:
        """Steps that one remembered mean of an input covers; None where inputs are held."""
        return None if self.inputs is None else self.inputs.span

    @property
    def unlearned(self) -> Unlearned:
        """What newborn twins begin with."""
        begin = NOTHING_TO_LEARN if self.reissue is None else self.reissue.unlearned
        if self.inputs is None:
            return begin
        return replace(begin, inputs=self.heard_by.shape[1], spans=self.inputs.spans)

    def caught_up(
        self,
        twins: Int64[np.ndarray, " some"],
        state: TwinState,
        crew: Crew,
        until: Int64[np.ndarray, " some"],
    ) -> TwinState:
        """The states of those twins, ready to go on to ``until``: nothing is read before it."""
        if self.reissue is not None and self.ears is not None:
            state = self.reissue.caught_up(state, crew, self.ears.take(twins), until)
        if self.inputs is not None:
            state = self.inputs.remembered(state, self.heard_by[twins], until)
        return state

    def ahead(
        self, twins: Int64[np.ndarray, " some"], state: TwinState, moved: TwinState
    ) -> TwinState:
        """``moved``, which is ``state`` of those twins moved on without readings, to ask."""
        if self.inputs is None:
            return moved
        return self.inputs.ahead(state, self.heard_by[twins], moved)

    def corrected(
        self,
        twins: Int64[np.ndarray, " state"],
        states: TwinState,
        variable: str,
        members: Float64[np.ndarray, "state lead member"],
    ) -> Float64[np.ndarray, "state lead level"]:
        """Forecasts of a scored variable as its lessons say that they have to be read.

        Args:
            twins: Places of the twins, one a state.
            states: They, at the instants at which the forecasts were issued.
            variable: Which.
            members: What the ensemble says at every lead, the error of one reading included.
        """
        if self.reissue is None or self.ears is None:
            return np.empty((*members.shape[:2], 0))
        place = self.reissue.scoring.variables.index(variable)
        ears = self.ears.take(twins)
        last, _ = read_last(states, ears)
        raw = np.moveaxis(np.quantile(members, LEVELS, axis=2, method="hazen"), 0, -1)
        return np.stack(
            [
                self.reissue.corrected(states, ears, i, place, raw[i], float(last[i, place]))
                for i in range(len(states))
            ]
        )

    def told(
        self, twin: int, state: TwinState, path: Path
    ) -> tuple[Float[np.ndarray, "time variable member"], tuple[str, ...]]:
        """A forecast with the scored sensors as they will be read, and the names of those.

        Args:
            twin: Place of the twin.
            state: It, where the forecast begins.
            path: Where its members go.
        """
        if self.reissue is None or self.ears is None:
            return path.values, ()
        names = self.reissue.stepper.told_names
        ears = self.ears.take(np.array([twin]))
        values, corrected = path.values.copy(), []
        for place, name in enumerate(self.reissue.scoring.variables):
            if ears.noise[0, place] > 0 and not self.reissue.turns(place):
                column = names.index(name)
                values[:, column] = self.reissue.told(
                    state, ears, place, path.ticks, values[:, column]
                )
                corrected.append(name)
        return values, tuple(corrected)


def school(
    stepper: Steps,
    foresight: Foresight,
    channels: Sequence[Sequence[Channel]],
    *,
    foretell: Foretells = readings_ahead,
) -> School:
    """For the twins whose ``channels`` these are."""
    schema = stepper.schema
    span = foresight.input_span
    memory = None if span is None else InputMemory(schema, span)
    places = [i for i, v in enumerate(schema.driven) if isinstance(v, Input)] if memory else []
    bound = [
        [[i for i, c in enumerate(of_twin) if c.driven == place] for place in places]
        for of_twin in channels
    ]
    heard_by = _padded(bound, len(places))
    if foresight.scoring is None:
        return School(None, None, memory, heard_by)
    reissue = Reissue(stepper, foresight.scoring, memory, foretell)
    bound = [
        [[i for i, c in enumerate(of_twin) if c.sensor == place] for place in reissue.sensors]
        for of_twin in channels
    ]
    noise = np.array(
        [
            [np.sqrt(of_twin[rows[-1]].variance) if rows else 0.0 for rows in of_variables]
            for of_twin, of_variables in zip(channels, bound, strict=True)
        ]
    ).reshape(len(bound), len(reissue.sensors))
    ears = reissue.ears(_padded(bound, len(reissue.sensors)), noise, heard_by)
    return School(reissue, ears, memory, heard_by, foretell)


def _padded(
    rows: Sequence[Sequence[Sequence[int]]], variables: int
) -> Int64[np.ndarray, "twin variable channel"]:
    """The same as one array, -1 where a variable has fewer channels than another."""
    most = max((len(each) for of_twin in rows for each in of_twin), default=0)
    out = np.full((len(rows), variables, max(most, 1)), -1, np.int64)
    for twin, of_twin in enumerate(rows):
        for place, each in enumerate(of_twin):
            out[twin, place, : len(each)] = each
    return out
