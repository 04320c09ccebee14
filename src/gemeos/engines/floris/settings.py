"""Which wind farm is simulated, and how it is opened.

Set can be ``wind.speed``, ``wind.direction``, ``wind.turbulence`` and each turbine's ``yaw``; told
are each turbine's ``power``, ``wind`` and ``thrust``, and ``farm.power``. FLORIS has no memory:
what is told follows from what is set, at once and whatever the time.
"""

from __future__ import annotations

import importlib.util
from typing import Final

import msgspec

from gemeos.engines.hosted import USUAL_LIMIT, HostedEngine
from gemeos.errors import EngineError, SettingsError
from gemeos.units.instant import SECOND, Span

INSIDE: Final = "gemeos.engines.floris.inside:FlorisInside"


class Machine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A type of turbine by its curves."""

    name: str
    hub_height_m: float
    rotor_diameter_m: float
    speed: tuple[float, ...]
    """m/s, rising; beyond the last nothing is given."""
    power_kw: tuple[float, ...]
    thrust: tuple[float, ...]
    """Its coefficient."""


class Floris(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Turbines and where they stand."""

    places: tuple[tuple[float, float], ...]
    """East and north of each turbine, m."""
    names: tuple[str, ...] = ()
    """Of the turbines; by default T1, T2, ..."""
    config: str = ""
    """Path of FLORIS's own input file, for models and turbine types; by default FLORIS's own
    choice: its Gauss-curl hybrid model and the NREL 5 MW turbine."""
    step: Span = SECOND
    """Of the engine's grid of time."""
    machines: tuple[Machine, ...] = ()
    """The type of each turbine; by default what the file says. With them the wind is that at the
    hubs, as high up as far down, and turbines can be limited."""

    def __post_init__(self) -> None:
        if not self.places:
            raise SettingsError("FLORIS needs a place for each turbine, and one at least.")
        if self.machines and len(self.machines) != len(self.places):
            raise SettingsError(
                f"FLORIS has {len(self.places)} places and {len(self.machines)} machines."
            )
        if self.step <= 0:
            raise SettingsError(f"FLORIS's step is a positive span, not {self.step} us.")
        if self.names and len(set(self.names)) != len(self.places):
            raise SettingsError(
                f"FLORIS has {len(self.places)} places and {len(set(self.names))} different names."
            )

    @property
    def turbines(self) -> tuple[str, ...]:
        """What the turbines are called."""
        return self.names or tuple(f"T{i}" for i in range(1, len(self.places) + 1))


def opened(floris: Floris, *, limit: Span = USUAL_LIMIT, fork: bool = True) -> HostedEngine:
    """FLORIS with this farm.

    Args:
        floris: What is simulated.
        limit: The longest that one call may take.
        fork: False where processes cannot be forked: then a fork is a snapshot that a new
            process restores.

    Raises:
        EngineError: FLORIS is not installed, or cannot read the file; with its words.
    """
    check_installed()
    return HostedEngine.opened("FLORIS", INSIDE, floris, limit, fork=fork)


def check_installed() -> None:
    """See that FLORIS is there, without importing it.

    Raises:
        EngineError: it is not.
    """
    if importlib.util.find_spec("floris") is None:
        raise EngineError("FLORIS", "it is not there. Install it: pip install 'gemeos[floris]'.")
