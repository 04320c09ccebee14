"""What the plant reads of a district: the same files that a twin reads, by its own hand."""

from __future__ import annotations

import gzip
import math
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError, iterparse

from gemeos_plants.traffic.controller import Phase, Program

LOOPS: Final = frozenset({"e1Detector", "inductionLoop"})
BIN_S: Final = 300.0
"""Over which the departures of the files are counted."""


DAY_S: Final = 86_400.0


class DistrictError(Exception):
    """The folder does not describe a district."""


@dataclass(frozen=True, slots=True)
class Loop:
    """An induction loop."""

    id: str
    lane: str
    position_m: float


@dataclass(frozen=True, slots=True)
class Limits:
    """What cabinets hold to, where the description says it."""

    minimum_green_s: float = 5.0
    maximum_green_s: float = 120.0
    minimum_cycle_s: float = 30.0
    maximum_cycle_s: float = 180.0
    walking_m_per_s: float = 1.0
    walk_s: float = 4.0


@dataclass(frozen=True)
class District:
    """What the plant lives in."""

    name: str
    net: Path
    additional: tuple[Path, ...]
    begin_s: float
    loops: tuple[Loop, ...]
    programs: Mapping[str, tuple[Program, ...]]
    limits: Mapping[str, Limits]
    """By signal; of those that are not named, ``usual``."""
    usual: Limits
    trips: Mapping[tuple[str, str], Mapping[int, int]] = field(default_factory=dict)
    """By first and last edge: vehicles by number of the bin of ``BIN_S`` in which they depart."""

    def limits_of(self, signal: str) -> Limits:
        """Of that signal."""
        return self.limits.get(signal, self.usual)


def read(folder: Path) -> District:
    """The district of a folder.

    Raises:
        DistrictError: it cannot be read.
    """
    file = folder / "district.toml"
    try:
        told = tomllib.loads(file.read_text(encoding="utf-8"))
        net = folder / told["network"]
        additional = tuple(folder / name for name in told.get("additional", ()))
        loops = [loop for name in told.get("detector_files", ()) for loop in _loops(folder / name)]
        loops += [
            Loop(str(d["name"]), str(d["lane"]), float(d["position_m"]))
            for d in told.get("detectors", ())
        ]
        common = told.get("limits", {})
        return District(
            name=str(told["name"]),
            net=net,
            additional=additional,
            begin_s=float(told.get("begin_s", 0.0)),
            loops=tuple(loops),
            programs=_programs((net, *additional)),
            limits={i: _limits({**common, **own}) for i, own in told.get("signals", {}).items()},
            usual=_limits(common),
            trips=_trips([folder / name for name in told.get("routes", ())]),
        )
    except (OSError, ParseError, KeyError, TypeError, ValueError) as error:
        raise DistrictError(f"{file} does not describe a district: {error!r}.") from error


def _limits(told: Mapping[str, Any]) -> Limits:
    return Limits(**{k: float(v) for k, v in told.items() if k in Limits.__slots__})


def _elements(path: Path, tags: frozenset[str]) -> Iterator[Element]:
    """Those children of a file's root, each emptied after."""
    depth = 0
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        for event, element in iterparse(file, ("start", "end")):  # noqa: S314 -- the user's own
            depth += 1 if event == "start" else -1
            if depth == 1 and event == "end":
                if element.tag in tags:
                    yield element
                element.clear()


def _loops(path: Path) -> Iterator[Loop]:
    for e in _elements(path, LOOPS):
        yield Loop(e.attrib["id"], e.attrib["lane"], float(e.attrib["pos"]))


def _programs(paths: tuple[Path, ...]) -> dict[str, tuple[Program, ...]]:
    found: dict[str, list[Program]] = {}
    for path in paths:
        for e in _elements(path, frozenset({"tlLogic"})):
            phases = tuple(
                Phase(
                    _seconds(p.get("duration") or p.attrib["minDur"]),
                    p.attrib["state"],
                    _seconds(p.attrib["minDur"]) if "minDur" in p.attrib else None,
                    _seconds(p.attrib["maxDur"]) if "maxDur" in p.attrib else None,
                )
                for p in e.iter("phase")
            )
            if phases:
                program = Program(e.get("programID", "0"), phases, _seconds(e.get("offset") or "0"))
                found.setdefault(e.attrib["id"], []).append(program)
    return {i: tuple(programs) for i, programs in found.items()}


def _trips(paths: list[Path]) -> dict[tuple[str, str], Counter[int]]:
    """Departures of the files. What is told as a flow is spread evenly over its time.

    What has no first and last edge, such as trips between zones, is passed over.
    """
    found: dict[tuple[str, str], Counter[int]] = {}
    named: dict[str, list[str]] = {}
    kinds = frozenset({"route", "routeDistribution", "vehicle", "trip", "flow"})
    for path in paths:
        for e in _elements(path, kinds):
            told = [route for route in e.iter("route") if "edges" in route.attrib]
            # Of several ways the likeliest: the ends are what counts, and they share them mostly.
            likeliest = max(told, key=lambda r: float(r.get("probability", "1")), default=None)
            edges = (
                named.get(e.get("route", ""), [])
                if likeliest is None
                else likeliest.attrib["edges"].split()
            )
            if e.tag in {"route", "routeDistribution"}:
                named[e.get("id", "")] = edges
                continue
            ends = (
                e.get("from") or (edges[0] if edges else ""),
                e.get("to") or (edges[-1] if edges else ""),
            )
            if all(ends):
                counts = found.setdefault(ends, Counter())
                for at in _departures(e):
                    counts[math.floor(at / BIN_S)] += 1
    return found


def _departures(element: Element) -> list[float]:
    told = element.attrib
    if element.tag != "flow":
        depart = told.get("depart", "0")
        return [_seconds(depart)] if depart[:1].isdigit() else []
    begin, end = _seconds(told.get("begin", "0")), _seconds(told.get("end", "3600"))
    # A flow without end goes on for the day.
    end = min(end, begin + DAY_S)
    whole = int(_number(told, end - begin))
    return [begin + (i + 0.5) * (end - begin) / whole for i in range(whole)]


def _number(told: Mapping[str, str], lasts_s: float) -> float:
    """Vehicles of a flow."""
    if "number" in told:
        return float(told["number"])
    if period := told.get("period", ""):
        # Either seconds between two, or in brackets how many come a second by chance.
        chance = re.fullmatch(r"exp\((.*)\)", period)
        return lasts_s * float(chance.group(1)) if chance else lasts_s / _seconds(period)
    if "probability" in told:
        return lasts_s * float(told["probability"])
    return lasts_s / 3600.0 * float(told.get("vehsPerHour", told.get("perHour", "0")))


def _seconds(text: str) -> float:
    total = 0.0
    for part, worth in zip(reversed(text.split(":")), (1, 60, 3600, 86400), strict=False):
        total += float(part) * worth
    return total
