"""How an FMU comes from one instant to the next, for either interface."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Final, Protocol, final

import numpy as np
from jaxtyping import Float64

from gemeos.engines.fmi.variables import Fmu, Table
from gemeos.engines.spec import Value, Values

BISECTIONS: Final = 50
"""Halvings of a substep until an event's time is as exact as a float can tell."""
MOST_UPDATES: Final = 100
"""Rounds of discrete updates at one instant; a model that wants more never settles."""
NEVER: Final = float("inf")

States = Float64[np.ndarray, " state"]
Indicators = Float64[np.ndarray, " indicator"]


class Motion(Protocol):
    """One instance, initialised."""

    def begin(self, time: float) -> None:
        """After the initialisation."""
        ...

    def move(self, time: float, then: float) -> None:
        """From ``time`` to ``then``, one step later."""
        ...

    def write(self, values: Values) -> None:
        """Inputs and tunable parameters."""
        ...

    def again(self, time: float) -> None:
        """After the FMU's own state was set: see anew what is kept here."""
        ...


@final
class CoSimulation:
    """The FMU integrates."""

    def __init__(self, fmu: Fmu, table: Table) -> None:
        self._fmu = fmu
        self._table = table

    def begin(self, time: float) -> None:
        """Nothing is to be done."""

    def move(self, time: float, then: float) -> None:
        """FMI 3 may come back early; FMI 2 raises if it cannot."""
        while time < then:
            told = self._fmu.doStep(time, then - time)
            if told is None:
                return
            _, ends, early, reached = told
            if ends:
                raise RuntimeError(f"the FMU ended its simulation at {reached:g} s")
            if not early:
                return
            if reached <= time:
                raise RuntimeError(f"the FMU does not get beyond {time:g} s")
            time = reached

    def write(self, values: Values) -> None:
        """Between two steps."""
        self._table.write(self._fmu, values)

    def again(self, time: float) -> None:
        """Nothing is kept here."""


@final
class ModelExchange:
    """The adapter integrates: the classical method of fourth order with fixed substeps.

    Fixed, because then the way does not depend on where it is looked at, and a fork repeats it to
    the last bit. An event indicator that changes sign ends a substep where it does.

    References:
        Hairer, Norsett, Wanner (1993), Solving Ordinary Differential Equations I, table II.1.2.
        FMI 2.0.4, section 3.2; FMI 3.0.1, section 3.
    """

    def __init__(self, fmu: Fmu, table: Table, sizes: tuple[int, int], substeps: int) -> None:
        self._fmu = fmu
        self._table = table
        self._substeps = substeps
        self._x: States = np.zeros(sizes[0])
        self._z: Indicators = np.zeros(sizes[1])
        # What is handed over has its place once: to make a pointer takes longer than the call.
        self._given = _Buffer(sizes[0])
        self._slopes = tuple(_Buffer(sizes[0]) for _ in range(4))
        self._signs = _Buffer(sizes[1])
        self._next_event = NEVER
        self._derivatives = getattr(fmu, "getContinuousStateDerivatives", None) or (
            fmu.getDerivatives
        )
        self._update = getattr(fmu, "updateDiscreteStates", None) or fmu.newDiscreteStates

    def begin(self, time: float) -> None:
        """An FMU comes out of its initialisation in event mode."""
        self._fmu.setTime(time)
        self._settle()

    def move(self, time: float, then: float) -> None:
        """Substeps of one length; one that an event cuts short is made up for by another."""
        length = (then - time) / self._substeps
        for place in range(self._substeps):
            end = then if place == self._substeps - 1 else time + (place + 1) * length
            at = time + place * length
            while at < end:
                at = self._substep(at, min(end, max(self._next_event, at)))

    def write(self, values: Values) -> None:
        """In event mode: discrete inputs may change only there."""
        self._fmu.enterEventMode()
        self._table.write(self._fmu, values)
        self._settle()

    @property
    def size(self) -> int:
        """How many continuous states the FMU has."""
        return self._x.size

    @property
    def next_event(self) -> float:
        """When the FMU wants an event by the clock; infinite if it wants none."""
        return self._next_event

    def nudge(self, values: Mapping[str, Value]) -> None:
        """Continuous states may be written while time flows, and an event follows."""
        for name, value in values.items():
            self._x[self._table.states.index(name)] = value
        self._put(self._x)
        self._fmu.enterEventMode()
        self._settle()

    def again(self, time: float) -> None:
        """The state was kept in continuous time, after the last event."""
        self._fmu.setTime(time)
        self._take()
        self._z = self._indicators()
        self._fmu.enterEventMode()
        self._settle()

    def _substep(self, at: float, end: float) -> float:
        """How far it came: to ``end``, or to an event before it."""
        before, signs = self._x.copy(), np.sign(self._z)
        if end > at:
            self._x = self._moved(at, before, end - at)
            after = self._indicators()
            crossed = bool(after.size) and bool(np.any(np.sign(after) * signs < 0))
            if crossed:
                end = self._event(at, before, end, signs)
                after = self._indicators()
            self._z = after
        else:
            crossed = False
        wants, ends = self._fmu.completedIntegratorStep()
        if ends:
            raise RuntimeError(f"the FMU ended its simulation at {end:g} s")
        if crossed or wants or end >= self._next_event:
            self._fmu.enterEventMode()
            self._settle()
        return end

    def _event(self, at: float, before: States, end: float, signs: Indicators) -> float:
        """The first float found at which an indicator has changed sign; the FMU stands there."""
        sound, late = 0.0, end - at
        for _ in range(BISECTIONS):
            middle = (sound + late) / 2
            if not sound < middle < late:
                break
            self._moved(at, before, middle)
            if np.any(np.sign(self._indicators()) * signs < 0):
                late = middle
            else:
                sound = middle
        self._x = self._moved(at, before, late)
        return max(at + late, float(np.nextafter(at, end)))

    def _moved(self, at: float, x: States, length: float) -> States:
        one, two, three, four = self._slopes
        k1 = self._slope(at, x, one)
        k2 = self._slope(at + length / 2, x + length / 2 * k1, two)
        k3 = self._slope(at + length / 2, x + length / 2 * k2, three)
        k4 = self._slope(at + length, x + length * k3, four)
        moved = x + length / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        self._fmu.setTime(at + length)
        self._put(moved)
        return moved

    def _slope(self, at: float, x: States, into: _Buffer) -> States:
        self._fmu.setTime(at)
        self._put(x)
        if x.size:
            self._derivatives(into.pointer, x.size)
        return into.array

    def _put(self, x: States) -> None:
        if x.size:
            self._given.array[:] = x
            self._fmu.setContinuousStates(self._given.pointer, x.size)

    def _take(self) -> None:
        if self._x.size:
            self._fmu.getContinuousStates(self._given.pointer, self._x.size)
            self._x = self._given.array.copy()

    def _indicators(self) -> Indicators:
        if not self._z.size:
            return self._z
        self._fmu.getEventIndicators(self._signs.pointer, self._z.size)
        return self._signs.array.copy()

    def _settle(self) -> None:
        """Update what is discrete until nothing changes any more, and let time flow again."""
        for _ in range(MOST_UPDATES):
            needed, ends, _, _, planned, when = self._update()
            if ends:
                raise RuntimeError("the FMU ended its simulation")
            if not needed:
                break
        else:
            raise RuntimeError(f"the FMU's events do not settle in {MOST_UPDATES} rounds")
        self._next_event = when if planned else NEVER
        self._fmu.enterContinuousTimeMode()
        self._take()
        self._z = self._indicators()


@final
class _Buffer:
    """Numbers, and the pointer by which C reads and writes them."""

    def __init__(self, size: int) -> None:
        self.array: Float64[np.ndarray, " number"] = np.zeros(size)
        self.pointer = self.array.ctypes.data_as(ctypes.POINTER(ctypes.c_double))
