"""What every method of search is given, and what it hands back.

One *run* is one candidate over the whole horizon with a block of members: as many as are moved
together anyway, one if they are not. Members with one number share their random numbers in all
candidates, so differences between candidates are paired. A search begins with member 0 and
counts up, whole blocks at a time; what it never saw are the numbers from ``Found.seen`` on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias, final

from gemeos.errors import InputError
from gemeos.foresee.goal import Goal, Samples
from gemeos.foresee.space import Candidate

MOST_FINALISTS = 8


@dataclass(frozen=True, slots=True)
class Members:
    """Numbers of members: ``first, first + 1, ...``."""

    first: int
    count: int
    fresh: bool = False
    """No search has seen them: they are for the final check."""

    def __post_init__(self) -> None:
        if self.first < 0 or self.count < 1:
            raise InputError(f"{self.count} members from number {self.first} on are none.")

    @property
    def end(self) -> int:
        """One more than the last number."""
        return self.first + self.count


Evaluate: TypeAlias = Callable[[Sequence[Candidate], Members], Samples]
"""Runs those members of those candidates. The answer for one candidate and one member depends on
nothing else that was asked with them."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a search is."""

    runs: int
    of: int
    best: Candidate | None
    """What it would give now; None before anything could be judged."""
    value: float | None
    """Of the first objective, as the search saw it. It flatters: the best of many looks better
    than it is."""


class Ending(Enum):
    """Why a search came to its end."""

    DONE = "it was done"
    SPENT = "the runs were spent"
    STOPPED = "it was stopped"


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found. Nothing here is fit to be believed before a fresh check."""

    method: str
    finalists: tuple[Candidate, ...]
    """The best first; none where nothing could be judged. With several objectives these are
    the front, by the first objective."""
    runs: int
    """Spent."""
    seen: int
    """Members with numbers from here on were never looked at; a whole number of blocks."""
    tried: int
    """Different candidates that were run."""
    ending: Ending


def never() -> bool:
    """A search that is not stopped."""
    return False


def untold(_: Progress) -> None:
    """Nobody wants to know how far it is."""


@final
class Trials:
    """Runs candidates, and counts the runs. One for each search."""

    def __init__(
        self,
        goal: Goal,
        evaluate: Evaluate,
        *,
        runs: int,
        stop: Callable[[], bool] = never,
        progress: Callable[[Progress], None] = untold,
        block: int = 1,
        at_once: int | None = None,
    ) -> None:
        """A budget of ``runs``.

        Args:
            goal: What is sought.
            evaluate: Runs candidates.
            runs: How many there may be, of all candidates together.
            stop: Asked before each batch; the search then ends with what it has.
            progress: Told after each step of the search.
            block: Members of one run.
            at_once: Most runs in one call of ``evaluate``. What is found does not depend on it.

        Raises:
            InputError: there is no budget.
        """
        if runs < 1:
            raise InputError(f"A search needs runs to spend; its budget is {runs}.")
        if block < 1:
            raise InputError(f"A run has at least one member, not {block}.")
        if at_once is not None and at_once < 1:
            raise InputError(f"At least one run is made at once, not {at_once}.")
        self.goal = goal
        self.runs = runs
        self.spent = 0
        self.seen = 0
        """Runs of one candidate, at most; so for ``first`` and ``count`` below."""
        self.block = block
        self.wanted = math.ceil(goal.members_wanted / block)
        """Runs of one candidate before its tails are seen at all."""
        self.is_stopped = False
        self._evaluate = evaluate
        self._stop = stop
        self._progress = progress
        self._at_once = at_once
        self._tried: set[Candidate] = set()

    @property
    def left(self) -> int:
        """Runs that may still be spent."""
        return self.runs - self.spent

    def run(self, candidates: Sequence[Candidate], first: int, count: int) -> Samples | None:
        """What ``count`` runs of each gave; None if the search was stopped meanwhile.

        The budget is the caller's to keep: nobody asks here for more than is left.
        """
        most = count * len(candidates) if self._at_once is None else self._at_once
        samples: Samples | None = None
        for done in range(0, count, most):
            some = min(most, count - done)
            more = self._run(candidates, first + done, some, max(1, most // some))
            if more is None:
                return None
            samples = more if samples is None else samples.more_members(more)
        return samples

    def _run(
        self, candidates: Sequence[Candidate], first: int, count: int, width: int
    ) -> Samples | None:
        """As ``run``, for ``width`` candidates at once."""
        members = Members(first * self.block, count * self.block)
        samples: Samples | None = None
        for start in range(0, len(candidates), width):
            if self.is_stopped or self._stop():
                self.is_stopped = True
                return None
            batch = candidates[start : start + width]
            more = self._evaluate(batch, members)
            self.goal.check(more, candidates=len(batch), members=members.count)
            self.spent += len(batch) * count
            self.seen = max(self.seen, first + count)
            self._tried.update(batch)
            samples = more if samples is None else samples.more_candidates(more)
        return samples

    def tell(self, best: Candidate | None, cost: float | None) -> None:
        """How far it is; ``cost`` is that of the first objective."""
        value = None if cost is None else self.goal.objectives[0].sense.sign * cost
        self._progress(Progress(self.spent, self.runs, best, value))

    def found(self, method: str, finalists: Sequence[Candidate], *, spent: bool = False) -> Found:
        """The end; ``spent`` tells that there would have been more to do."""
        ending = Ending.STOPPED if self.is_stopped else Ending.SPENT if spent else Ending.DONE
        return Found(
            method, tuple(finalists), self.spent, self.seen * self.block, len(self._tried), ending
        )
