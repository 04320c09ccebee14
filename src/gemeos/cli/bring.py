"""``gemeos import``: what cities have, made into files that a twin type reads."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec
from rich.console import Console


def add_import(parser: argparse.ArgumentParser) -> None:
    """What ``import`` takes."""
    parser.add_argument("kind", choices=("traffic",), help="the twin type that it is for")
    parser.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="SUMO's .net.xml with files beside it, an .osm, or Korean node-link shapes",
    )
    parser.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="made anew")
    parser.add_argument("--name", default="", help="of the district")
    parser.add_argument("--zone", default="", help="time zone, as in Asia/Seoul")
    parser.add_argument(
        "--signals", default="guess", help="of shapes: guess, none, or NODE_IDs with commas"
    )
    parser.add_argument("--projection", default="", help="of shapes without .prj, as in EPSG:5186")
    parser.add_argument(
        "--within", type=_box, metavar="W,S,E,N", help="degrees; of larger maps and shapes"
    )
    parser.add_argument(
        "--side", choices=("left", "right"), help="of maps: where traffic keeps, if no road tells"
    )
    parser.add_argument(
        "--loops-before",
        type=float,
        metavar="METRES",
        help="where there are no detectors: assume some so far before signals",
    )
    parser.add_argument("--limit", type=float, default=600.0, help="seconds; the longest it takes")
    parser.set_defaults(run=_import)


def _box(text: str) -> tuple[float, float, float, float]:
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not west,south,east,north") from error
    if not (west < east and south < north):
        raise argparse.ArgumentTypeError(f"{text!r} holds no place: west,south,east,north")
    return west, south, east, north


def _import(args: argparse.Namespace) -> None:
    # Not at the top: whoever asks for the weather need not wait for a city to be read.
    from gemeos.twins.traffic.sources import Wanted, bring  # noqa: PLC0415

    wanted = Wanted(
        name=args.name,
        zone=args.zone,
        signals=args.signals,
        projection=args.projection,
        within=args.within,
        left_hand=None if args.side is None else args.side == "left",
        loops_before_m=args.loops_before,
        limit_s=args.limit,
    )
    district = bring(args.files, args.to, wanted)
    network = district.network
    told = {
        "folder": str(args.to),
        "name": district.name,
        "edges": len(network.edges),
        "junctions": len(network.junctions),
        "signals": len(network.signals),
        "crossings": len(network.crossings),
        "detectors": len(network.detectors),
        "routes": [path.name for path in district.routes],
        "on_earth": network.coordinates.are_known,
        "attribution": district.attribution,
        "sources": list(district.sources),
    }
    if args.json:
        print(msgspec.json.encode(told).decode())
        return
    console = Console()
    console.print(
        f"{args.to} describes [bold]{district.name}[/bold]: {told['edges']} edges, "
        f"{told['junctions']} junctions, {told['signals']} signals, {told['crossings']} "
        f"crossings, {told['detectors']} detectors."
    )
    for line in district.sources:
        console.print(line, markup=False)
    if not network.detectors:
        console.print("It has no detectors: list them in district.toml before a twin reads it.")
