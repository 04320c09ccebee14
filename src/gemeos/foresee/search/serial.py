"""Serial refinement: one number after the other is tried at a few values, then at finer ones.

For choices that act on one another mostly in one order, such as the yaw of turbines from the
first in the wind to the last. Axes are gone through in the order of the space. In the first pass
each is tried over its whole length, in each later pass closer and closer about the best so far;
the others stay as they are. All values of one axis have the same members, the next has new ones.

References:
    Fleming et al. (2022), Journal of Physics: Conference Series 2265, 032109. Theirs ends after two
    passes; this one goes on while there are runs.
"""

from __future__ import annotations

import itertools
import math

from gemeos.errors import InputError
from gemeos.foresee.search.base import Found, Trials
from gemeos.foresee.search.halving import best_first
from gemeos.foresee.space import Candidate, Continuous, Integer, Space

FIRST = 5
"""Values in the first pass, at even distances from end to end."""
ASIDE = (-2, -1, 1, 2)
"""Values in each later pass, in distances from the best so far."""
FINER = 3.0
"""How much smaller that distance is than in the pass before."""
PASSES = 5
"""The last one's values are 1/324 of an axis apart."""
KEPT_BACK = 0.1
"""Share of the runs for holding the end against the beginning."""


def refine(space: Space, trials: Trials, *, start: Candidate | None = None) -> Found:
    """The best place of a space of numbers.

    Args:
        space: Numbers only; none depends on another. In the order in which they are tried.
        trials: Budget and evaluation.
        start: Where it begins, and one of those compared in the end; else the middle.

    Raises:
        InputError: the space has lists or conditions, or the budget is too small.
    """
    axes = _numbers(space)
    if start is not None:
        space.check(start)
    begun = start or Candidate.of({a.name: _at(a, (a.least + a.most) / 2.0) for a in axes})
    least = len(axes) * (FIRST + 1) + 2
    if trials.left < least:
        raise InputError(
            f"A search over {len(axes)} numbers needs at least {least} runs; {trials.left} are "
            "allowed."
        )
    kept_back = max(math.ceil(KEPT_BACK * trials.runs), 2)
    spare = trials.left - kept_back
    # More runs of each only where all passes are had; but a tail is not seen by few runs.
    tail = min(trials.wanted, spare // (len(axes) * (FIRST + 1)))
    runs = max(1, spare // (len(axes) * _values_of_all_passes()), tail)
    best, is_spent = begun, False
    for turn, axis in itertools.product(range(PASSES), axes):
        tried = _tried(axis, best, turn)
        is_spent = trials.left - kept_back < len(tried) * runs
        samples = None if is_spent else trials.run(tried, trials.seen, runs)
        if samples is None:
            break
        marks = trials.goal.marks(samples)
        first = marks.order()[0]
        if math.isfinite(marks.cost[first, 0]):
            best = tried[first]
            trials.tell(best, float(marks.cost[first, 0]))
    places = list(dict.fromkeys([best, begun]))
    return trials.found("serial refinement", best_first(places, trials), spent=is_spent)


def _numbers(space: Space) -> tuple[Continuous | Integer, ...]:
    axes = tuple(a for a in space.axes if isinstance(a, Continuous | Integer))
    if len(axes) < len(space.axes) or space.is_conditional:
        raise InputError(
            "This method refines numbers of which none depends on another; "
            "this space has lists or conditions."
        )
    return axes


def _values_of_all_passes() -> int:
    return FIRST + 1 + (PASSES - 1) * (len(ASIDE) + 1)


def _tried(axis: Continuous | Integer, best: Candidate, turn: int) -> list[Candidate]:
    """The best so far, and the same with other values of one axis."""
    length, here = axis.most - axis.least, float(best[axis.name])
    apart = length / (FIRST - 1)
    if turn == 0:
        values = [axis.least + i * apart for i in range(FIRST)]
    else:
        values = [here + aside * apart / FINER**turn for aside in ASIDE]
    others = [Candidate.of({**best, axis.name: _at(axis, value)}) for value in values]
    return list(dict.fromkeys([best, *others]))


def _at(axis: Continuous | Integer, value: float) -> float | int:
    inside = min(max(value, axis.least), axis.most)
    return round(inside) if isinstance(axis, Integer) else float(inside)
