"""Sequential halving: the worse half of a list is dropped again and again.

Each round spends about the same number of runs, so that few are spent on what is clearly bad and
many on what is hard to tell apart. All candidates of a round have the same members, and keep
those of earlier rounds: they are compared member by member.

References:
    Karnin, Koren & Somekh (2013), Proc. 30th ICML, PMLR 28 (3), 1238-1246, algorithm 1. Theirs
    forgets earlier rounds; with common members nothing is gained by that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from gemeos.errors import InputError
from gemeos.foresee.goal import Samples
from gemeos.foresee.search.base import MOST_FINALISTS, Found, Trials
from gemeos.foresee.space import Candidate


def halve(candidates: Sequence[Candidate], trials: Trials) -> Found:
    """The best of a list.

    Raises:
        InputError: the list is empty, or there is not a run for each.
    """
    if not candidates:
        raise InputError("There are no candidates to choose from.")
    if trials.left < len(candidates):
        raise InputError(
            f"{len(candidates)} candidates need at least {len(candidates)} runs, one each; "
            f"{trials.left} are allowed."
        )
    ranked = best_first(candidates, trials)
    if not trials.spent:
        ranked = []
    return trials.found("successive halving", ranked[:MOST_FINALISTS])


def best_first(candidates: Sequence[Candidate], trials: Trials) -> list[Candidate]:
    """Candidates by what all runs that are left say of them; members are new ones.

    Those that cannot be judged are left out. Where not even one run of each was made they stay as
    they were given.
    """
    left = list(range(len(candidates)))
    out: list[int] = []
    samples: Samples | None = None
    first = trials.seen
    rounds = max(1, math.ceil(math.log2(len(candidates))))
    for turn in range(rounds):
        count = trials.left // (len(left) * (rounds - turn))
        # Fewer members than a tail needs say nothing of it.
        enough = min(trials.wanted, trials.left // (2 * len(left)))
        count = max(count, enough, 1)
        if count * len(left) > trials.left:
            break
        done = 0 if samples is None else samples.members // trials.block
        more = trials.run([candidates[i] for i in left], first + done, count)
        if more is None:
            break
        samples = more if samples is None else samples.more_members(more)
        marks = trials.goal.marks(samples, lenient=True)
        order = [i for i in marks.order() if math.isfinite(marks.cost[i, 0])]
        if not order:
            left = []
            break
        keep = order[: max(1, math.ceil(len(left) / 2))]
        # Of what is dropped, the later it is dropped the better it was.
        out = [left[i] for i in order[len(keep) :]] + out
        best, cost = candidates[left[order[0]]], float(marks.cost[order[0], 0])
        left, samples = [left[i] for i in keep], samples.of(keep)
        trials.tell(best, cost)
    return [candidates[i] for i in (*left, *out)]
