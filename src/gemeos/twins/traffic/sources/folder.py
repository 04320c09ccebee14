"""The folder of a district, written."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final
from xml.etree.ElementTree import Element, SubElement, tostring

from gemeos.twins.traffic.district import (
    DESCRIPTION,
    NULL,
    District,
    detectors_xml,
    read_district,
)
from gemeos.twins.traffic.network import Detector, Network
from gemeos.twins.traffic.reading import LOOPS, elements, read_network

NET: Final = "network.net.xml"
LOOPS_FILE: Final = "detectors.add.xml"
WRITTEN: Final = {
    **dict.fromkeys(
        (
            *("e2Detector", "laneAreaDetector", "e3Detector", "entryExitDetector", "routeProbe"),
            *("instantInductionLoop", "edgeData", "laneData", "vTypeProbe", "rerouter"),
        ),
        ("file",),
    ),
    "calibrator": ("output",),
    "timedEvent": ("dest",),
}
"""By element: which of its words name files that SUMO writes."""
ROUTES: Final = frozenset({"vehicle", "trip", "flow", "route", "person", "personFlow"})
"""What files of demand hold."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a source gives of a district, ready to be written."""

    net: Path
    """A ``.net.xml``, packed with gzip or not."""
    name: str
    additional: tuple[Path, ...] = ()
    routes: tuple[Path, ...] = ()
    begin_s: float = 0.0
    end_s: float | None = None
    step_s: float = 1.0
    zone: str = "UTC"
    attribution: str = ""
    sources: tuple[str, ...] = ()
    remarks: Mapping[str, str] = field(default_factory=dict)
    """By name of a text file beside the description: what was said while it was made."""


def write_folder(draft: Draft, folder: Path, *, loops_before_m: float | None = None) -> District:
    """Write the folder, and read it as anybody would.

    Args:
        draft: What is written.
        folder: Made anew.
        loops_before_m: If the source has no detectors: put one into each lane that comes to a
            signal, this many metres before it.

    Raises:
        SchemaError: the files do not fit together.
    """
    folder.mkdir()
    with _plain(draft.net) as source, (folder / NET).open("wb") as target:
        shutil.copyfileobj(source, target)
    additional, loops = _split(draft.additional, folder)
    network = read_network(folder / NET)
    assumed = loops_before_m is not None and not loops
    if loops_before_m is not None and assumed:
        loops = _before_signals(network, loops_before_m)
    if loops:
        (folder / LOOPS_FILE).write_text(detectors_xml(loops), encoding="utf-8")
    routes = [_copied(path, folder) for path in draft.routes]
    for name, text in draft.remarks.items():
        (folder / name).write_text(text + "\n", encoding="utf-8")
    sources = list(draft.sources)
    if assumed:
        sources.append(f"Detectors are assumed, {loops_before_m:g} m before each signal.")
    lines = [
        f"name = {_text(draft.name)}",
        f"attribution = {_text(draft.attribution)}",
        f"sources = {_list(sources)}",
        f"zone = {_text(draft.zone)}",
        f"network = {_text(NET)}",
        f"additional = {_list(additional)}",
        f"detector_files = {_list([LOOPS_FILE] if loops else [])}",
        f"routes = {_list(routes)}",
        f"begin_s = {draft.begin_s:g}",
        *([f"end_s = {draft.end_s:g}"] if draft.end_s is not None else []),
        *([f"step_s = {draft.step_s:g}"] if draft.step_s != 1.0 else []),
        "interval_s = 60",
        "",
        "[channels]",
        'count = { channel = "{detector}/count", unit = "" }',
        'speed = { channel = "{detector}/speed", unit = "m/s" }',
        "",
        "# Shorter or longer than these no plan may set a signal. They are usual values: put in",
        "# those of your own controllers, for one signal under [signals.ITS-NAME].",
        "[limits]",
        "minimum_green_s = 5",
        "maximum_green_s = 120",
        "minimum_cycle_s = 30",
        "maximum_cycle_s = 180",
        "walking_m_per_s = 1.0",
        'source = "assumed"',
        "",
    ]
    (folder / DESCRIPTION).write_text("\n".join(lines), encoding="utf-8")
    return read_district(folder)


def _plain(path: Path) -> BinaryIO | gzip.GzipFile:
    """The file as it is, unpacked."""
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def _split(paths: Sequence[Path], folder: Path) -> tuple[list[str], list[Detector]]:
    """Copy additional files; names of what is left, and the loops.

    Loops are taken out, and what would have SUMO write files writes them nowhere: every member of
    a twin is a SUMO of its own, and all of them would write to the same ones.
    """
    names: list[str] = []
    loops: list[Detector] = []
    for path in paths:
        kept = Element("additional")
        changed = False
        for element in elements(path):
            if element.tag in LOOPS:
                changed = True
                continue
            writes = [word for word in WRITTEN.get(element.tag, ()) if word in element.attrib]
            changed = changed or bool(writes)
            told = element.attrib | dict.fromkeys(writes, NULL)
            SubElement(kept, element.tag, told).extend(element)
        if not changed:
            names.append(_copied(path, folder))
        elif len(kept):
            name = _free(path.name.removesuffix(".gz"), folder)
            (folder / name).write_bytes(tostring(kept, encoding="utf-8"))
            names.append(name)
    if paths:
        loops = list(
            read_network(folder / NET, [p for p in paths if _has_loops(p)]).detectors.values()
        )
    return names, loops


def _has_loops(path: Path) -> bool:
    return any(element.tag in LOOPS for element in elements(path))


def _before_signals(network: Network, before_m: float) -> list[Detector]:
    """A loop in each lane that comes to a signal, or in its middle where it is short."""
    lanes = dict.fromkeys(
        c.from_lane
        for signal in network.signals.values()
        for held in signal.links
        for c in held
        if network.lanes[c.from_lane].admits()
    )
    found = []
    for lane in lanes:
        length = network.lanes[lane].length_m
        place = length - before_m if length > 2 * before_m else length / 2
        found.append(Detector("loop_" + re.sub(r"[/+#%]", "-", lane), lane, round(place, 2), 60.0))
    return found


def _copied(path: Path, folder: Path) -> str:
    name = _free(path.name, folder)
    shutil.copyfile(path, folder / name)
    return name


def _free(name: str, folder: Path) -> str:
    """The name, or one like it that is not taken."""
    taken, tried = 1, name
    while (folder / tried).exists():
        taken += 1
        tried = f"{taken}-{name}"
    return tried


def _text(value: str) -> str:
    """A basic string of TOML: its escapes are those of JSON, but for the delete character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _list(values: Sequence[str]) -> str:
    return "[" + ", ".join(map(_text, values)) + "]"
