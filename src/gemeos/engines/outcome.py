"""How a call to an engine can end: an engine that fails is a value, not an exception."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from gemeos.units.instant import SECOND, Span

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Told(Generic[T_co]):
    """The call did what was asked."""

    value: T_co
    said: str = ""
    """The end of what the engine printed meanwhile. It never mixes with ``value``."""


@dataclass(frozen=True, slots=True)
class Crashed:
    """The engine's process is gone."""

    exit_code: int | None
    """As the system tells it: the negative number of the signal that ended it. None where it is
    not told, as of a fork, whose parent is not this process."""
    said: str = ""
    """Its last words."""

    def __str__(self) -> str:
        code = "an exit code that is not known" if self.exit_code is None else self.exit_code
        return f"crashed with {code}{_words(self.said)}"


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The call took longer than it may, and the engine's process was killed."""

    limit: Span
    said: str = ""

    def __str__(self) -> str:
        return f"gave no answer within {self.limit / SECOND:g} s{_words(self.said)}"


@dataclass(frozen=True, slots=True)
class NotFinite:
    """Numbers that were asked for are NaN or infinite: the simulation could not go on."""

    names: tuple[str, ...]
    """Of those that were asked for."""
    said: str = ""

    def __str__(self) -> str:
        return f"has no finite number for {', '.join(self.names)}{_words(self.said)}"


@dataclass(frozen=True, slots=True)
class Failed:
    """The engine itself says that it cannot do it."""

    why: str
    said: str = ""

    def __str__(self) -> str:
        return f"failed: {self.why}{_words(self.said)}"


Ended: TypeAlias = Crashed | TimedOut | NotFinite | Failed
"""There is nothing more to be had from this simulation."""
Outcome: TypeAlias = Told[T] | Crashed | TimedOut | NotFinite | Failed


def _words(said: str) -> str:
    last = said.strip().rpartition("\n")[2]
    return f" (it said: {last})" if last else ""
