"""What runs in an engine's own process: the side of an adapter that touches foreign code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

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

    def snapshot(self) -> bytes:
        """All that ``restore`` needs. Called only if the spec says that there is such a thing."""
        ...

    def restore(self, kept: bytes, elapsed: Span) -> None:
        """Stand where ``snapshot`` was called, ``elapsed`` after the beginning."""
        ...

    def end(self) -> None:
        """Let go of what the process's end would not."""
        ...


@runtime_checkable
class NudgeInside(Inside, Protocol):
    """One whose states can be written, in part."""

    def nudge(self, values: Values) -> None:
        """Write states. Called only for what the spec says can be nudged."""
        ...


@runtime_checkable
class PlaceInside(Inside, Protocol):
    """One that can be put anywhere: what it goes on from can be written, all of it.

    Its spec says so: nothing is ``hidden``. Its process is not begun anew for every simulation.
    """

    def place(
        self,
        params: Mapping[str, float],
        held: Mapping[str, float],
        states: Mapping[str, float],
    ) -> None:
        """Stand at the model's own beginning of time, and remember nothing else.

        Called as often as one likes, also after something was raised. Numbers whatever the kind:
        a boolean is 0 or 1.
        """
        ...
