"""What the plant reads of a district: the same files that a twin reads, by its own hand."""

from __future__ import annotations

import gzip
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError, iterparse

from gemeos_plants.traffic.controller import Phase, Program
from gemeos_plants.traffic.trips import seconds, trips_of

LOOPS: Final = frozenset({"e1Detector", "inductionLoop"})
NO_CYCLES: Final = frozenset({"NEMA", "rail_signal", "rail_crossing"})
"""Kinds of programmes that a cabinet cannot run row by row: SUMO does."""


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
    """By first and last edge: vehicles by number of the bin in which they depart."""

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
            trips=trips_of(
                [folder / name for name in told.get("routes", ())], net, additional, _elements
            ),
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
    left = set()
    for path in paths:
        for e in _elements(path, frozenset({"tlLogic"})):
            # Of several the one that is read last runs.
            left.discard(e.attrib["id"])
            if e.get("type", "") in NO_CYCLES:
                left.add(e.attrib["id"])
                continue
            phases = tuple(
                Phase(
                    seconds(p.get("duration") or p.attrib["minDur"]),
                    p.attrib["state"],
                    seconds(p.attrib["minDur"]) if "minDur" in p.attrib else None,
                    seconds(p.attrib["maxDur"]) if "maxDur" in p.attrib else None,
                )
                for p in e.iter("phase")
            )
            if phases:
                program = Program(
                    e.get("programID", "0"),
                    phases,
                    seconds(e.get("offset") or "0"),
                    e.get("type", "static"),
                )
                found.setdefault(e.attrib["id"], []).append(program)
    return {i: tuple(programs) for i, programs in found.items() if i not in left}
