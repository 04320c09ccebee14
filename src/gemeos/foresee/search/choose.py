"""Which method fits which space."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import assert_never

from gemeos.errors import InputError
from gemeos.foresee.goal import Goal
from gemeos.foresee.search import mixed as densities
from gemeos.foresee.search import pareto as fronts
from gemeos.foresee.search.base import Evaluate, Found, Progress, Trials, never, untold
from gemeos.foresee.search.evolve import evolve, least_runs
from gemeos.foresee.search.halving import halve
from gemeos.foresee.search.mixed import mixed
from gemeos.foresee.search.pareto import pareto
from gemeos.foresee.search.serial import refine
from gemeos.foresee.space import Candidate, Choice, Space

LONGEST_LIST = 10_000
"""Candidates that are gone through one by one."""
RUNS_EACH = 2
"""That a budget must allow on average before a list is gone through."""


class Method(Enum):
    """How candidates are proposed."""

    HALVING = "halving"
    """A list, of which the worse half is dropped again and again."""
    CMA = "cma"
    """A normal distribution over numbers."""
    TPE = "tpe"
    """Densities of good and of bad ones, for lists and conditions."""
    SERIAL = "serial"
    """One number after the other, finer and finer. Taken only where it is asked for."""
    PARETO = "pareto"
    """A front, for several objectives."""


def chosen(space: Space, goal: Goal, runs: int) -> Method:
    """The method for this space, so many objectives and so many runs."""
    if len(goal.objectives) > 1:
        return Method.PARETO
    size = space.size
    if size is not None and size <= min(LONGEST_LIST, runs // RUNS_EACH):
        return Method.HALVING
    if space.is_conditional or any(isinstance(axis, Choice) for axis in space.axes):
        return Method.TPE
    return Method.CMA


def fewest_runs(space: Space, goal: Goal, runs: int) -> int:
    """Below so many the method for this budget does not begin."""
    method = chosen(space, goal, runs)
    match method:
        case Method.HALVING:
            return RUNS_EACH
        case Method.CMA | Method.SERIAL:
            return least_runs(space)
        case Method.TPE:
            return densities.LEAST_RUNS
        case Method.PARETO:
            return fronts.LEAST_RUNS
        case _:
            assert_never(method)


def search(  # noqa: PLR0913  # each is one thing that the caller decides
    space: Space,
    goal: Goal,
    evaluate: Evaluate,
    *,
    runs: int,
    seed: int,
    method: Method | None = None,
    start: Candidate | None = None,
    stop: Callable[[], bool] = never,
    progress: Callable[[Progress], None] = untold,
    block: int = 1,
    at_once: int | None = None,
) -> Found:
    """The best candidates of a space for a goal, as far as so many runs tell.

    Nothing of it is to be believed before ``gemeos.foresee.verdict`` has run the first of them
    again. The same arguments give the same answer to the last bit, whatever ``at_once``.

    Args:
        space: What may be chosen.
        goal: What is sought.
        evaluate: Runs candidates.
        runs: The budget: runs of all candidates together. The final check is not among them.
        seed: Of what the method draws. Members' random numbers are ``evaluate``'s.
        method: Else by the space and the number of objectives.
        start: A candidate to begin with, such as the present plan. It is compared in the end, too.
        stop: Asked before each batch; the search then ends with what it has.
        progress: Told after each step.
        block: Members of one run: those that are moved together whether all are wanted or not.
        at_once: Most runs in one call of ``evaluate``.

    Raises:
        InputError: no budget or one that is too small, a method that does not fit the space, or
            a package that is not installed.
    """
    trials = Trials(
        goal, evaluate, runs=runs, stop=stop, progress=progress, block=block, at_once=at_once
    )
    method = chosen(space, goal, runs) if method is None else method
    if len(goal.objectives) > 1 and method is not Method.PARETO:
        raise InputError(
            f"{len(goal.objectives)} objectives have a front, not one best; '{method.value}' "
            "seeks one best. Weigh them in one objective, as in 'mean(a) + 0.1 * mean(b)'."
        )
    match method:
        case Method.HALVING:
            return halve(_listed(space, start), trials)
        case Method.CMA:
            return evolve(space, trials, seed=seed, start=start)
        case Method.TPE:
            return mixed(space, trials, seed=seed, start=start)
        case Method.SERIAL:
            return refine(space, trials, start=start)
        case Method.PARETO:
            return pareto(space, trials, seed=seed, start=start)
        case _:
            assert_never(method)


def _listed(space: Space, start: Candidate | None) -> list[Candidate]:
    size = space.size
    if size is not None and size > LONGEST_LIST:
        raise InputError(f"{size} candidates are too many for a list; {LONGEST_LIST} may be.")
    if start is not None:
        space.check(start)
    return list(space.candidates())
