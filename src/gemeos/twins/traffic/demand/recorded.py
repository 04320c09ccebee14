"""What detectors counted before a twin was born, and the demand that it begins with for that.

A first guess by routeSampler, then the most likely rates of all ways together (``history``). It is
made whenever the twin is declared, of nothing but files and with fixed seeds, so that a site that
is started again begins with the same numbers.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float64

from gemeos.errors import SchemaError, UnknownNameError
from gemeos.twins.traffic.demand.guess import guessed, road_counts
from gemeos.twins.traffic.demand.history import averages, likely
from gemeos.twins.traffic.demand.seen import Loop, lanes_of, passing_in
from gemeos.twins.traffic.demand.unknowns import USUAL, Doubt
from gemeos.twins.traffic.demand.ways import Way
from gemeos.twins.traffic.district import COUNT, District

TIME: Final = "time"
HOUR: Final = timedelta(hours=1)
DIGITS: Final = 6
"""Of a rate: machines that add in another order agree on so many."""


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """Counts, as means over a stretch of time."""

    hourly: Float64[np.ndarray, " loop"]
    """Vehicles per hour; NaN of loops that told nothing, or may not be used."""
    hours: float
    """Over which was counted."""


def read_recorded(files: Sequence[Path], district: District) -> Recorded:
    """What tables tell of the district's detectors.

    Each is a CSV file as a file link reads it: a column ``time``, and one for each channel of
    counts, in any order. Times stand at equal distances, some may be left out; an empty cell says
    that nothing is known. Other columns are passed over.

    Args:
        files: Of a day each, say; all minutes count alike.
        district: Whose channels.

    Raises:
        SchemaError: a file cannot be read, has fewer than two times, or tells of no detector.
    """
    form = district.channels[COUNT]
    columns = {form.of(name): place for place, name in enumerate(district.detectors)}
    total, hours = np.zeros(len(columns)), np.zeros(len(columns))
    longest = 0.0
    for file in files:
        every, times, cells = _table(file)
        known = [channel for channel in cells if channel in columns]
        if not known:
            raise UnknownNameError(
                "channel of counts", next(iter(cells), ""), columns, where=str(file)
            )
        for channel in known:
            counts = np.array(_numbers(file, channel, cells[channel])) * form.scale + form.offset
            if not (np.isfinite(counts) & (counts >= 0)).all():
                raise SchemaError(f"{file}: {channel} has counts that are none.")
            total[columns[channel]] += counts.sum()
            hours[columns[channel]] += every * len(counts)
        longest += every * times
    known_of = hours > 0
    return Recorded(np.where(known_of, total / np.where(known_of, hours, 1.0), np.nan), longest)


def _table(file: Path) -> tuple[float, int, dict[str, list[str]]]:
    """Hours between two times, how many times there are, and the cells of all other columns."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as source:
            rows = list(csv.DictReader(source))
        every = _every([datetime.fromisoformat(row[TIME]) for row in rows]) / HOUR
    except KeyError:
        raise SchemaError(f"{file} has no column {TIME!r}.") from None
    except (OSError, TypeError, ValueError, csv.Error) as error:
        raise SchemaError(f"{file} is no table of counts: {error}.") from error
    columns = [name for name in rows[0] if name is not None and name != TIME]
    return every, len(rows), {name: [row[name] or "" for row in rows] for name in columns}


def _numbers(file: Path, channel: str, cells: Sequence[str]) -> list[float]:
    """Those that are told."""
    try:
        return [float(cell) for cell in cells if cell]
    except ValueError as error:
        raise SchemaError(f"{file}: {channel}: {error}.") from None


def sampled(
    district: District, ways: Sequence[Way], doubt: Doubt, recorded: Recorded
) -> tuple[Way, ...]:
    """The ways with what is expected on them after that.

    Args:
        district: Whose.
        ways: With what was expected before.
        doubt: Of that.
        recorded: What was counted.

    Raises:
        EngineError: routeSampler is not there, fails or takes too long. There is no other guess
            for that case: the twin would then hang upon how busy its machine was.
    """
    loops = tuple(Loop(i, d.lane) for i, d in district.detectors.items())
    over = passing_in(district.network, ways, loops)
    found = expected_by(ways, loops, over, lanes_of(district.network), recorded, doubt)
    return tuple(
        replace(way, hourly=float(f"{rate:.{DIGITS}g}"))
        for way, rate in zip(ways, found, strict=True)
    )


def expected_by(
    ways: Sequence[Way],
    loops: Sequence[Loop],
    over: Float64[np.ndarray, "loop way"],
    lanes: Mapping[str, Sequence[str]],
    recorded: Recorded,
    doubt: Doubt = USUAL,
    *,
    first: Callable[[Sequence[Way], Mapping[str, float]], Float64[np.ndarray, " way"]] = guessed,
) -> Float64[np.ndarray, " way"]:
    """Vehicles per hour that are expected on each way after such counts.

    Args:
        ways: All.
        loops: All.
        over: As ``seen.passing``.
        lanes: Of each road, those that cars may use.
        recorded: What was counted.
        doubt: Of the ways' rates before that.
        first: Guesses by the counts of whole roads alone.
    """
    hourly = recorded.hourly
    at = {loops[i].lane: int(i) for i in np.flatnonzero(np.isfinite(hourly))[::-1]}
    used = sorted(at.values())
    of_roads = road_counts({lane: float(hourly[i]) for lane, i in at.items()}, lanes)
    guess = first(ways, of_roads)
    counted = averages(
        hourly[used], over[used], [loops[i] for i in used], lanes, guess, recorded.hours
    )
    return likely(ways, counted, guess, doubt)


def _every(times: Sequence[datetime]) -> timedelta:
    """The distance of times.

    Raises:
        ValueError: there are fewer than two, they do not grow, or are no whole distances apart.
    """
    apart = [after - before for before, after in pairwise(times)]
    least = min(apart, default=timedelta(0))
    if not least > timedelta(0) or any(gap % least for gap in apart):
        raise ValueError("times must grow, by equal distances or whole multiples of them")
    return least
