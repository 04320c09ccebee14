"""FLORIS in its own process: one state of the farm, worked out when it is asked for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final, final

import msgspec
import numpy as np

from gemeos.engines.floris.settings import Floris
from gemeos.engines.floris.steady import Steady
from gemeos.engines.spec import Capabilities, Fork, Role, Snapshot, Spec, Value, Values, Variable
from gemeos.units.instant import Span

_WIND: Final = (
    Variable("wind.speed", Role.INPUT, "m/s", bounds=(0.0, 60.0), start=8.0),
    Variable("wind.direction", Role.INPUT, "deg", bounds=(0.0, 360.0), start=270.0),
    Variable("wind.turbulence", Role.INPUT, "", bounds=(0.0, 1.0), start=0.06),
)
_TOLD: Final = (("power", "kW"), ("wind", "m/s"), ("thrust", ""))
"""In the order of ``Steady.all``."""
_FARTHEST: Final = 45.0
"""Degrees: beyond it the formulas of a turned wake are used far out of their range."""


@final
class FlorisInside:
    """See ``inside.Inside``."""

    def __init__(self, settings: bytes) -> None:
        # In this process alone: pandas, which FLORIS imports, would import pyarrow, which starts a
        # thread, and what has threads cannot be forked. None means that it is not installed.
        sys.modules.setdefault("pyarrow", None)  # type: ignore[arg-type]
        self._floris = msgspec.json.decode(settings, type=Floris)
        self._steady = Steady(self._floris)
        self._held: Values = {}
        self._told: Values | None = None

    def describe(self) -> Spec:
        """The wind, the turbines, and what they give."""
        return Spec(
            name="FLORIS",
            version=version("floris"),
            step=self._floris.step,
            variables=(*_WIND, *self._yaws, *self._outputs),
            capabilities=Capabilities(snapshot=Snapshot.EXACT, fork=Fork.PROCESS),
        )

    @property
    def _yaws(self) -> tuple[Variable, ...]:
        bounds, about = (-_FARTHEST, _FARTHEST), "counter-clockwise out of the wind, from above"
        return tuple(
            Variable(f"{name}.yaw", Role.CONTROL, "deg", bounds=bounds, start=0.0, about=about)
            for name in self._floris.turbines
        )

    @property
    def _outputs(self) -> tuple[Variable, ...]:
        each = (
            Variable(f"{name}.{what}", Role.OUTPUT, unit)
            for name in self._floris.turbines
            for what, unit in _TOLD
        )
        return (*each, Variable("farm.power", Role.OUTPUT, "kW"))

    def begin(self, params: Values, seed: int) -> None:  # noqa: ARG002 - nothing is drawn
        """Nothing is set."""
        self._held = {v.name: float(v.start or 0.0) for v in (*_WIND, *self._yaws)}
        self._told = None

    def set(self, values: Values) -> None:
        """Hold ``values``."""
        self._held |= {name: float(value) for name, value in values.items()}
        self._told = None

    def advance(self, elapsed: Span) -> None:
        """Time changes nothing."""

    def get(self, names: Sequence[str]) -> list[Value]:
        """What is held, and what follows from it."""
        if self._told is None and any(name not in self._held for name in names):
            self._told = self._worked_out()
        told = self._held | (self._told or {})
        return [told[name] for name in names]

    def _worked_out(self) -> Values:
        speed, direction, turbulence = (np.array([self._held[v.name]]) for v in _WIND)
        yaw = np.array([[self._held[v.name] for v in self._yaws]])
        found = self._steady.all(direction, speed, turbulence, yaw)[:, 0]
        values = [*found.T.reshape(-1), found[0].sum()]
        return {v.name: float(x) for v, x in zip(self._outputs, values, strict=True)}

    def snapshot(self) -> bytes:
        """What is held."""
        return msgspec.msgpack.encode(self._held)

    def restore(self, kept: bytes, elapsed: Span) -> None:  # noqa: ARG002 - time changes nothing
        """Hold it again."""
        held = msgspec.msgpack.decode(kept, type=dict[str, float])
        self.begin({}, 0)
        if held.keys() != self._held.keys():
            raise ValueError("the snapshot is of FLORIS with other turbines")
        self.set(dict(held))

    def end(self) -> None:
        """Nothing is open."""
