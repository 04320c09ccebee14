"""What runs in an engine's own process: the side of an adapter that touches foreign code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gemeos.engines.spec import Spec, Value, Values
from gemeos.units.instant import Span


class Inside(Protocol):
    """One simulation in a process that is its own.

    The process is begun anew for every simulation, so ``begin`` or ``restore`` is called once at
    most, and all that is asked was checked against the spec before. Whatever is raised here
    becomes ``Failed`` with its text; a process that dies or hangs is seen from outside.
    Constructing may be slow and import what is heavy: it is done once, and forked from then on.
    """

    def describe(self) -> Spec:
        """What there is. Called in a process that begins no simulation afterwards."""
        ...

    def begin(self, params: Values, seed: int) -> None:
        """Begin at the model's own beginning of time."""
        ...

    def set(self, values: Values) -> None:
        """Hold ``values``."""
        ...

    def advance(self, elapsed: Span) -> None:
        """Run until so long after the beginning: a whole number of steps, never backwards."""
        ...

    def get(self, names: Sequence[str]) -> list[Value]:
        """In the order of ``names``."""
        ...

    def nudge(self, values: Values) -> None:
        """Write states. Called only for what the spec says can be nudged."""
        ...

    def snapshot(self) -> bytes:
        """All that ``restore`` needs. Called only if the spec says that there is such a thing."""
        ...

    def restore(self, kept: bytes, elapsed: Span) -> None:
        """Stand where ``snapshot`` was called, ``elapsed`` after the beginning."""
        ...

    def end(self) -> None:
        """Let go of what the process's end would not."""
        ...
