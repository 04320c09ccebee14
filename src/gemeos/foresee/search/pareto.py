"""Several objectives: the front of those candidates of which none beats another in everything.

A list that the budget can go through is gone through; else candidates are bred by NSGA-II, with
more than three objectives by NSGA-III. All have the same members. The front that was seen is run
again with members that none has seen, for a front of noisy values is partly luck, and what is
then beaten is dropped.

References:
    Deb, Pratap, Agarwal & Meyarivan (2002), IEEE Trans. Evol. Comput. 6, 182-197; Deb & Jain
    (2014), IEEE Trans. Evol. Comput. 18, 577-601.
"""

from __future__ import annotations

import math
import warnings

import numpy as np

from gemeos.errors import InputError
from gemeos.foresee.goal import Marks
from gemeos.foresee.search.base import Found, Trials
from gemeos.foresee.search.sampled import Optuna, Tried, begin_with, explore, front, quiet
from gemeos.foresee.space import Candidate, Space

POPULATION = 24
LEAST_RUNS = 2 * POPULATION
MOST_ON_FRONT = 32
MANY_OBJECTIVES = 4
"""From so many on NSGA-III breeds: almost nothing is beaten in everything then."""
KEPT_BACK = 0.3
"""Share of the runs for the front once more."""


def pareto(space: Space, trials: Trials, *, seed: int, start: Candidate | None = None) -> Found:
    """The front, by rising cost in the first objective.

    Args:
        space: Of any kind.
        trials: Budget and evaluation.
        seed: Of the sampler.
        start: Tried first.

    Raises:
        InputError: optuna is needed and not installed, or the budget is too small.
    """
    if start is not None:
        space.check(start)
    if trials.left < LEAST_RUNS:
        raise InputError(
            f"A search for a front needs at least {LEAST_RUNS} runs; {trials.left} are allowed."
        )
    kept_back = math.ceil(KEPT_BACK * trials.runs)
    spare = trials.left - kept_back
    size = space.size
    if size is not None and size <= spare:
        method, spent = "all compared", False
        tried = Tried(trials, trials.seen, spare // size)
        tried.run(list(space.candidates()))
    else:
        count = max(1, math.isqrt(spare // POPULATION) // 2)
        tried = Tried(trials, trials.seen, count)
        many = len(trials.goal.objectives) >= MANY_OBJECTIVES
        method = "NSGA-III" if many else "NSGA-II"
        with quiet(by="a search for a front") as optuna:
            study = optuna.create_study(
                sampler=_breeder(optuna, seed, many=many),
                directions=["minimize"] * len(trials.goal.objectives),
            )
            if start is not None:
                begin_with(study, start)
            spent = explore(
                study,
                space,
                tried,
                batch=POPULATION,
                until=lambda: (trials.left - kept_back) // count,
            )
    seen = [tried.candidates[i] for i in on_front(tried.marks)]
    return trials.found(method, _confirmed(_thinned(seen), trials), spent=spent)


def _breeder(optuna: Optuna, seed: int, *, many: bool) -> Optuna:
    samplers = optuna.samplers
    breeder = samplers.NSGAIIISampler if many else samplers.NSGAIISampler
    with warnings.catch_warnings():
        # NSGA-III warns that its arguments may change; the two that are given are those of NSGA-II.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return breeder(seed=seed, population_size=POPULATION)


def on_front(marks: Marks) -> list[int]:
    """Places on the front of those that break the constraints least, by the first objective."""
    if not len(marks.cost):
        return []
    judged = np.flatnonzero(np.isfinite(marks.cost).all(axis=1))
    if not len(judged):
        return []
    least = judged[marks.excess[judged] <= marks.excess[judged].min()]
    return [int(least[i]) for i in front(marks.cost[least])]


def _thinned(candidates: list[Candidate]) -> list[Candidate]:
    """Not more than can be run again, taken evenly along the front."""
    if len(candidates) <= MOST_ON_FRONT:
        return candidates
    return [candidates[round(i)] for i in np.linspace(0, len(candidates) - 1, MOST_ON_FRONT)]


def _confirmed(candidates: list[Candidate], trials: Trials) -> list[Candidate]:
    """Those still on the front by runs of new members; all if there are no runs to tell."""
    count = trials.left // max(len(candidates), 1)
    if not candidates or not count:
        return candidates
    samples = trials.run(candidates, trials.seen, count)
    if samples is None:
        return candidates
    return [candidates[i] for i in on_front(trials.goal.marks(samples, lenient=True))]
