"""An FMU in its own process."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, final

import msgspec

from gemeos.engines.child import threads
from gemeos.engines.fmi.motion import CoSimulation, ModelExchange, Motion
from gemeos.engines.fmi.settings import Fmi, Interface
from gemeos.engines.fmi.variables import Fmu, Table
from gemeos.engines.fmi.whole import declared, tried
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
    fmu = FmiInside(msgspec.json.decode(settings, type=Fmi))
    inside = ExchangeInside(fmu) if fmu.interface is Interface.MODEL_EXCHANGE else fmu
    return inside if fmu.writes_its_state else Replayed(inside)


@final
class FmiInside:
    """Implements ``inside.Inside``."""

    def __init__(self, settings: Fmi) -> None:
        import fmpy  # noqa: PLC0415 - an extra

        self._fmpy: Any = fmpy
        self.settings = settings
        self._description = fmpy.read_model_description(settings.path, validate=False)
        self.interface = self._chosen()
        self.table = Table(self._description)
        self._step = self._grid()
        proposed = getattr(self._description.defaultExperiment, "startTime", None)
        begin = settings.begin_s if settings.begin_s is not None else proposed
        self.begins = float(begin or 0.0)
        self._folder = tempfile.mkdtemp(prefix="gemeos-fmu-")
        self._owner = os.getpid()
        """Forks use the folder; the one that made it removes it."""
        fmpy.extract(settings.path, unzipdir=self._folder)
        self._fmu: Fmu = None
        self._motion: Motion | None = None
        self._resets = True
        """Until it refuses: then a new instance is made each time."""
        self._params: Values = {}
        self._seed = 0
        self._steps = 0
        self._from = self.begins

    @property
    def writes_its_state(self) -> bool:
        """Whether the FMU declares that its state can be got, set and written as bytes."""
        can = self._abilities()
        return bool(can.canGetAndSetFMUstate and can.canSerializeFMUstate)

    def describe(self) -> Spec:
        """From its description; once begun, to see whether it starts threads."""
        self.begin({}, 0)
        fork = Fork.PROCESS if hasattr(os, "fork") and threads() == 1 else Fork.RESTORE
        version = f"FMI {self._description.fmiVersion}, {self._description.version or 'no version'}"
        return Spec(
            self._description.modelName,
            version,
            self._step,
            self.table.variables(),
            Capabilities(
                Snapshot.EXACT,
                fork,
                deterministic=self.settings.deterministic,
                hidden=("co-simulation: the FMU keeps its states to itself",),
            ),
        )

    def begin(self, params: Values, seed: int) -> None:
        """Instantiated, given its parameters, initialised. No stop time is defined."""
        s = self.settings
        self._params, self._seed = params, seed
        self._instantiate()
        seeded = {s.seed_param: seed % 2**31} if s.seed_param else {}
        self._initialise({**seeded, **params}, self.begins)

    def again(self, values: Values, time: float | None = None) -> None:
        """As new, and initialised with these params and inputs: nothing of before is left.

        Args:
            values: What differs from the start values.
            time: Where its own time begins, if not as ``begin`` has it.
        """
        if self._fmu is None:
            self._instantiate()
        elif self._resets:
            try:
                self._fmu.reset()
            except Exception:  # noqa: BLE001 - whatever it was, a new instance knows nothing of it
                self._resets = False
        if not self._resets:
            with contextlib.suppress(Exception):  # one that failed may refuse that, too
                self._fmu.freeInstance()
            self._instantiate()
        self._initialise(values, self.begins if time is None else time)

    def _instantiate(self) -> None:
        self._fmu = self._fmpy.instantiate_fmu(
            self._folder,
            self._description,
            fmi_type=self.interface.value,
            debug_logging=self.settings.logs,
            require_functions=False,
        )
        self._motion = None

    def _initialise(self, values: Values, time: float) -> None:
        fmu = self._fmu
        self._steps, self._from = 0, time
        initial = {"tolerance": self.settings.tolerance, "startTime": time}
        if self._description.fmiVersion.startswith("2"):
            fmu.setupExperiment(**initial)
            initial = {}
        self.table.write(fmu, values)
        fmu.enterInitializationMode(**initial)
        fmu.exitInitializationMode()
        if self._motion is None:
            self._motion = self._mover()
        self._motion.begin(time)

    def set(self, values: Values) -> None:
        """The FMU holds them."""
        self.motion().write(values)

    def advance(self, elapsed: Span) -> None:
        """Step by step, always on the same grid."""
        last = elapsed // self._step
        while self._steps < last:
            self.motion().move(self._at(self._steps), self._at(self._steps + 1))
            self._steps += 1

    def get(self, names: Sequence[str]) -> list[Value]:
        """As the FMU tells them."""
        return self.table.read(self._fmu, names)

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
        self.motion().again(self._at(self._steps))

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
        for interface in Interface if self.settings.interface is None else ():
            if has[interface]:
                return interface
        asked = self.settings.interface
        if asked is None or not has[asked]:
            there = [i.value for i in Interface if has[i]]
            raise ValueError(f"its interfaces are {there or 'none of those that can be run'}")
        return asked

    def _abilities(self) -> Any:  # noqa: ANN401 - FMPy's InterfaceType
        if self.interface is Interface.CO_SIMULATION:
            return self._description.coSimulation
        return self._description.modelExchange

    def _grid(self) -> Span:
        if self.settings.step is not None:
            return self.settings.step
        proposed = getattr(self._description.defaultExperiment, "stepSize", None)
        if proposed is None:
            raise ValueError("it proposes no step size: give the setting step")
        return max(round(float(proposed) * SECOND), 1)

    def _mover(self) -> Motion:
        fmu, d = self._fmu, self._description
        if self.interface is Interface.CO_SIMULATION:
            return CoSimulation(fmu, self.table)
        if d.fmiVersion.startswith("3"):
            sizes = (fmu.getNumberOfContinuousStates(), fmu.getNumberOfEventIndicators())
        else:
            sizes = (len(d.derivatives), d.numberOfEventIndicators)
        return ModelExchange(fmu, self.table, sizes, self.settings.substeps)

    def motion(self) -> Motion:
        """How the instance moves."""
        if self._motion is None:
            raise RuntimeError("it was not begun")
        return self._motion

    def _at(self, steps: int) -> float:
        return self._from + steps * self._step / SECOND


@final
class ExchangeInside:
    """Model exchange: the continuous states can be written. Implements ``inside.PlaceInside``."""

    def __init__(self, fmu: FmiInside) -> None:
        self._fmu = fmu

    def describe(self) -> Spec:
        """What it is, and what it goes on from besides its states."""
        spec = self._fmu.describe()
        hidden = declared(self._fmu, self._motion()) or tried(self, self._fmu, spec)
        nudge = frozenset(self._fmu.table.states)
        return replace(
            spec, capabilities=replace(spec.capabilities, nudge=nudge, hidden=tuple(hidden))
        )

    def begin(self, params: Values, seed: int) -> None:
        """As the FMU does."""
        self._fmu.begin(params, seed)

    def set(self, values: Values) -> None:
        """As the FMU does."""
        self._fmu.set(values)

    def advance(self, elapsed: Span) -> None:
        """As the FMU does."""
        self._fmu.advance(elapsed)

    def get(self, names: Sequence[str]) -> list[Value]:
        """As the FMU does."""
        return self._fmu.get(names)

    def nudge(self, values: Values) -> None:
        """Continuous states."""
        self._motion().nudge(values)

    def place(
        self,
        params: Mapping[str, float],
        held: Mapping[str, float],
        states: Mapping[str, float],
        *,
        time: float | None = None,
    ) -> None:
        """As new, initialised with params and inputs, then the states written.

        Params that are fixed can so be another for each member. ``time`` is its own, for trials.
        """
        self._fmu.again(self._fmu.table.cast({**params, **held}), time)
        self._motion().nudge(states)

    def snapshot(self) -> bytes:
        """As the FMU does."""
        return self._fmu.snapshot()

    def restore(self, kept: bytes, elapsed: Span) -> None:
        """As the FMU does."""
        self._fmu.restore(kept, elapsed)

    def end(self) -> None:
        """As the FMU does."""
        self._fmu.end()

    def _motion(self) -> ModelExchange:
        motion = self._fmu.motion()
        if not isinstance(motion, ModelExchange):
            raise TypeError("it is not model exchange")
        return motion
