"""What held of the conditions that twins watch for, noted at each instant that they go by.

So it does not matter when readings arrive: of an instant that is gone through again, because one
came late or was corrected, what held is noted again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, final

import numpy as np
from jaxtyping import Bool, Float, Int64

from gemeos.ensemble.condition import Condition
from gemeos.ensemble.state import NEVER, TwinState
from gemeos.runtime.fleet import Fleet
from gemeos.units.instant import Instant

HAPPENED: Final = 0.5
"""The chance, from all that is known, from which on it was so."""


class Seen(NamedTuple):
    """Whether a condition held at an instant."""

    twin: str
    name: str
    """Of the alert."""
    since: Instant
    """What was noted from here on holds no more: the twin goes through it again."""
    at: Instant
    is_so: bool | None
    """None where the twin was not born yet."""


@final
class Witness:
    """Implements ``taken.Passing`` for the twins of one fleet. For one thread."""

    def __init__(self, fleet: Fleet, watched: Mapping[str, Mapping[str, Condition]]) -> None:
        """``watched``: by twin the conditions, by the name of the alert."""
        self._fleet = fleet
        self._watched = {
            fleet.place(twin): (twin, conditions) for twin, conditions in watched.items()
        }
        self._places = np.array(sorted(self._watched), np.int64)
        self._seen: list[Seen] = []

    def __call__(
        self,
        twins: Int64[np.ndarray, " some"],
        state: TwinState,
        until: Int64[np.ndarray, " some"],  # noqa: ARG002  # where they go to says nothing yet
        since: Int64[np.ndarray, " some"],
    ) -> None:
        """Note what holds before the twins go on to ``until``."""
        ours = np.flatnonzero(np.isin(twins, self._places))
        if len(ours) == 0:
            return
        step = self._fleet.schema.step
        born = ours[state.born[ours] != NEVER]
        for i in np.setdiff1d(ours, born).tolist():
            twin, conditions = self._watched[int(twins[i])]
            begin = int(since[i]) * step
            self._seen += [Seen(twin, name, begin, begin - 1, None) for name in conditions]
        if len(born) == 0:
            return
        stepper = self._fleet.cycle.stepper
        told = stepper.told(state.take(born), self._fleet.crew.take(twins[born]))
        for row, i in enumerate(born.tolist()):
            twin, conditions = self._watched[int(twins[i])]
            begin, at = int(since[i]) * step, int(state.tick[i]) * step
            for name, condition in conditions.items():
                is_so = happens(self._fleet, condition, told[row : row + 1])
                self._seen.append(Seen(twin, name, begin, at, is_so))

    def taken(self) -> list[Seen]:
        """What was noted since this was asked last, in the order in which it was gone by."""
        seen, self._seen = self._seen, []
        return seen


def happens(
    fleet: Fleet, condition: Condition, told: Float[np.ndarray, "one variable member"]
) -> bool:
    """Whether it is more likely so than not.

    Args:
        fleet: Of the twin.
        condition: Checked against its schema.
        told: What ``Stepper.told`` answers of the twin alone.
    """
    names = fleet.cycle.stepper.told_names
    holds: Bool[np.ndarray, "one member"] = condition.holds(
        {n: (told[:, names.index(n)], fleet.schema.variable(n).unit) for n in condition.names}
    )
    return bool(holds.mean() >= HAPPENED)
