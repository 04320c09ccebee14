"""Water that follows the time, for FMI 3 model exchange. Built into an FMU by the tests."""

import math

from pythonfmu3 import (
    Float64,
    Fmi3Causality,
    Fmi3Initial,
    Fmi3SlaveBase,
    Fmi3Variability,
    ModelExchange,
)

FLOWING = {"variability": Fmi3Variability.continuous}


class Tide(Fmi3SlaveBase, ModelExchange):  # type: ignore[misc]
    """``level' = cos(time) - level``."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.time = 0.0
        self.level = 1.0
        self.dlevel = 0.0
        independent, local = Fmi3Causality.independent, Fmi3Causality.local
        out = {"causality": Fmi3Causality.output, "initial": Fmi3Initial.exact, **FLOWING}
        self.register_variable(Float64("time", causality=independent, **FLOWING))
        self.register_variable(Float64("level", start=1.0, **out))
        self.register_variable(Float64("dlevel", causality=local, derivative=1, **FLOWING))

    def get_continuous_state_derivatives(self) -> list[float]:
        self.dlevel = math.cos(self.time) - self.level
        return [self.dlevel]
