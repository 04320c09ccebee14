"""What the plant reads of a district: the same files that a twin reads, by its own hand."""

from __future__ import annotations

import gzip
import math
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
                    _seconds(p.attrib["duration"]),
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
    """Departures of the files. What is told as a flow is spread evenly over its time."""
    found: dict[tuple[str, str], Counter[int]] = {}
    named: dict[str, list[str]] = {}
    for path in paths:
        for e in _elements(path, frozenset({"route", "vehicle", "trip", "flow"})):
            if e.tag == "route":
                if "id" in e.attrib:
                    named[e.attrib["id"]] = e.attrib["edges"].split()
                continue
            within = e.find("route")
            edges = (
                within.attrib["edges"].split()
                if within is not None and "edges" in within.attrib
                else named.get(e.get("route", ""), [])
            )
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
    end = min(end, begin + 86400.0)
    if "number" in told:
        number = float(told["number"])
    elif "period" in told:
        number = (end - begin) / _seconds(told["period"].removeprefix("exp(").removesuffix(")"))
    elif "probability" in told:
        number = (end - begin) * float(told["probability"])
    else:
        number = (end - begin) / 3600.0 * float(told.get("vehsPerHour", "0"))
    whole = int(number)
    return [begin + (i + 0.5) * (end - begin) / whole for i in range(whole)]


def _seconds(text: str) -> float:
    total = 0.0
    for part, worth in zip(reversed(text.split(":")), (1, 60, 3600, 86400), strict=False):
        total += float(part) * worth
    return total
