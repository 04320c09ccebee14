"""Simulations of an engine as values: a paused process, or what it takes to have it again.

A simulation that stands at an instant never moves. To go on is to fork it, set what drives it, run
the fork, and hold that. Where it came from is its lineage: how it began, then what was set before
each stretch. Equal lineages are equal simulations, and the hash of one is its name.

Processes are few. A value whose process was let go of is run again from the nearest one before it
that has a process, or was written down: every ``ANCHOR_EVERY`` stretches a snapshot is taken where
the engine has good ones. Where they are approximate, the simulation goes on from what they give
back, so that the same is gone on from whenever it is opened. Where there are none, it is run again
from its beginning, which is exact for an engine that is deterministic; another one is refused.

When nobody refers to a value any more, its process ends.
"""

from __future__ import annotations

import hashlib
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias, final

import msgspec

from gemeos.engines.base import SupportsFork
from gemeos.engines.spec import Values
from gemeos.units.instant import Instant

ANCHOR_EVERY: Final = 16
"""Stretches between two snapshots of one simulation: what has to be run again at most."""

Outputs: TypeAlias = tuple[float, ...]
"""Of the variables that are asked for; of a counter how much it grew in the stretch."""


class Origin(msgspec.Struct, frozen=True):
    """How a simulation began."""

    params: Values
    seed: int
    t0: Instant


class Stretch(msgspec.Struct, frozen=True, array_like=True):
    """What was set, and until when it was then run."""

    values: Values
    until: Instant


class Packed(msgspec.Struct, array_like=True):
    """A simulation in bytes: what it begins from, and its way from there."""

    engine: str
    base: str
    """Identity of what it begins from."""
    at: Instant
    depth: int
    origin: Origin | None
    kept: bytes | None
    stretches: list[Stretch]
    outputs: Outputs


@final
class Simulation:
    """Implements ``ensemble.simulation.Simulation``. Only its ``Keeper`` makes and opens it."""

    __slots__ = (
        "__weakref__",
        "_end",
        "at",
        "before",
        "depth",
        "engine",
        "identity",
        "kept",
        "lock",
        "origin",
        "outputs",
        "stretch",
        "tag",
    )

    def __init__(  # noqa: PLR0913 - it is all of these
        self,
        identity: str,
        at: Instant,
        depth: int,
        tag: str,
        *,
        outputs: Outputs = (),
        origin: Origin | None = None,
        kept: bytes | None = None,
        before: Simulation | None = None,
        stretch: Stretch | None = None,
    ) -> None:
        self.identity = identity
        self.at = at
        self.depth = depth
        """Stretches since it began."""
        self.tag = tag
        """Of the engine that can go on from it."""
        self.outputs = outputs
        self.origin = origin
        self.kept = kept
        """A snapshot; then nothing before it is needed."""
        self.before = before
        self.stretch = stretch
        """What led here from ``before``."""
        self.engine: SupportsFork | None = None
        self.lock = threading.RLock()
        self._end: Callable[[], object] | None = None

    def hold(self, engine: SupportsFork) -> None:
        """Keep the process that stands here. It is closed with this value at the latest."""
        self.engine = engine
        self._end = weakref.finalize(self, engine.close)

    def let_go(self) -> None:
        """End the process; what it takes to have it again stays."""
        self.engine = None
        if self._end is not None:
            self._end()
            self._end = None

    def way(self) -> tuple[Simulation, list[Stretch]]:
        """The nearest one before it that says how it can be had, and what led from there."""
        here, way = self, list[Stretch]()
        while here.kept is None and here.before is not None and here.stretch is not None:
            way.append(here.stretch)
            here = here.before
        return here, way[::-1]

    def packed(self) -> bytes:
        """As the port says. No process is needed for it."""
        base, way = self.way()
        told = Packed(
            self.tag, base.identity, base.at, base.depth, base.origin, base.kept, way, self.outputs
        )
        return msgspec.msgpack.encode(told)


def names_along(base: str, way: Sequence[Stretch]) -> list[str]:
    """The identities along a way."""
    names = []
    for stretch in way:
        told = msgspec.msgpack.encode((base, stretch.until, sorted(stretch.values.items())))
        base = hashlib.sha256(told).hexdigest()
        names.append(base)
    return names
