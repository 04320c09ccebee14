"""Walking forward through a record: at each instant only what was known by then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64, UInt64

from gemeos.assimilate.base import Follows
from gemeos.ensemble.blend import (
    FORECASTERS,
    Blend,
    forecasters,
    learned,
    mixed,
    unlearned,
    weights,
)
from gemeos.ensemble.noise import twin_key
from gemeos.ensemble.state import TwinState, newborn
from gemeos.runtime.channels import channels_of
from gemeos.runtime.twin import Twin
from gemeos.schema.schema import Schema
from gemeos.simulate.advance import Stepper
from gemeos.simulate.base import Crew
from gemeos.twins.windfarm import bound
from gemeos.twins.windfarm.farm import Farm
from gemeos.twins.windfarm.physics import WindFarm
from gemeos.twins.windfarm.record import Deprived, Hearing, Record, observed

NAME: Final = "windfarm"
"""Of the twin that is validated; part of the key of its noise."""
BATCH: Final = 512
"""Issue times that are forecast side by side; bounds the memory."""
ISSUED_EVERY: Final = 6
"""Intervals between issues: an hour. In the warm-up too, where forecasts only teach."""


def untold(_steps: int) -> None:
    """Where nobody wants to know how far it is."""


def crew_of(schema: Schema, twins: int, seed: int) -> Crew:
    """Copies of one twin with the same noise, so that differences are paired."""
    keys: UInt64[np.ndarray, " twin"] = np.full(twins, twin_key(seed, NAME), np.uint64)
    consts = np.zeros((twins, 0), schema.precision)
    return Crew((NAME,) * twins, keys, consts)


@dataclass(frozen=True, eq=False)
class Kept:
    """What was held at the instants at which forecasts are issued."""

    rows: Int64[np.ndarray, " issue"]
    """Rows of the record."""
    members: Float[np.ndarray, "issue twin row member"]
    driven: Float64[np.ndarray, "issue twin driven"]
    power: Float64[np.ndarray, "issue copy turbine"]
    """Mean power of each turbine as every copy holds it, kW."""
    state: TwinState
    """At the last row."""


@dataclass(frozen=True, eq=False)
class Walker:
    """A declared twin, ready to follow a record."""

    cycle: Follows
    hearing: Hearing
    seed: int

    @staticmethod
    def of(twin: Twin, farm: Farm) -> tuple[Walker, TwinState]:
        """The walker, and the twin's state before the first reading."""
        schema = twin.schema
        channels = channels_of(schema, twin.name, twin.bindings)
        keys = np.array([twin_key(twin.seed, NAME)], np.uint64)
        state = newborn(schema, keys, members=twin.members, channels=len(channels))
        return Walker(twin.cycle(), Hearing.of(schema, farm, channels), twin.seed), state

    def follow(
        self,
        state: TwinState,
        record: Record,
        rows: range,
        deprived: Deprived,
        *,
        every: int,
        kept_twins: Sequence[int],
        tell: Callable[[int], None] = untold,
    ) -> Kept:
        """Keep copies of the twin in step through those rows of the record.

        Args:
            state: The copies before the first of ``rows``.
            record: Where readings come from.
            rows: Which of its rows, in order.
            deprived: What each copy does not hear.
            every: Issue at ticks that are whole multiples of this.
            kept_twins: Copies whose members are kept at issues.
            tell: Called with the number of rows done since the last call.
        """
        schema, stepper = self.cycle.stepper.schema, self.cycle.stepper
        crew = crew_of(schema, len(state), self.seed)
        power = [i for i, s in enumerate(schema.sensors) if s.name.endswith(".power")]
        chosen = list(kept_twins)
        at, members, driven, held = [], [], [], []
        for row in rows:
            read = observed(schema, self.hearing, record, row, deprived)
            state = self.cycle(state, crew, read)
            tell(1)
            if (record.first_tick + row) % every:
                continue
            now = stepper.observed(state, crew, state.members)
            at.append(row)
            members.append(state.members[chosen])
            driven.append(state.driven[chosen])
            held.append(now[:, power].mean(axis=2, dtype=np.float64))
        return Kept(
            np.array(at, np.int64), np.array(members), np.array(driven), np.array(held), state
        )


def forecasts(  # noqa: PLR0913 -- what is run on is told by five, how by three
    model: WindFarm,
    kept: Kept,
    twin: int,
    first_tick: int,
    leads: Sequence[int],
    *,
    seeds: Sequence[int],
    what: str = "farm.power",
    tell: Callable[[int], None] = untold,
) -> Float32[np.ndarray, "issue lead member"]:
    """Every kept state of one copy run on without readings, many issue times side by side.

    Equal to issuing them one after the other: noise is keyed by time, not by place in the batch.
    Each seed runs all members on once, with chances of its own.
    """
    stepper = Stepper(replace(model, still=True))
    schema = stepper.schema
    output = [v.name for v in schema.outputs].index(what)
    issues = len(kept.rows)
    size = kept.members.shape[3]
    found = np.empty((issues, len(leads), size * len(seeds)), np.float32)
    for begin in range(0, issues, BATCH):
        some = slice(begin, min(begin + BATCH, issues))
        tick = first_tick + kept.rows[some]
        count = len(tick)
        for turn, seed in enumerate(seeds):
            crew = crew_of(schema, count, seed)
            state = replace(
                newborn(schema, crew.keys, members=size, channels=0),
                tick=tick.copy(),
                born=np.zeros(count, np.int64),
                members=kept.members[some, twin].copy(),
                driven=kept.driven[some, twin].copy(),
            )
            columns = slice(turn * size, (turn + 1) * size)
            for place, lead in enumerate(leads):
                state = stepper.advance(state, crew, tick + lead)
                now = stepper.observed(state, crew, state.members)
                found[some, place, columns] = now[:, output]
            tell(count)
    return found


@dataclass(frozen=True, eq=False)
class Online:
    """Forecasts as they would have been told, each from what had come in when it was issued."""

    each: Float64[np.ndarray, "issue lead forecaster level"]
    """Of the blend's forecasters, the calibrated twin first."""
    blended: Float64[np.ndarray, "issue lead level"]
    weights: Float64[np.ndarray, "issue lead part forecaster"]


def blended_online(
    settings: Blend,
    raw: Float64[np.ndarray, "issue lead level"],
    truths: Float64[np.ndarray, " time"],
    rows: Int64[np.ndarray, " issue"],
    leads: Sequence[int],
) -> Online:
    """Each forecast blended by those alone whose truth had come in when it was issued.

    Args:
        settings: Of the blend, which starts unlearned.
        raw: The twin's quantiles at each issue.
        truths: What was measured, at every row; NaN where nothing was.
        rows: Of the issues.
        leads: In rows.
    """
    known, ahead = unlearned(settings, len(leads)), np.array(leads)
    past = np.arange(len(leads))
    taught = np.zeros(len(leads), np.int64)
    each = np.empty((*raw.shape[:2], len(FORECASTERS), raw.shape[2]))
    out, earned = np.empty_like(raw), []
    for issue, row in enumerate(rows):
        while (due := (taught < issue) & (rows[taught] + ahead <= row)).any():
            then = rows[taught]
            came = np.where(due, truths[np.where(due, then + ahead, 0)], np.nan)
            known = learned(known, settings, raw[taught, past], truths[then], came)
            taught = taught + due
        each[issue] = forecasters(known, settings, raw[issue], np.full(len(leads), truths[row]))
        out[issue] = mixed(known, settings, each[issue])
        earned.append(weights(known, settings))
    return Online(each, out, np.array(earned))


@dataclass(frozen=True, eq=False)
class Walked:
    """A model that went through warm-up and test months.

    Copies in the test months, in this order: one that hears all; one for each turbine that does
    not hear its power; one for each that hears nothing of it; where asked for, one for each that
    hears it alone.
    """

    model: WindFarm
    warm: Kept
    test: Kept

    @staticmethod
    def through(
        record: Record,
        before: range,
        model: WindFarm,
        *,
        members: int,
        alone: bool = False,
        tell: Callable[[int], None] = untold,
    ) -> Walked:
        """Through the rows ``before`` with all channels, then through the rest as copies."""
        walker, state = Walker.of(bound("windfarm", model, members=members), model.farm)
        turbines = len(model.farm.turbines)
        heard = Deprived.of_nothing(1, turbines)
        warm = walker.follow(
            state, record, before, heard, every=ISSUED_EVERY, kept_twins=[0], tell=tell
        )
        each = np.eye(turbines, dtype=np.bool_)
        deprived = heard.joined(Deprived(each, np.zeros_like(each))).joined(Deprived(each, each))
        if alone:
            deprived = deprived.joined(Deprived(~each, ~each))
        copies = len(deprived.power)
        test = walker.follow(
            copied(warm.state, copies),
            record,
            range(before.stop, len(record)),
            deprived,
            every=ISSUED_EVERY,
            kept_twins=[0, *range(1 + 2 * turbines, copies)],
            tell=tell,
        )
        return Walked(model, warm, test)


def copied(state: TwinState, copies: int) -> TwinState:
    """The same twin several times."""
    return state.take([0] * copies)
