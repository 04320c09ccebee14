"""The future: a fork of the ensemble with no interventions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64

from gemeos.ensemble.state import TwinState
from gemeos.errors import AssimilationError
from gemeos.foresee.drive import InputMemory
from gemeos.foresee.fork import Forks, played
from gemeos.foresee.intervene import NOTHING
from gemeos.simulate.base import Crew, Steps


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """Where the members of one twin go."""

    ticks: Int64[np.ndarray, " time"]
    values: Float[np.ndarray, "time variable member"]
    """Rows as in ``Steps.told_names``."""


def forecast(
    stepper: Steps,
    state: TwinState,
    crew: Crew,
    *,
    until: int,
    every: int,
    inputs: InputMemory | None = None,
) -> Path:
    """Move one twin's members on without readings.

    Args:
        stepper: The model.
        state: A batch of one, born.
        crew: Its constants.
        until: Last tick of interest, behind the state's own.
        every: Steps between two instants of the answer.
        inputs: Says where inputs go; without it all that drives is held as last heard.

    Raises:
        InputError: nothing lies ahead, or more instants than one answer holds.
        AssimilationError: too many members failed on the way.
    """
    alone = Forks(state, crew, [NOTHING])
    gone = played(stepper, alone, until=until, every=every, inputs=inputs)
    if gone.failures[0] is not None:
        raise AssimilationError(gone.failures[0])
    return Path(gone.ticks, gone.values[0])
