"""A leaking tank for FMI 2 co-simulation, exact over any step, that misbehaves when it is told to.

Built into an FMU by the tests. It runs in the FMU's own interpreter and knows nothing of gemeos.
"""

import math

from misbehaving import misbehave
from pythonfmu import Fmi2Causality, Fmi2Slave, Fmi2Variability, Integer, Real, String
from pythonfmu.default_experiment import DefaultExperiment

IN = Fmi2Causality.input
PARAM = Fmi2Causality.parameter
OUT = Fmi2Causality.output


class Tank(Fmi2Slave):  # type: ignore[misc]
    """``d level/dt = inflow - leak * level``."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        # A stop that a run of the whole proposed experiment would never reach.
        self.default_experiment = DefaultExperiment(start_time=5.0, stop_time=1e8, step_size=0.25)
        self.inflow = 0.0
        self.leak = 0.5
        self.first = 2.0
        self.pump = 7
        self.mischief = ""
        self.level = 2.0
        self.now = 0.0
        fixed, tunable = Fmi2Variability.fixed, Fmi2Variability.tunable
        self.register_variable(Real("inflow", causality=IN))
        self.register_variable(Real("leak", causality=PARAM, variability=tunable))
        self.register_variable(Real("first", causality=PARAM, variability=fixed))
        self.register_variable(Integer("pump", causality=PARAM, variability=fixed))
        self.register_variable(String("mischief", causality=IN))
        self.register_variable(Real("level", causality=OUT))
        self.register_variable(Real("now", causality=Fmi2Causality.local))

    def exit_initialization_mode(self) -> None:
        self.level = self.first

    def do_step(self, current_time: float, step_size: float) -> bool:
        misbehave(self.mischief)
        kept = math.exp(-self.leak * step_size)
        self.level = self.level * kept + self.inflow / self.leak * (1 - kept)
        if self.mischief == "not_finite":
            self.level = math.nan
        self.now = current_time + step_size
        return True
