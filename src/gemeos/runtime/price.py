"""What a plan costs, in the words in which somebody declared it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gemeos.foresee.goal import Goal
from gemeos.foresee.judge import Judge
from gemeos.foresee.search import Members
from gemeos.foresee.space import DO_NOTHING
from gemeos.foresee.verdict import Verdict
from gemeos.runtime.pace import Pace
from gemeos.runtime.trial import Trial
from gemeos.schema.plan import Price
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Const


def cost_goal(schema: Schema, cost: str) -> Goal:
    """What is told of, as if it were sought.

    Raises:
        GemeosError: it cannot be read, or does not fit its units.
    """
    units = {v.name: v.unit for v in schema.variables if not isinstance(v, Const)}
    return Goal.of(units, minimise=cost)


def price_of(
    trial: Trial, cost: str, judged: Verdict, fresh: Members, *, seed: int, pace: Pace | None
) -> Price | None:
    """What the winner costs beside doing nothing; None where that cannot be told.

    By the members that checked it; with no time left, by one ensemble of them.
    """
    if not cost or judged.winner is None:
        return None
    if pace is not None and not pace.has_room(2 * fresh.count // trial.origins):
        fresh = replace(fresh, count=trial.origins)
    goal = cost_goal(trial.fleet.schema, cost)
    pair = replace(trial, goal=goal).evaluate([judged.winner, DO_NOTHING], fresh)
    judge = Judge(goal, judged.level, seed, trial.origins)
    (told,) = judge.comparison(judged.winner, DO_NOTHING, pair).gains
    numbers = [told.worth.value, told.other.value, told.gain.low, told.gain.high]
    if not np.isfinite(numbers).all():
        return None
    return Price(
        of=cost,
        unit=told.objective.unit,
        plan=float(told.worth.value),
        nothing=float(told.other.value),
        low=-float(told.gain.high),
        high=-float(told.gain.low),
        share=judged.level,
    )
