"""The standard node-link shapes of Korea (표준노드링크) as a network, through netconvert.

The files are those that the Ministry of Land publishes at its.go.kr (nodelink.its.go.kr before):
``MOCT_NODE`` and ``MOCT_LINK``, ESRI shapes whose tables are in CP949, and the table ``TURNINFO``.
Names and codes follow the ministry's standard "지능형교통체계 표준 노드링크 구축기준" (of
2018-09-28) as public readers of the files use them:

- node: ``NODE_ID``, ``NODE_TYPE`` (101 crossing; 102 to 108 beginnings of roads, changes of what a
  road is, bridges and the like, borders, ramps).
- link, one direction each: ``LINK_ID``, ``F_NODE``, ``T_NODE``, ``LANES``, ``ROAD_RANK`` (101
  motorway, 102 urban motorway, 103 national, 104 metropolitan, 105 provincial with state support,
  106 provincial, 107 town, 108 other), ``ROAD_TYPE`` (000 plain, 001 flyover, 002 underpass, 003
  bridge, 004 tunnel), ``ROAD_NAME``, ``MAX_SPD`` in km/h, ``CONNECT`` (000, or the kind of ramp).
  ``LENGTH`` is passed over: the shapes are in metres. So is ``REST_VEH``.
- turn: ``NODE_ID``, ``ST_LINK``, ``ED_LINK``, ``TURN_TYPE`` (001 unprotected left, 002 buses alone,
  003 none, 011 U-turn, 012 P-turn, 101 no left, 102 no straight, 103 no right). 001 and 012 change
  no way across. 002 is kept from all: SUMO could keep it for buses, the twin has none here.

Turning back is not allowed but where 011 says so, as the law of Korea has it. The files say nothing
of signals, nor of pedestrians: for signals see ``from_node_links``; pavements along all plain roads
but motorways, and crossings over them, are assumed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import Element, ElementTree, SubElement

from gemeos.engines.sumo.programs import run_program
from gemeos.errors import SchemaError, UnknownNameError
from gemeos.twins.traffic.sources.folder import Draft
from gemeos.twins.traffic.sources.shapes import Grid, Row, Table, grid_of

Box = tuple[float, float, float, float]
CROSSING: Final = "101"
MOTORWAYS: Final = frozenset({"101", "102"})
PLAIN: Final = "000"
SIDEWALK_M: Final = "2.0"
FORBIDDEN: Final = frozenset({"002", "003", "101", "102", "103"})
BACK: Final = "011"
USUAL_KM_PER_H: Final = {
    "101": 100.0,
    "102": 80.0,
    "103": 80.0,
    "104": 50.0,
    "105": 60.0,
    "106": 60.0,
    "107": 50.0,
}
"""Where ``MAX_SPD`` is 0, by rank: usual limits of such roads, assumed."""
SLOW_KM_PER_H: Final = 30.0
SAME_M: Final = 1.0
"""Directions whose lines are nearer than this are drawn as one line."""
ASSUMED: Final = (
    "Programmes of signals, pavements, crossings, and speeds where none was told, are assumed."
)
BESIDE: Final = 100.0
"""Metres by which a node may lie beside the ends of its links."""
WITHIN: Final = (124.0, 32.5, 132.5, 39.0)
"""West, south, east and north of the country that has such shapes, in degrees."""
ATTRIBUTION: Final = "표준노드링크, 국토교통부 (its.go.kr)"


@dataclass(frozen=True, slots=True)
class _Node:
    id: str
    kind: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class _Link:
    id: str
    begins: str
    ends: str
    lanes: int
    km_per_h: float
    rank: str
    walked: bool
    """Whether there is a pavement: on plain roads that are no motorways."""
    name: str
    line: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class _Turn:
    node: str
    here: str
    there: str
    kind: str


def from_node_links(
    files: Sequence[Path],
    desk: Path,
    *,
    name: str = "",
    signals: str = "guess",
    projection: str = "",
    within: Box | None = None,
    limit_s: float = 600.0,
) -> Draft:
    """The roads of node-link shapes.

    Args:
        files: The folder that they lie in, or the files themselves.
        desk: A folder for files on the way.
        name: Of the district; empty for the folder's.
        signals: Where signals are: ``none``; names of nodes with commas between; or ``guess`` for
            crossings where three roads or more meet and two of them come with two lanes or more.
        projection: As in ``EPSG:5186``, where there is no ``.prj``. Coordinates on another
            ellipsoid than GRS80 (EPSG:5174, 2097) are brought to EPSG:5186.
        within: West, south, east and north in degrees: of larger files, links with both ends
            inside.
        limit_s: The longest that netconvert may take.

    Raises:
        SchemaError: a file or field is missing, or they do not fit together.
        EngineError: netconvert is not there, or makes no network of it.
    """
    nodes_file, links_file, turns_file = _files(files)
    grid = grid_of(links_file, projection)
    box = grid.box(within)
    links = _links(Table(links_file), box)
    _lies_in_korea(links, grid, links_file)
    nodes = _nodes(Table(nodes_file), links, box)
    turns = () if turns_file is None else tuple(_turns(Table(turns_file), links))
    with_signals = _signals(signals, nodes, links)
    _write_nodes(desk / "city.nod.xml", nodes.values(), with_signals, grid.told, grid.moved)
    _write_links(desk / "city.edg.xml", links, grid.moved)
    _write_turns(desk / "city.con.xml", links, turns)
    net = desk / "city.net.xml"
    said = run_program(
        "netconvert",
        [
            *("--node-files", desk / "city.nod.xml", "--edge-files", desk / "city.edg.xml"),
            *("--connection-files", desk / "city.con.xml", "--output-file", net),
            *("--no-turnarounds", "--output.street-names", "--tls.default-type", "static"),
            "--crossings.guess",
        ],
        limit_s=limit_s,
    )
    named = [p.name for p in (links_file, nodes_file, turns_file) if p is not None]
    where = files[0] if files[0].is_dir() else files[0].parent
    return Draft(
        net=net,
        name=name or where.resolve().name,
        zone="Asia/Seoul",
        attribution=ATTRIBUTION,
        sources=(f"{', '.join(named)}, in {grid.told}.", f"Signals: {signals}.", ASSUMED),
        remarks={"netconvert.txt": said},
    )


def _lies_in_korea(links: Mapping[str, _Link], grid: Grid, file: Path) -> None:
    """Raise where the coordinates and what they are said to be do not go together."""
    west, south, east, north = grid.box(WITHIN)
    x, y = next(iter(links.values())).line[0]
    if not (west <= x <= east and south <= y <= north):
        raise SchemaError(
            f"{file}: a link begins at {x:.0f}, {y:.0f}. That is not in Korea, in {grid.told}. Say "
            "in what its coordinates are, as in EPSG:5186 or EPSG:5179."
        )


def _files(files: Sequence[Path]) -> tuple[Path, Path, Path | None]:
    """Nodes, links and turns among the files, or in the folder."""
    found = [
        p
        for path in files
        for p in (sorted(path.rglob("*")) if path.is_dir() else [path])
        if p.suffix.lower() in (".shp", ".dbf")
    ]

    def one(word: str, suffix: str, without: str = "MULTI") -> Path | None:
        fits = [
            p
            for p in found
            if word in p.stem.upper()
            and without not in p.stem.upper()
            and p.suffix.lower() == suffix
        ]
        if len(fits) > 1:
            told = ", ".join(map(str, fits))
            raise SchemaError(f"There are {len(fits)} files of {word}: {told}. Name one.")
        return fits[0] if fits else None

    nodes, links = one("NODE", ".shp"), one("LINK", ".shp")
    if nodes is None or links is None:
        raise SchemaError(
            "Node-link shapes are two files, as in MOCT_NODE.shp and MOCT_LINK.shp (each with its "
            f".dbf beside it), and TURNINFO.dbf if there is one. There are: "
            f"{', '.join(p.name for p in found) or 'none'}."
        )
    return nodes, links, one("TURN", ".dbf")


def _links(table: Table, box: Box | None) -> dict[str, _Link]:
    links: dict[str, _Link] = {}
    for row in table.rows(box):
        link = _link(row)
        if link.id in links:
            raise SchemaError(f"{table.path} has two links {link.id!r}.")
        links[link.id] = link
    if not links:
        raise SchemaError(f"{table.path} has no link{'' if box is None else ' there'}.")
    return links


def _link(row: Row) -> _Link:
    rank = row.text("ROAD_RANK", "108")
    told = row.number("MAX_SPD", 0.0)
    if len(row.line) < 2:
        raise SchemaError(f"Link {row.id('LINK_ID')!r} has no line.")
    return _Link(
        id=row.id("LINK_ID"),
        begins=row.id("F_NODE"),
        ends=row.id("T_NODE"),
        lanes=max(1, round(row.number("LANES", 1.0))),
        km_per_h=told if told > 0 else USUAL_KM_PER_H.get(rank, SLOW_KM_PER_H),
        rank=rank,
        walked=rank not in MOTORWAYS and row.text("ROAD_TYPE", PLAIN) == PLAIN,
        name=row.text("ROAD_NAME", ""),
        line=row.line,
    )


def _nodes(table: Table, links: dict[str, _Link], box: Box | None) -> dict[str, _Node]:
    """Those that links begin or end at; they lie near the ends of the lines, not quite on them."""
    wanted = {node for link in links.values() for node in (link.begins, link.ends)}
    nodes = {}
    near = (
        None
        if box is None
        else (box[0] - BESIDE, box[1] - BESIDE, box[2] + BESIDE, box[3] + BESIDE)
    )
    for row in table.rows(near):
        if (i := row.id("NODE_ID")) in wanted:
            x, y = row.line[0]
            nodes[i] = _Node(i, row.text("NODE_TYPE", ""), x, y)
    if lost := wanted - set(nodes):
        where = (
            f"{table.path} (link {next(k for k, v in links.items() if {v.begins, v.ends} & lost)})"
        )
        raise UnknownNameError("node", min(lost), nodes, where=where)
    return nodes


def _turns(table: Table, links: Mapping[str, _Link]) -> Iterator[_Turn]:
    """Those between links that were read."""
    for row in table.rows(None):
        turn = _Turn(
            node=row.id("NODE_ID"),
            here=row.id("ST_LINK"),
            there=row.id("ED_LINK"),
            kind=row.text("TURN_TYPE", "").zfill(3),
        )
        if turn.here in links and turn.there in links:
            if links[turn.here].ends != links[turn.there].begins:
                raise SchemaError(
                    f"{table.path}: link {turn.here!r} does not lead to link {turn.there!r}."
                )
            yield turn


def _signals(wanted: str, nodes: Mapping[str, _Node], links: Mapping[str, _Link]) -> frozenset[str]:
    if wanted == "none":
        return frozenset()
    if wanted != "guess":
        named = frozenset(n.strip() for n in wanted.split(",") if n.strip())
        for node in named:
            if node not in nodes:
                raise UnknownNameError("node", node, nodes, where="The district")
        return named
    near: dict[str, set[str]] = {i: set() for i in nodes}
    wide: dict[str, int] = dict.fromkeys(nodes, 0)
    for link in links.values():
        near[link.begins].add(link.ends)
        near[link.ends].add(link.begins)
        wide[link.ends] += link.lanes >= 2
    return frozenset(
        i
        for i, node in nodes.items()
        if node.kind == CROSSING and len(near[i]) >= 3 and wide[i] >= 2
    )


def _write_nodes(
    path: Path,
    nodes: Iterable[_Node],
    with_signals: frozenset[str],
    projection: str,
    moved: Any,  # noqa: ANN401 -- a function of pyproj's
) -> None:
    root = Element("nodes")
    # With it netconvert takes the coordinates for already projected, and tells so in the network.
    SubElement(
        root,
        "location",
        netOffset="0.00,0.00",
        convBoundary="0.00,0.00,0.00,0.00",
        origBoundary="0.00,0.00,0.00,0.00",
        projParameter=projection,
    )
    for node in nodes:
        x, y = moved(node.x, node.y)
        kind = "traffic_light" if node.id in with_signals else "priority"
        SubElement(root, "node", id=node.id, x=f"{x:.3f}", y=f"{y:.3f}", type=kind)
    _save(root, path)


def _write_links(path: Path, links: Mapping[str, _Link], moved: Any) -> None:  # noqa: ANN401
    root = Element("edges")
    back = {(link.begins, link.ends): link for link in links.values()}
    for link in links.values():
        other = back.get((link.ends, link.begins))
        lanes_beside = other is not None and _same(link.line, other.line[::-1])
        SubElement(
            root,
            "edge",
            {
                "id": link.id,
                "from": link.begins,
                "to": link.ends,
                "numLanes": str(link.lanes),
                "speed": f"{link.km_per_h / 3.6:.4f}",
                # The lower the rank's number, the more important the road.
                "priority": str(109 - int(link.rank)) if link.rank.isdigit() else "1",
                "name": link.name,
                **({"sidewalkWidth": SIDEWALK_M} if link.walked else {}),
                "spreadType": "right" if lanes_beside else "center",
                "shape": " ".join(
                    f"{x:.3f},{y:.3f}" for x, y in (moved(*point) for point in link.line)
                ),
            },
        )
    _save(root, path)


def _write_turns(path: Path, links: Mapping[str, _Link], turns: Sequence[_Turn]) -> None:
    root = Element("connections")
    forbidden = {(t.here, t.there) for t in turns if t.kind in FORBIDDEN}
    back = {(t.here, t.there) for t in turns if t.kind == BACK} - forbidden
    leaving: dict[str, list[str]] = {}
    for link in links.values():
        leaving.setdefault(link.begins, []).append(link.id)
    # Of an edge with connections of its own netconvert guesses no others: tell them all.
    for here in sorted({here for here, _ in back}):
        ahead = [
            there
            for there in leaving.get(links[here].ends, ())
            if links[there].ends != links[here].begins or (here, there) in back
        ]
        for there in ahead:
            if (here, there) not in forbidden:
                SubElement(root, "connection", {"from": here, "to": there})
    for here, there in sorted(forbidden):
        SubElement(root, "delete", {"from": here, "to": there})
    _save(root, path)


def _same(one: Sequence[tuple[float, float]], other: Sequence[tuple[float, float]]) -> bool:
    return len(one) == len(other) and all(
        abs(a - c) < SAME_M and abs(b - d) < SAME_M
        for (a, b), (c, d) in zip(one, other, strict=True)
    )


def _save(root: Element, path: Path) -> None:
    ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
