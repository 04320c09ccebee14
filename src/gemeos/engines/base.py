"""The port of other people's simulators.

Life of an engine:

1. It is opened by its adapter's own function, which is told where the model lies. Opening reads
   the ``spec``; what cannot be opened is an ``EngineError``.
2. ``reset`` begins a simulation at ``t0``. Only ``spec`` and ``close`` may come before.
3. ``set``, ``advance``, ``get`` and ``nudge`` in any order. What is set holds until it is set
   again. ``advance`` goes forward to an instant of the engine's grid, ``t0`` plus whole steps.
4. ``snapshot`` and ``fork`` at any time between. A fork is an engine of its own from then on.
5. ``reset`` or ``restore`` begin anew, also after a failure.
6. ``close`` ends it. Closing twice does nothing.

Who calls: one thread at a time for one engine. Forks may be used by other threads. Every call
blocks until it is done, at most for the engine's time limit: never call it on an event loop.

What is a value: a crash, a hang, a number that is not finite, the engine's own refusal. The call
answers with one of ``outcome``'s, and so do all later calls, until ``reset`` or ``restore``. What
the engine prints is in ``said``.

What is raised: a mistake of the caller, before the engine hears of it, and nothing has changed.
``UnknownNameError`` with the nearest guess, ``InputError`` for a value that the variable cannot
have, ``TimeError`` for a time before now or beside the grid, ``StoppedError`` before ``reset``
and after ``close``.

What is not promised: that two machines give equal numbers; that a snapshot of one version is read
by another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, Self, runtime_checkable

from gemeos.engines.outcome import Outcome
from gemeos.engines.spec import Spec, Value, Values
from gemeos.units.instant import Instant


class Engine(Protocol):
    """A simulation that somebody else wrote. The module says what is promised."""

    @property
    def spec(self) -> Spec:
        """What can be set and read, and what the engine can do."""
        ...

    @property
    def now(self) -> Instant:
        """Where the simulation stands.

        Raises:
            StoppedError: it was not begun.
        """
        ...

    def reset(self, params: Mapping[str, Value], seed: int, t0: Instant) -> Outcome[None]:
        """Begin a new simulation.

        Args:
            params: What differs from the start values. What was set before is forgotten.
            seed: Of all that is drawn by chance. Equal seeds give equal chances.
            t0: What the model's own beginning of time stands for.
        """
        ...

    def set(self, values: Mapping[str, Value]) -> Outcome[None]:
        """Hold inputs and controls at ``values`` until they are set again."""
        ...

    def advance(self, t: Instant) -> Outcome[None]:
        """Run to ``t``; nothing happens if it stands there already."""
        ...

    def get(self, names: Iterable[str]) -> Outcome[Values]:
        """What these variables are now."""
        ...

    def close(self) -> None:
        """Let go of process and files."""
        ...


@runtime_checkable
class SupportsInterrupt(Protocol):
    """An engine whose calls need not be waited for."""

    def interrupt(self) -> None:
        """From any thread: end the call that is under way, or else the next one, as a crash."""
        ...


class SupportsSnapshot(Engine, Protocol):
    """An engine that can be written down; ``spec.capabilities.snapshot`` says how well."""

    def snapshot(self) -> Outcome[bytes]:
        """The whole simulation, with what is held, what it drew, and where it stands.

        Raises:
            InputError: ``spec.capabilities`` says that it cannot.
        """
        ...

    def restore(self, kept: bytes) -> Outcome[None]:
        """Go on from a snapshot, of this or of another engine opened in the same way.

        Raises:
            InputError: it is a snapshot of something else.
        """
        ...


class SupportsFork(Engine, Protocol):
    """An engine that can be doubled; ``spec.capabilities.fork`` says how."""

    def fork(self) -> Outcome[Self]:
        """A second engine that stands where this one does and runs on independently.

        Both draw the same random numbers from here on. The caller closes it. ``Failed`` may also
        mean that it cannot be doubled just now; the engine itself then goes on.

        Raises:
            InputError: ``spec.capabilities`` says that it cannot.
        """
        ...


class SupportsNudge(Engine, Protocol):
    """An engine whose state can be written, in part; ``spec.capabilities.nudge`` says which."""

    def nudge(self, values: Mapping[str, Value]) -> Outcome[None]:
        """Go on from these values of the named states; the others stay.

        Raises:
            UnknownNameError: a name that cannot be nudged.
        """
        ...
