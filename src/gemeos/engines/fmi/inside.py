"""An FMU in its own process."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from typing import Any, final

import msgspec

from gemeos.engines.child import threads
from gemeos.engines.fmi.motion import CoSimulation, ModelExchange, Motion
from gemeos.engines.fmi.settings import Fmi, Interface
from gemeos.engines.fmi.variables import Fmu, Table
from gemeos.engines.inside import Inside
from gemeos.engines.replay import Replayed
from gemeos.engines.spec import Capabilities, Fork, Snapshot, Spec, Value, Values
from gemeos.units.instant import SECOND, Span


class _Kept(msgspec.Struct):
    params: Values
    seed: int
    state: bytes


def made(settings: bytes) -> Inside:
    """The FMU, with snapshots of its own or by replay."""
    inside = FmiInside(msgspec.json.decode(settings, type=Fmi))
    return inside if inside.writes_its_state else Replayed(inside)


@final
class FmiInside:
    """Implements ``inside.Inside``."""

    def __init__(self, settings: Fmi) -> None:
        import fmpy  # noqa: PLC0415 - an extra

        self._fmpy: Any = fmpy
        self._settings = settings
        self._description = fmpy.read_model_description(settings.path, validate=False)
        self._interface = self._chosen()
        self._table = Table(self._description)
        self._step = self._grid()
        proposed = getattr(self._description.defaultExperiment, "startTime", None)
        begin = settings.begin_s if settings.begin_s is not None else proposed
        self._begin = float(begin or 0.0)
        self._folder = tempfile.mkdtemp(prefix="gemeos-fmu-")
        self._owner = os.getpid()
        """Forks use the folder; the one that made it removes it."""
        fmpy.extract(settings.path, unzipdir=self._folder)
        self._fmu: Fmu = None
        self._motion: Motion | None = None
        self._params: Values = {}
        self._seed = 0
        self._steps = 0

    @property
    def writes_its_state(self) -> bool:
        """Whether the FMU declares that its state can be got, set and written as bytes."""
        can = self._abilities()
        return bool(can.canGetAndSetFMUstate and can.canSerializeFMUstate)

    def describe(self) -> Spec:
        """From its description; once begun, to see whether it starts threads."""
        self.begin({}, 0)
        fork = Fork.PROCESS if hasattr(os, "fork") and threads() == 1 else Fork.RESTORE
        exchange = self._interface is Interface.MODEL_EXCHANGE
        version = f"FMI {self._description.fmiVersion}, {self._description.version or 'no version'}"
        return Spec(
            self._description.modelName,
            version,
            self._step,
            self._table.variables(),
            Capabilities(
                Snapshot.EXACT,
                fork,
                frozenset(self._table.states if exchange else ()),
                deterministic=self._settings.deterministic,
            ),
        )

    def begin(self, params: Values, seed: int) -> None:
        """Instantiated, given its parameters, initialised. No stop time is defined."""
        s, d = self._settings, self._description
        self._params, self._seed, self._steps = params, seed, 0
        fmu = self._fmu = self._fmpy.instantiate_fmu(
            self._folder,
            d,
            fmi_type=self._interface.value,
            debug_logging=s.logs,
            require_functions=False,
        )
        seeded = {s.seed_param: seed % 2**31} if s.seed_param else {}
        initial = {"tolerance": s.tolerance, "startTime": self._begin}
        if d.fmiVersion.startswith("2"):
            fmu.setupExperiment(**initial)
            initial = {}
        self._table.write(fmu, {**seeded, **params})
        fmu.enterInitializationMode(**initial)
        fmu.exitInitializationMode()
        self._motion = self._mover()
        self._motion.begin(self._begin)

    def set(self, values: Values) -> None:
        """The FMU holds them."""
        self._moving().write(values)

    def advance(self, elapsed: Span) -> None:
        """Step by step, always on the same grid."""
        last = elapsed // self._step
        while self._steps < last:
            self._moving().move(self._at(self._steps), self._at(self._steps + 1))
            self._steps += 1

    def get(self, names: Sequence[str]) -> list[Value]:
        """As the FMU tells them."""
        return self._table.read(self._fmu, names)

    def nudge(self, values: Values) -> None:
        """Of model exchange alone."""
        self._moving().nudge(values)

    def snapshot(self) -> bytes:
        """As the FMU writes it."""
        state = self._fmu.getFMUState()
        written = self._fmu.serializeFMUState(state)
        self._fmu.freeFMUState(state)
        return msgspec.msgpack.encode(_Kept(self._params, self._seed, written))

    def restore(self, kept: bytes, elapsed: Span) -> None:
        """Into a new instance with the same parameters."""
        read = msgspec.msgpack.decode(kept, type=_Kept)
        self.begin(read.params, read.seed)
        state = self._fmu.deserializeFMUState(read.state)
        self._fmu.setFMUState(state)
        self._fmu.freeFMUState(state)
        self._steps = elapsed // self._step
        self._moving().again(self._at(self._steps))

    def end(self) -> None:
        """FMUs may hold files and licences."""
        try:
            if self._fmu is not None:
                self._fmu.terminate()
                self._fmu.freeInstance()
        finally:
            if os.getpid() == self._owner:
                shutil.rmtree(self._folder, ignore_errors=True)

    def _chosen(self) -> Interface:
        d = self._description
        has = {
            Interface.CO_SIMULATION: d.coSimulation is not None,
            Interface.MODEL_EXCHANGE: d.modelExchange is not None,
        }
        if d.fmiVersion[0] not in "23":
            raise ValueError(f"it speaks FMI {d.fmiVersion}; this reads 2 and 3")
        for interface in Interface if self._settings.interface is None else ():
            if has[interface]:
                return interface
        asked = self._settings.interface
        if asked is None or not has[asked]:
            there = [i.value for i in Interface if has[i]]
            raise ValueError(f"its interfaces are {there or 'none of those that can be run'}")
        return asked

    def _abilities(self) -> Any:  # noqa: ANN401 - FMPy's InterfaceType
        if self._interface is Interface.CO_SIMULATION:
            return self._description.coSimulation
        return self._description.modelExchange

    def _grid(self) -> Span:
        if self._settings.step is not None:
            return self._settings.step
        proposed = getattr(self._description.defaultExperiment, "stepSize", None)
        if proposed is None:
            raise ValueError("it proposes no step size: give the setting step")
        return max(round(float(proposed) * SECOND), 1)

    def _mover(self) -> Motion:
        fmu, d = self._fmu, self._description
        if self._interface is Interface.CO_SIMULATION:
            return CoSimulation(fmu, self._table)
        if d.fmiVersion.startswith("3"):
            sizes = (fmu.getNumberOfContinuousStates(), fmu.getNumberOfEventIndicators())
        else:
            sizes = (len(d.derivatives), d.numberOfEventIndicators)
        return ModelExchange(fmu, self._table, sizes, self._settings.substeps)

    def _moving(self) -> Motion:
        if self._motion is None:
            raise RuntimeError("it was not begun")
        return self._motion

    def _at(self, steps: int) -> float:
        return self._begin + steps * self._step / SECOND
