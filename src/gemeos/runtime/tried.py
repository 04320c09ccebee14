"""What a search has run: to be told of, and not to be run twice."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

import numpy as np

from gemeos.foresee.goal import Goal, Samples
from gemeos.foresee.search import Evaluate, Members
from gemeos.foresee.space import Candidate
from gemeos.runtime.optimisation import MOST_TRIED, Tried


@dataclass(eq=False)
class Once:
    """Runs no candidate twice on the same members."""

    evaluate: Evaluate
    _seen: dict[tuple[Candidate, Members], Samples] = field(default_factory=dict, init=False)

    def __call__(self, candidates: Sequence[Candidate], members: Members) -> Samples:
        """See ``foresee.search.base.Evaluate``."""
        new = [c for c in dict.fromkeys(candidates) if (c, members) not in self._seen]
        if new:
            samples = self.evaluate(new, members)
            for place, candidate in enumerate(new):
                self._seen[candidate, members] = samples.of([place])
        return reduce(Samples.more_candidates, [self._seen[c, members] for c in candidates])


def note(
    tried: MutableMapping[Candidate, Samples], candidates: Sequence[Candidate], samples: Samples
) -> None:
    """Keep what was seen of the first candidates."""
    for place, candidate in enumerate(candidates):
        if candidate in tried:
            tried[candidate] = tried[candidate].more_members(samples.of([place]))
        elif len(tried) < MOST_TRIED:
            tried[candidate] = samples.of([place])


def keep(
    tried: MutableMapping[Candidate, Samples], candidates: Sequence[Candidate], samples: Samples
) -> None:
    """Keep these however many there are: what is advised is among what is kept."""
    for place, candidate in enumerate(candidates):
        tried[candidate] = samples.of([place])


def told_of(goal: Goal, tried: Mapping[Candidate, Samples]) -> tuple[Tried, ...]:
    """Each candidate as the search saw it."""
    told = []
    for candidate, samples in tried.items():
        marks = goal.marks(samples)
        cost = float(marks.cost[0, 0])
        value = goal.objectives[0].sense.sign * cost if np.isfinite(cost) else None
        told.append(Tried(dict(candidate), samples.members, value, float(marks.excess[0])))
    return tuple(told)
