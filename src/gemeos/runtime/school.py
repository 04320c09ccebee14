"""A fleet's forecasts as its twins learn from them: whose channels tell the truth of which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int64

from gemeos.ensemble.blend import LEVELS
from gemeos.ensemble.state import TwinState
from gemeos.foresee.forecast import Path
from gemeos.foresee.issue import Scoring
from gemeos.foresee.lessons import Ears, read_last
from gemeos.foresee.reissue import Reissue
from gemeos.runtime.channels import Channel
from gemeos.simulate.advance import Crew, Stepper


@dataclass(frozen=True, eq=False)
class School:
    """The forecasts of a fleet's twins, and how each of them hears what came."""

    reissue: Reissue
    ears: Ears
    """A row a twin of the fleet."""

    def caught_up(
        self,
        twins: Int64[np.ndarray, " some"],
        state: TwinState,
        crew: Crew,
        until: Int64[np.ndarray, " some"],
    ) -> TwinState:
        """The states of those twins, ready to go on to ``until``."""
        return self.reissue.caught_up(state, crew, self.ears.take(twins), until)

    def corrected(
        self,
        twin: int,
        states: TwinState,
        variable: str,
        members: Float64[np.ndarray, "state lead member"],
    ) -> Float64[np.ndarray, "state lead level"]:
        """Forecasts of a scored variable as its lessons say that they have to be read.

        Args:
            twin: Place of the twin.
            states: It, at the instants at which they were issued.
            variable: Which.
            members: What the ensemble says at every lead, the error of one reading included.
        """
        place = self.reissue.scoring.variables.index(variable)
        ears = self.ears.take(np.full(len(states), twin))
        last, _ = read_last(states, ears)
        raw = np.moveaxis(np.quantile(members, LEVELS, axis=2, method="hazen"), 0, -1)
        return np.stack(
            [
                self.reissue.corrected(states, ears, i, place, raw[i], float(last[i, place]))
                for i in range(len(states))
            ]
        )

    def told(
        self, twin: int, state: TwinState, path: Path
    ) -> tuple[Float[np.ndarray, "time variable member"], tuple[str, ...]]:
        """A forecast with the scored sensors as they will be read, and the names of those.

        Args:
            twin: Place of the twin.
            state: It, where the forecast begins.
            path: Where its members go.
        """
        names = self.reissue.stepper.told_names
        ears = self.ears.take(np.array([twin]))
        values, corrected = path.values.copy(), []
        for place, name in enumerate(self.reissue.scoring.variables):
            if ears.noise[0, place] > 0 and not self.reissue.turns(place):
                column = names.index(name)
                values[:, column] = self.reissue.told(
                    state, ears, place, path.ticks, values[:, column]
                )
                corrected.append(name)
        return values, tuple(corrected)


def school(stepper: Stepper, scoring: Scoring, channels: Sequence[Sequence[Channel]]) -> School:
    """For the twins whose ``channels`` these are."""
    reissue = Reissue(stepper, scoring)
    bound = [
        [[i for i, c in enumerate(of_twin) if c.sensor == place] for place in reissue.sensors]
        for of_twin in channels
    ]
    noise = np.array(
        [
            [np.sqrt(of_twin[rows[-1]].variance) if rows else 0.0 for rows in of_variables]
            for of_twin, of_variables in zip(channels, bound, strict=True)
        ]
    ).reshape(len(bound), len(reissue.sensors))
    return School(reissue, reissue.ears(bound, noise))
