"""A simulation as a value: it stands at an instant and never moves.

Who wants to know how it goes on doubles it and runs the double, which is another value. So states
may share simulations, be kept, and be gone back to, as if these were numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from gemeos.units.instant import Instant


class Simulation(Protocol):
    """One that somebody else wrote, paused for good."""

    @property
    def identity(self) -> str:
        """Hash of all that made it what it is: how it began, what was set and when."""
        ...

    @property
    def at(self) -> Instant:
        """Where it stands."""
        ...

    def packed(self) -> bytes:
        """All that is needed to have it again."""
        ...


@dataclass(eq=False)
class Stored:
    """One that was put down in bytes. Implements ``Simulation``."""

    identity: str
    at: Instant
    kept: bytes
    opened: Simulation | None = field(default=None, repr=False)
    """The same in the hands of an engine, once somebody has asked for it."""

    def packed(self) -> bytes:
        """As it was stored."""
        return self.kept


def identity_of(simulation: Simulation | None) -> str:
    """Empty of what was not begun."""
    return "" if simulation is None else simulation.identity
