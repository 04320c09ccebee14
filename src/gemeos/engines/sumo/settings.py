"""Which traffic is simulated, and how it is opened."""

from __future__ import annotations

import importlib.util
import math
from typing import Final, Literal, TypeAlias

import msgspec

from gemeos.engines.hosted import USUAL_LIMIT, HostedEngine
from gemeos.errors import EngineError, SettingsError, UnknownNameError
from gemeos.units.instant import SECOND, Span

Gaps: TypeAlias = Literal["even", "shifted", "poisson"]
INSIDE: Final = "gemeos.engines.sumo.inside:SumoInside"
KEPT: Final = (
    # The adapter's own; another value would break forks, snapshots or the reading of answers.
    *("--seed", "--scale", "--step-length", "--load-state", "--save-state.rng"),
    *("--save-state.precision", "--precision", "--mesosim", "--begin", "--end"),
)


class Sumo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A network with its traffic, either as SUMO's own configuration or file by file."""

    config: str = ""
    """Path of a ``.sumocfg``."""
    net: str = ""
    """Path of a ``.net.xml``; not with ``config``."""
    routes: tuple[str, ...] = ()
    """Paths of routes, trips or flows."""
    additional: tuple[str, ...] = ()
    """Paths of detectors, programs of signals and whatever else SUMO calls additional."""
    begin_s: float | None = None
    """The model's own beginning of time, in seconds; None for the configuration's, or 0."""
    step: Span = SECOND
    """One step of the simulation."""
    mesoscopic: bool = False
    """Queues instead of vehicles that follow each other: 25 to 40 times faster."""
    flows: dict[str, tuple[str, ...]] = {}
    """Name of a flow to its edges: all on its way, or those that the shortest way must pass. Each
    is an input ``flow.NAME`` in vehicles per hour."""
    gaps: Gaps = "even"
    """Between the vehicles of a flow: all equal; equal, with the first vehicle at any time within
    one, by the seed, so that many small flows do not begin in step; or by chance, by the seed, as
    arrivals of a Poisson process. With another rate the same draws come sooner or later."""
    turns: tuple[float, ...] = ()
    """Seconds of the model's time at which the demand of flows turns to another height."""
    course: dict[str, tuple[float, ...]] = {}
    """By flow, after each of these turns: by which factor its vehicles come more often than told.
    1 before the first, and for flows that are not named."""
    depart_speed: str = "0"
    """Of the vehicles of flows, as SUMO's ``departSpeed``: ``max`` lets more of them in."""
    lanes: bool = False
    """Whether lanes can be read as well as edges: some thousands of names more."""
    passages: bool = False
    """Whether each detector also counts how many passed it so far, ``detector.ID.passed``: every
    step is then looked at."""
    options: tuple[str, ...] = ()
    """Of SUMO's command line, such as ``--time-to-teleport`` ``-1``."""

    def __post_init__(self) -> None:
        if bool(self.config) == bool(self.net):
            raise SettingsError("SUMO needs a config or a net, and not both.")
        if self.step <= 0 or self.step % 1000:
            raise SettingsError(f"SUMO's steps are whole milliseconds; {self.step} us is not.")
        if list(self.turns) != sorted(set(self.turns)):
            raise SettingsError("The turns of SUMO's demand are seconds that rise.")
        for flow, factors in self.course.items():
            if flow not in self.flows:
                raise UnknownNameError("flow", flow, self.flows, where="SUMO's course of demand")
            fits = len(factors) == len(self.turns)
            if not (fits and all(0 <= f < math.inf for f in factors)):
                raise SettingsError(
                    f"The course of flow {flow!r} needs {len(self.turns)} factors of 0 or more, "
                    "one for each turn."
                )
        for option in self.options:
            if option.split("=")[0] in KEPT:
                raise SettingsError(f"{option} is the adapter's own: say it in Sumo's fields.")


def opened(sumo: Sumo, *, limit: Span = USUAL_LIMIT, fork: bool = True) -> HostedEngine:
    """SUMO on this network.

    Args:
        sumo: What is simulated.
        limit: The longest that one call may take.
        fork: False where processes cannot be forked: then a fork is a snapshot that a new
            process restores.

    Raises:
        EngineError: libsumo is not installed, or SUMO cannot read the files; with its words.
    """
    needs_sumo()
    return HostedEngine.opened("SUMO", INSIDE, sumo, limit, fork=fork)


def needs_sumo() -> None:
    """Raise where libsumo is not installed.

    Raises:
        EngineError: with what to install.
    """
    if importlib.util.find_spec("libsumo") is None:
        raise EngineError("SUMO", "libsumo is not there. Install it: pip install 'gemeos[sumo]'.")
