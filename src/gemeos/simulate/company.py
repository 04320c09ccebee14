"""Members of one fork that go together, and how long they wait for the slowest of them.

Where each member is a simulation of its own, one that is many times slower than its fellows holds
all of them up. It is left out, and it is told who was: what is answered then follows from that
list, and no longer from how fast a machine was that day.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple, final

from gemeos.units.instant import SECOND, Instant, Span

TIMES: Final = 5.0
"""How many times as long as is usual a member may take. The same traffic takes two or three times
as long jammed as flowing, so that what is slow for its own good reasons stays."""
GRACE: Final[Span] = 5 * SECOND
"""That nobody is left out for: a machine that does other things for a moment is no slow member."""
TIMES_SPENT: Final = 2.0
"""Instead of both once the budget of time is spent: who is about to be through may be."""


class Failure(NamedTuple):
    """Why a member did not arrive."""

    tick: int
    """The step in which it failed leads here."""
    why: str


@final
@dataclass(eq=False, slots=True)
class Run:
    """One member on its way to the next instant. Its own thread writes it, who waits looks."""

    now: Callable[[], Instant]
    steps: int
    """That it has to go."""
    gone: int = 0
    """That it went; none where somebody had run it before."""
    since: Instant | None = None
    """When it set out; not while what it sets out from is run again."""
    took: Span | None = None
    """Once it is through."""
    given_up: bool = False
    _stop: Callable[[], None] | None = None

    def begin(self, stop: Callable[[], None] | None) -> None:
        """It sets out; ``stop`` ends it from another thread, None where nothing can."""
        self._stop = stop
        self.since = self.now()

    def change(self, stop: Callable[[], None] | None) -> None:
        """Another process goes on with it."""
        self._stop = stop

    def end(self) -> None:
        """It is through, or failed."""
        self.took = 0 if self.since is None else self.now() - self.since

    @property
    def is_under_way(self) -> bool:
        """Whether it can be given up."""
        return self.since is not None and self.took is None and self._stop is not None

    def give_up(self) -> None:
        """End it. What still comes of it does not count."""
        if self._stop is not None:
            self.given_up = True
            self._stop()


@final
class Patience:
    """For how long the members of one fork are waited for, group after group.

    Usual is the median time of a step, over all members that are through so far. Somebody is given
    up only while those are more than the ones that are waited for.
    """

    def __init__(self, now: Callable[[], Instant], *, ends: Instant | None = None) -> None:
        """``now`` is the machine's time; when it is ``ends`` the budget is spent."""
        self.now = now
        self._ends = ends
        self._usual: list[float] = []

    def learn(self, paces: Iterable[float]) -> None:
        """How long members of a group that is through took for a step."""
        self._usual += paces

    def is_over(self, took: Span, steps: int, through: Collection[float], late: int) -> bool:
        """Whether it is not worth waiting any longer.

        Args:
            took: What the member took so far, for as many ``steps`` once it is through.
            steps: Its own.
            through: What a step took those of its group that are there already.
            late: How many are not, this one included.
        """
        usual = [*self._usual, *through]
        if len(usual) <= late:
            return False
        is_spent = self._ends is not None and self.now() >= self._ends
        times, grace = (TIMES_SPENT, 0) if is_spent else (TIMES, GRACE)
        return took > times * statistics.median(usual) * steps + grace


@final
@dataclass(eq=False)
class Company:
    """Some members of one fork. The others are not run, and what is told of them means nothing."""

    members: frozenset[int]
    patience: Patience | None = None
    """None where nobody is left out, however slow."""
    stopped: Callable[[], bool] = lambda: False
    """Whether nobody wants any of it any more."""
    failed: dict[int, Failure] = field(default_factory=dict, init=False)
    slow: set[int] = field(default_factory=set, init=False)
    _took: dict[int, Span] = field(default_factory=dict, init=False)
    _gone: dict[int, int] = field(default_factory=dict, init=False)

    @property
    def going(self) -> list[int]:
        """Those that are neither failed nor given up."""
        return sorted(self.members - self.failed.keys() - self.slow)

    def run(self, steps: int) -> Run:
        """For one member's way to the next instant."""
        return Run(_unmeasured if self.patience is None else self.patience.now, steps)

    def look(self, runs: dict[int, Run]) -> None:
        """Give up those of these that are not to be waited for."""
        if self.stopped():
            for run in runs.values():
                if run.is_under_way:
                    run.give_up()
            return
        if self.patience is None:
            return
        now = self.patience.now()
        through = [
            (self._took.get(member, 0) + run.took) / (self._gone.get(member, 0) + run.gone)
            for member, run in runs.items()
            if run.took is not None and run.gone
        ]
        late = [member for member, run in runs.items() if run.took is None]
        for member in late:
            run = runs[member]
            if run.since is None or not run.is_under_way or run.given_up:
                continue
            took = self._took.get(member, 0) + now - run.since
            steps = self._gone.get(member, 0) + run.steps
            if self.patience.is_over(took, steps, through, len(late)):
                run.give_up()

    def arrived(self, runs: dict[int, Run]) -> None:
        """Add up what these took."""
        for member, run in runs.items():
            if run.took is not None and run.gone:
                self._took[member] = self._took.get(member, 0) + run.took
                self._gone[member] = self._gone.get(member, 0) + run.gone

    @property
    def paces(self) -> list[float]:
        """What a step took each of those that are through."""
        return [self._took[m] / self._gone[m] for m in self.going if self._gone.get(m)]


def _unmeasured() -> Instant:
    return 0
