"""Which FMU is simulated, and how it is opened."""

from __future__ import annotations

import importlib.util
from enum import Enum
from pathlib import Path
from typing import Final

import msgspec

from gemeos.engines.fmi.archive import interfaces
from gemeos.engines.hosted import USUAL_LIMIT, HostedEngine
from gemeos.errors import EngineError, SettingsError
from gemeos.units.instant import Span

INSIDE: Final = "gemeos.engines.fmi.inside:made"


class Interface(Enum):
    """Who integrates."""

    CO_SIMULATION = "CoSimulation"
    """The FMU itself."""
    MODEL_EXCHANGE = "ModelExchange"
    """The adapter: classical Runge-Kutta with fixed steps; events are found by bisection."""


class Fmi(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One FMU, unpacked where the system keeps temporary files."""

    path: str
    """Of the ``.fmu``. What lies in it is foreign code and is executed: only what you trust."""
    step: Span | None = None
    """Between two instants at which it can be set and read; None for the step size that the FMU
    proposes."""
    interface: Interface | None = None
    """None for co-simulation where the FMU has it."""
    begin_s: float | None = None
    """The model's own beginning of time; None for what the FMU proposes, or 0. Its proposed end
    means nothing: it runs as far as it is sent."""
    substeps: int = 10
    """Of the Runge-Kutta method in one step, for model exchange."""
    tolerance: float | None = None
    """Relative, for FMUs that integrate by themselves; None leaves it to them."""
    logs: bool = True
    """Whether the FMU is asked to log; what it logs is in ``said``. It tells why it failed; False
    where it tells so much that it slows the FMU down."""
    seed_param: str = ""
    """An integer parameter that takes the seed; FMI itself knows none."""
    memoryless: bool = False
    """Your word that what is discrete in it follows from states and inputs alone: a valve that is
    open above a level, not one that stays open until another. Such a model can be kept in step."""
    deterministic: bool = True
    """False if the model draws random numbers that no parameter seeds."""

    def __post_init__(self) -> None:
        if self.step is not None and self.step <= 0:
            raise SettingsError(f"An FMU's step is a positive span, not {self.step} us.")
        if self.substeps < 1:
            raise SettingsError(f"One step has at least one substep, not {self.substeps}.")


def opened(fmi: Fmi, *, limit: Span = USUAL_LIMIT, fork: bool = True) -> HostedEngine:
    """The FMU as an engine.

    Args:
        fmi: Which one.
        limit: The longest that one call may take.
        fork: False for an FMU that cannot bear to be forked: one that holds a file or a licence.
            Then a fork is a new process that restores a snapshot, or replays.

    Raises:
        EngineError: FMPy is not installed, there is no such file, or it is not an FMU that runs
            on this machine.
    """
    name = Path(fmi.path).name
    if importlib.util.find_spec("fmpy") is None:
        raise EngineError(name, "FMPy is not there. Install it: pip install 'gemeos[fmi]'.")
    interfaces(Path(fmi.path))
    return HostedEngine.opened(name, INSIDE, fmi, limit, fork=fork)
