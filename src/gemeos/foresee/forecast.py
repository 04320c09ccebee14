"""The future: a fork of the ensemble with no interventions.

While no reading comes, a fork equals its origin bit for bit: it draws the same noise, because
noise is keyed by what it is for (contract 3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64

from gemeos.ensemble.state import TwinState
from gemeos.errors import InputError
from gemeos.foresee.drive import InputMemory
from gemeos.simulate.advance import Crew, Stepper

MOST_INSTANTS = 20_000
"""Of one answer; beyond it a coarser ``every`` is wanted."""


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """Where the members of one twin go."""

    ticks: Int64[np.ndarray, " time"]
    values: Float[np.ndarray, "time variable member"]
    """Rows as in ``Stepper.told_names``."""


def forecast(
    stepper: Stepper,
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
    """
    start = int(state.tick[0])
    if every < 1 or until < start + every:
        raise InputError(
            f"A forecast needs at least one instant ahead: {until - start} steps were asked for, "
            f"every {every}."
        )
    ticks = np.arange(start + every, until + 1, every, dtype=np.int64)
    if len(ticks) > MOST_INSTANTS:
        raise InputError(
            f"{len(ticks)} instants were asked for; one answer holds {MOST_INSTANTS}. "
            "Ask for a coarser 'every'."
        )
    values = []
    drive = None if inputs is None else inputs.drive(state, crew, until - start)
    for tick in ticks:
        at = np.array([tick])
        if drive is None:
            state = stepper.advance(state, crew, at)
        else:
            state = drive.advance(stepper, state, crew, at)
        values.append(stepper.told(state, crew)[0])
    return Path(ticks, np.stack(values))
