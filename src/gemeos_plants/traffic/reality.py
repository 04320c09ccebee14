"""The traffic itself: SUMO in this process, with what was drawn.

What was drawn never touches a file or an argument of the process: types of vehicles are set, ways
laid and vehicles sent one by one while the simulation runs. The file that SUMO is started with
holds the two car-following models with SUMO's own numbers, whichever of them was drawn.
"""

from __future__ import annotations

import math
import os
import random
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import quoteattr

from gemeos_plants.traffic.controller import Controller, Rules
from gemeos_plants.traffic.district import District, DistrictError
from gemeos_plants.traffic.drawn import MODELS, Drawn, chosen
from gemeos_plants.traffic.trips import BIN_S
from gemeos_plants.traffic.watch import Watch

STEP_S: Final = 1.0
INTERVAL_S: Final = 60
PREFIX: Final = "real."
BACK: Final = "t"
"""SUMO's letter for links that turn round."""
USUAL_LANE_PER_H: Final = 150.0
"""Vehicles that come in over a lane, where the district has no demand of its own."""
JUNCTION_S: Final = 5.0
"""What a driver believes that a junction costs."""
STANDS_M_PER_S: Final = 0.1
"""Slower than that a vehicle stands, as SUMO counts it."""
LARGEST_BACKLOG: Final = 2000
"""Vehicles that wait to come in; beyond, those that want to come stay away."""


@dataclass(frozen=True, slots=True)
class Count:
    """What a loop tells of an interval."""

    loop: str
    vehicles: int
    speed_m_per_s: float | None
    """Mean of those that passed; None where nobody did."""


class Reality:
    """A district that lives. One a process: so it is with SUMO."""

    def __init__(self, district: District, drawn: Drawn, folder: Path | None = None) -> None:
        """Start SUMO.

        Args:
            district: Where.
            drawn: What nobody else knows.
            folder: Where SUMO writes what it counted itself, ``e1.xml``; None for nowhere.

        Raises:
            DistrictError: SUMO cannot read the files.
        """
        self._district = district
        self._drawn = drawn
        self._chance = random.Random(drawn.seed)  # noqa: S311 -- the seed is the system's
        self._lib: Any = _started(district, drawn, folder)
        self._sent = self._stayed = 0
        self._rates: list[float] = []
        self._types = self._laid_types()
        bins = [b for counts in district.trips.values() for b in counts]
        self._first = min(bins, default=0)
        """Of the bins of the files' departures."""
        self._bins = max(bins, default=0) + 1 - self._first
        self._free = dict(self._free_times())
        self._ways: dict[tuple[str, str], tuple[str, ...]] = {}
        self._pairs = dict(self._drawn_pairs())
        self.controllers = dict(self._cabinets())
        self.watches = {i: Watch(c.programs, c.rules) for i, c in self.controllers.items()}
        self.passed: dict[str, int] = dict.fromkeys((loop.id for loop in district.loops), 0)
        """By loop: vehicles since the beginning."""
        self._left = dict.fromkeys(self.passed, 0)
        """By loop: those who have left it in this interval."""

    @property
    def now_s(self) -> float:
        """SUMO's time."""
        return float(self._lib.simulation.getTime())

    @property
    def elapsed_s(self) -> float:
        """Since the beginning."""
        return self.now_s - self._district.begin_s

    def step(self) -> list[Count]:
        """Live a second; what loops tell if an interval has ended with it."""
        lib = self._lib
        for signal, controller in self.controllers.items():
            if not controller.is_lent:
                lib.trafficlight.setRedYellowGreenState(signal, controller.state)
        self._send()
        lib.simulationStep()
        for signal, controller in self.controllers.items():
            self._go_on(signal, controller)
        for loop in self._left:
            # SUMO's own number of an interval has also those who left the loop for another lane;
            # its files have not.
            passed = lib.inductionloop.getVehicleData(loop)
            self._left[loop] += sum(vehicle[3] >= 0 for vehicle in passed)
        if round(self.elapsed_s) % INTERVAL_S:
            return []
        return [self._count(loop.id) for loop in self._district.loops]

    def losing(self) -> float:
        """Seconds that all vehicles together lose in a second as it is now.

        Who waits to come in loses all of it; who drives, the share by which he is slower than he
        would be alone.
        """
        vehicle = self._lib.vehicle
        lost = float(len(self._lib.simulation.getPendingVehicles()))
        for name in vehicle.getIDList():
            free = vehicle.getAllowedSpeed(name)
            lost += max(1.0 - vehicle.getSpeed(name) / free, 0.0) if free > 0 else 0.0
        return lost * STEP_S

    def standing(self) -> list[str]:
        """Who stands as it is now, or waits to come in."""
        vehicle = self._lib.vehicle
        stands = [i for i in vehicle.getIDList() if vehicle.getSpeed(i) < STANDS_M_PER_S]
        return [*stands, *self._lib.simulation.getPendingVehicles()]

    def told(self) -> dict[str, object]:
        """How the traffic fared so far."""
        lib = self._lib
        return {
            "elapsed_s": self.elapsed_s,
            "sent": self._sent,
            "stayed_away": self._stayed,
            "running": lib.vehicle.getIDCount(),
            "waiting": len(lib.simulation.getPendingVehicles()),
            "passed": dict(self.passed),
            "breaches": {i: watch.breaches for i, watch in self.watches.items()},
            "pairs_per_hour": {f"{a} -> {b}": rate for (a, b), rate in self._pairs.items()},
            "ways": {
                f"{a} -> {b}": [list(lib.route.getEdges(way)) for way in ways]
                for (a, b), ways in self._ways.items()
            },
        }

    def close(self) -> None:
        """End SUMO; it writes its own files now."""
        self._lib.close()

    def _go_on(self, signal: str, controller: Controller) -> None:
        """A cabinet, and who looks at its lights, after a step."""
        lights = self._lib.trafficlight
        shown = lights.getRedYellowGreenState(signal)
        self.watches[signal].saw(shown, STEP_S)
        if controller.is_lent:
            controller.follow(lights.getPhase(signal), shown, STEP_S)
        elif controller.advance(STEP_S, self.now_s):
            lights.setProgram(signal, controller.programs[controller.fixed.program].id)
            lights.setPhase(signal, 0)

    def _count(self, loop: str) -> Count:
        lib = self._lib.inductionloop
        vehicles, self._left[loop] = self._left[loop], 0
        speed = float(lib.getLastIntervalMeanSpeed(loop))
        self.passed[loop] += vehicles
        return Count(loop, vehicles, speed if vehicles and speed >= 0 else None)

    def _send(self) -> None:
        """Let vehicles depart that are due in this second, each by chance."""
        lib = self._lib
        if round(self.elapsed_s) % INTERVAL_S == 0:
            self._rates = [self._rate(pair) for pair in self._pairs]
        level = self._drawn.demand(self.elapsed_s / 3600.0) * STEP_S / 3600.0
        due = _poisson(self._chance, level * sum(self._rates))
        if due and len(lib.simulation.getPendingVehicles()) >= LARGEST_BACKLOG:
            self._stayed += due
            return
        for pair in self._chance.choices(list(self._pairs), self._rates, k=due) if due else ():
            if ways := self._laid_ways(pair):
                kind = self._types[chosen(self._chance, self._drawn.drivers)]
                way = self._chance.choice(ways)
                lib.vehicle.add(
                    f"{PREFIX}{self._sent}", way, kind, departLane="best", departSpeed="max"
                )
                self._sent += 1

    def _rate(self, pair: tuple[str, str]) -> float:
        """Vehicles an hour of that pair now, before the demand's own course.

        The files' course where they have one, as a mean over three bins; their mean beyond.
        """
        counts = self._district.trips.get(pair, {})
        now = math.floor(self.now_s / BIN_S)
        if not counts or not self._first <= now < self._first + self._bins:
            return self._pairs[pair]
        inside = range(self._first, self._first + self._bins)
        near = [counts.get(i, 0) for i in (now - 1, now, now + 1) if i in inside]
        mean = sum(counts.values()) / self._bins
        return self._pairs[pair] * sum(near) / len(near) / mean

    def _drawn_pairs(self) -> Iterator[tuple[tuple[str, str], float]]:
        """Vehicles an hour by first and last edge."""
        spread = self._drawn.pair_spread
        pairs: Mapping[tuple[str, str], float] = {
            pair: sum(counts.values()) / self._bins * 3600.0 / BIN_S
            for pair, counts in self._district.trips.items()
        } or dict(self._assumed_pairs())
        edges = set(self._lib.edge.getIDList())
        for pair, rate in pairs.items():
            if set(pair) <= edges:
                yield pair, rate * math.exp(self._chance.gauss(0.0, spread) - spread**2 / 2)

    def _assumed_pairs(self) -> Iterator[tuple[tuple[str, str], float]]:
        """From wherever one comes in to wherever one goes out, more where there are more lanes."""
        ins, outs = self._ends()
        weights = {edge: lanes * self._chance.uniform(0.5, 1.5) for edge, lanes in outs.items()}
        for begin, lanes in ins.items():
            others = {e: w for e, w in weights.items() if self._way(begin, e)}
            for end, weight in others.items():
                yield (begin, end), USUAL_LANE_PER_H * lanes * weight / sum(others.values())

    def _ends(self) -> tuple[dict[str, int], dict[str, int]]:
        """Edges that nobody leads to, and those that lead nowhere, with their lanes for cars."""
        lib = self._lib
        lanes: dict[str, int] = {}
        leads: dict[str, set[str]] = {}
        for lane in lib.lane.getIDList():
            allowed = lib.lane.getAllowed(lane)
            edge = lib.lane.getEdgeID(lane)
            if not edge.startswith(":") and (not allowed or "passenger" in allowed):
                lanes[edge] = lanes.get(edge, 0) + 1
                to = leads.setdefault(edge, set())
                ahead_of = [link for link in lib.lane.getLinks(lane) if link[6] != BACK]
                to |= {lib.lane.getEdgeID(link[0]) for link in ahead_of}
        # A way back at a dead end leads nowhere new.
        other = {e: (lib.edge.getToJunction(e), lib.edge.getFromJunction(e)) for e in lanes}
        ahead = {
            e: {t for t in to if t in lanes and other[t] != (other[e][1], other[e][0])}
            for e, to in leads.items()
        }
        reached = {t for to in ahead.values() for t in to}
        return (
            {e: n for e, n in lanes.items() if e not in reached},
            {e: n for e, n in lanes.items() if not ahead[e]},
        )

    def _way(self, begin: str, end: str) -> tuple[str, ...]:
        return tuple(self._lib.simulation.findRoute(begin, end, self._types[0]).edges)

    def _laid_ways(self, pair: tuple[str, str]) -> tuple[str, ...]:
        """Routes of a pair, each the cheapest by costs that somebody believes in."""
        if pair not in self._ways:
            lib, spread = self._lib, self._drawn.cost_spread
            found: dict[tuple[str, ...], str] = {}
            for _ in range(self._drawn.ways):
                for edge, seconds in self._free.items():
                    cost = seconds * math.exp(self._chance.gauss(0.0, spread))
                    lib.edge.adaptTraveltime(edge, cost)
                way = self._way(*pair)
                if way and way not in found:
                    found[way] = f"{PREFIX}{len(self._ways)}.{len(found)}"
                    lib.route.add(found[way], list(way))
            self._ways[pair] = tuple(found.values())
        return self._ways[pair]

    def _free_times(self) -> Iterator[tuple[str, float]]:
        """Seconds over each edge when it is free."""
        lib = self._lib.lane
        for edge in self._lib.edge.getIDList():
            if not edge.startswith(":"):
                speed = max(lib.getMaxSpeed(f"{edge}_0"), 0.1)
                yield edge, lib.getLength(f"{edge}_0") / speed + JUNCTION_S

    def _laid_types(self) -> list[str]:
        lib = self._lib.vehicletype
        names = []
        for i, d in enumerate(self._drawn.drivers):
            name = f"{PREFIX}{i}"
            lib.copy(self._drawn.model, name)
            lib.setLength(name, d.length_m)
            lib.setMinGap(name, d.gap_m)
            lib.setTau(name, d.headway_s)
            lib.setAccel(name, d.accelerate)
            lib.setDecel(name, d.brake)
            lib.setSpeedFactor(name, d.speed_factor)
            lib.setSpeedDeviation(name, d.speed_spread)
            names.append(name)
        return names

    def _cabinets(self) -> Iterator[tuple[str, Controller]]:
        """One of each signal of the network; what its files say twice, it has once."""
        lib = self._lib
        for signal in lib.trafficlight.getIDList():
            programs = self._district.programs.get(signal, ())
            if not programs:
                continue
            limits = self._district.limits_of(signal)
            walking = {}
            for light, links in enumerate(lib.trafficlight.getControlledLinks(signal)):
                for _, to, _ in links:
                    if to.startswith(":") and "_c" in to:
                        length = float(lib.lane.getLength(to))
                        walking[light] = limits.walk_s + length / limits.walking_m_per_s
            rules = Rules(
                limits.minimum_green_s,
                limits.maximum_green_s,
                limits.minimum_cycle_s,
                limits.maximum_cycle_s,
                walking,
            )
            yield signal, Controller(programs, rules, self.now_s)


def _poisson(chance: random.Random, mean: float) -> int:
    """How many happen: Knuth, The Art of Computer Programming 2, section 3.4.1, algorithm Q."""
    limit, number, product = math.exp(-mean), 0, chance.random()
    while product > limit:
        number, product = number + 1, product * chance.random()
    return number


def _started(district: District, drawn: Drawn, folder: Path | None) -> Any:  # noqa: ANN401
    lib = _libsumo()
    with tempfile.TemporaryDirectory() as desk:
        own = Path(desk, "own.add.xml")
        file = "NUL" if folder is None else str((folder / "e1.xml").resolve())
        types = (f'<vType id="{model}" carFollowModel="{model}"/>' for model in MODELS)
        loops = (
            f"<inductionLoop id={quoteattr(loop.id)} lane={quoteattr(loop.lane)} "
            f'pos="{loop.position_m}" period="{INTERVAL_S}" file={quoteattr(file)}/>'
            for loop in district.loops
        )
        own.write_text(f"<additional>{''.join(types)}{''.join(loops)}</additional>", "utf-8")
        files = ",".join(map(str, (*district.additional, own)))
        try:
            lib.start(
                [
                    *("sumo", "-n", str(district.net), "-a", files, "--seed", str(drawn.seed)),
                    *("--begin", repr(district.begin_s), "--step-length", repr(STEP_S)),
                    *("--no-step-log", "true", "--no-warnings", "true"),
                    *("--xml-validation", "never", "--ignore-route-errors", "true"),
                ]
            )
        except lib.TraCIException as error:
            raise DistrictError(f"SUMO cannot read {district.name}: {error}") from error
    return lib


def _libsumo() -> Any:  # noqa: ANN401 - a module without types
    try:
        import sumo  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise DistrictError("SUMO is not installed: pip install 'gemeos[sumo]'.") from error
    os.environ["SUMO_HOME"] = sumo.SUMO_HOME
    import libsumo  # noqa: PLC0415 - an extra, and reads SUMO_HOME when it is imported

    return libsumo
