"""What is kept of a search for a plan: what was asked, what was tried, what it comes to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from gemeos.foresee.search import Ending
from gemeos.foresee.verdict import Advice
from gemeos.runtime.scenario import Progress
from gemeos.schema.plan import Price, chance_told
from gemeos.units import span, span_told
from gemeos.units.instant import SECOND, Instant, Span

KIND: Final = "optimisation"
DEFAULT_BUDGET: Final = "20 s"
_LONG_NUMBER: Final = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
LATE: Final = 1.25
"""Times its budget, after which a search says that it took longer."""
MOST_TRIED: Final = 2000
"""Candidates that are kept, the first ones; ``tried`` counts all. Finalists are kept beside them,
with what the first members of the search make of them."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One candidate as the search saw it. The search flatters the best: see the gains."""

    values: dict[str, float | int | str]
    """In declared units."""
    runs: int
    value: float | None
    """Of the first objective; None where it cannot be judged."""
    excess: float
    """By how much it broke the constraints."""


@dataclass(frozen=True, slots=True)
class GainTold:
    """By how much the winner is better in one objective; below zero is worse."""

    objective: str
    unit: str
    winner: float | None
    nothing: float | None
    gain: float | None
    low: float | None
    high: float | None
    """Ends of the interval of the gain; None where nothing can be said."""
    members: int


@dataclass(frozen=True, slots=True)
class OptimisationRecord:
    """A search, and what it comes to."""

    twin: str
    name: str
    over: dict[str, str]
    """What may be chosen, by control or constant."""
    minimise: tuple[str, ...]
    maximise: tuple[str, ...]
    subject_to: tuple[str, ...]
    until: Span
    every: Span
    budget: str
    """As in ``20 s``, ``5000 runs`` or ``812 of 5000 runs``; see ``again``."""
    seed: int
    present: str
    """The plan in force, by the search that advised it or as it was applied; empty where none
    is."""
    forked_at: Instant
    known_at: Instant
    model: str
    origin: str
    actor: str
    created: Instant
    progress: Progress = Progress.WAITING
    runs: int = 0
    """The budget in runs: what the search was planned for. One is one candidate with a block of
    members."""
    ran: int = 0
    method: str = ""
    ending: str = ""
    tried: int = 0
    candidates: tuple[Tried, ...] = ()
    winner: dict[str, str] | None = None
    """The best that was found, as changes; None where nothing was."""
    advice: Advice | None = None
    """None while it is run."""
    reasons: tuple[str, ...] = ()
    gains: tuple[GainTold, ...] = ()
    """Of the winner over doing nothing, on members that the search never saw."""
    over_present: tuple[GainTold, ...] = ()
    fresh: int = 0
    """Members of the check."""
    first_fresh: int = 0
    """Number of the first of them: with it the check is made again."""
    finalists: tuple[dict[str, float | int | str], ...] = ()
    chances: tuple[float, ...] = ()
    """That each finalist is the best of them: that what it gives on average is."""
    loss: float | None = None
    """By how much the best of the finalists is better than the winner: expected, at least nought,
    in the unit of the objective. None for several objectives, and in older records."""
    rivals: int | None = None
    """Of the other finalists that are not shown to be worse than the winner; None as ``loss``."""
    latest: Instant | None = None
    """Put into force later than that it was not shown to gain; None where it gains at no time."""
    unmodelled: tuple[str, ...] = ()
    in_force: dict[str, float | int | str] = field(default_factory=dict)
    """What the present plan sets, in declared units; empty where none is in force."""
    cost: str = ""
    """What plans cost, as somebody declared it; written as an objective is."""
    price: Price | None = None
    """What the winner costs by that; None where it was not declared, or cannot be told."""
    took: Span = 0
    reason: str = field(default="")
    """Why it failed."""
    heard_until: Instant | None = None
    """``valid_at`` of the newest reading that the forked state had taken in; from there on to
    ``forked_at`` it is foreseen. Where a window is fitted at the end of each stride, readings of
    the stride that lasts are in it, and not fitted yet. None in older records."""

    @property
    def again(self) -> str:
        """The budget with which the same search is made again, to the last bit."""
        if self.ending == Ending.STOPPED.value:
            return f"{self.ran} of {self.runs} runs"
        return f"{self.runs} runs"

    @property
    def age(self) -> Span:
        """How old the forked state was when it was asked: most of a step, and what begins it."""
        return self.created - self.forked_at

    @property
    def heard_ago(self) -> Span | None:
        """How old its newest reading was when it was asked; None in older records."""
        return None if self.heard_until is None else self.created - self.heard_until

    @property
    def is_recommended(self) -> bool:
        """Whether its winner is to be taken."""
        return self.advice is Advice.CHANGE

    @property
    def loss_told(self) -> str:
        """What may be lost to another finalist, with its unit; empty where it is not told."""
        if self.loss is None or not self.gains:
            return ""
        unit = self.gains[0].unit
        return f"{self.loss:.2g}{f' {unit}' if unit else ''}"

    @property
    def told(self) -> str:
        """What it comes to, for people."""
        if self.advice is None:
            why = self.reason.removesuffix(".")
            return f"{self.name} is {self.progress.value}{f': {why}' if why else ''}."
        head = {
            Advice.CHANGE: "Recommended: " + self._winner(),
            Advice.KEEP: f"Keep the present plan, {self.present}.",
            Advice.NOTHING: "No recommendation: do nothing.",
        }[self.advice]
        return "\n".join(
            [
                head,
                *self.reasons,
                *self._beside(),
                *self._costs(),
                *self._late(),
                *(f"Not modelled: {u}" for u in self.unmodelled),
            ]
        )

    def _beside(self) -> Iterator[str]:
        """How sure the choice among the finalists is, and until when it is of use."""
        if not self.is_recommended:
            return
        if len(self.chances) > 1:
            yield chance_told(self.chances[0], len(self.chances), self.loss_told)
        if self.latest is not None:
            late = self.latest - self.forked_at
            until = f"within {span_told(late)}" if late else "at once"
            yield f"To be put into force {until}: later it may gain nothing."

    def _late(self) -> Iterator[str]:
        """Whether it took longer than it was given: something is tried and checked in any case."""
        if "run" not in self.budget and self.took > LATE * span(self.budget):
            took = f"{self.took / SECOND:.2g} s"
            yield f"It took {took}, longer than the {self.budget} that it was given."

    def _costs(self) -> Iterator[str]:
        """What the winner costs, where somebody declared it."""
        if self.cost and self.winner is not None:
            yield f"Cost: {self.price or f'{self.cost} could not be told'}."

    def _winner(self) -> str:
        told = ", ".join(f"{n} = {short(c)}" for n, c in (self.winner or {}).items())
        return f"{told}."


def short(change: str) -> str:
    """A change with six digits that matter, for people; to repeat it takes all of them."""
    return _LONG_NUMBER.sub(lambda found: f"{float(found[0]):.6g}", change)
