"""A map of OpenStreetMap as a network, through netconvert.

The options are those that SUMO's documentation recommends for such maps ("Networks/Import/
OpenStreetMap"), but that sidewalks and crossings are guessed too, since signals are for pedestrians
as well.
"""

from __future__ import annotations

import bz2
from pathlib import Path
from typing import Final

from gemeos.engines.sumo.programs import home, run_program
from gemeos.errors import SchemaError
from gemeos.twins.traffic.sources.folder import Draft

OPTIONS: Final = (
    *("--geometry.remove", "--ramps.guess", "--junctions.join", "--roundabouts.guess"),
    *("--tls.guess-signals", "--tls.discard-simple", "--tls.join", "--tls.default-type", "static"),
    *("--sidewalks.guess", "--crossings.guess", "--remove-edges.isolated", "--no-turnarounds"),
    *("--keep-edges.by-vclass", "passenger,bus,pedestrian", "--output.street-names"),
)
GUESSED: Final = (
    "Where the map does not say so, numbers of lanes, speeds, crossings and programmes of signals "
    "are guesses of netconvert."
)
ATTRIBUTION: Final = "Map data (c) OpenStreetMap contributors, ODbL 1.0"


def from_osm(
    path: Path,
    desk: Path,
    name: str,
    *,
    within: tuple[float, float, float, float] | None = None,
    limit_s: float = 600.0,
) -> Draft:
    """The roads of a map.

    Args:
        path: OpenStreetMap's XML, as it is or packed with gzip or bzip2.
        desk: A folder for files on the way.
        name: Of the district; empty for the file's.
        within: West, south, east and north in degrees, of larger maps.
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
    types = (folder / f"osmNetconvert{kind}.typ.xml" for kind in ("", "Pedestrians"))
    box = () if within is None else ("--keep-edges.in-geo-boundary", ",".join(map(str, within)))
    net = desk / "osm.net.xml"
    said = run_program(
        "netconvert",
        [
            *("--osm-files", source, "--output-file", net),
            *("--type-files", ",".join(map(str, types))),
            *OPTIONS,
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
        ),
        remarks={"netconvert.txt": said},
    )
