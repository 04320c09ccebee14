"""What a fleet tells of readings that it took in, and of states that it went by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Int64

from gemeos.ensemble.state import TwinState
from gemeos.units.instant import Instant


@dataclass(frozen=True, slots=True)
class Taken:
    """What a fleet did with a batch of readings."""

    changed: Mapping[str, Instant]
    """Twins whose state is another than before, with the earliest ``valid_at`` of a change."""
    rewound: tuple[str, ...]
    """Those of them that had to go back in time."""
    too_late: tuple[tuple[str, Instant], ...]
    """(twin, ``valid_at``) of readings from before the horizon: stored, not assimilated."""
    duplicates: int
    """Readings that were there already, or below the revision that is."""


class Passing(Protocol):
    """Looks at twins before each instant that they go through."""

    def __call__(
        self,
        twins: Int64[np.ndarray, " some"],
        state: TwinState,
        until: Int64[np.ndarray, " some"],
        since: Int64[np.ndarray, " some"],
    ) -> None:
        """Called with what they are before they go on.

        Args:
            twins: Places of twins.
            state: They, after all readings before ``until``.
            until: The instants that they go on to.
            since: The earliest instants at which anything about them changed.
        """
        ...


@dataclass(frozen=True, slots=True)
class Settled:
    """A state that is final: what a keyframe stores."""

    twin: str
    state: TwinState


@dataclass(frozen=True, slots=True)
class Looking:
    """One who looks on, and since when each twin of the batch is another."""

    passing: Passing
    since: Mapping[int, int]

    def at(
        self,
        twins: Int64[np.ndarray, " some"],
        state: TwinState,
        until: Int64[np.ndarray, " some"],
    ) -> None:
        """The twins, before they go on."""
        since = np.array([self.since[t] for t in twins.tolist()], np.int64)
        self.passing(twins, state, until, since)


@dataclass(frozen=True, slots=True)
class Together:
    """Several who look on. Implements ``Passing``."""

    each: Sequence[Passing]

    def __call__(
        self,
        twins: Int64[np.ndarray, " some"],
        state: TwinState,
        until: Int64[np.ndarray, " some"],
        since: Int64[np.ndarray, " some"],
    ) -> None:
        """One after the other."""
        for passing in self.each:
            passing(twins, state, until, since)
