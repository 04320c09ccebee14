"""Which members of a fork are run together where each is a simulation of its own.

Vectorised members cost nearly the same one or many, and go in whole ensembles. Simulations cost
each by itself: of the first few an answer is there early, and it tightens as more come in. What a
member gives does not depend on its group.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gemeos.errors import TooFewMembersError
from gemeos.simulate.company import Failure
from gemeos.simulate.outcome import LEAST_LIVING
from gemeos.units.instant import Span

ROUNDS: Final = 2
"""Of the processes that run at once, in the first group: the fewest in which one that is slow has
others to be measured by. Each group has three times as many as the one before, for at each instant
its members wait for each other, and few would often wait."""


@dataclass(frozen=True, slots=True)
class Group:
    """Some members of one block."""

    block: int
    first: int
    """Within the block."""
    count: int


def next_group(begun: int, asked: int, size: int, at_once: int) -> Group:
    """The group behind the first ``begun`` members of ``asked``.

    Args:
        begun: Fewer than ``asked``.
        asked: Members in all.
        size: Of a block.
        at_once: Members that run side by side.
    """
    least = max(2, ROUNDS * at_once)
    block, first = divmod(begun, size)
    left = min(size - first, asked - begun)
    count = min(2 * begun + least, left)
    # What would be left for the next is not worth a group of its own.
    return Group(block, first, left if left - count < least else count)


def within(group: Group, *, took: Span, ran: int, budget: Span | None) -> int:
    """How many of the group should end within the budget, as fast as the first ``ran`` did."""
    if budget is None or not ran:
        return group.count
    return min(group.count, math.floor((budget - took) / max(took / ran, 1)))


def burst(twin: str, failed: Mapping[int, Failure], ran: int) -> TooFewMembersError | None:
    """Why a block of which so many members were run says nothing any more; None where it does.

    As in every ensemble: too few survived some step.
    """
    at = Counter(each.tick for each in failed.values())
    for tick, count in at.items():
        if ran - count < LEAST_LIVING * ran:
            why = next(each.why for each in failed.values() if each.tick == tick)
            return TooFewMembersError(twin, count, ran, why)
    return None
