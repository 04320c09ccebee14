"""What is kept of advice that a twin would have given, and what it would have brought."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from gemeos.foresee.verdict import Advice
from gemeos.runtime.ledger_row import accepted
from gemeos.schema.plan import Gain
from gemeos.units.instant import Instant, Span

DEFAULT_RUNS: Final = "1000 runs"
"""Of each search: what is asked again and again has to be the same each time, so it is no time."""
UNKNOWN: Final = (
    "What was not done nobody saw: how things went without the advice was read, what the advice "
    "changes the model alone tells."
)


@dataclass(frozen=True, slots=True)
class AdvisedAt:
    """One instant at which the twin was asked."""

    at: Instant
    advice: Advice
    values: dict[str, float | int | str]
    """What stands from then on, in declared units: of a new plan, or of the one that is kept."""
    reasons: tuple[str, ...]
    origin: str
    """Hash of the state as it was known then."""
    promised: Gain | None = None
    """Over doing nothing; None where nothing stands, or the twin was not to be relied on."""
    delivered: Gain | None = None
    """What it would have brought over what was really done; None where nothing can be said."""
    readings: int = 0
    """Averages of readings that tell how it went without."""
    fits: bool = True
    """Whether what was read can be had from the model at all."""
    inside: bool | None = None
    """Whether it is what was promised; None where that means nothing."""
    notes: tuple[str, ...] = ()
    """Why it is not held against the promise, and what else should be known."""


@dataclass(frozen=True, slots=True)
class AdviceRecord:
    """What was sought at each instant, and what came of it."""

    over: dict[str, str]
    """What might be chosen, by control or constant."""
    minimise: tuple[str, ...]
    maximise: tuple[str, ...]
    subject_to: tuple[str, ...]
    look_every: Span
    """Between two instants that plans are judged by."""
    budget: str
    """Of each search."""
    seed: int
    unmodelled: tuple[str, ...] = ()
    issued: tuple[AdvisedAt, ...] = ()
    """The earliest first."""

    def count(self, advice: Advice) -> int:
        """How often that was advised."""
        return sum(each.advice is advice for each in self.issued)

    @property
    def promised(self) -> Gain | None:
        """The sum of what was promised, of those whose delivered gain is known, too."""
        return _sum(each.promised for each in self._counted)

    @property
    def delivered(self) -> Gain | None:
        """The sum of what these would have brought; None where nothing can be said.

        The ends are sums of ends, as if each were wrong in the same way: one model errs in all.
        """
        return _sum(each.delivered for each in self._counted)

    @property
    def _counted(self) -> Sequence[AdvisedAt]:
        """Those of which both are known."""
        return [e for e in self.issued if e.promised is not None and e.delivered is not None]

    @property
    def judged(self) -> int:
        """Promises that what would have been delivered can be held against."""
        return sum(each.inside is not None for each in self.issued)

    @property
    def inside(self) -> int:
        """Of those, how many were kept."""
        return sum(each.inside is True for each in self.issued)

    def told(self, within: Span, every: Span) -> Sequence[str]:
        """What came of it, for people; one sentence each."""
        return list(self._told(within, every))

    def _told(self, within: Span, every: Span) -> Iterator[str]:
        advised, kept = self.count(Advice.CHANGE), self.count(Advice.KEEP)
        count, stands = len(self.issued), sum(bool(e.values) for e in self.issued)
        yield (
            f"Asked {count} times: {advised} times a plan was advised, {kept} times to keep the "
            f"present one, {count - advised - kept} times none."
        )
        promised, delivered = self.promised, self.delivered
        if promised is None or delivered is None:
            if stands:
                yield "What it would have brought cannot be told of any of them."
            return
        yield f"Of {len(self._counted)} of {stands} plans together: promised {promised}."
        yield f"By what was really read it would have brought {delivered}."
        if self.judged:
            least, most = accepted(self.judged, promised.share)
            yield (
                f"{self.inside} of {self.judged} lie within what was promised with "
                f"{promised.share:.0%}; {least} to {most} are to be expected."
            )
        if every < within:
            yield "Their horizons overlap: the sums count the same time more than once."
        yield UNKNOWN


def _sum(gains: Iterable[Gain | None]) -> Gain | None:
    some = [gain for gain in gains if gain is not None]
    if not some:
        return None
    first = some[0]
    return Gain(
        first.of,
        first.unit,
        math.fsum(each.mean for each in some),
        math.fsum(each.low for each in some),
        math.fsum(each.high for each in some),
        first.share,
    )
