"""Standard node-link shapes of Korea, small enough to be worked by hand.

Five nodes around Seoul's city hall: a crossing in the middle and roads to west, east, south and
north, 300 m long. ``세종대로`` runs from south to north, both ways drawn as one line, three lanes
a way at 50 km/h; ``을지로`` leads west to east, one way alone, two lanes, its speed untold. Left
turns from the south are forbidden (there is no way back west: north to west does not exist), from
the west one may not turn right; from the north one may turn back.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

HALL = (198056.4, 551885.0)
"""Seoul's city hall, longitude 126.9780 and latitude 37.5665, in EPSG:5186."""
ESRI_5186 = (
    'PROJCS["ITRF2000_Central_Belt_60",GEOGCS["GCS_ITRF_2000",DATUM["D_ITRF_2000",'
    'SPHEROID["GRS_1980",6378137.0,298.257222101]],PRIMEM["Greenwich",0.0],'
    'UNIT["Degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],'
    'PARAMETER["False_Easting",200000.0],PARAMETER["False_Northing",600000.0],'
    'PARAMETER["Central_Meridian",127.0],PARAMETER["Scale_Factor",1.0],'
    'PARAMETER["Latitude_Of_Origin",38.0],UNIT["Meter",1.0]]'
)
NODES = {
    "1020000001": ("101", 0, 0),
    "1020000002": ("102", -300, 0),
    "1020000003": ("102", 300, 0),
    "1020000004": ("102", 0, -300),
    "1020000005": ("102", 0, 300),
}
MIDDLE, WEST, EAST, SOUTH, NORTH = NODES
LINKS = {
    "1020001100": (WEST, MIDDLE, 2, "104", "을지로", 0),
    "1020001200": (MIDDLE, EAST, 2, "104", "을지로", 0),
    "1020001300": (SOUTH, MIDDLE, 3, "103", "세종대로", 50),
    "1020001400": (MIDDLE, SOUTH, 3, "103", "세종대로", 50),
    "1020001500": (NORTH, MIDDLE, 3, "103", "세종대로", 50),
    "1020001600": (MIDDLE, NORTH, 3, "103", "세종대로", 50),
}
TURNS = [
    (MIDDLE, "1020001100", "1020001400", "103"),
    (MIDDLE, "1020001500", "1020001600", "011"),
]


def node_links(
    folder: Path, origin: tuple[float, float] = HALL, projection: str = ESRI_5186
) -> Path:
    """Write the shapes; ``origin`` is where the crossing lies."""
    import shapefile  # noqa: PLC0415 - an extra

    def at(node: str) -> list[float]:
        return [origin[0] + NODES[node][1], origin[1] + NODES[node][2]]

    def text(writer: Any, *names: str) -> None:  # noqa: ANN401 - the library has no types
        for name in names:
            writer.field(name, "C", size=30)

    with shapefile.Writer(str(folder / "MOCT_NODE"), shapefile.POINT, encoding="cp949") as nodes:
        text(nodes, "NODE_ID", "NODE_TYPE", "NODE_NAME", "TURN_P")
        for name, (kind, *_) in NODES.items():
            nodes.point(*at(name))
            nodes.record(name, kind, "시청앞" if kind == "101" else "-", "1")
    with shapefile.Writer(str(folder / "MOCT_LINK"), shapefile.POLYLINE, encoding="cp949") as links:
        text(links, "LINK_ID", "F_NODE", "T_NODE")
        links.field("LANES", "N", size=4)
        text(links, "ROAD_RANK", "ROAD_TYPE", "ROAD_NO", "ROAD_NAME", "CONNECT")
        links.field("MAX_SPD", "N", size=4)
        links.field("LENGTH", "F", size=18, decimal=12)
        for name, (begins, ends, lanes, rank, road, speed) in LINKS.items():
            links.line([[at(begins), at(ends)]])
            links.record(name, begins, ends, lanes, rank, "000", "-", road, "000", speed, 300.0)
    with shapefile.Writer(str(folder / "TURNINFO"), shapefile.NULL, encoding="cp949") as turns:
        text(turns, "NODE_ID", "TURN_ID", "ST_LINK", "ED_LINK", "TURN_TYPE", "TURN_OPER")
        for i, (node, here, there, kind) in enumerate(TURNS):
            turns.null()
            turns.record(node, str(i), here, there, kind, "1")
    # The ministry's files have a table of turns alone.
    for suffix in (".shp", ".shx"):
        (folder / f"TURNINFO{suffix}").unlink(missing_ok=True)
    if projection:
        (folder / "MOCT_LINK.prj").write_text(projection)
    return folder
