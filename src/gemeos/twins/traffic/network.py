"""A network of roads and signals, as files of SUMO tell it. Nothing of SUMO is needed to read one.

Names are SUMO's own: a lane is ``EDGE_INDEX``, what begins with a colon lies within a junction.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from gemeos.errors import SchemaError, UnknownNameError

GREEN: Final = frozenset("Gg")
YELLOW: Final = frozenset("yY")
ADAPT: Final = frozenset({"actuated", "delay_based"})
"""Kinds of programmes whose stages last as their traffic asks."""
NO_CYCLES: Final = frozenset({"NEMA", "rail_signal", "rail_crossing"})
"""Kinds of programmes whose rows do not follow one another: rings that run beside each other, and
signals of railways."""
LETTERS: Final = frozenset("GgyYrRusoO")
"""What a light may show: green with and without priority, yellow, red, red-yellow, green right
turn after a stop, off blinking and off."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane of a road, or of the way across a junction."""

    id: str
    length_m: float
    speed_m_per_s: float
    """What may be driven."""
    allow: frozenset[str] = frozenset()
    """Classes of vehicles that may use it, as SUMO names them; empty for all but ``disallow``."""
    disallow: frozenset[str] = frozenset()
    width_m: float | None = None
    shape: tuple[tuple[float, float], ...] = ()
    """Its middle line in the network's metres, in the direction of travel."""

    def admits(self, kind: str = "passenger") -> bool:
        """Whether vehicles of that class may use it."""
        if self.allow:
            return kind in self.allow or "all" in self.allow
        return kind not in self.disallow and "all" not in self.disallow


@dataclass(frozen=True, slots=True)
class Edge:
    """One road in one direction, from a junction to the next."""

    id: str
    begins: str
    """The junction that it leaves."""
    ends: str
    """The junction that it comes to."""
    lanes: tuple[Lane, ...]
    """From the outermost inwards, as SUMO counts them."""
    name: str = ""
    priority: int = -1
    type: str = ""

    @property
    def length_m(self) -> float:
        """Of its first lane."""
        return self.lanes[0].length_m

    def admits(self, kind: str = "passenger") -> bool:
        """Whether vehicles of that class may use one of its lanes."""
        return any(lane.admits(kind) for lane in self.lanes)


@dataclass(frozen=True, slots=True)
class Connection:
    """A way across a junction, from one lane to another."""

    from_edge: str
    to_edge: str
    from_index: int
    """Of the lane."""
    to_index: int
    direction: str
    """``s`` straight, ``l`` and ``L`` left, ``r`` and ``R`` right, ``t`` back, as SUMO says it."""
    state: str
    """``M`` and ``m`` with and without priority where there is no signal, ``o`` with one, ..."""
    length_m: float = 0.0
    """Across the junction; 0 where the file leaves that out."""
    signal: str = ""
    """Which signal holds it; empty for none."""
    link: int = -1
    """Its place in the letters of that signal; -1 for none."""

    @property
    def from_lane(self) -> str:
        """The lane that it leaves."""
        return f"{self.from_edge}_{self.from_index}"

    @property
    def to_lane(self) -> str:
        """The lane that it comes to."""
        return f"{self.to_edge}_{self.to_index}"


@dataclass(frozen=True, slots=True)
class Crossing:
    """Where pedestrians cross roads."""

    id: str
    junction: str
    edges: tuple[str, ...]
    """The roads that are crossed."""
    length_m: float
    width_m: float
    signal: str = ""
    links: tuple[int, ...] = ()
    """Places in the letters of that signal, one or, where each side has its own, two."""


@dataclass(frozen=True, slots=True)
class Junction:
    """Where roads meet."""

    id: str
    kind: str
    """SUMO's type: ``traffic_light``, ``priority``, ``dead_end``, ..."""
    x_m: float
    y_m: float
    incoming: tuple[str, ...] = ()
    """Lanes that come to it, in the order in which its conflicts are told."""
    foes: tuple[str, ...] = ()
    """Of each way across, in that order: ``1`` for each way that crosses it, the last letter for
    the first way."""


@dataclass(frozen=True, slots=True)
class Phase:
    """One row of a programme: what all lights of a signal show, and how long."""

    duration_s: float
    state: str
    """A letter a link: see ``LETTERS``."""
    minimum_s: float | None = None
    """None where the file does not say."""
    maximum_s: float | None = None
    name: str = ""

    @property
    def gives_green(self) -> bool:
        """Whether nobody has yellow, and somebody has green."""
        shown = set(self.state)
        return bool(shown & GREEN) and not shown & YELLOW


@dataclass(frozen=True, slots=True)
class Program:
    """A cycle of phases of one signal."""

    signal: str
    id: str
    phases: tuple[Phase, ...]
    kind: str = "static"
    """SUMO's type: ``static``, ``actuated``, ``delay_based``, ..."""
    offset_s: float = 0.0
    """When a cycle begins: at this and all multiples of the cycle."""

    def __post_init__(self) -> None:
        where = f"Programme {self.id!r} of signal {self.signal!r}"
        if not self.phases:
            raise SchemaError(f"{where} has no phase.")
        if len({len(p.state) for p in self.phases}) != 1:
            raise SchemaError(f"{where} has phases with different numbers of lights.")
        for phase in self.phases:
            if strange := set(phase.state) - LETTERS:
                raise SchemaError(f"{where}: no light shows {', '.join(sorted(strange))}.")
            if phase.duration_s < 0:
                raise SchemaError(f"{where} has a phase of {phase.duration_s:g} s.")

    @property
    def adapts(self) -> bool:
        """Whether its stages last as their traffic asks."""
        return self.kind in ADAPT

    @property
    def is_cycle(self) -> bool:
        """Whether its phases come one after the other. Else SUMO alone can run it."""
        return self.kind not in NO_CYCLES

    @property
    def cycle_s(self) -> float:
        """All phases together; of programmes that adapt, as long as the file says."""
        return sum(p.duration_s for p in self.phases)


@dataclass(frozen=True, slots=True)
class Signal:
    """Lights that are switched together, at one junction or several."""

    id: str
    programs: tuple[Program, ...]
    """As they were read, the network's first."""
    links: tuple[tuple[Connection, ...], ...]
    """By place in the letters: what that light holds; nothing where a place is not used or belongs
    to pedestrians."""
    crossings: tuple[Crossing, ...] = ()
    """Those that it holds."""

    @property
    def program(self) -> Program:
        """The one that SUMO starts with: what was read last."""
        return self.programs[-1]

    def named(self, program: str) -> Program:
        """The programme of that name.

        Raises:
            UnknownNameError: there is none.
        """
        for one in self.programs:
            if one.id == program:
                return one
        raise UnknownNameError(
            "programme", program, [p.id for p in self.programs], where=f"Signal {self.id!r}"
        )


@dataclass(frozen=True, slots=True)
class Detector:
    """An induction loop in a lane."""

    id: str
    lane: str
    position_m: float
    """From the beginning of the lane."""
    period_s: float
    """Over which it counts."""


@dataclass(frozen=True, slots=True)
class Coordinates:
    """How the network's metres lie on Earth."""

    projection: str
    """As PROJ reads it; ``!`` where the network tells none."""
    offset_m: tuple[float, float]
    """Added to projected eastings and northings to make the network's metres."""
    bounds_m: tuple[float, float, float, float]
    """West, south, east and north of all that is drawn, in the network's metres."""

    @property
    def are_known(self) -> bool:
        """Whether longitudes and latitudes can be had back."""
        return self.projection not in ("", "!", "-", ".")

    def projected(self, x_m: float, y_m: float) -> tuple[float, float]:
        """Easting and northing of a place in the network."""
        return x_m - self.offset_m[0], y_m - self.offset_m[1]

    def on_earth(self, x_m: float, y_m: float) -> tuple[float, float]:
        """Longitude and latitude of a place in the network, in degrees. ``gemeos[city]``.

        Raises:
            SchemaError: the network tells no projection, or pyproj is not installed.
        """
        if not self.are_known:
            raise SchemaError("The network does not tell how it lies on Earth.")
        if importlib.util.find_spec("pyproj") is None:
            raise SchemaError("pyproj is not there. Install it: pip install 'gemeos[city]'.")
        from pyproj import Proj  # noqa: PLC0415 - an extra

        return Proj(self.projection)(*self.projected(x_m, y_m), inverse=True)


@dataclass(frozen=True)
class Network:
    """Roads, junctions, signals and detectors. ``read_network`` makes one."""

    edges: Mapping[str, Edge]
    """Roads alone, nothing within junctions."""
    lanes: Mapping[str, Lane]
    """Of roads, ways across junctions, and crossings."""
    junctions: Mapping[str, Junction]
    """Without those that SUMO puts within others."""
    connections: tuple[Connection, ...]
    """From road to road."""
    crossings: Mapping[str, Crossing]
    signals: Mapping[str, Signal]
    detectors: Mapping[str, Detector]
    coordinates: Coordinates
    left_hand: bool = False

    @cached_property
    def leaving(self) -> Mapping[str, tuple[Connection, ...]]:
        """By edge: all connections that leave it."""
        found: dict[str, list[Connection]] = {edge: [] for edge in self.edges}
        for connection in self.connections:
            found[connection.from_edge].append(connection)
        return {edge: tuple(of) for edge, of in found.items()}

    def next_edges(self, edge: str, kind: str = "passenger") -> tuple[str, ...]:
        """Where vehicles of that class may go on, each once."""
        ways = [
            c.to_edge
            for c in self.leaving[edge]
            if self.lanes[c.from_lane].admits(kind) and self.lanes[c.to_lane].admits(kind)
        ]
        return tuple(dict.fromkeys(ways))

    def sources(self, kind: str = "passenger") -> tuple[str, ...]:
        """Edges over which vehicles of that class come in: nobody else leads to them."""
        reached = {there for edge in self.edges for there in self.next_edges(edge, kind)}
        return tuple(i for i, e in self.edges.items() if e.admits(kind) and i not in reached)

    def sinks(self, kind: str = "passenger") -> tuple[str, ...]:
        """Edges over which they leave: they lead nowhere."""
        return tuple(
            i for i, e in self.edges.items() if e.admits(kind) and not self.next_edges(i, kind)
        )

    def conflicts(self, signal: str) -> frozenset[tuple[int, int]]:
        """Links of a signal whose ways cross or merge, each pair both ways round.

        A pair is told where one connection of each lights' are foes at their junction. Crossings
        are links too. Empty where the file tells no foes.
        """
        held = self.signals[signal]
        found = set()
        for junction, ways in self._ways.items():
            links = {i: of for i, (name, of) in enumerate(ways) if name == signal and of}
            foes = self.junctions[junction].foes
            for i, first in links.items():
                for j, second in links.items():
                    if foes[i][-1 - j] == "1":
                        found |= {(a, b) for a in first for b in second if a != b}
        size = len(held.links)
        both = found | {(b, a) for a, b in found}
        return frozenset((a, b) for a, b in both if a < size and b < size)

    @cached_property
    def _ways(self) -> Mapping[str, tuple[tuple[str, tuple[int, ...]], ...]]:
        """By junction: signal and links of each way across, in the order of its foes.

        Left out are junctions whose ways are not as many as their foes.
        """
        leaving: dict[str, list[Connection]] = {}
        for connection in self.connections:
            leaving.setdefault(connection.from_lane, []).append(connection)
        found = {}
        for junction in self.junctions.values():
            ways: list[tuple[str, tuple[int, ...]]] = [
                (c.signal, (c.link,)) for i in junction.incoming for c in leaving.get(i, ())
            ]
            ways += [
                (c.signal, c.links) for c in self.crossings.values() if c.junction == junction.id
            ]
            if len(ways) == len(junction.foes):
                found[junction.id] = tuple(ways)
        return found

    def detectors_on(self, edge: str) -> Iterator[Detector]:
        """Those in the lanes of that edge."""
        ids = {lane.id for lane in self.edges[edge].lanes}
        return (d for d in self.detectors.values() if d.lane in ids)
