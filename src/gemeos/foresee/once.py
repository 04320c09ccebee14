"""Forecasts at leads that are run once, though two ask for them.

A twin learns from the forecast that it issues, and the same forecast is stored and scored. Of a
model of ours running it twice costs less than to remember it; of a simulator it is half of the work
beside the fits.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Final, Protocol, final

import numpy as np
from jaxtyping import Float, Float64

from gemeos.ensemble.state import TwinState
from gemeos.foresee.drive import InputMemory
from gemeos.foresee.issue import readings_ahead
from gemeos.simulate.base import Crew, Steps

MOST_KEPT: Final = 32
"""Forecasts: they are asked for again at the next reading."""


class Foretells(Protocol):
    """As ``issue.readings_ahead``."""

    def __call__(
        self,
        stepper: Steps,
        states: TwinState,
        crew: Crew,
        *,
        leads: Sequence[int],
        sensors: Sequence[int],
        noise: Sequence[float] | Float64[np.ndarray, "state sensor"],
        inputs: InputMemory | None = None,
    ) -> Float[np.ndarray, "state lead sensor member"]:
        """What each sensor will read if nobody intervenes."""
        ...


@final
class Once:
    """Implements ``Foretells`` for the twins of one model. For any thread."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._known: OrderedDict[bytes, Float[np.ndarray, "lead sensor member"]] = OrderedDict()
        self._lock = Lock()

    def __call__(
        self,
        stepper: Steps,
        states: TwinState,
        crew: Crew,
        *,
        leads: Sequence[int],
        sensors: Sequence[int],
        noise: Sequence[float] | Float64[np.ndarray, "state sensor"],
        inputs: InputMemory | None = None,
    ) -> Float[np.ndarray, "state lead sensor member"]:
        """As the port says. Where inputs are foreseen it is run each time."""
        if inputs is not None:
            return readings_ahead(
                stepper, states, crew, leads=leads, sensors=sensors, noise=noise, inputs=inputs
            )
        each = np.broadcast_to(np.asarray(noise, np.float64), (len(states), len(sensors)))
        told = []
        for i in range(len(states)):
            one, mine = states.take([i]), crew.take(np.array([i]))
            key = _key(one, mine, leads, sensors, each[i])
            with self._lock:
                known = self._known.get(key)
            if known is None:
                known = readings_ahead(
                    stepper, one, mine, leads=leads, sensors=sensors, noise=each[i]
                )[0]
                with self._lock:
                    self._known[key] = known
                    while len(self._known) > MOST_KEPT:
                        self._known.popitem(last=False)
            told.append(known)
        return np.stack(told)


def _key(
    state: TwinState,
    crew: Crew,
    leads: Sequence[int],
    sensors: Sequence[int],
    noise: Float64[np.ndarray, " sensor"],
) -> bytes:
    """Hash of all that the forecast follows from."""
    seen = hashlib.sha256(repr((list(leads), list(sensors))).encode())
    for part in (crew.keys, crew.consts, state.tick, state.members, state.driven, noise):
        seen.update(np.ascontiguousarray(part).tobytes())
    for simulation in state.simulations[:, :1].ravel():
        seen.update(repr(None if simulation is None else simulation.identity).encode())
    return seen.digest()
