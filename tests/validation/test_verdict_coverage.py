"""Whether what is promised of fresh checks holds: intervals cover, and nothing is seldom praised.

Counts of many independent problems are held against the binomial distribution: a count outside
of its central 99.9 % would refute the promise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from jaxtyping import Float64

from gemeos.foresee.goal import Goal, Samples
from gemeos.foresee.interval import least_share, most_share
from gemeos.foresee.judge import Judge
from gemeos.foresee.search import Members, search
from gemeos.foresee.space import DO_NOTHING, Candidate, Choice, Space
from gemeos.foresee.verdict import verdict

SURE = 0.9995
"""On each side."""
ONE = Candidate.of({"a": 1})

Pair = Callable[[np.random.Generator, int], Float64[np.ndarray, "candidate member"]]


def normal(rng: np.random.Generator, members: int) -> Float64[np.ndarray, "candidate member"]:
    """Shared luck, and twice luck of their own; the first is better by 0.3."""
    return rng.normal(scale=3.0, size=members) + rng.normal(size=(2, members)) - [[0.3], [0.0]]


def skewed(rng: np.random.Generator, members: int) -> Float64[np.ndarray, "candidate member"]:
    """Exponential losses, of which the first has nine tenths."""
    shared = rng.exponential(size=members)
    return (shared + 0.5 * rng.exponential(size=(2, members))) * [[0.9], [1.0]]


def covered(goal: Goal, pair: Pair, gain: float, members: int, problems: int) -> int:
    """In how many problems the interval holds the true gain."""
    judge = Judge(goal, 0.95, 1)
    hits = 0
    for seed in range(problems):
        rows = pair(np.random.default_rng(seed), members)
        samples = Samples(rows[:, None], np.empty((2, 0, members)))
        (told,) = judge.comparison(ONE, DO_NOTHING, samples).gains
        hits += told.gain.low <= gain <= told.gain.high
    return hits


@pytest.mark.parametrize("members", [8, 64])
def test_that_the_interval_of_a_mean_covers_in_95_of_100_problems(members: int) -> None:
    hits = covered(Goal.of({"x": ""}, minimise="x"), normal, 0.3, members, 2000)
    assert least_share(hits, 2000, level=SURE) < 0.95 < most_share(hits, 2000, level=SURE)


def test_that_the_interval_of_a_mean_of_skewed_losses_covers_nearly_as_often() -> None:
    # Mean 1.5 each; a tenth of it is gained.
    hits = covered(Goal.of({"x": ""}, minimise="x"), skewed, 0.15, 64, 2000)
    assert hits > 0.93 * 2000


def test_that_the_interval_of_the_mean_of_the_worst_covers_nearly_as_often() -> None:
    # Beyond the 90 % quantile a sum of exponentials with means 1 and 1/2 is on average 3.987:
    # its survival 2 exp(-x) - exp(-2 x) is 0.1 at 2.970, and the integral of it beyond, over 0.1,
    # is 1.013 more. The first has nine tenths of that.
    quantile = -np.log(1.0 - np.sqrt(1.0 - 0.1))
    beyond = (2.0 * np.exp(-quantile) - 0.5 * np.exp(-2.0 * quantile)) / 0.1
    gain = 0.1 * float(quantile + beyond)
    goal = Goal.of({"x": ""}, minimise="cvar(0.9, x)")
    hits = covered(goal, skewed, gain, 400, 1000)
    assert hits > 0.92 * 1000


def test_that_the_interval_of_a_quantile_covers_about_as_often() -> None:
    goal = Goal.of({"x": ""}, minimise="quantile(0.75, x)")
    hits = covered(goal, normal, 0.3, 100, 300)
    assert most_share(hits, 300, level=SURE) > 0.93


NULLS = 1500
NULL = Space((Choice("a", tuple(range(16))),))


def test_that_of_plans_that_change_nothing_hardly_one_is_recommended() -> None:
    """The whole way, search and all: the best of sixteen that are all like doing nothing."""
    goal = Goal.of({"x": ""}, minimise="x")
    recommended = 0
    for seed in range(NULLS):

        def plant(candidates: Sequence[Candidate], members: Members, seed: int = seed) -> Samples:
            gave = np.empty((len(candidates), 1, members.count))
            for i, candidate in enumerate(candidates):
                name = int(candidate["a"]) if candidate else 99
                rng = np.random.default_rng([seed, name, members.first])
                gave[i, 0] = rng.normal(size=members.count)
            return Samples(gave, np.empty((len(candidates), 0, members.count)))

        found = search(NULL, goal, plant, runs=160, seed=seed)
        fresh = Members(found.seen, 64, fresh=True)
        recommended += verdict(
            goal, found.finalists[:1], plant, members=fresh, seed=seed
        ).is_recommended
    # One side of a 95 % interval.
    assert least_share(recommended, NULLS, level=SURE) < 0.025
    assert 0.025 < most_share(recommended, NULLS, level=SURE) < 0.05


def test_that_judged_by_the_runs_of_the_search_itself_luck_would_be_recommended() -> None:
    """Why runs are fresh: the best of sixteen looks better than nothing in its own runs."""
    goal = Goal.of({"x": ""}, minimise="x")
    judge = Judge(goal, 0.95, 1)
    praised = 0
    for seed in range(200):
        rows = np.random.default_rng(seed).normal(size=(17, 64))
        best = int(rows[:16].mean(axis=1).argmin())
        samples = Samples(rows[[best, 16], None], np.empty((2, 0, 64)))
        praised += judge.comparison(ONE, DO_NOTHING, samples).is_better
    # The mean of the best lies 1.77 deviations below nought (least of 16 normal numbers); that
    # nothing lies 1.02 above it has a chance of 15 %, where 2.5 % are promised.
    assert praised > 0.1 * 200
