"""A basin with a valve that remembers, for FMI 3 model exchange. Built into an FMU by the tests.

The description says nothing of the memory.
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


class Valve(Fmi3SlaveBase, ModelExchange):  # type: ignore[misc]
    """``level' = 1`` while it is open, else ``-1``; it opens below 0.7 and closes above 1.3."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.time = 0.0
        self.level = 1.0
        self.dlevel = 0.0
        self.open = True
        independent, local = Fmi3Causality.independent, Fmi3Causality.local
        out = {"causality": Fmi3Causality.output, "initial": Fmi3Initial.exact, **FLOWING}
        self.register_variable(Float64("time", causality=independent, **FLOWING))
        self.register_variable(Float64("level", start=1.0, **out), has_event_indicator=True)
        self.register_variable(Float64("dlevel", causality=local, derivative=1, **FLOWING))

    def get_continuous_state_derivatives(self) -> list[float]:
        self.dlevel = 1.0 if self.open else -1.0
        return [self.dlevel]

    def get_event_indicators(self) -> list[float]:
        return [1.3 - self.level if self.open else self.level - 0.7]

    def update_discrete_states(self) -> Fmi3UpdateDiscreteStatesResult:
        if self.open and self.level > 1.3:
            self.open = False
        elif not self.open and self.level < 0.7:
            self.open = True
        return Fmi3UpdateDiscreteStatesResult()
