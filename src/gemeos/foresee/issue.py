"""Forecasts to be held to: issued at fixed instants of event time, of what sensors will read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from gemeos.assimilate.observe import Observed, predicted
from gemeos.ensemble.noise import standard_normal, streams
from gemeos.ensemble.state import TwinState
from gemeos.errors import SchemaError, UnknownNameError
from gemeos.foresee.drive import InputMemory
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Measure, Sensor
from gemeos.simulate.base import Crew, Steps
from gemeos.units import span
from gemeos.units.instant import SECOND, Instant, Span

MOST_LEADS = 12
MOST_KEPT_MEMBERS = 64
"""Of a forecast that is stored; members are alike, so the first ones stand for all."""


@dataclass(frozen=True, slots=True)
class Scoring:
    """Which forecasts of a twin are held against what happens."""

    leads: tuple[Span, ...]
    """How far ahead, rising."""
    variables: tuple[str, ...]
    """Sensors, in the order of declaration."""
    every: Span
    """Forecasts are issued at whole multiples of this in UTC."""

    @staticmethod
    def declared(
        schema: Schema, leads: Sequence[str], variables: Sequence[str], every: str | None
    ) -> Scoring | None:
        """What a twin asks for in words; None where it gives no leads.

        Without ``variables`` every sensor is scored that can be; without ``every`` forecasts are
        issued as often as the shortest lead is long.

        Raises:
            SchemaError: it does not fit the model.
            TimeError: a lead is not a length of time.
        """
        if isinstance(leads, str) or isinstance(variables, str):
            raise SchemaError("leads and score are lists, as in leads=('1 min', '15 min').")
        if not leads:
            if variables or every is not None:
                raise SchemaError("What is to be scored needs leads=('1 min', ...) beside it.")
            return None
        ahead = tuple(sorted({span(lead) for lead in leads}))
        if len(ahead) > MOST_LEADS:
            raise SchemaError(f"At most {MOST_LEADS} leads are scored; {len(ahead)} were given.")
        scoring = Scoring(
            ahead,
            tuple(variables) or _can_be_scored(schema),
            ahead[0] if every is None else span(every),
        )
        for name in scoring.variables:
            _check(schema, name, (*ahead, scoring.every))
        return scoring

    def due_after(self, instant: Instant) -> Instant:
        """The first instant after ``instant`` that some forecast is valid at."""
        return min(lead + ((instant - lead) // self.every + 1) * self.every for lead in self.leads)


def _can_be_scored(schema: Schema) -> tuple[str, ...]:
    return tuple(s.name for s in schema.sensors if s.measure is not Measure.COUNTER)


def _check(schema: Schema, name: str, spans: Sequence[Span]) -> None:
    sensor = schema.variable(name)
    if not isinstance(sensor, Sensor):
        known = _can_be_scored(schema)
        raise UnknownNameError("sensor", name, known, where=schema.name)
    if sensor.measure is Measure.COUNTER:
        raise SchemaError(
            f"Forecasts of {name!r} cannot be scored: a counter's reading says nothing without "
            "the one before. Let the link tell its growth, and declare sum_over."
        )
    grid = max(schema.step, round(sensor.over * SECOND))
    for each in spans:
        if each <= 0 or each % grid:
            raise SchemaError(
                f"Forecasts of {name!r} are issued and scored at multiples of {grid / SECOND:g} s, "
                f"and {each / SECOND:g} s is none."
            )


def slack(sensor: Sensor, lead: Span, step: Span) -> Span:
    """How much before its instant a reading may be and still be the truth of it."""
    return max(step, lead // 10) if sensor.measure is Measure.INSTANT else 1


def readings_ahead(
    stepper: Steps,
    states: TwinState,
    crew: Crew,
    *,
    leads: Sequence[int],
    sensors: Sequence[int],
    noise: Sequence[float] | Float64[np.ndarray, "state sensor"],
    inputs: InputMemory | None = None,
) -> Float[np.ndarray, "state lead sensor member"]:
    """What each sensor will read if nobody intervenes, the error of one reading included.

    Args:
        stepper: The model.
        states: Where the forecasts begin; born.
        crew: Constants and keys, a row a state.
        leads: How many steps ahead, rising.
        sensors: Places in ``schema.sensors``.
        noise: Standard deviation of one reading of each; one row for all, or one a state.
        inputs: Says where inputs go; without it all that drives is held as last heard.
    """
    schema, count = stepper.schema, len(states)
    begin, shape = states.tick, (count, len(sensors))
    keys = streams("reading", [schema.sensors[i].name for i in sensors])
    sd = np.asarray(noise, schema.precision)[..., None]
    told = []
    drive = None if inputs is None else inputs.drive(states, crew, max(leads))
    for lead in leads:
        if drive is None:
            before = stepper.advance(states, crew, begin + lead - 1)
        else:
            before = drive.advance(stepper, states, crew, begin + lead - 1)
        states = stepper.step(before, crew)
        asked = Observed(
            tick=states.tick,
            channel=np.zeros(shape, np.int32),
            sensor=np.tile(np.array(sensors, np.int32), (count, 1)),
            value=np.zeros(shape),
            variance=np.ones(shape),
            valid_at=np.tile(states.tick[:, None] * schema.step, (1, len(sensors))),
            driven_before=np.full(states.driven.shape[:2], np.nan),
            driven_after=np.full(states.driven.shape[:2], np.nan),
        )
        members = predicted(stepper, before, states, crew, asked)[:, :, :MOST_KEPT_MEMBERS]
        deviates = standard_normal(crew.keys, states.tick, keys, members.shape[2])
        told.append(members + sd * deviates.astype(members.dtype))
    return np.stack(told, axis=1)
