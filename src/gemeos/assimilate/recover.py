"""Finding the truth again: an ensemble that lost it is widened to what was believed at first.

The alarm is ``fault.lost``: on more than a few of the channels that speak, the innovations are as
those of an ensemble whose errors are three times its spread. Per channel the alarm is raised, on
average, not before exp(8) = 3,000 readings even where errors are one and a half times the spread;
where they are as declared, exp(2.94 x 8) = 16 thousand million (the exponent at which the mean of
exp(exponent x term) is 1; Wald's identity).

The mean is kept, for the readings move it within an instant once the spread lets them; anomalies
drawn from the priors are added to what is left of the old ones. The draw is keyed by the instant:
a replay draws the same.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Bool

from gemeos.ensemble.state import RELAXATION_AT_BIRTH, Monitor, TwinState, drawn
from gemeos.schema.schema import Schema
from gemeos.simulate.base import Crew

_FORGOTTEN = [Monitor.ABOVE, Monitor.BELOW, Monitor.SPIKES, Monitor.LOST, Monitor.FAR_RUN]


def recovered(
    schema: Schema, state: TwinState, crew: Crew, lost: Bool[np.ndarray, " twin"]
) -> TwinState:
    """The states with the ensembles of the lost twins widened, and that counted."""
    if not lost.any():
        return state
    which = np.flatnonzero(lost)
    size = state.members.shape[2]
    fresh = drawn(schema, crew.keys[which], state.tick[which], size)
    members, monitors = state.members.copy(), state.monitors.copy()
    members[which] += fresh - fresh.mean(axis=2, keepdims=True)
    told = monitors[which]
    told[:, :, _FORGOTTEN] = 0.0
    monitors[which] = told
    return replace(
        state,
        members=members,
        monitors=monitors,
        # What it summed up before is of the lost ensemble: averages over that are not compared.
        born=np.where(lost, state.tick, state.born),
        relaxation=np.where(lost, RELAXATION_AT_BIRTH, state.relaxation),
        recovered=state.recovered + lost,
    )
