"""Networks and additional files of SUMO, read without SUMO.

The forms are those that SUMO writes: ``net_file.xsd`` and ``additional_file.xsd`` of SUMO 1.28 and
the pages "Networks/SUMO Road Networks" and "Simulation/Traffic Lights" of its documentation. Files
may be packed with gzip. A file that brings document type definitions of its own is refused: there
is no honest use for them here, and entities can grow without bound.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, final
from xml.etree.ElementTree import (
    Element,
    ParseError,
    TreeBuilder,
    XMLParser,
)

from gemeos.errors import SchemaError, UnknownNameError
from gemeos.twins.traffic.network import (
    Connection,
    Coordinates,
    Crossing,
    Detector,
    Edge,
    Junction,
    Lane,
    Network,
    Phase,
    Program,
    Signal,
)

LOOPS: Final = frozenset({"e1Detector", "inductionLoop"})
WITHIN: Final = frozenset({"internal", "walkingarea", "crossing"})
"""Functions of edges that are no roads."""
TRUE: Final = frozenset({"true", "True", "1", "yes", "on", "x", "t"})
"""As SUMO reads it."""
USUAL_PERIOD_S: Final = 60.0
USUAL_CROSSING_M: Final = 4.0
"""Width of a crossing where none is told: SUMO's own."""
_PIECE: Final = 1 << 16


@final
class _Children(TreeBuilder):
    """Hands out the children of the root as they end, and keeps nothing of them."""

    def __init__(self, wanted: Sequence[str]) -> None:
        super().__init__()
        self.ready: list[Element] = []
        self.root: dict[str, str] = {}
        self._wanted = wanted
        self._depth = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        if self._depth == 0 and self._wanted and tag not in self._wanted:
            raise SchemaError(f"it is <{tag}>, not <{self._wanted[0]}>")
        if self._depth == 0:
            self.root = attrs
        self._depth += 1
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        ended = super().end(tag)
        self._depth -= 1
        if self._depth == 1:
            # The root keeps a reference; what hangs on it is let go of by whoever has read it.
            self.ready.append(ended)
        return ended

    def doctype(self, *_: object) -> None:
        raise SchemaError("it defines a document type of its own, and nothing may here")


def elements(
    path: Path, root: Sequence[str] = (), told: dict[str, str] | None = None
) -> Iterator[Element]:
    """The children of a file's root, one after the other; each is emptied when the next is asked.

    Args:
        path: An XML file, packed with gzip or not.
        root: What the outermost element may be called; empty for anything.
        told: Takes the root's own attributes, before the first child is handed out.

    Raises:
        SchemaError: the file cannot be read, or is something else.
    """
    children = _Children(root)
    parser = XMLParser(target=children)  # noqa: S314 -- _Children refuses what could be made ill
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for piece in iter(lambda: file.read(_PIECE), b""):
                parser.feed(piece)
                ready, children.ready = children.ready, []
                if told is not None:
                    told |= children.root
                for element in ready:
                    yield element
                    element.clear()
            parser.close()
    except FileNotFoundError as error:
        raise SchemaError(f"There is no file {path}.") from error
    except (OSError, EOFError, ParseError, SchemaError) as error:
        raise SchemaError(f"{path} cannot be read: {error}.") from error


def read_network(net: Path, additional: Sequence[Path] = ()) -> Network:
    """The network of a ``.net.xml``, with programmes and detectors of further files.

    Args:
        net: What netconvert or netgenerate has written.
        additional: Files of SUMO's kind "additional". Of these, programmes of signals and induction
            loops are read, the rest is passed over.

    Raises:
        SchemaError: a file cannot be read, is not of its kind, or does not fit the network.
    """
    draft = _Draft()
    root: dict[str, str] = {}
    for element in elements(net, ["net"], root):
        _told(draft.take, element, net)
    draft.left_hand = root.get("lefthand", "") in TRUE
    if not draft.edges:
        raise SchemaError(f"{net} has no roads.")
    for path in additional:
        for element in elements(path):
            _told(draft.take_additional, element, path)
    return draft.network(str(net))


def _told(take: Callable[[Element], None], element: Element, path: Path) -> None:
    """Take an element; what is wrong with it is told with file, kind and name."""
    try:
        take(element)
    except KeyError as missing:
        if isinstance(missing, UnknownNameError):
            raise
        who = f"<{element.tag} {element.get('id', '')!r}>"
        raise SchemaError(f"{path}: {who} does not say its {missing}.") from missing
    except ValueError as error:
        who = f"<{element.tag} {element.get('id', '')!r}>"
        raise SchemaError(f"{path}: {who} cannot be read: {error}.") from error


@final
class _Draft:
    """What was read so far."""

    def __init__(self) -> None:
        self.edges: dict[str, Edge] = {}
        self.lanes: dict[str, Lane] = {}
        self.junctions: dict[str, Junction] = {}
        self.crossings: dict[str, Crossing] = {}
        self.detectors: dict[str, Detector] = {}
        self._programs: dict[str, dict[str, Program]] = {}
        self._ways: list[tuple[Connection, str]] = []
        self._onward: dict[str, str] = {}
        self._crossed: dict[str, list[tuple[str, int]]] = {}
        self._coordinates = Coordinates("!", (0.0, 0.0), (0.0, 0.0, 0.0, 0.0))
        self.left_hand = False

    def take(self, element: Element) -> None:
        """A child of ``<net>``."""
        match element.tag:
            case "edge":
                self._edge(element)
            case "junction" if element.get("type") != "internal":
                self._junction(element)
            case "connection":
                self._connection(element)
            case "tlLogic" if element.find("phase") is not None:
                # Signals of railways have a place in the file and no phases.
                self._program(element)
            case "location":
                self._location(element)

    def take_additional(self, element: Element) -> None:
        """A child of ``<additional>``."""
        if element.tag in LOOPS:
            self.detect(_detector(element))
        elif element.tag == "tlLogic" and element.find("phase") is not None:
            if element.attrib["id"] not in self._programs:
                raise UnknownNameError("signal", element.attrib["id"], self._programs)
            self._program(element)

    def detect(self, detector: Detector) -> None:
        """Add a loop.

        Raises:
            SchemaError: there is one of that name, no such lane, or the lane is not as long.
        """
        self.detectors[detector.id] = fitting(detector, self.lanes, self.detectors)

    def network(self, name: str) -> Network:
        """All that was read."""
        ways = tuple(replace(c, length_m=self._across(via)) for c, via in self._ways)
        for way in ways:
            for lane in (way.from_lane, way.to_lane):
                if lane not in self.lanes:
                    raise UnknownNameError("lane", lane, self.lanes, where=name)
        crossings = {
            i: replace(c, signal=held[0][0], links=tuple(sorted({link for _, link in held})))
            if (held := self._crossed.get(i))
            else c
            for i, c in self.crossings.items()
        }
        return Network(
            edges=self.edges,
            lanes=self.lanes,
            junctions=self.junctions,
            connections=ways,
            crossings=crossings,
            signals=dict(self._signals(ways, crossings, name)),
            detectors=self.detectors,
            coordinates=self._coordinates,
            left_hand=self.left_hand,
        )

    def _signals(
        self, ways: Sequence[Connection], crossings: dict[str, Crossing], name: str
    ) -> Iterator[tuple[str, Signal]]:
        for i, programs in self._programs.items():
            last = tuple(programs.values())[-1]
            lights = len(last.phases[0].state)
            links: list[list[Connection]] = [[] for _ in range(lights)]
            crossed = tuple(c for c in crossings.values() if c.signal == i)
            held = [way for way in ways if way.signal == i]
            most = max([w.link for w in held] + [k for c in crossed for k in c.links], default=-1)
            if most >= lights:
                raise SchemaError(
                    f"{name}: programme {last.id!r} of signal {i!r} has {lights} lights, "
                    f"and connection {most} asks for one of its own."
                )
            for way in held:
                links[way.link].append(way)
            yield i, Signal(i, tuple(programs.values()), tuple(map(tuple, links)), crossed)

    def _across(self, via: str) -> float:
        """The length of a way across a junction, over all lanes within."""
        length, seen = 0.0, set()
        while via in self.lanes and via not in seen:
            seen.add(via)
            length += self.lanes[via].length_m
            via = self._onward.get(via, "")
        return length

    def _edge(self, element: Element) -> None:
        told, function = element.attrib, element.get("function", "normal")
        lanes = tuple(_lane(lane) for lane in element.iter("lane"))
        if function == "walkingarea":
            return
        if not lanes:
            raise SchemaError(f"Edge {told['id']!r} has no lane.")
        self.lanes |= {lane.id: lane for lane in lanes}
        if function == "crossing":
            self.crossings[told["id"]] = Crossing(
                id=told["id"],
                junction=told["id"][1:].rpartition("_c")[0],
                edges=tuple(told.get("crossingEdges", "").split()),
                length_m=lanes[0].length_m,
                width_m=lanes[0].width_m or USUAL_CROSSING_M,
            )
        elif function not in WITHIN:
            self.edges[told["id"]] = Edge(
                id=told["id"],
                begins=told["from"],
                ends=told["to"],
                lanes=lanes,
                name=told.get("name", ""),
                priority=int(told.get("priority", "-1")),
                type=told.get("type", ""),
            )

    def _junction(self, element: Element) -> None:
        told = element.attrib
        requests = sorted(element.iter("request"), key=lambda r: int(r.attrib["index"]))
        self.junctions[told["id"]] = Junction(
            id=told["id"],
            kind=told["type"],
            x_m=float(told["x"]),
            y_m=float(told["y"]),
            incoming=tuple(told.get("incLanes", "").split()),
            foes=tuple(r.attrib["foes"] for r in requests),
        )

    def _connection(self, element: Element) -> None:
        told = element.attrib
        here, there = told["from"], told["to"]
        if there in self.crossings:
            if "tl" in told:
                held = self._crossed.setdefault(there, [])
                held += [(told["tl"], int(told["linkIndex"]))]
                held += [(told["tl"], int(told["linkIndex2"]))] if "linkIndex2" in told else []
            return
        if here.startswith(":"):
            self._onward[f"{here}_{told['fromLane']}"] = told.get("via", "")
            return
        if there.startswith(":"):
            return
        way = Connection(
            from_edge=here,
            to_edge=there,
            from_index=int(told["fromLane"]),
            to_index=int(told["toLane"]),
            direction=told.get("dir", ""),
            state=told.get("state", ""),
            signal=told.get("tl", ""),
            link=int(told["linkIndex"]) if "tl" in told else -1,
        )
        self._ways.append((way, told.get("via", "")))

    def _program(self, element: Element) -> None:
        told = element.attrib
        phases = tuple(
            Phase(
                # Of programmes that adapt, the file need not say more than the shortest.
                duration_s=seconds(p.get("duration") or p.attrib["minDur"]),
                state=p.attrib["state"],
                minimum_s=_maybe(p.get("minDur")),
                maximum_s=_maybe(p.get("maxDur")),
                name=p.get("name", ""),
            )
            for p in element.iter("phase")
        )
        program = Program(
            signal=told["id"],
            id=told.get("programID", "0"),
            phases=phases,
            kind=told.get("type", "static"),
            offset_s=_maybe(told.get("offset")) or 0.0,
        )
        programs = self._programs.setdefault(program.signal, {})
        if program.id in programs:
            raise SchemaError(f"Signal {program.signal!r} has two programmes {program.id!r}.")
        programs[program.id] = program

    def _location(self, element: Element) -> None:
        told = element.attrib
        x, y = (float(v) for v in told["netOffset"].split(","))
        west, south, east, north = (float(v) for v in told["convBoundary"].split(","))
        self._coordinates = Coordinates(
            projection=told.get("projParameter", "!"),
            offset_m=(x, y),
            bounds_m=(west, south, east, north),
        )


def fitting(
    detector: Detector, lanes: dict[str, Lane], others: dict[str, Detector] | None = None
) -> Detector:
    """The detector with its place counted from the beginning of its lane.

    Raises:
        SchemaError: there is no such lane, it is not as long, or ``others`` have one of that name.
    """
    if others is not None and detector.id in others:
        raise SchemaError(f"There are two detectors {detector.id!r}.")
    if detector.lane not in lanes:
        raise UnknownNameError(
            "lane", detector.lane, lanes, where=f"Detector {detector.id!r}: the network"
        )
    length = lanes[detector.lane].length_m
    place = detector.position_m + (length if detector.position_m < 0 else 0.0)
    if not 0 <= place <= length:
        raise SchemaError(
            f"Detector {detector.id!r} lies {detector.position_m:g} m into lane "
            f"{detector.lane!r}, which is {length:g} m long."
        )
    if not detector.period_s > 0:
        raise SchemaError(f"Detector {detector.id!r} cannot count over {detector.period_s:g} s.")
    return replace(detector, position_m=place)


def _lane(element: Element) -> Lane:
    told = element.attrib
    return Lane(
        id=told["id"],
        length_m=float(told["length"]),
        speed_m_per_s=float(told["speed"]),
        allow=frozenset(told.get("allow", "").split()),
        disallow=frozenset(told.get("disallow", "").split()),
        width_m=float(told["width"]) if "width" in told else None,
        shape=tuple(
            (float(x), float(y))
            for x, y, *_ in (point.split(",") for point in told.get("shape", "").split())
        ),
    )


def _detector(element: Element) -> Detector:
    told = element.attrib
    period = told.get("period", told.get("freq"))
    return Detector(
        id=told["id"],
        lane=told["lane"],
        position_m=float(told["pos"]),
        period_s=USUAL_PERIOD_S if period is None else seconds(period),
    )


def _maybe(text: str | None) -> float | None:
    return None if text is None else seconds(text)


def seconds(text: str) -> float:
    """Seconds, or ``[days:]hours:minutes:seconds``, as SUMO writes times."""
    total = 0.0
    parts = text.split(":")
    for part, worth in zip(reversed(parts), (1, 60, 3600, 86400), strict=False):
        total += float(part) * worth
    return total
