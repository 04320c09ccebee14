"""Many simulations of one engine, a few at a time: the members of an ensemble that is fitted.

Each member is a simulation of its own that stands where a window begins. To predict, it is forked
and the fork run over the window; to advance, it is run itself. So a prediction leaves no trace.
The threads here only wait for the engines' processes.

A member that crashes, hangs, takes too long or tells no finite number is a failed one, a value.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Self, TypeAlias, TypeVar, final

import numpy as np
from jaxtyping import Float64, Int64

from gemeos.engines.base import SupportsFork
from gemeos.engines.outcome import Told
from gemeos.engines.spec import Fork, Value
from gemeos.ensemble.noise import stream_key
from gemeos.errors import EngineError, InputError, StoppedError, TooFewMembersError
from gemeos.simulate.outcome import LEAST_LIVING
from gemeos.units.instant import SECOND, Instant, Span

USUAL_WORKERS: Final = 2
USUAL_LIMIT: Final[Span] = 60 * SECOND
"""For one member over one window."""
MOST_MEMBERS: Final = 256
"""Each is a process that waits."""
_SEEDS: Final = 0x7FFF_FFFF
"""Engines take seeds of 31 bits."""

Samples: TypeAlias = Float64[np.ndarray, "sample name"]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Lost:
    """A member that failed."""

    why: str


@dataclass(frozen=True, slots=True)
class Window:
    """What is asked of each member within a window."""

    names: tuple[str, ...]
    """Variables of the engine that are numbers."""
    every: Span
    """They are asked so often, the first time so long after the window begins."""
    samples: int
    """How many times: the window is ``samples`` times ``every`` long."""
    slides: int | None = None
    """How many samples further the next window begins; None for the whole window."""
    told: Callable[[Samples], Float64[np.ndarray, " reading"]] = np.ravel
    """What would have been read, of the samples: such as the differences of a counter."""

    def __post_init__(self) -> None:
        if not self.names or self.every <= 0 or self.samples < 1:
            raise InputError("A window has names, samples, and time between them.")
        if not 1 <= self.stride <= self.samples:
            raise InputError(f"A window of {self.samples} samples cannot slide {self.slides}.")

    @property
    def stride(self) -> int:
        """In samples."""
        return self.samples if self.slides is None else self.slides


def seeds(seed: int, twin: str, members: int) -> list[int]:
    """One for each member: the same in every run, and whatever the number of members."""
    return [stream_key(f"engine {seed} {twin}", str(i)) & _SEEDS for i in range(members)]


@final
class EnginePool:
    """Implements ``assimilate.sliding.Runs``. For one thread at a time, but for ``cancel``."""

    def __init__(
        self,
        members: Sequence[SupportsFork],
        window: Window,
        inputs: Callable[[Float64[np.ndarray, " param"]], Mapping[str, Value]],
        *,
        name: str,
        workers: int = USUAL_WORKERS,
        limit: Span = USUAL_LIMIT,
    ) -> None:
        """Take over simulations that stand at one instant; they are closed with the pool.

        Args:
            members: Of one model, begun, each with a seed of its own if the engine draws.
            window: What is asked of them.
            inputs: The inputs and tunable params that natural values of the parameters stand for.
            name: Of the twin, for errors.
            workers: How many run at once.
            limit: The longest that a member may take over a window, beyond the call under way.
                An engine's own limit bounds that.

        Raises:
            InputError: they cannot be forked, stand apart, or there are too many.
        """
        if not 2 <= len(members) <= MOST_MEMBERS:
            raise InputError(f"A pool has 2 to {MOST_MEMBERS} members, not {len(members)}.")
        if workers < 1 or limit <= 0:
            raise InputError("A pool has one worker or more, and time for each member.")
        spec = members[0].spec
        if spec.capabilities.fork is Fork.NONE:
            raise InputError(f"{spec.name} cannot be forked, so it cannot be run again.")
        if len({member.now for member in members}) != 1:
            raise InputError("The members of a pool stand at one instant.")
        spec.check_known(window.names)
        self._members = list(members)
        self._window = window
        self._inputs = inputs
        self._name = name
        self._workers = workers
        self._limit = limit
        self._failures: tuple[str | None, ...] = (None,) * len(members)
        self._rolled: Float64[np.ndarray, "reading member"] | None = None
        self._cancelled = threading.Event()
        self._open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._members)

    @property
    def now(self) -> Instant:
        """Where the window begins."""
        return self._members[0].now

    @property
    def members(self) -> Sequence[SupportsFork]:
        """The simulations as they stand, to be read or forked: not to be moved."""
        return tuple(self._members)

    @property
    def failures(self) -> tuple[str | None, ...]:
        """Of the last ``predict`` or ``advance``: why each member failed, None if it did not."""
        return self._failures

    @property
    def rolled(self) -> Float64[np.ndarray, "reading member"] | None:
        """What each member read while the last ``advance`` rolled it on.

        NaN for those that failed; None before the first one. It is what ``Window.told`` makes of
        the stride's samples, fewer than the window's where windows overlap.
        """
        return self._rolled

    def predict(
        self, values: Float64[np.ndarray, "param member"], draw: int = 0
    ) -> Float64[np.ndarray, "reading member"]:
        """What each member would have read over the window; NaN for those that failed.

        Args:
            values: Natural values of the parameters.
            draw: Which chances they meet. A fork draws what its origin will draw, so with another
                number the members change origins: each runs from where the one ``draw`` places
                further stands, with that one's chances and that one's state.

        Raises:
            TooFewMembersError: none was left.
            StoppedError: closed or cancelled.
            InputError: values that the engine does not take.
        """
        self._check(values)
        told = self._each(
            lambda i: self._predicted(self._members[(i + draw) % len(self)], values[:, i])
        )
        if all(isinstance(t, Lost) for t in told):
            raise self._too_few(len(self))
        return _columns(told)

    def advance(self, values: Float64[np.ndarray, "param member"]) -> Int64[np.ndarray, " member"]:
        """Roll each member on to where the next window begins, as ``sliding.Runs`` says.

        After an error the members no longer stand at one instant: close the pool.
        """
        self._check(values)
        rolled = self._each(
            lambda i: self._run(self._members[i], values[:, i], self._window.stride)
        )
        living = [i for i, r in enumerate(rolled) if not isinstance(r, Lost)]
        if len(living) < max(LEAST_LIVING * len(self), 2):
            raise self._too_few(len(self) - len(living))
        told = self._window.told
        self._rolled = _columns(
            [r if isinstance(r, Lost) else np.asarray(told(r), np.float64) for r in rolled]
        )
        origin = np.arange(len(self))
        for place, outcome in enumerate(rolled):
            if isinstance(outcome, Lost):
                origin[place] = self._replaced(place, living)
        return origin

    def cancel(self) -> None:
        """From any thread: stop soon, and for good. What is under way raises ``StoppedError``."""
        self._cancelled.set()

    def close(self) -> None:
        """Close every simulation. Twice does nothing."""
        self._open = False
        for member in self._members:
            member.close()

    def _predicted(
        self, origin: SupportsFork, values: Float64[np.ndarray, " param"]
    ) -> Float64[np.ndarray, " reading"] | Lost:
        forked = origin.fork()
        if not isinstance(forked, Told):
            return Lost(str(forked))
        try:
            samples = self._run(forked.value, values, self._window.samples)
        finally:
            forked.value.close()
        if isinstance(samples, Lost):
            return samples
        told = np.asarray(self._window.told(samples), np.float64)
        return told if np.isfinite(told).all() else Lost("has no finite reading")

    def _run(
        self, engine: SupportsFork, values: Float64[np.ndarray, " param"], count: int
    ) -> Samples | Lost:
        """So many samples, with these values held."""
        deadline = time.monotonic() + self._limit / SECOND
        held = engine.set(self._inputs(values))
        if not isinstance(held, Told):
            return Lost(str(held))
        window, start = self._window, engine.now
        samples = np.empty((count, len(window.names)))
        for sample in range(count):
            if self._cancelled.is_set():
                return Lost("was cancelled")
            if time.monotonic() > deadline:
                return Lost(f"was not done within {self._limit / SECOND:g} s")
            moved = engine.advance(start + (sample + 1) * window.every)
            if not isinstance(moved, Told):
                return Lost(str(moved))
            read = engine.get(window.names)
            if not isinstance(read, Told):
                return Lost(str(read))
            samples[sample] = [float(read.value[name]) for name in window.names]
        return samples

    def _replaced(self, lost: int, living: Sequence[int]) -> int:
        """Double a living member into the place of a lost one: the nearest above, around the end.

        Raises:
            TooFewMembersError: none can be doubled any more.
        """
        self._members[lost].close()
        after = [i for i in living if i > lost] + [i for i in living if i < lost]
        for source in after:
            forked = self._members[source].fork()
            if isinstance(forked, Told):
                self._members[lost] = forked.value
                return source
        raise self._too_few(len(self))

    def _each(self, call: Callable[[int], _T | Lost]) -> list[_T | Lost]:
        """``call`` of every member's place, a few at once; the order of answers is the members'."""
        pool = ThreadPoolExecutor(self._workers, "gemeos-members")
        try:
            answers = list(pool.map(call, range(len(self))))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        self._check_running()
        self._failures = tuple(a.why if isinstance(a, Lost) else None for a in answers)
        return answers

    def _check(self, values: Float64[np.ndarray, "param member"]) -> None:
        self._check_running()
        if values.shape[1] != len(self):
            raise InputError(f"Values of {len(self)} members are needed, not {values.shape[1]}.")

    def _check_running(self) -> None:
        if not self._open:
            raise StoppedError(f"The pool of {self._name} is closed.")
        if self._cancelled.is_set():
            raise StoppedError(f"The pool of {self._name} was cancelled.")

    def _too_few(self, failed: int) -> TooFewMembersError:
        why = next((f for f in self._failures if f is not None), "not known")
        return TooFewMembersError(self._name, failed, len(self), why)


def _columns(
    told: Sequence[Float64[np.ndarray, " reading"] | Lost],
) -> Float64[np.ndarray, "reading member"]:
    """A column for each member, at least one of which is not lost."""
    lost = np.full(len(next(t for t in told if not isinstance(t, Lost))), np.nan)
    return np.stack([lost if isinstance(t, Lost) else t for t in told], axis=1)


def begun(
    opened: Callable[[], SupportsFork],
    params: Mapping[str, Value],
    own_seeds: Sequence[int],
    t0: Instant,
) -> list[SupportsFork]:
    """A simulation for each seed, begun at ``t0``: what a pool takes over.

    Args:
        opened: One more engine of the model, not begun.
        params: As ``Engine.reset``; of all members.
        own_seeds: As ``seeds`` gives them.
        t0: Where they begin.

    Raises:
        EngineError: one could not begin; all are closed.
    """
    members: list[SupportsFork] = []
    for seed in own_seeds:
        engine = opened()
        members.append(engine)
        outcome = engine.reset(params, seed, t0)
        if not isinstance(outcome, Told):
            for member in members:
                member.close()
            raise EngineError(engine.spec.name, f"a member could not begin, it {outcome}")
    return members
