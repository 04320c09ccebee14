"""Exponential decay for FMI 3, both interfaces, that misbehaves when it is told to.

Built into an FMU by the tests.
"""

import math

from misbehaving import misbehave
from pythonfmu3 import (
    CoSimulation,
    Float64,
    Fmi3Causality,
    Fmi3Initial,
    Fmi3SlaveBase,
    Fmi3Variability,
    ModelExchange,
    String,
)

FLOWING = {"variability": Fmi3Variability.continuous}


class Decay(Fmi3SlaveBase, ModelExchange, CoSimulation):  # type: ignore[misc]
    """``x' = gain - rate * x``."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.time = 0.0
        self.x = 1.0
        self.dx = 0.0
        self.rate = 1.0
        self.gain = 0.0
        self.mischief = ""
        out, initial = Fmi3Causality.output, Fmi3Initial.exact
        independent, local = Fmi3Causality.independent, Fmi3Causality.local
        self.register_variable(Float64("time", causality=independent, **FLOWING))
        self.register_variable(Float64("x", causality=out, start=1.0, initial=initial, **FLOWING))
        self.register_variable(Float64("dx", causality=local, derivative=1, **FLOWING))
        parameter, fixed = Fmi3Causality.parameter, Fmi3Variability.fixed
        self.register_variable(Float64("rate", causality=parameter, variability=fixed))
        self.register_variable(Float64("gain", causality=Fmi3Causality.input, **FLOWING))
        discrete = Fmi3Variability.discrete
        self.register_variable(
            String("mischief", causality=Fmi3Causality.input, variability=discrete)
        )

    def get_continuous_state_derivatives(self) -> list[float]:
        misbehave(self.mischief)
        self.dx = self.gain - self.rate * self.x
        if self.mischief == "not_finite":
            self.dx = math.nan
        return [self.dx]

    def do_step(self, current_time: float, step_size: float) -> bool:
        misbehave(self.mischief)
        kept = math.exp(-self.rate * step_size)
        self.x = self.x * kept + self.gain / self.rate * (1 - kept)
        if self.mischief == "not_finite":
            self.x = math.nan
        self.time = current_time + step_size
        return True
