"""What is kept of a hindcast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gemeos.runtime.advice import AdviceRecord
from gemeos.runtime.scenario import Progress
from gemeos.units import span_told
from gemeos.units.instant import Instant, Span

KIND: Final = "hindcast"


@dataclass(frozen=True, slots=True)
class HindcastRecord:
    """What would have been warned of, or advised, in a stretch of the past, and what came of it."""

    twin: str
    name: str
    condition: str
    """Empty where it was asked for advice."""
    within: Span
    """How far each warning reaches, and how far ahead plans are judged."""
    likely: float
    """The chance from which on it is warned."""
    every: Span
    """Between two instants at which it is asked."""
    since: Instant
    until: Instant
    model: str
    actor: str
    created: Instant
    progress: Progress = Progress.WAITING
    issues: int = 0
    hits: int = 0
    misses: int = 0
    false_alarms: int = 0
    leads: tuple[Span, ...] = ()
    """Of each hit, from the first warning of it to its beginning."""
    brier: float | None = None
    brier_skill: float | None = None
    """Share of the Brier score saved against always telling how often it happens."""
    occurrences: tuple[tuple[Instant, Instant], ...] = ()
    warnings: tuple[tuple[Instant, Instant], ...] = ()
    reason: str = ""
    """Why it failed."""
    advice: AdviceRecord | None = None
    """What it would have advised; None where it was asked what it would have warned of."""

    @property
    def told(self) -> str:
        """What came of it, for people."""
        if self.progress is not Progress.DONE:
            why = f": {self.reason}" if self.reason else ""
            return f"{self.name} is {self.progress.value}{why}."
        if self.advice is not None:
            return "\n".join(self.advice.told(self.within, self.every))
        count = self.hits + self.misses
        counts = (
            f"{self.condition}: it came to that {count} times; {self.hits} were warned of, "
            f"{self.misses} missed, {self.false_alarms} false alarms at {self.issues} issues."
        )
        lines = [counts]
        if self.leads:
            half = sorted(self.leads)[len(self.leads) // 2]
            lines.append(
                f"Warned {span_told(min(self.leads))} to {span_told(max(self.leads))} before, "
                f"half of the times {span_told(half)} or more."
            )
        if self.brier_skill is not None:
            lines.append(
                f"Brier skill of the chances {self.brier_skill:+.2f} against how often it happens."
            )
        elif count == 0:
            lines.append("It never came to that: nothing can be said of how it would be warned of.")
        return "\n".join(lines)
