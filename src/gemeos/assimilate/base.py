"""The ports of a filter, and of whatever keeps ensembles in step by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float, Float64

from gemeos.assimilate.inflate import Inflation
from gemeos.assimilate.observe import Observed
from gemeos.ensemble.simulation import Simulation
from gemeos.ensemble.state import TwinState, WindowRoom
from gemeos.simulate.base import Crew, Steps


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """What an analysis gives: corrected members, and how each reading fitted in.

    Everything but ``members`` is in sensor units, from before any spread was given back.
    """

    members: Float[np.ndarray, "twin row member"]
    surprise: Float64[np.ndarray, "twin reading"]
    """Read less expected, given the readings that stand before it."""
    doubt: Float64[np.ndarray, "twin reading"]
    """Variance of that expectation."""
    residual: Float64[np.ndarray, "twin reading"]
    """Read less expected, given all readings of the instant, this one among them if it was used."""
    left: Float64[np.ndarray, "twin reading"]
    """Variance of that expectation."""


class Assimilator(Protocol):
    """Corrects ensembles. Pure; each twin's result depends on that twin alone.

    Means and covariances do not depend on the order of the members beyond rounding.
    """

    @property
    def identity(self) -> str:
        """Name and settings: they are part of what an estimate rests on."""
        ...

    @property
    def inflation(self) -> Inflation:
        """How lost spread is given back."""
        ...

    def analysis(
        self,
        members: Float[np.ndarray, "twin row member"],
        predicted: Float[np.ndarray, "twin reading member"],
        observed: Float64[np.ndarray, "twin reading"],
        variance: Float64[np.ndarray, "twin reading"],
        used: Bool[np.ndarray, "twin reading"],
    ) -> Analysis:
        """The members after the readings, before any spread is given back.

        Args:
            members: Coordinates; rows that are parameters are known from the construction.
            predicted: What each member would have read, in sensor units.
            observed: What was read.
            variance: Of the reading's error, in squared sensor units; positive.
            used: False for what corrects nothing: padding, and readings that are not trusted.
        """
        ...


class Follows(Protocol):
    """Keeps ensembles in step with what is read, instant by instant."""

    @property
    def stepper(self) -> Steps:
        """What moves the members."""
        ...

    @property
    def identity(self) -> str:
        """Hash of the model and settings of the filter: what an estimate rests on."""
        ...

    @property
    def room(self) -> WindowRoom:
        """What its states need beside the ensemble."""
        ...

    @property
    def takes_long(self) -> bool:
        """Whether an instant may take so long that readings of other twins must not wait for it."""
        ...

    def __call__(self, state: TwinState, crew: Crew, read: Observed) -> TwinState:
        """The twins at ``read.tick``, after what was read there.

        A pure function of its arguments. ``read.tick`` lies behind each twin's own tick.

        Raises:
            TooFewMembersError: too many members of one of the twins failed.
            StoppedError: it was halted.
        """
        ...

    def takes(self, simulation: Simulation) -> bool:
        """Whether members can go on from a simulation that another model of the twin left."""
        ...

    def halt(self) -> None:
        """Have what takes long end soon, here and on any thread, and begin nothing more."""
        ...

    def close(self) -> None:
        """Let go of processes, where there are any. What is asked afterwards begins them anew."""
        ...
