"""How the finalists of a search stand to its winner: a chance, a loss, and who may be as good.

All of it is of expected values, as objectives are: what a plan gives on average over what the twin
does not know. Members are drawn again, the same ones for all finalists, and each draw is one way in
which those values may lie. So the chance is not that of being the best on the day, in one member;
it is that of being the best choice. The loss is of the same draws: by how much the best of a draw
is better than the winner, nought where that is the winner. A small chance with a small loss says
that the finalists are nearly equal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gemeos.foresee.goal import Goal, Samples

DRAWN_ORDERS = 400
"""Of the bootstrap over members."""


@dataclass(frozen=True, slots=True)
class Rivalry:
    """The finalists beside the winner, which is the first of them."""

    chances: tuple[float, ...]
    """That each is the best of them; none for several objectives."""
    loss: float
    """Of taking the winner and not the best of them: expected, in the objective's unit, at least
    nought. NaN where it cannot be told."""
    rivals: int
    """Of the others that are not shown to be worse than the winner."""


UNTOLD = Rivalry((), math.nan, 0)
"""Of several objectives, or of no finalists."""
ALONE = Rivalry((1.0,), 0.0, 0)
"""Of one finalist."""


def rivalry(
    goal: Goal, samples: Samples, *, seed: int, origins: int | None = None, level: float = 0.95
) -> Rivalry:
    """How finalists stand to the first of them.

    Args:
        goal: With one objective.
        samples: Of the finalists, the winner first, on the same fresh members.
        seed: Of the draws.
        origins: As the verdict is told: where members are more, whole origins are drawn, because
            copies know less than states do. Members beyond the last whole ensemble are left out.
        level: Of the interval with which another is shown to be worse.

    Constraints come first: of a draw the best is one that keeps to them. Where that costs it
    something, nothing is lost in the objective by the winner, and the chance alone tells of it.

    References:
        Efron (1979), Ann. Stat. 7, 1-26 (the bootstrap). Chick & Inoue (2001), Oper. Res. 49,
        732-743 (the loss as what a selection is judged by, there with a posterior of means: the
        expected opportunity cost).
    """
    count = samples.members if origins is None else min(origins, samples.members)
    copies = samples.members // count
    rng = np.random.default_rng(seed)
    firsts = np.zeros(len(samples))
    as_good = np.zeros(len(samples))
    lost = np.zeros(DRAWN_ORDERS)
    for place in range(DRAWN_ORDERS):
        drawn = rng.integers(count, size=count)
        drawn = np.concatenate([drawn + count * copy for copy in range(copies)])
        again = Samples(samples.parts[:, :, drawn], samples.broken[:, :, drawn])
        marks = goal.marks(again, lenient=True)
        best = marks.order()[0]
        cost, excess = marks.cost[:, 0], marks.excess
        firsts[best] += 1.0
        as_good += (excess < excess[0]) | ((excess == excess[0]) & (cost <= cost[0]))
        is_told = bool(np.isfinite(cost[[0, best]]).all())
        lost[place] = max(float(cost[0] - cost[best]), 0.0) if is_told else math.nan
    # Worse beyond doubt: the end of the interval of its difference lies above nought.
    doubted = as_good[1:] / DRAWN_ORDERS >= 0.5 * (1.0 - level)
    return Rivalry(tuple((firsts / DRAWN_ORDERS).tolist()), float(lost.mean()), int(doubted.sum()))
