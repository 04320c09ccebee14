"""Trips between zones, told as trips between roads.

``duarouter`` sends all trips between two zones from the road and to the road that are best. Who
lives in a zone sets out all over it, so here each road of a zone has its share, by its weight.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element, ElementTree, SubElement

from gemeos.twins.traffic.reading import elements

RATES: Final = ("vehsPerHour", "perHour", "probability")
"""Words of flows that are the larger, the more come."""
ENDS: Final = (("from", "fromTaz", "tazSource"), ("to", "toTaz", "tazSink"))

Shares = Mapping[str, float]
"""By road; together 1."""


def by_roads(routes: Sequence[Path], additional: Sequence[Path], folder: Path) -> tuple[Path, ...]:
    """The files of trips, those anew that have trips between zones.

    Args:
        routes: Files of trips, vehicles or flows.
        additional: Files that may hold zones.
        folder: For files that are made anew.

    Raises:
        SchemaError: a file cannot be read.
    """
    if not any(_is_between_zones(e) for path in routes for e in elements(path)):
        return tuple(routes)
    zones = dict(_zones([*additional, *routes]))
    return tuple(
        _written(path, zones, folder / f"roads{number}.rou.xml")
        for number, path in enumerate(routes)
    )


def _is_between_zones(element: Element) -> bool:
    told = element.attrib
    return any(taz in told and road not in told for road, taz, _ in ENDS)


def _zones(files: Iterable[Path]) -> Iterator[tuple[str, tuple[Shares, Shares]]]:
    """By zone: roads on which one sets out, and those to which one goes."""
    for path in files:
        for e in elements(path):
            if e.tag == "taz":
                roads = dict.fromkeys(e.get("edges", "").split(), 1.0)
                out, into = (
                    _shares(
                        roads | {s.attrib["id"]: float(s.get("weight", "1")) for s in e.iter(kind)}
                    )
                    for _, _, kind in ENDS
                )
                yield e.attrib["id"], (out, into)


def _shares(weights: Mapping[str, float]) -> Shares:
    whole = sum(weights.values())
    return {road: w / whole for road, w in weights.items() if w > 0} if whole > 0 else {}


def _written(path: Path, zones: Mapping[str, tuple[Shares, Shares]], file: Path) -> Path:
    root = Element("routes")
    given: dict[tuple[str, str], dict[tuple[str, str], float]] = {}
    for e in elements(path):
        pairs = _pairs(e, zones) if _is_between_zones(e) else {}
        if not pairs:
            SubElement(root, e.tag, e.attrib).extend(e)
        elif e.tag == "flow":
            for number, (pair, share) in enumerate(pairs.items()):
                told = {**e.attrib, **_scaled(e.attrib, share), "id": f"{e.get('id')}.{number}"}
                SubElement(root, e.tag, _on_roads(told, pair)).extend(e)
        else:
            # Each pair in its turn, as often as its share says.
            had = given.setdefault((e.get("fromTaz", ""), e.get("toTaz", "")), {})
            for pair, share in pairs.items():
                had[pair] = had.get(pair, 0.0) + share
            chosen = max(pairs, key=had.__getitem__)
            had[chosen] -= 1.0
            SubElement(root, e.tag, _on_roads(e.attrib, chosen)).extend(e)
    ElementTree(root).write(file, encoding="utf-8")
    return file


def _pairs(
    element: Element, zones: Mapping[str, tuple[Shares, Shares]]
) -> dict[tuple[str, str], float]:
    """Roads of both ends, with the share of the trips between them."""
    sides = [
        {element.attrib[road]: 1.0}
        if road in element.attrib
        else zones.get(element.get(taz, ""), ({}, {}))[side]
        for side, (road, taz, _) in enumerate(ENDS)
    ]
    return {(a, b): p * q for a, p in sides[0].items() for b, q in sides[1].items() if a != b}


def _on_roads(told: Mapping[str, str], pair: tuple[str, str]) -> dict[str, str]:
    kept = {word: text for word, text in told.items() if word not in ("fromTaz", "toTaz")}
    return {**kept, "from": pair[0], "to": pair[1]}


def _scaled(told: Mapping[str, str], share: float) -> dict[str, str]:
    """The words of a flow that say how many come, for a share of them."""
    found = {word: f"{float(told[word]) * share:.9g}" for word in RATES if word in told}
    if period := told.get("period", ""):
        chance = period.startswith("exp(")
        found["period"] = (
            f"exp({float(period[4:-1]) * share:.9g})" if chance else f"{float(period) / share:.9g}"
        )
    if "number" in told:
        found["number"] = str(max(round(float(told["number"]) * share), 1))
    return found
