"""Learning from one's own forecasts: issued anew at fixed instants, held against what was read.

At every whole multiple of ``Scoring.every`` a twin's state is forked, and what each scored sensor
will read is kept as quantiles until it is read; then the lesson is drawn (``ensemble.blend``).
Both happen in event time and rest on the state of that instant alone, so a late reading that
rewinds the twin also takes back its lessons and issues its forecasts anew (contract 1). The
forecasts *as issued*, which users saw, are scored elsewhere, and nothing feeds back from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

import numpy as np
from jaxtyping import Float, Float64, Int64

from gemeos.assimilate.drift import staked
from gemeos.ensemble.blend import (
    LEVELS,
    Blend,
    blended,
    learned,
    packed,
    unlearned,
    unpacked,
)
from gemeos.ensemble.state import NEVER, TwinState, Unlearned
from gemeos.errors import TooFewMembersError
from gemeos.foresee.drive import InputMemory
from gemeos.foresee.issue import Scoring, readings_ahead, slack
from gemeos.foresee.lessons import Ears, as_read, read_last, settings_of
from gemeos.foresee.once import Foretells
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Sensor
from gemeos.simulate.base import Crew, Steps

INTERVAL: Final = (0.05, 0.95)
"""Ends of the intervals that are tested."""
MISSES_TOLERATED: Final = 0.2
"""Share of truths outside them that is no drift yet: twice what they promise."""
BET: Final = 0.2
"""Share of the stake that is put on a truth lying outside: see ``assimilate.drift``. The stake
grows where more than 27 % do, and reaches 100 within some 30 forecasts where half of them do."""


@dataclass(frozen=True)
class Reissue:
    """One model's forecasts, issued anew and learned from."""

    stepper: Steps
    scoring: Scoring
    inputs: InputMemory | None = None
    """Says where inputs go."""
    foretell: Foretells = field(default=readings_ahead, compare=False)
    """Runs the forecasts."""

    @property
    def schema(self) -> Schema:
        """What the model declares."""
        return self.stepper.schema

    @property
    def identity(self) -> str:
        """What lessons are of; those of another one mean nothing."""
        leads = ",".join(str(lead) for lead in self.scoring.leads)
        return f"lessons/{leads}/{self.scoring.every}/{','.join(self.scoring.variables)}"

    @cached_property
    def sensors(self) -> tuple[int, ...]:
        """Places of the scored ones in ``schema.sensors``."""
        names = [s.name for s in self.schema.sensors]
        return tuple(names.index(name) for name in self.scoring.variables)

    def _sensor(self, variable: int) -> Sensor:
        return self.schema.sensors[self.sensors[variable]]

    @cached_property
    def leads(self) -> tuple[int, ...]:
        """In steps."""
        return tuple(lead // self.schema.step for lead in self.scoring.leads)

    @cached_property
    def every(self) -> int:
        """Steps between two issues."""
        return self.scoring.every // self.schema.step

    @cached_property
    def unlearned(self) -> Unlearned:
        """What newborn twins begin with: lessons begin alike, whatever the sensor."""
        alike = settings_of(self._sensor(0), 1.0, self.scoring.every, self.scoring.leads)
        nothing = packed(unlearned(alike, len(self.leads)))
        return Unlearned(
            slots=len(self._lead_of_slot),
            levels=len(LEVELS),
            lessons=np.tile(nothing, (len(self.sensors), 1)),
        )

    @cached_property
    def _lead_of_slot(self) -> Int64[np.ndarray, " slot"]:
        """Its place. One more than can be under way: a truth is settled an instant later."""
        room = [-(-lead // self.every) + 1 for lead in self.leads]
        return np.repeat(np.arange(len(room)), room)

    def ears(
        self,
        channels: Int64[np.ndarray, "twin variable channel"],
        noise: Float64[np.ndarray, "twin variable"],
        inputs: Int64[np.ndarray, "twin input channel"],
    ) -> Ears:
        """How twins are heard.

        Args:
            channels: Rows of their monitors by scored variable; -1 for padding.
            noise: Standard deviation of one reading; 0 where nothing is bound.
            inputs: Rows of their monitors by remembered input; -1 for padding.
        """
        # One for all twins whose sensors are alike: each works out tables of its own.
        alike = {
            (place, each): settings_of(
                self._sensor(place), each, self.scoring.every, self.scoring.leads
            )
            for place, column in enumerate(noise.T)
            for each in np.unique(column).tolist()
        }
        return Ears(
            channels,
            noise,
            tuple(tuple(alike[at] for at in enumerate(row)) for row in noise.tolist()),
            inputs,
        )

    def corrected(
        self,
        state: TwinState,
        ears: Ears,
        twin: int,
        variable: int,
        raw: Float64[np.ndarray, "lead level"],
        last: float,
    ) -> Float64[np.ndarray, "lead level"]:
        """Forecasts of a scored variable as the lessons say that they have to be read.

        Args:
            state: Where the lessons are.
            ears: Of the same twins.
            twin: Which of them.
            variable: Place among the scored ones.
            raw: At ``LEVELS``, for each lead, as the ensemble gives them.
            last: What had been read last when they were issued; NaN where nothing had.
        """
        if self.turns(variable):
            return raw
        settings = ears.blends[twin][variable]
        known = unpacked(state.lessons[twin, variable], settings, len(self.leads))
        return blended(known, settings, raw, last)

    def told(
        self,
        state: TwinState,
        ears: Ears,
        variable: int,
        ticks: Int64[np.ndarray, " time"],
        members: Float[np.ndarray, "time member"],
    ) -> Float[np.ndarray, "time member"]:
        """Members of a scored sensor on their way, as they will be read; see ``as_read``.

        Args:
            state: Where the forecast begins; a batch of one.
            ears: Of the twin.
            variable: Place among the scored ones.
            ticks: Times, rising.
            members: What the sensor would read without error.
        """
        last, _ = read_last(state, ears)
        return as_read(
            unpacked(state.lessons[0, variable], ears.blends[0][variable], len(self.leads)),
            ears.blends[0][variable],
            self.leads,
            members,
            ahead=ticks - state.tick[0],
            noise=float(ears.noise[0, variable]),
            last=float(last[0, variable]),
        )

    def turns(self, variable: int) -> bool:
        """An angle: neither its mean nor its quantiles mean anything across the turn."""
        return self._sensor(variable).wraps is not None

    def caught_up(
        self, state: TwinState, crew: Crew, ears: Ears, until: Int64[np.ndarray, " twin"]
    ) -> TwinState:
        """The twins ready to go on to ``until``: nothing more will be read before it.

        Truths from before it are learned from; forecasts that are due by then are issued.
        """
        return self._issued(self._taught(state, ears, until), crew, ears, until)

    def _issued(
        self, state: TwinState, crew: Crew, ears: Ears, until: Int64[np.ndarray, " twin"]
    ) -> TwinState:
        # Of several instants in a silence the first alone: at the others nothing more is known.
        tick = -(-state.tick // self.every) * self.every
        which = np.flatnonzero((state.born != NEVER) & (tick < until))
        if len(which) == 0:
            return state
        some, heard, at = state.take(which), ears.take(which), tick[which]
        told = self._told(some, crew.take(which), heard, at)
        # A sensor that is no number somewhere says nothing there; the others do.
        good = np.isfinite(told).all(axis=3)
        last, _ = read_last(some, heard)
        issued, awaiting = state.issued.copy(), state.awaiting.copy()
        read_then = state.read_then.copy()
        for lead in range(len(self.leads)):
            slots = np.flatnonzero(self._lead_of_slot == lead)
            slot = slots[at // self.every % len(slots)]
            issued[which, slot] = np.where(good[:, lead].any(axis=1), at, NEVER)
            awaiting[which, slot] = np.where(good[:, lead, :, None], told[:, lead], np.nan)
            read_then[which, slot] = last
        return replace(state, issued=issued, awaiting=awaiting, read_then=read_then)

    def _told(
        self, state: TwinState, crew: Crew, ears: Ears, tick: Int64[np.ndarray, " twin"]
    ) -> Float64[np.ndarray, "twin lead variable level"]:
        """Quantiles of the forecasts from ``tick``; NaN of a twin whose members fail on the way."""
        try:
            begin = self.stepper.advance(state, crew, tick)
            if self.inputs is not None:
                begin = self.inputs.ahead(state, ears.inputs, begin)
            members = self.foretell(
                self.stepper,
                begin,
                crew,
                leads=self.leads,
                sensors=self.sensors,
                noise=ears.noise,
                inputs=self.inputs,
            )
        except TooFewMembersError:
            if len(state) == 1:
                return np.full((1, len(self.leads), len(self.sensors), len(LEVELS)), np.nan)
            each = (np.array([twin]) for twin in range(len(state)))
            return np.concatenate(
                [self._told(state.take(i), crew.take(i), ears.take(i), tick[i]) for i in each]
            )
        return np.quantile(members.astype(np.float64), LEVELS, axis=3, method="hazen").transpose(
            1, 2, 3, 0
        )

    def _taught(self, state: TwinState, ears: Ears, until: Int64[np.ndarray, " twin"]) -> TwinState:
        valid = state.issued + np.array(self.leads)[self._lead_of_slot]
        over = (state.issued != NEVER) & (valid < until[:, None])
        if not over.any():
            return state
        lessons, drift = state.lessons.copy(), state.forecast_drift.copy()
        last, read_at = read_last(state, ears)
        for twin in np.flatnonzero(over.any(axis=1)).tolist():
            for tick in np.unique(valid[twin, over[twin]]).tolist():
                slots = np.flatnonzero(over[twin] & (valid[twin] == tick))
                age = tick * self.schema.step - read_at[twin]
                missed = []
                for place in range(len(self.sensors)):
                    raw = state.awaiting[twin, slots, place]
                    read = self._truths(place, slots, float(last[twin, place]), float(age[place]))
                    due = _Due(
                        self._lead_of_slot[slots],
                        raw,
                        state.read_then[twin, slots, place],
                        np.where(np.isfinite(raw).all(axis=1), read, np.nan),
                    )
                    lesson = lessons[twin, place]
                    lesson[:], outside = self._lesson(lesson, ears.blends[twin][place], due)
                    missed += outside
                if missed:
                    drift[[twin]] = staked(drift[[twin]], _bet(missed), np.ones(1, np.bool_))
        return replace(
            state,
            issued=np.where(over, NEVER, state.issued),
            lessons=lessons,
            forecast_drift=drift,
        )

    def _truths(
        self, place: int, slots: Int64[np.ndarray, " due"], last: float, age: float
    ) -> Float64[np.ndarray, " due"]:
        """What was read is the truth of the leads for which it is not too old."""
        sensor, step = self._sensor(place), self.schema.step
        if self.turns(place):
            return np.full(len(slots), np.nan)
        leads = [self.scoring.leads[i] for i in self._lead_of_slot[slots]]
        fits = [0 <= age < slack(sensor, lead, step) for lead in leads]
        return np.where(fits, last, np.nan)

    def _lesson(
        self, lesson: Float64[np.ndarray, " lesson"], settings: Blend, due: _Due
    ) -> tuple[Float64[np.ndarray, " lesson"], list[float]]:
        """What is held of a variable's forecasts after the truth of one instant.

        And, if the shortest lead is among them, whether its interval missed it (1) or not (0).
        """
        came = np.isfinite(due.truth)
        if not came.any():
            return lesson, []
        known = unpacked(lesson, settings, len(self.leads))
        count = len(self.leads)
        # Leads of which nothing is due are given something harmless, and no truth.
        raw = np.tile(due.raw[came][:1], (count, 1))
        last, truth = np.full(count, np.nan), np.full(count, np.nan)
        at = due.lead[came]
        raw[at], last[at], truth[at] = due.raw[came], due.last[came], due.truth[came]
        outside = []
        if np.isfinite(truth[0]):
            told = blended(known, settings, raw, float(last[0]))[0]
            low, high = np.interp(INTERVAL, LEVELS, told)
            outside = [float(not low <= truth[0] <= high)]
        return packed(learned(known, settings, raw, last, truth)), outside


@dataclass(frozen=True, eq=False)
class _Due:
    """Forecasts of one variable, all valid at one instant, one a lead."""

    lead: Int64[np.ndarray, " due"]
    raw: Float64[np.ndarray, "due level"]
    last: Float64[np.ndarray, " due"]
    truth: Float64[np.ndarray, " due"]
    """NaN where nothing was read, or nothing was said."""


def _bet(missed: Sequence[float]) -> Float64[np.ndarray, " one"]:
    """What the stake is multiplied by: the mean over variables, which depend on each other."""
    return np.array([1.0 + BET * (float(np.mean(missed)) / MISSES_TOLERATED - 1.0)])
