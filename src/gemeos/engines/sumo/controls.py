"""What is held of a network: signals, speeds, flows. Each is set again after a restore."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from functools import partial
from typing import Final, final

import msgspec
import numpy as np
from jaxtyping import Float64

from gemeos.engines.spec import Kind, Role, Value, Values, Variable
from gemeos.engines.sumo.aside import in_a_copy
from gemeos.engines.sumo.quantities import Lib, ids_of, split
from gemeos.engines.sumo.settings import Gaps, Sumo
from gemeos.ensemble.noise import stream_key
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

    def __init__(self, lib: Lib, settings: Sumo) -> None:
        self._lib = lib
        self._flows = settings.flows
        self._step: Span = settings.step
        self._gaps = settings.gaps
        self._turns = settings.turns
        self._levels = np.ones((len(settings.turns) + 1, len(settings.flows)))
        """After so many turns, of each flow."""
        for place, name in enumerate(settings.flows):
            if name in settings.course:
                self._levels[1:, place] = settings.course[name]
        self._depart_speed = settings.depart_speed
        self._seed = 0
        self.held = Held({}, {}, {}, {}, {})
        self._names = list(settings.flows)
        self._due = np.zeros(len(self._names))
        """As ``Held.credit``, in vehicles, flow by flow: hundreds of them cost no time."""
        self._come = np.zeros(len(self._names))
        """In each step."""
        self._gap = np.ones(len(self._names))
        """Before the next vehicle."""

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
            yield Variable(
                f"type.{i}.tau",
                Role.INPUT,
                "s",
                bounds=(0.01, None),
                start=lib.vehicletype.getTau(i),
                about="Headway that drivers keep at least; all of them, from now on.",
            )
            yield Variable(
                f"type.{i}.accel",
                Role.INPUT,
                "m/s^2",
                bounds=(0.01, None),
                start=lib.vehicletype.getAccel(i),
                about="The most that they accelerate; all of them, from now on.",
            )
        for name in self._flows:
            yield Variable(f"flow.{name}", Role.INPUT, "1/hour", bounds=(0.0, None), start=0.0)

    def begin(self, seed: int) -> None:
        """Lay the ways of the flows. After a restore they may be there already."""
        lib, self._seed = self._lib, seed
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
        self._take_up()

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
                case "type", i, "tau":
                    lib.vehicletype.setTau(i, value)
                case "type", i, "accel":
                    lib.vehicletype.setAccel(i, value)
                case "type", i, _:
                    lib.vehicletype.setSpeedFactor(i, value)
            self.held.values[name] = value
        if any(name.startswith("flow.") for name in values):
            self._come = self._rates()

    def hold_again(self, held: Held) -> None:
        """As before a snapshot. SUMO's own file keeps programs and drops lights that were held."""
        self.hold({n: v for n, v in held.values.items() if not n.startswith("signal.")})
        for i, lights in held.lights.items():
            self._lib.trafficlight.setRedYellowGreenState(i, lights)
        self.held = held
        self._take_up()

    @property
    def flowing(self) -> bool:
        """Whether vehicles are to be added at every step."""
        return bool(self._come.any())

    def send(self) -> None:
        """Add the vehicles of one step."""
        self._due += self._come * self._level()
        for place in np.flatnonzero(self._due >= self._gap):
            name = self._names[place]
            while self._due[place] >= self._gap[place]:
                self._due[place] -= self._gap[place]
                self._add(name)
                self._gap[place] = self._gap_of(name)

    def _level(self) -> Float64[np.ndarray, " flow"]:
        """By what factor vehicles come in the step that follows."""
        if not self._turns:
            return self._levels[0]
        return self._levels[bisect_right(self._turns, self._lib.simulation.getTime())]

    def written(self) -> Held:
        """What is held, for a snapshot."""
        self.held.credit = dict(zip(self._names, self._due.tolist(), strict=True))
        return self.held

    def _add(self, name: str) -> None:
        sent = self.held.sent.get(name, 0)
        self._lib.vehicle.add(
            f"{PREFIX}{name}.{sent}",
            PREFIX + name,
            departLane="best",
            departSpeed=self._depart_speed,
        )
        self.held.sent[name] = sent + 1

    def _gap_of(self, name: str) -> float:
        """Before the flow's next vehicle, in mean gaps; by its number, so nothing is kept."""
        return drawn_gap(self._gaps, self._seed, name, self.held.sent.get(name, 0))

    def _take_up(self) -> None:
        """Flows go on from what is held."""
        names, credit = self._names, self.held.credit
        self._due = np.array([credit.get(name, 0.0) for name in names], np.float64)
        self._gap = np.array([self._gap_of(name) for name in names], np.float64)
        self._come = self._rates()

    def _rates(self) -> Float64[np.ndarray, " flow"]:
        """Vehicles in each step."""
        return np.array([self._rate(name) * self._step / HOUR for name in self._names], np.float64)

    def read(self, name: str) -> Value | None:
        """What ``name`` is now; None if it is nothing that can be set."""
        match split(name):
            case "signal", i, way:
                return self._signal_now(name, i, way)
            case "edge", i, "max_speed":
                return float(self._lib.lane.getMaxSpeed(f"{i}_0"))
            case "type", i, ("speed_factor" | "tau" | "accel") as what:
                kinds = self._lib.vehicletype
                asked = {
                    "speed_factor": kinds.getSpeedFactor,
                    "tau": kinds.getTau,
                    "accel": kinds.getAccel,
                }
                return float(asked[what](i))
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


def drawn_gap(gaps: Gaps, seed: int, flow: str, sent: int) -> float:
    """Before the vehicle after ``sent`` others, in mean gaps."""
    if gaps == "even" or (gaps == "shifted" and sent > 0):
        return 1.0
    share = (stream_key(f"flow {seed} {flow}", str(sent)) + 0.5) / 2**32
    return share if gaps == "shifted" else -math.log(share)


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
