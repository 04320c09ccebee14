"""Identical-twin experiments: a hidden truth made by the model, noisy readings of it, a filter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt64

from gemeos.assimilate.base import Follows
from gemeos.assimilate.observe import NO_CHANNEL, Observed
from gemeos.ensemble.noise import twin_key
from gemeos.ensemble.state import TwinState, natural, newborn
from gemeos.simulate.base import Crew, Steps

Read: TypeAlias = Float64[np.ndarray, "twin sensor"]
Spoiled: TypeAlias = Callable[[Read, int], Read]
"""What bad sensors make of good readings at the n-th instant; NaN is not sent."""


def as_they_are(read: Read, instant: int) -> Read:  # noqa: ARG001 - a ``Spoiled``
    """Nothing is wrong."""
    return read


@dataclass(frozen=True, slots=True, eq=False)
class Instant:
    """All twins after the readings of one instant."""

    truth: Float64[np.ndarray, "twin variable"]
    state: TwinState
    error: Float64[np.ndarray, " twin"]
    """Root of the mean square, over the states, of ensemble mean less truth."""
    spread: Float64[np.ndarray, " twin"]
    """Root of the mean variance of the states."""


def followed(  # noqa: PLR0913 - an experiment has so many settings
    cycle: Follows,
    *,
    twins: int,
    members: int,
    instants: int,
    seed: int,
    truth: Steps | None = None,
    spoiled: Spoiled = as_they_are,
    settle: int = 0,
) -> Iterator[Instant]:
    """Many experiments at once, one a twin, each with a truth and readings of its own.

    Args:
        cycle: The model and filter; it has neither constants nor inputs, and every sensor is bound
            once, with its own noise.
        twins: How many experiments.
        members: Of each ensemble.
        instants: How many; every sensor is read at each.
        seed: Of the truths and the readings.
        truth: The model that makes the truth, if it is another one.
        spoiled: What bad sensors make of the readings.
        settle: Steps that the truths make before the first instant, to come to their attractor.
    """
    schema = cycle.stepper.schema
    real = truth or cycle.stepper
    rng = np.random.default_rng(seed)
    crew, hidden_crew = _crew(twins, seed), _crew(twins, seed + 1)
    state = newborn(schema, crew.keys, members=members, channels=len(schema.sensors))
    # Three members, of which the first is the truth.
    hidden = newborn(schema, hidden_crew.keys, members=3, channels=0)
    hidden = _begun(hidden)
    hidden = real.advance(hidden, hidden_crew, np.full(twins, settle))
    noise = np.array([s.noise for s in schema.sensors], np.float64)
    for instant in range(instants):
        hidden = real.step(hidden, hidden_crew)
        exact = real.observed(hidden, hidden_crew, hidden.members)[:, : len(noise), 0]
        read = spoiled(exact + noise * rng.normal(size=exact.shape), instant)
        tick = hidden.tick.copy()
        state = cycle(state, crew, observed(read, noise, tick, schema.step))
        true = natural(schema, hidden.members)[:, :, 0].astype(np.float64)
        held = natural(schema, state.members).astype(np.float64)
        miss = (held.mean(axis=2) - true)[:, : len(schema.states)]
        wide = held.var(axis=2, ddof=1)[:, : len(schema.states)]
        yield Instant(true, state, np.sqrt((miss**2).mean(axis=1)), np.sqrt(wide.mean(axis=1)))


def _begun(state: TwinState) -> TwinState:
    state.tick[:] = 0
    state.born[:] = 0
    return state


def _crew(twins: int, seed: int) -> Crew:
    keys: UInt64[np.ndarray, " twin"] = np.array(
        [twin_key(seed, f"twin-{i}") for i in range(twins)], np.uint64
    )
    return Crew(tuple(f"twin-{i}" for i in range(twins)), keys, np.zeros((twins, 0), np.float32))


def observed(
    read: Read, noise: Float64[np.ndarray, " sensor"], tick: Int64[np.ndarray, " twin"], step: int
) -> Observed:
    """The readings of one instant, as a fleet gathers them: what is NaN was not sent."""
    twins, sensors = read.shape
    sent: Bool[np.ndarray, "twin sensor"] = np.isfinite(read)
    place = np.broadcast_to(np.arange(sensors, dtype=np.int32), read.shape)
    nothing = np.zeros((twins, 0))
    return Observed(
        tick=tick,
        channel=np.where(sent, place, np.int32(NO_CHANNEL)),
        sensor=np.where(sent, place, np.int32(-1)),
        value=np.where(sent, read, 0.0),
        variance=np.tile(noise**2, (twins, 1)),
        valid_at=np.tile((tick * step)[:, None], (1, sensors)),
        driven_before=nothing,
        driven_after=nothing.copy(),
    )
