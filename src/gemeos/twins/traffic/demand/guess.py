"""A first guess of how many take which way, from counts: SUMO's own routeSampler.

It picks ways from the pool until the counts of roads are met, which says nothing of how sure that
is; so it only moves what is expected, half of the way, and the doubt stays.
"""

from __future__ import annotations

import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from xml.sax.saxutils import quoteattr

import numpy as np
from jaxtyping import Float64

from gemeos.engines.sumo.programs import run_tool
from gemeos.twins.traffic.demand.ways import Way
from gemeos.units.instant import SECOND, Span

LIMIT: Final[Span] = 60 * SECOND
TRUST: Final = 0.5
"""Share of the guess in what is expected."""


def road_counts(
    hourly: Mapping[str, float], lanes: Mapping[str, Sequence[str]]
) -> dict[str, float]:
    """Vehicles per hour of the roads of which each lane is counted.

    Args:
        hourly: Of each lane that is counted.
        lanes: Of each road, those that cars may use.
    """
    return {
        edge: sum(hourly[lane] for lane in own)
        for edge, own in lanes.items()
        if own and all(lane in hourly for lane in own)
    }


def scaled(ways: Sequence[Way], hourly: Mapping[str, float]) -> Float64[np.ndarray, " way"]:
    """The ways' rates times one factor, so that all counted roads together have their counts."""
    own = np.array([way.hourly for way in ways], np.float64)
    expected = sum(way.hourly for way in ways for edge in set(way.edges) if edge in hourly)
    return own * (sum(hourly.values()) / expected) if expected > 0 and hourly else own


def guessed(
    ways: Sequence[Way], hourly: Mapping[str, float], *, seed: int = 1, limit: Span = LIMIT
) -> Float64[np.ndarray, " way"]:
    """Vehicles per hour on each way, by routeSampler; as ``scaled`` where nothing is counted.

    Args:
        ways: The pool.
        hourly: Vehicles per hour of roads.
        seed: Of what it picks.
        limit: How long it may take.

    Raises:
        EngineError: it is not there, failed, or took too long.
    """
    before = scaled(ways, hourly)
    on_ways = {e for way in ways for e in way.edges}
    known = {edge: rate for edge, rate in hourly.items() if edge in on_ways}
    if not known:
        return before
    picked = _picked(ways, before, known, seed, limit)
    met = np.array([any(edge in known for edge in way.edges) for way in ways])
    return np.where(met, TRUST * picked + (1.0 - TRUST) * before, before)


def _picked(
    ways: Sequence[Way],
    weights: Float64[np.ndarray, " way"],
    hourly: Mapping[str, float],
    seed: int,
    limit: Span,
) -> Float64[np.ndarray, " way"]:
    with tempfile.TemporaryDirectory() as name:
        pool, counts, out = (Path(name, f) for f in ("pool.xml", "counts.xml", "out.xml"))
        pool.write_text(
            "<routes>"
            + "".join(
                f'<route id="{way.name}" probability="{weight:.6g}" '
                f"edges={quoteattr(' '.join(way.edges))}/>"
                for way, weight in zip(ways, weights, strict=True)
            )
            + "</routes>",
            "utf-8",
        )
        roads = "".join(
            f'<edge id={quoteattr(edge)} entered="{round(rate)}"/>' for edge, rate in hourly.items()
        )
        counts.write_text(
            f'<data><interval id="hour" begin="0" end="3600">{roads}</interval></data>', "utf-8"
        )
        options = ["--weighted", "--edgedata-attribute", "entered", "--seed", str(seed)]
        files: list[str | Path] = ["-r", pool, "-d", counts, "-o", out]
        run_tool("routeSampler.py", [*files, *options], limit_s=limit / SECOND)
        found = Counter[tuple[str, ...]]()
        for vehicle in ET.parse(out).getroot().findall("vehicle"):  # noqa: S314 - SUMO's own file
            route = vehicle.find("route")
            if route is not None:
                found[tuple(route.get("edges", "").split())] += 1
    return np.array([float(found[way.edges]) for way in ways])
