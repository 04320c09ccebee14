"""The samplers of optuna: lists, conditions and several objectives.

optuna is the extra ``gemeos[search]``. Its studies are kept in memory, and it keeps quiet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from jaxtyping import Float64

from gemeos.ensemble.optional import needed
from gemeos.foresee.goal import Marks
from gemeos.foresee.search.base import Trials
from gemeos.foresee.space import Axis, Candidate, Choice, Continuous, Integer, Space, Value

if TYPE_CHECKING:
    from optuna import Study, Trial

Optuna: TypeAlias = Any
"""The module, which need not be installed."""
NOTHING_NEW = 20
"""Batches in a row without a candidate that was not run before: then there is none."""
WORST = 1e300
"""Told of a candidate that cannot be judged: optuna takes no infinity for several objectives."""


@contextmanager
def quiet(*, by: str) -> Iterator[Optuna]:
    """The library, telling nothing but errors meanwhile.

    Raises:
        InputError: it is not installed; the message says how to get it.
    """
    optuna = needed("optuna", by=by, extra="search")
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield optuna
    finally:
        optuna.logging.set_verbosity(before)


def _asked(study: Study, space: Space, count: int) -> list[tuple[Trial, Candidate]]:
    """So many candidates, none of them knowing how the others will do."""
    trials = [study.ask() for _ in range(count)]
    return [(trial, _candidate(trial, space)) for trial in trials]


class Tried:
    """Candidates that were run, all with the same members, and how they did."""

    def __init__(self, trials: Trials, first: int, count: int) -> None:
        self.candidates: list[Candidate] = []
        self.excess: list[float] = []
        self.cost: list[Float64[np.ndarray, " objective"]] = []
        self._place: dict[Candidate, int] = {}
        self._trials = trials
        self._first, self._count = first, count

    def run(self, batch: Sequence[Candidate]) -> bool | None:
        """Whether any was new; None if the search was stopped. None is run twice."""
        new = [c for c in dict.fromkeys(batch) if c not in self._place]
        if not new:
            return False
        samples = self._trials.run(new, self._first, self._count)
        if samples is None:
            return None
        marks = self._trials.goal.marks(samples)
        self._place.update((c, i) for i, c in enumerate(new, start=len(self.candidates)))
        self.candidates += new
        self.excess += marks.excess.tolist()
        self.cost += list(marks.cost)
        return True

    @property
    def marks(self) -> Marks:
        """Of all of them."""
        cost = np.array(self.cost).reshape(len(self.cost), len(self._trials.goal.objectives))
        return Marks(np.array(self.excess), cost)

    def report(self) -> None:
        """Tell how far the search is."""
        marks = self.marks
        best = marks.order()[0]
        if np.isfinite(marks.cost[best]).all():
            self._trials.tell(self.candidates[best], float(marks.cost[best, 0]))

    def tell(self, study: Study, asked: Sequence[tuple[Trial, Candidate]]) -> None:
        """Hand back how those did that were asked for."""
        for trial, candidate in asked:
            place = self._place[candidate]
            trial.set_constraint("excess", self.excess[place])
            costs = self.cost[place]
            study.tell(trial, [float(c) if np.isfinite(c) else WORST for c in costs])


def explore(
    study: Study, space: Space, tried: Tried, *, batch: int, until: Callable[[], int]
) -> bool:
    """Ask, run and tell until no run is left, or nothing new is asked any more.

    Args:
        study: Who asks.
        space: What may be asked.
        tried: Where it is run.
        batch: Candidates at once.
        until: How many candidates may still be run.

    Returns:
        Whether it ended because the runs were spent.
    """
    idle = 0
    while (left := until()) > 0:
        asked = _asked(study, space, min(batch, left))
        ran = tried.run([c for _, c in asked])
        if ran is None:
            return False
        idle = 0 if ran else idle + 1
        if idle == NOTHING_NEW:
            return False
        tried.tell(study, asked)
        tried.report()
    return True


def begin_with(study: Study, candidate: Candidate) -> None:
    """Have it asked first."""
    study.enqueue_trial(dict(candidate))


def front(cost: Float64[np.ndarray, "candidate objective"]) -> list[int]:
    """Places of those that no other beats in one objective without losing in another.

    Of equal ones the first; by rising first objective.
    """
    order = np.lexsort(cost.T[::-1])
    kept: list[int] = []
    for i in order.tolist():
        # Those before it are not worse in the first objective: it stays unless one of them is not
        # worse in the others either.
        if np.isfinite(cost[i]).all() and not any((cost[k] <= cost[i]).all() for k in kept):
            kept.append(i)
    return kept


def _candidate(trial: Trial, space: Space) -> Candidate:
    chosen: dict[str, Value] = {}
    for axis in space.axes:
        if space.active(axis, chosen):
            chosen[axis.name] = _suggested(trial, axis)
    return Candidate.of(chosen)


def _suggested(trial: Trial, axis: Axis) -> Value:
    match axis:
        case Continuous(name, least, most):
            return trial.suggest_float(name, least, most)
        case Integer(name, least, most):
            return trial.suggest_int(name, least, most)
        case Choice(name, values):
            picked = trial.suggest_categorical(name, values)
            return next(value for value in values if value == picked)
