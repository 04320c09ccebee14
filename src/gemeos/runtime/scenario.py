"""What is kept of a scenario: enough to make it again, bit for bit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from gemeos.units.instant import Instant, Span

KIND: Final = "scenario"


class Progress(Enum):
    """How far a scenario is."""

    WAITING = "waiting"
    """Others are run first."""
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    """Somebody ended it; what had been run by then counts."""
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """The site stopped meanwhile. Asked for again, it is run again."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of it by itself."""
        return self not in {Progress.WAITING, Progress.RUNNING}


@dataclass(frozen=True, slots=True)
class ScenarioRecord:
    """A named fork: from what, what is changed in it, how far, and how far it is."""

    twin: str
    name: str
    changes: dict[str, str]
    """By variable or part, in the words of ``gemeos.schema.intervention``."""
    forked_at: Instant
    """The grid instant of the state that it begins from."""
    known_at: Instant
    """What was known then is in that state."""
    until: Span
    """How far it goes."""
    every: Span
    members: int
    """How many were asked for."""
    budget: Span | None
    """The time it may take; fewer members are run where it does not suffice for all."""
    model: str
    """Identity of the model that makes it."""
    origin: str
    """Hash of the state; scenarios of one origin are paired."""
    actor: str
    """Who asked for it."""
    created: Instant
    """Site time."""
    progress: Progress = Progress.WAITING
    ran: int = 0
    """Members that were run."""
    failed: int = 0
    """Of those, members that failed and are left out."""
    slow: tuple[int, ...] = ()
    """Numbers of members that were too slow to be waited for: ended, and left out. Made again, the
    same are left out, however fast they would be then."""
    slow_beside: tuple[int, ...] | None = None
    """Of others, that were too slow where nothing is changed; None before it was compared."""
    took: Span = 0
    """The machine's time that it took."""
    digest: str = ""
    """Hash of the answer: made again, it must be the same."""
    reason: str = ""
    """Why it failed."""

    @property
    def missing(self) -> str:
        """How many of those that were run are not in the answer, and why; empty for none."""
        pairs = ((self.failed, "failed"), (len(self.slow), "too slow"))
        return ", ".join(f"{count} {why}" for count, why in pairs if count)

    @property
    def changed(self) -> str:
        """The changes in a line."""
        told = ", ".join(f"{name} = {text}" for name, text in self.changes.items())
        return told or "nothing is changed"
