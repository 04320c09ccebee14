"""How a budget of time is spent: so much on the search, the rest on the check of its winner.

A run of a declared model takes next to no time; one of somebody else's simulator may take seconds,
and then a check as wide as one would like is longer than the whole budget. So the check is planned
before the search, by what a run takes here, and is as wide as the time that is left allows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, final

from gemeos.units.instant import SECOND, Instant, Span

OF_SEARCH: Final = 0.6
"""Share of the time that the search may spend, where the check does not need more."""
MOST_OF_CHECK: Final = 0.8
"""Share of the time that is kept for the check at most: something must be tried, too."""
RESERVE: Final = 1.4
"""Times what a check is thought to take: the machine is not always as fast."""
FINALISTS: Final = 3
"""That are held against each other where time is short."""
LEAST_CHECK: Final[Span] = 2 * SECOND
"""That a check has, however little is left: it decides what comes of all that was run."""
BATCHES: Final = 8
"""Into which a search is cut, so that it can be ended in time."""


@dataclass(frozen=True, slots=True)
class Check:
    """How wide a check is made."""

    blocks: int
    """Whole ensembles of members."""
    finalists: int
    """That are told of, the winner among them."""


@final
@dataclass(eq=False)
class Pace:
    """One budget of time while it is spent."""

    now: Callable[[], Instant]
    budget: Span
    each: float = 0.0
    """What one run took here, as long as an instant is counted in."""
    runs_a_block: int = 1
    """Runs of one candidate in a check that is one whole ensemble wide."""
    compared: int = 2
    """Candidates of a check: the winner, doing nothing, and perhaps the present plan."""
    began: Instant = field(init=False)
    _least_end: Instant = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.now()
        self._least_end = self.began

    def begin_again(self) -> None:
        """What was done so far does not count: it is compiled or fetched once for all."""
        self.began = self.now()

    @property
    def ends(self) -> Instant:
        """When the answer should be there."""
        return self.began + self.budget

    @property
    def search_ends(self) -> Instant:
        """When the search has to make room for the check."""
        least = RESERVE * self._block * self.compared
        kept = min(max((1.0 - OF_SEARCH) * self.budget, least), MOST_OF_CHECK * self.budget)
        return self.ends - round(kept)

    @property
    def is_spent(self) -> bool:
        """Whether the search has had its share."""
        return self.now() > self.search_ends

    @property
    def runs(self) -> int:
        """That the search can make from now on."""
        return int((self.search_ends - self.now()) / max(self.each, 1.0))

    @staticmethod
    def at_once(runs: int, fewest: int) -> int:
        """Runs of a batch, so that the search can be ended when its share is over.

        Args:
            runs: Of the whole search.
            fewest: That its method begins with: cut shorter it would have found nothing.
        """
        return max(runs // BATCHES, fewest)

    def learn(self, took: Span, runs: int) -> None:
        """So many runs took so long."""
        if runs:
            self.each = max(took, 1) / runs

    def check(self, wanted: int, finalists: int) -> Check:
        """What the time that is left is worth.

        Args:
            wanted: Whole ensembles of members that would decide.
            finalists: That the search ended with.
        """
        self._least_end = self.now() + LEAST_CHECK
        left = max(self.ends, self._least_end) - self.now()
        worth = left / max(RESERVE * self._block, 1.0)
        more = max(min(finalists, FINALISTS) - 1, 0)
        if worth >= wanted * (self.compared + finalists):
            return Check(wanted, finalists)
        others = min(more, max(math.floor(worth) - self.compared, 0))
        return Check(min(wanted, max(1, math.floor(worth / (self.compared + others)))), 1 + others)

    def has_room(self, blocks: int) -> bool:
        """Whether one candidate more can be run on so many whole ensembles."""
        return self.now() + blocks * self._block <= max(self.ends, self._least_end)

    @property
    def _block(self) -> float:
        """What one candidate takes on a whole ensemble."""
        return self.each * self.runs_a_block
