"""Tree-structured Parzen estimator: for lists, whole numbers and conditions side by side.

It draws candidates from where the good ones lay densely and the bad ones thinly. All candidates
have the same members, so that they are compared fairly; since the luck of those members is learned
with them, the best ones are held against each other on members that none has seen.

References:
    Bergstra, Bardenet, Bengio & Kegl (2011), Adv. NeurIPS 24, 2546-2554; constraints and batches
    as in optuna: Watanabe (2023), arXiv 2304.11127.
"""

from __future__ import annotations

import math

from gemeos.errors import InputError
from gemeos.foresee.search.base import MOST_FINALISTS, Found, Trials
from gemeos.foresee.search.halving import best_first
from gemeos.foresee.search.sampled import Tried, begin_with, explore, quiet
from gemeos.foresee.space import Candidate, Space

LEAST_RUNS = 8
BATCH = 8
"""Candidates at once: fewer would learn more from each, more would run faster together."""
FEWEST_CANDIDATES = 40
"""That a budget should allow before each has more runs for the sake of a tail."""
KEPT_BACK = 0.3
"""Share of the runs for holding the best against each other in the end."""


def mixed(space: Space, trials: Trials, *, seed: int, start: Candidate | None = None) -> Found:
    """The best of any space.

    Args:
        space: Of any kind.
        trials: Budget and evaluation.
        seed: Of the sampler.
        start: Tried first, and one of those compared in the end.

    Raises:
        InputError: optuna is not installed, or the budget is too small.
    """
    if trials.left < LEAST_RUNS:
        raise InputError(
            f"A search over this space needs at least {LEAST_RUNS} runs; {trials.left} are allowed."
        )
    if start is not None:
        space.check(start)
    kept_back = math.ceil(KEPT_BACK * trials.runs)
    count = _runs_each(trials.wanted, trials.left - kept_back)
    tried = Tried(trials, trials.seen, count)
    with quiet(by="a search over lists or conditions") as optuna:
        sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True)
        study = optuna.create_study(sampler=sampler)
        if start is not None:
            begin_with(study, start)
        spent = explore(
            study,
            space,
            tried,
            batch=BATCH,
            until=lambda: (trials.left - kept_back) // count,
        )
    marks = tried.marks
    best = [i for i in marks.order() if math.isfinite(marks.cost[i, 0])]
    places = [tried.candidates[i] for i in best[: MOST_FINALISTS - 1]]
    if start is not None and start not in places:
        places.append(start)
    return trials.found("TPE", best_first(places, trials) if places else [], spent=spent)


def _runs_each(wanted: int, runs: int) -> int:
    """Runs of each candidate. Both they and the candidates grow with the budget."""
    tail = min(wanted, runs // FEWEST_CANDIDATES)
    return max(1, math.isqrt(runs) // 4, tail)
