"""What is held of a network: signals, speeds, flows. Each is set again after a restore."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final, final

import msgspec

from gemeos.engines.spec import Kind, Role, Value, Values, Variable
from gemeos.engines.sumo.aside import in_a_copy
from gemeos.engines.sumo.quantities import Lib, ids_of, split
from gemeos.units.instant import SECOND, Span

HOUR: Final = 3600 * SECOND
ONLINE: Final = "online"
"""What SUMO calls the program of a signal whose lights are held."""
USUAL_TYPE: Final = "DEFAULT_VEHTYPE"
"""Of vehicles whose type nobody named, those of flows among them."""
PREFIX: Final = "gemeos."
"""Of the vehicles and routes that the adapter adds."""


class Held(msgspec.Struct):
    """What was set, and how far each flow has come."""

    values: Values = {}
    """Latest of each; of a signal's three ways the latest alone."""
    lights: dict[str, str] = {}
    """Of the signals whose lights are held."""
    programs: dict[str, str] = {}
    """The program that was last chosen for a signal."""
    credit: dict[str, float] = {}
    """Vehicles of a flow that are due and not whole yet."""
    sent: dict[str, int] = {}
    """Vehicles of a flow so far."""


@final
class Controls:
    """Sets what a network lets be set, and reads it."""

    def __init__(self, lib: Lib, flows: dict[str, tuple[str, ...]], step: Span) -> None:
        self._lib = lib
        self._flows = flows
        self._step = step
        self.held = Held({}, {}, {}, {}, {})

    def variables(self) -> Iterator[Variable]:
        """All that can be set in the network that runs."""
        lib = self._lib
        for i in lib.trafficlight.getIDList():
            yield Variable(
                f"signal.{i}.state",
                Role.CONTROL,
                kind=Kind.TEXT,
                about="One letter a link, as SUMO writes them; holds these lights.",
            )
            yield Variable(
                f"signal.{i}.phase",
                Role.CONTROL,
                kind=Kind.INTEGER,
                bounds=(0, None),
                about="Number within the program; holds the lights of that phase.",
            )
            yield Variable(
                f"signal.{i}.program",
                Role.CONTROL,
                kind=Kind.TEXT,
                start=lib.trafficlight.getProgram(i),
                about="Lets this program run, and lets go of lights that were held.",
            )
        for i in ids_of(lib, "edge"):
            fastest = lib.lane.getMaxSpeed(f"{i}_0")
            yield Variable(
                f"edge.{i}.max_speed", Role.CONTROL, "m/s", bounds=(0.0, None), start=fastest
            )
        for i in lib.vehicletype.getIDList():
            if i.startswith("DEFAULT_") and i != USUAL_TYPE:
                continue
            factor = lib.vehicletype.getSpeedFactor(i)
            yield Variable(
                f"type.{i}.speed_factor",
                Role.INPUT,
                bounds=(0.01, None),
                start=factor,
                about="Mean of what drivers make of the limit; those who depart from now on.",
            )
        for name in self._flows:
            yield Variable(f"flow.{name}", Role.INPUT, "1/hour", bounds=(0.0, None), start=0.0)

    def begin(self) -> None:
        """Lay the ways of the flows. After a restore they may be there already."""
        lib = self._lib
        # SUMO writes of its own types those alone that somebody has looked at: look at once, so
        # that reading later changes nothing.
        lib.vehicletype.getSpeedFactor(USUAL_TYPE)
        laid = set(lib.route.getIDList())
        for name, edges in self._flows.items():
            if PREFIX + name not in laid:
                way = in_a_copy(partial(_way, lib, edges))
                if not way:
                    raise ValueError(f"flow {name!r}: there is no way along {', '.join(edges)}")
                lib.route.add(PREFIX + name, [str(way[str(i)]) for i in range(len(way))])

    def hold(self, values: Values) -> None:
        """Set ``values`` and remember them. What is held already is not set again.

        SUMO would take it for news: it begins a signal's phase again.
        """
        lib = self._lib
        for name, value in values.items():
            if self.held.values.get(name) == value:
                continue
            match split(name):
                case "signal", i, way:
                    self._signal(i, way, value)
                case "edge", i, _:
                    lib.edge.setMaxSpeed(i, value)
                case "type", i, _:
                    lib.vehicletype.setSpeedFactor(i, value)
            self.held.values[name] = value

    def hold_again(self, held: Held) -> None:
        """As before a snapshot. SUMO's own file keeps programs and drops lights that were held."""
        self.hold({n: v for n, v in held.values.items() if not n.startswith("signal.")})
        for i, lights in held.lights.items():
            self._lib.trafficlight.setRedYellowGreenState(i, lights)
        self.held = held

    @property
    def flowing(self) -> bool:
        """Whether vehicles are to be added at every step."""
        return any(self._rate(name) > 0 for name in self._flows)

    def send(self) -> None:
        """Add the vehicles of one step, evenly spaced in time."""
        for name in self._flows:
            due = self.held.credit.get(name, 0.0) + self._rate(name) * self._step / HOUR
            sent = self.held.sent.get(name, 0)
            while due >= 1:
                vehicle = f"{PREFIX}{name}.{sent}"
                self._lib.vehicle.add(vehicle, PREFIX + name, departLane="best")
                sent, due = sent + 1, due - 1
            self.held.credit[name], self.held.sent[name] = due, sent

    def read(self, name: str) -> Value | None:
        """What ``name`` is now; None if it is nothing that can be set."""
        match split(name):
            case "signal", i, way:
                return self._signal_now(name, i, way)
            case "edge", i, "max_speed":
                return float(self._lib.lane.getMaxSpeed(f"{i}_0"))
            case "type", i, "speed_factor":
                return float(self._lib.vehicletype.getSpeedFactor(i))
            case "flow", _, _:
                return float(self.held.values.get(name, 0.0))
            case _:
                return None

    def _signal_now(self, name: str, signal: str, way: str) -> Value:
        lib = self._lib.trafficlight
        if way == "state":
            return str(lib.getRedYellowGreenState(signal))
        if way == "program":
            return str(lib.getProgram(signal))
        held = self.held.values.get(name)
        return int(lib.getPhase(signal)) if held is None else held

    def _signal(self, signal: str, way: str, value: Value) -> None:
        lib, held = self._lib.trafficlight, self.held
        if way == "program":
            lib.setProgram(signal, value)
            held.programs[signal] = str(value)
            held.lights.pop(signal, None)
        else:
            lights = str(value) if way == "state" else self._lights(signal, int(value))
            lib.setRedYellowGreenState(signal, lights)
            held.lights[signal] = lights
        for other in ("state", "phase", "program"):
            held.values.pop(f"signal.{signal}.{other}", None)

    def _lights(self, signal: str, phase: int) -> str:
        """Of that phase in the program that runs, or that ran before lights were held."""
        lib = self._lib.trafficlight
        programs = {p.programID: p for p in lib.getAllProgramLogics(signal)}
        running = lib.getProgram(signal)
        if running == ONLINE:
            running = self.held.programs.get(signal, next(p for p in programs if p != ONLINE))
        phases = programs[running].phases
        if phase >= len(phases):
            raise ValueError(
                f"signal {signal!r} has phases 0 to {len(phases) - 1} in its program {running!r}, "
                f"not {phase}"
            )
        return str(phases[phase].state)

    def _rate(self, flow: str) -> float:
        return float(self.held.values.get(f"flow.{flow}", 0.0))


def _way(lib: Lib, edges: tuple[str, ...]) -> Values:
    """All edges from the first to the last, by their numbers.

    To find them SUMO makes a vehicle, and draws numbers for it that others would have drawn.
    """
    way = list(edges[:1])
    for there in edges[1:]:
        found = lib.simulation.findRoute(way[-1], there).edges
        way += found[1:]
        if not found:
            return {}
    return {str(i): edge for i, edge in enumerate(way)}
