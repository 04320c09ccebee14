"""A bouncing ball for FMI 3 model exchange: two states, and an event at each bounce.

Built into an FMU by the tests.
"""

from pythonfmu3 import (
    Float64,
    Fmi3Causality,
    Fmi3Initial,
    Fmi3SlaveBase,
    Fmi3UpdateDiscreteStatesResult,
    Fmi3Variability,
    ModelExchange,
)

FLOWING = {"variability": Fmi3Variability.continuous}
LOCAL = {"causality": Fmi3Causality.local, **FLOWING}
STATE = {"causality": Fmi3Causality.output, "initial": Fmi3Initial.exact, **FLOWING}


class Ball(Fmi3SlaveBase, ModelExchange):  # type: ignore[misc]
    """``h'' = wind - g``; at ``h = 0`` downwards the speed becomes ``-bounce`` of itself."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.time = 0.0
        self.h = 1.0
        self.v = 0.0
        self.dh = 0.0
        self.dv = 0.0
        self.g = 9.81
        self.bounce = 0.7
        self.wind = 0.0
        independent = Fmi3Causality.independent
        self.register_variable(Float64("time", causality=independent, **FLOWING))
        self.register_variable(Float64("h", start=1.0, **STATE), has_event_indicator=True)
        self.register_variable(Float64("dh", derivative=1, **LOCAL))
        self.register_variable(Float64("v", start=0.0, **STATE))
        self.register_variable(Float64("dv", derivative=3, **LOCAL))
        for name in ("g", "bounce"):
            fixed = Fmi3Variability.fixed
            self.register_variable(
                Float64(name, causality=Fmi3Causality.parameter, variability=fixed)
            )
        self.register_variable(Float64("wind", causality=Fmi3Causality.input, **FLOWING))

    def get_continuous_state_derivatives(self) -> list[float]:
        self.dh, self.dv = self.v, self.wind - self.g
        return [self.dh, self.dv]

    def get_event_indicators(self) -> list[float]:
        # After a bounce the ball lies at zero or a hair below and rises: no second event.
        return [1.0 if self.h == 0.0 and self.v > 0.0 else self.h]

    def update_discrete_states(self) -> Fmi3UpdateDiscreteStatesResult:
        answer = Fmi3UpdateDiscreteStatesResult()
        if self.h <= 0.0 and self.v < 0.0:
            self.h, self.v = 0.0, -self.bounce * self.v
            answer.valuesOfContinuousStatesChanged = True
        return answer
