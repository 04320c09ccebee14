"""What a plan promises, worked out from the same forks that foresaw it."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from gemeos.ensemble.estimate import Estimate
from gemeos.foresee.delivered import gains_of
from gemeos.foresee.fork import instants
from gemeos.foresee.objective import parse
from gemeos.foresee.worth import Objective, Sense
from gemeos.schema.plan import Gain, Promise
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Const
from gemeos.units.instant import Span

SHARE = 0.9
"""Of what may come that a promise holds."""
FEWEST = 8
"""Members before anything is promised."""


def objective_of(schema: Schema, text: str, sense: str) -> Objective:
    """An objective as it stands in a promise."""
    units = {v.name: v.unit for v in schema.variables if not isinstance(v, Const)}
    return parse(text, Sense(sense), units)


def check_promise(schema: Schema, promise: Promise) -> None:
    """See that it can be scored.

    Raises:
        InputError: it speaks of what is not there, or of no instant of the model's grid.
    """
    objective_of(schema, promise.objective, promise.sense)
    instants(0, promise.until // schema.step, promise.every // schema.step)


def promise_of(
    schema: Schema,
    text: str,
    sense: str,
    *,
    nothing: Estimate,
    plan: Estimate,
    until: Span,
    every: Span,
) -> Promise | None:
    """What one reality will gain: quantiles of members' gains; None where too few are left.

    Args:
        schema: Of the twin.
        text: The objective.
        sense: Of it.
        nothing: The fork in which nothing is done; paired with ``plan``.
        plan: The fork in which the plan is carried out.
        until: How far both go.
        every: Between two instants of both.
    """
    objective = objective_of(schema, text, sense)
    both = [_numbered(each) for each in (nothing, plan)]
    shared = sorted(both[0].keys() & both[1].keys())
    told = [
        {
            name: (each[name].members[:, [places[n] for n in shared]], each[name].unit)
            for name in objective.names
        }
        for each, places in zip((nothing, plan), both, strict=True)
    ]
    gains = gains_of(objective, told[0], told[1], np.asarray(plan.times))
    found = foreseen(objective, gains)
    if found is None:
        return None
    gain, members = found
    return Promise(text, sense, until, every, gain, members)


def foreseen(
    objective: Objective, gains: Float64[np.ndarray, " member"]
) -> tuple[Gain, int] | None:
    """What one reality will gain, and how many members say so; None where they are too few."""
    gains = gains[np.isfinite(gains)]
    if len(gains) < FEWEST:
        return None
    tail = (1.0 - SHARE) / 2.0
    low, high = np.quantile(gains, [tail, 1.0 - tail], method="weibull")
    mean = float(gains.mean())
    # Of very skewed gains the mean may lie beyond the rest.
    low, high = min(float(low), mean), max(float(high), mean)
    return Gain(str(objective), objective.unit, mean, low, high, SHARE), len(gains)


def _numbered(estimate: Estimate) -> dict[int, int]:
    """Places of members by their numbers."""
    left_out = set(estimate.provenance.left_out)
    count = estimate.values.shape[2] + len(left_out)
    return {n: place for place, n in enumerate(n for n in range(count) if n not in left_out)}
