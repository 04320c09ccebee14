"""A map of OpenStreetMap as a network, through netconvert.

The options are those that SUMO's documentation recommends for such maps ("Networks/Import/
OpenStreetMap"), but that sidewalks and crossings are guessed too, since signals are for pedestrians
as well. Where the map tells no speed, that of a road within a town is taken.
"""

from __future__ import annotations

import bz2
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gemeos.engines.sumo.programs import home, run_program
from gemeos.errors import SchemaError
from gemeos.twins.traffic.reading import elements
from gemeos.twins.traffic.sources.folder import Draft

OPTIONS: Final = (
    *("--geometry.remove", "--ramps.guess", "--junctions.join", "--roundabouts.guess"),
    *("--tls.guess-signals", "--tls.discard-simple", "--tls.join", "--tls.default-type", "static"),
    *("--sidewalks.guess", "--crossings.guess", "--remove-edges.isolated", "--no-turnarounds"),
    *("--keep-edges.by-vclass", "passenger,bus,pedestrian", "--output.street-names"),
    # Lanes of buses, and arrows on lanes, where the map tells them.
    *("--osm.lane-access", "--osm.turn-lanes"),
)
TYPES: Final = ("", "UrbanDe", "Pedestrians")
"""Of SUMO's lists of kinds of roads, each over the one before."""
GUESSED: Final = (
    "Where the map does not say so, numbers of lanes, speeds (those of towns), crossings and "
    "programmes of signals are guesses of netconvert."
)
SIDES: Final = {
    True: "Traffic keeps left: {why}.",
    False: "Traffic keeps right: {why}.",
}
ATTRIBUTION: Final = "Map data (c) OpenStreetMap contributors, ODbL 1.0"


def from_osm(
    path: Path,
    desk: Path,
    name: str,
    *,
    within: tuple[float, float, float, float] | None = None,
    left_hand: bool | None = None,
    limit_s: float = 600.0,
) -> Draft:
    """The roads of a map.

    Args:
        path: OpenStreetMap's XML, as it is or packed with gzip or bzip2.
        desk: A folder for files on the way.
        name: Of the district; empty for the file's.
        within: West, south, east and north in degrees, of larger maps.
        left_hand: Whether traffic keeps left; None for what the map tells of it.
        limit_s: The longest that netconvert may take.

    Raises:
        SchemaError: the file cannot be unpacked.
        EngineError: netconvert is not there, or makes no network of it.
    """
    source = path
    if path.name.lower().endswith(".bz2"):
        source = desk / "map.osm.xml"
        try:
            with bz2.open(path) as packed, source.open("wb") as plain:
                for piece in iter(lambda: packed.read(1 << 20), b""):
                    plain.write(piece)
        except (OSError, EOFError) as error:
            raise SchemaError(f"{path} cannot be unpacked: {error}.") from error
    folder = home() / "data" / "typemap"
    types = (folder / f"osmNetconvert{kind}.typ.xml" for kind in TYPES)
    box = () if within is None else ("--keep-edges.in-geo-boundary", ",".join(map(str, within)))
    net = desk / "osm.net.xml"
    keeps_left, why = (left_hand, "so it was said") if left_hand is not None else side_of(source)
    said = run_program(
        "netconvert",
        [
            *("--osm-files", source, "--output-file", net),
            *("--type-files", ",".join(map(str, types))),
            *OPTIONS,
            *(("--lefthand",) if keeps_left else ()),
            *box,
        ],
        limit_s=limit_s,
    )
    return Draft(
        net=net,
        name=name or path.name.partition(".osm")[0],
        attribution=ATTRIBUTION,
        sources=(
            f"{path.name} of OpenStreetMap, through netconvert.",
            GUESSED,
            SIDES[keeps_left].format(why=why),
        ),
        remarks={"netconvert.txt": said},
    )


def side_of(path: Path) -> tuple[bool, str]:
    """Whether traffic keeps left on a map, and what tells so.

    Either its roads say ``driving_side``, or its roundabouts: they are drawn as they are driven,
    and clockwise where traffic keeps left.

    Args:
        path: OpenStreetMap's XML, packed with gzip or not.

    Raises:
        SchemaError: it cannot be read.
    """
    places: dict[str, tuple[float, float]] = {}
    told = {"left": 0, "right": 0}
    turns = {"left": 0, "right": 0}
    for element in elements(path):
        if element.tag == "node" and "lon" in element.attrib:
            places[element.get("id", "")] = (
                float(element.attrib["lon"]),
                float(element.attrib["lat"]),
            )
        elif element.tag == "way":
            tags = {tag.get("k"): tag.get("v") for tag in element.iter("tag")}
            if (side := tags.get("driving_side")) in told:
                told[side] += 1
            if tags.get("junction") in ("roundabout", "circular"):
                ring = [nd.get("ref", "") for nd in element.iter("nd")]
                area = _area([places[i] for i in ring if i in places])
                if area and tags.get("oneway") != "-1":
                    turns["left" if area < 0 else "right"] += 1
    if told["left"] != told["right"]:
        return told["left"] > told["right"], "its roads say so"
    if turns["left"] != turns["right"]:
        return turns["left"] > turns["right"], "so its roundabouts are drawn"
    return False, "the map tells nothing else"


def _area(ring: Sequence[tuple[float, float]]) -> float:
    """Twice the area within, positive if it is drawn against the clock."""
    pairs = zip(ring, [*ring[1:], *ring[:1]], strict=True)
    return sum(x * v - u * y for (x, y), (u, v) in pairs)
