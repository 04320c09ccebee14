"""Which source the given files are of, and the way that it is made a district."""

from __future__ import annotations

import math
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from gemeos.errors import SchemaError
from gemeos.twins.traffic.district import District, is_step, read_district
from gemeos.twins.traffic.reading import elements, seconds
from gemeos.twins.traffic.sources.folder import ROUTES, Draft, write_folder
from gemeos.twins.traffic.sources.nodelink import from_node_links
from gemeos.twins.traffic.sources.osm import from_osm

OSM: Final = (".osm", ".osm.xml", ".osm.gz", ".osm.bz2", ".osm.xml.gz", ".osm.xml.bz2")
CONFIGURATION: Final = ".sumocfg"
NETS: Final = (".net.xml", ".net.xml.gz")
NAMES: Final = {
    **dict.fromkeys(("n", "net"), "net-file"),
    **dict.fromkeys(("a", "additional"), "additional-files"),
    **dict.fromkeys(("r", "routes"), "route-files"),
    "b": "begin",
    "e": "end",
}
"""Other names of SUMO's options."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What whoever brings a district may say about it."""

    name: str = ""
    """Empty: that of the first file."""
    zone: str = ""
    """Empty: that of the source, or UTC."""
    attribution: str = ""
    signals: str = "guess"
    """For sources that do not say where signals are: ``guess``, ``none``, or names of nodes with
    commas between."""
    projection: str = ""
    """As in ``EPSG:5186``, where the source does not say."""
    within: tuple[float, float, float, float] | None = None
    """West, south, east and north in degrees, of maps and shapes that are larger."""
    left_hand: bool | None = None
    """Whether traffic keeps left, where the source does not say; None: as far as a map tells."""
    loops_before_m: float | None = None
    """Put detectors so far before signals, where the source has none."""
    limit_s: float = 600.0
    """The longest that a program may take to convert it."""


def bring(files: Sequence[Path], folder: Path, wanted: Wanted = Wanted()) -> District:
    """Make the folder of a district of these files.

    Args:
        files: One ``.net.xml`` with additional files and routes, or a ``.sumocfg`` that names them;
            or one file of OpenStreetMap's XML; or the standard node-link shapes of Korea, a folder
            or its ``.shp`` and ``.dbf``.
        folder: Where it is written; nothing is written over.
        wanted: What the files do not say.

    Raises:
        SchemaError: files are missing, of no known kind, or do not fit together.
        EngineError: SUMO is needed and not there, or could not make sense of them.
    """
    if not files:
        raise SchemaError("No file was named.")
    for path in files:
        if not path.exists():
            raise SchemaError(f"There is no file {path}.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SchemaError(f"{folder} is there already and holds something: name another folder.")
    names = [path.name.lower() for path in files]
    with tempfile.TemporaryDirectory() as draft_folder:
        desk = Path(draft_folder)
        if len(files) == 1 and names[0].endswith(CONFIGURATION):
            draft = _from_configuration(files[0], wanted)
        elif any(name.endswith(NETS) for name in names):
            draft = _from_net(files, wanted)
        elif len(files) == 1 and names[0].endswith(OSM):
            draft = from_osm(
                files[0],
                desk,
                wanted.name,
                within=wanted.within,
                left_hand=wanted.left_hand,
                limit_s=wanted.limit_s,
            )
        elif files[0].is_dir() or any(name.endswith((".shp", ".dbf")) for name in names):
            draft = from_node_links(
                files,
                desk,
                name=wanted.name,
                signals=wanted.signals,
                projection=wanted.projection,
                within=wanted.within,
                limit_s=wanted.limit_s,
            )
        else:
            raise SchemaError(
                f"{', '.join(names)}: none is a network of SUMO (.net.xml, .sumocfg), a map of "
                "OpenStreetMap (.osm, .osm.gz, .osm.bz2) or a shapefile (.shp)."
            )
        whole = desk / "whole"
        # Read before it is put in its place: what does not fit together leaves nothing behind.
        write_folder(_with(draft, wanted), whole, loops_before_m=wanted.loops_before_m)
        shutil.copytree(whole, folder, dirs_exist_ok=True)
    return read_district(folder)


def _with(draft: Draft, wanted: Wanted) -> Draft:
    return replace(
        draft,
        zone=wanted.zone or draft.zone,
        attribution=wanted.attribution or draft.attribution,
    )


def _from_net(files: Sequence[Path], wanted: Wanted, named: str = "") -> Draft:
    """A network of SUMO with files beside it, each known by what is in it.

    Args:
        files: All.
        wanted: What the files do not say.
        named: The network, where a configuration calls it so, whatever its name ends with.
    """
    nets = [p for p in files if p.name.lower().endswith(NETS)]
    if named.strip():
        nets = list(files[:1])
    if len(nets) != 1:
        raise SchemaError(f"A district has one network, not {len(nets)}.")
    additional: list[Path] = []
    routes: list[Path] = []
    for path in files:
        if path not in nets:
            (routes if _is_demand(path) else additional).append(path)
    begin, end = _times(routes)
    return Draft(
        net=nets[0],
        name=wanted.name or re.sub(r"(\.net)?(\.xml)?(\.gz)?$", "", nets[0].name),
        additional=tuple(additional),
        routes=tuple(routes),
        begin_s=begin,
        end_s=end,
        sources=(f"SUMO's network {nets[0].name}.",),
    )


def _times(routes: Sequence[Path]) -> tuple[float, float | None]:
    """Between which whole minutes vehicles of these files set out; 0 and None where none does."""
    first, last = math.inf, -math.inf
    for path in routes:
        for e in elements(path):
            usual = {"begin": "0"} if "low" in e.tag else {}
            for word in ("depart", "begin", "end") if e.tag in ROUTES else ():
                # Some depart when another one comes: that is no time.
                if (told := e.get(word, usual.get(word, ""))) and told[:1].isdigit():
                    first, last = min(first, seconds(told)), max(last, seconds(told))
    if not first < last:
        return (60.0 * (first // 60.0) if math.isfinite(first) else 0.0), None
    return 60.0 * (first // 60.0), 60.0 * math.ceil(last / 60.0)


def _from_configuration(path: Path, wanted: Wanted) -> Draft:
    """The files that a configuration of SUMO names, and its times."""
    told = _options(path)
    files = [
        path.parent / name.strip()
        for option in ("net-file", "additional-files", "route-files")
        for name in told.get(option, "").replace(";", ",").split(",")
        if name.strip()
    ]
    for file in files:
        if not file.exists():
            raise SchemaError(
                f"There is no file {file}, which {path.name} names. Without the configuration: "
                "name the network and the files of its demand themselves."
            )
    draft = _from_net(files, wanted, named=told.get("net-file", ""))
    step, end = told.get("step-length", ""), told.get("end", "")
    taken = step and is_step(seconds(step))
    refused = f"SUMO's step of {step} s is not taken: signals move each second."
    return replace(
        draft,
        begin_s=seconds(told["begin"]) if "begin" in told else draft.begin_s,
        end_s=(seconds(end) if seconds(end) > 0 else None) if end else draft.end_s,
        step_s=seconds(step) if taken else draft.step_s,
        sources=(*draft.sources, *((refused,) if step and not taken else ())),
    )


def _options(path: Path) -> dict[str, str]:
    """What a configuration says, by the usual names of options.

    SUMO reads each in several forms: in sections or without, under ``value`` or ``v``, by other
    names.
    """
    told = {}
    for part in elements(path):
        for e in (part, *part):
            value = e.get("value", e.get("v"))
            if value is not None:
                told[NAMES.get(e.tag, e.tag)] = value
    return told


def _is_demand(path: Path) -> bool:
    """Whether there are vehicles in it; types of vehicles alone are additional."""
    return any(element.tag in ROUTES for element in elements(path))
