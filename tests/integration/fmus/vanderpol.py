"""Van der Pol's oscillator for FMI 3 model exchange. Built into an FMU by the tests."""

from pythonfmu3 import (
    Float64,
    Fmi3Causality,
    Fmi3Initial,
    Fmi3SlaveBase,
    Fmi3Variability,
    ModelExchange,
)

FLOWING = {"variability": Fmi3Variability.continuous}


class VanDerPol(Fmi3SlaveBase, ModelExchange):  # type: ignore[misc]
    """``x'' = mu (1 - x^2) x' - x``."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.time = 0.0
        self.x = 2.0
        self.y = 0.0
        self.dx = 0.0
        self.dy = 0.0
        self.mu = 1.0
        local = {"causality": Fmi3Causality.local, **FLOWING}
        state = {"causality": Fmi3Causality.output, "initial": Fmi3Initial.exact, **FLOWING}
        self.register_variable(Float64("time", causality=Fmi3Causality.independent, **FLOWING))
        self.register_variable(Float64("x", start=2.0, **state))
        self.register_variable(Float64("dx", derivative=1, **local))
        self.register_variable(Float64("y", start=0.0, **state))
        self.register_variable(Float64("dy", derivative=3, **local))
        fixed = Fmi3Variability.fixed
        self.register_variable(Float64("mu", causality=Fmi3Causality.parameter, variability=fixed))

    def get_continuous_state_derivatives(self) -> list[float]:
        self.dx = self.y
        self.dy = self.mu * (1 - self.x**2) * self.y - self.x
        return [self.dx, self.dy]
