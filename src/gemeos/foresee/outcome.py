"""Forecasts whose truth has come, each beside what persistence and climatology said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

from gemeos.ensemble.score import crps, crps_of_quantiles
from gemeos.units.instant import Span

LEVELS = (0.5, 0.8, 0.9)
"""Of the intervals whose coverage is told."""
ENOUGH = 30
"""Earlier errors, or readings, before they count as a distribution."""
HISTORY = 256
"""Most of them: the newest."""
HISTORIES_AT_ONCE = 2048
"""So many are scored together at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """Forecasts of one variable at one lead whose truth is known, by rising ``valid_at``."""

    valid_at: Int64[np.ndarray, " forecast"]
    truth: Float64[np.ndarray, " forecast"]
    """What was read then."""
    last: Float64[np.ndarray, " forecast"]
    """What had been read when the forecast was issued."""
    crps: Float64[np.ndarray, " forecast"]
    """Of what was told: the corrected forecast, or the ensemble's own where there was none."""
    error: Float64[np.ndarray, " forecast"]
    """Distance of the truth from the median."""
    inside: Bool[np.ndarray, "forecast level"]
    """Whether each of the intervals (``LEVELS``) held the truth."""
    size: Float64[np.ndarray, " forecast"]
    """Median of what was told."""
    raw_crps: Float64[np.ndarray, " forecast"]
    """Of the ensemble as it was. Beside a corrected forecast its members are taken at face value,
    as quantiles are; alone, it is fair to their number."""
    raw_inside: Bool[np.ndarray, "forecast level"]
    persistence: Float64[np.ndarray, " forecast"]
    """CRPS of persistence."""
    spread_known: Bool[np.ndarray, " forecast"]
    """Whether persistence had a distribution; else it was a bare value."""
    climatology: Float64[np.ndarray, " forecast"]
    """CRPS of climatology; NaN where too little had been read."""

    def __len__(self) -> int:
        return len(self.valid_at)

    def __getitem__(self, rows: slice | Bool[np.ndarray, " forecast"]) -> Outcomes:
        """Those at ``rows``."""
        return Outcomes(*(getattr(self, f.name)[rows] for f in fields(self)))

    @staticmethod
    def none() -> Outcomes:
        """Nothing is known yet."""
        none = np.empty(0)
        return Outcomes(
            valid_at=np.empty(0, np.int64),
            truth=none,
            last=none,
            crps=none,
            error=none,
            inside=np.empty((0, len(LEVELS)), bool),
            size=none,
            raw_crps=none,
            raw_inside=np.empty((0, len(LEVELS)), bool),
            persistence=none,
            spread_known=np.empty(0, bool),
            climatology=none,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Turned:
    """Forecasts as issued, and what came. Columns as in ``Outcomes``."""

    valid_at: Int64[np.ndarray, " forecast"]
    members: Float[np.ndarray, "forecast member"]
    """NaN ends a row that has fewer; at least two are finite."""
    corrected: Float64[np.ndarray, "forecast level"]
    """Evenly spaced quantiles after correction; NaN throughout a row that had none."""
    truth: Float64[np.ndarray, " forecast"]
    last: Float64[np.ndarray, " forecast"]


class More(NamedTuple):
    """What turned out of one variable at one lead."""

    known: Outcomes
    """What persistence and climatology learn from."""
    new: Turned
    """By rising ``valid_at``; all of it is valid later."""
    lead: Span
    wraps: float | None
    """A full turn where the variable is an angle."""


def extended(several: Sequence[More]) -> list[Outcomes]:
    """``known`` of each with its ``new`` after it, reckoned together: no bit depends on that."""
    return [
        _joined(more, held, others)
        for more, held, others in zip(several, _judged(several), _others(several), strict=True)
    ]


def _joined(more: More, held: _Judged, others: _Others) -> Outcomes:
    known, new = more.known, more.new
    told, raw = held.told, held.raw
    return Outcomes(
        valid_at=np.concatenate([known.valid_at, new.valid_at]),
        truth=np.concatenate([known.truth, new.truth]),
        last=np.concatenate([known.last, new.last]),
        crps=np.concatenate([known.crps, told.crps]),
        error=np.concatenate([known.error, np.abs(told.middle)]),
        inside=np.concatenate([known.inside, told.inside]),
        size=np.concatenate([known.size, new.truth + told.middle]),
        raw_crps=np.concatenate([known.raw_crps, np.where(held.corrected, raw.plain, raw.crps)]),
        raw_inside=np.concatenate([known.raw_inside, raw.inside]),
        persistence=np.concatenate([known.persistence, others.persistence]),
        spread_known=np.concatenate([known.spread_known, others.spread_known]),
        climatology=np.concatenate([known.climatology, others.climatology]),
    )


def _judged(several: Sequence[More]) -> list[_Judged]:
    """Of each the new forecasts beside their truths; those of one shape in one go."""
    alike: dict[tuple[float | None, int, int], list[int]] = {}
    for place, (_, new, _, wraps) in enumerate(several):
        shape = (wraps, new.members.shape[1], new.corrected.shape[1])
        alike.setdefault(shape, []).append(place)
    found: dict[int, _Judged] = {}
    for (wraps, _, levels), places in alike.items():
        some = [several[i].new for i in places]
        truth = np.concatenate([new.truth for new in some])[:, None]
        # All about the truth: an angle's errors are then within half a turn, and float32 members
        # of 4e6 lose nothing.
        members = np.concatenate([new.members.astype(np.float64) for new in some])
        raw = _of_members(_turned(members - truth, wraps))
        corrected = np.concatenate([new.corrected for new in some])
        chosen = np.isfinite(corrected).all(axis=1) & (levels > 0)
        told = _of_quantiles(_turned(corrected - truth, wraps), chosen, otherwise=raw)
        first = 0
        for place, new in zip(places, some, strict=True):
            own = slice(first, first + len(new.truth))
            found[place] = _Judged(chosen[own], raw.part(own), told.part(own))
            first = own.stop
    return [found[place] for place in range(len(several))]


def _others(several: Sequence[More]) -> list[_Others]:
    """What persistence and climatology said, from what had been read at the time."""
    found, waiting = [], _Histories()
    for known, new, lead, wraps in several:
        truth = np.concatenate([known.truth, new.truth])
        moved = _turned(truth - np.concatenate([known.last, new.last]), wraps)
        valid_at = np.concatenate([known.valid_at, new.valid_at])
        ends = np.searchsorted(valid_at, new.valid_at - lead, side="right")
        others = _Others(
            np.abs(moved[len(known) :]), np.full(len(new.truth), np.nan), ends >= ENOUGH
        )
        for i in np.flatnonzero(others.spread_known).tolist():
            end, row = int(ends[i]), len(known) + i
            history = slice(max(0, end - HISTORY), end)
            waiting.add(_turned(moved[history] - moved[row], wraps), others.persistence, i)
            waiting.add(_turned(truth[history] - truth[row], wraps), others.climatology, i)
        found.append(others)
    waiting.scored()
    return found


class _Histories:
    """Distributions of earlier errors that wait to be scored with others of their length."""

    def __init__(self) -> None:
        self._errors: dict[int, list[Float64[np.ndarray, " history"]]] = {}
        self._into: dict[int, list[tuple[Float64[np.ndarray, " forecast"], int]]] = {}

    def add(
        self,
        errors: Float64[np.ndarray, " history"],
        into: Float64[np.ndarray, " forecast"],
        place: int,
    ) -> None:
        """Their score goes to that place, not before ``scored``."""
        of_length = self._errors.setdefault(len(errors), [])
        of_length.append(errors)
        self._into.setdefault(len(errors), []).append((into, place))
        if len(of_length) >= HISTORIES_AT_ONCE:
            self._score(len(errors))

    def scored(self) -> None:
        """Score those that still wait."""
        for length in list(self._errors):
            self._score(length)

    def _score(self, length: int) -> None:
        errors = np.stack(self._errors.pop(length))
        scores = crps(errors, np.zeros(len(errors)))
        for (into, place), score in zip(self._into.pop(length), scores.tolist(), strict=True):
            into[place] = score


def _turned(difference: np.ndarray, wraps: float | None) -> np.ndarray:
    """Differences of angles at the nearest turn."""
    return difference if wraps is None else difference - wraps * np.round(difference / wraps)


class _Held(NamedTuple):
    """Forecasts held against their truths, which lie at zero."""

    crps: Float64[np.ndarray, " forecast"]
    plain: Float64[np.ndarray, " forecast"]
    """The same without the allowance for few members."""
    middle: Float64[np.ndarray, " forecast"]
    """The median."""
    inside: Bool[np.ndarray, "forecast level"]

    def part(self, rows: slice) -> _Held:
        """Some of them."""
        return _Held(self.crps[rows], self.plain[rows], self.middle[rows], self.inside[rows])


class _Judged(NamedTuple):
    """The new forecasts of one variable and lead beside their truths."""

    corrected: Bool[np.ndarray, " forecast"]
    """Which had a correction."""
    raw: _Held
    told: _Held


class _Others(NamedTuple):
    """Those without a model; as in ``Outcomes``."""

    persistence: Float64[np.ndarray, " forecast"]
    climatology: Float64[np.ndarray, " forecast"]
    spread_known: Bool[np.ndarray, " forecast"]


def _of_members(errors: Float64[np.ndarray, "forecast member"]) -> _Held:
    """Rows differ in length where a twin was given another number of members."""
    count = len(errors)
    fair, plain, middle = np.empty(count), np.empty(count), np.empty(count)
    inside = np.empty((count, len(LEVELS)), bool)
    sizes = np.isfinite(errors).sum(axis=1)
    for size in np.unique(sizes):
        rows = np.flatnonzero(sizes == size)
        some = errors[rows, :size]
        fair[rows] = crps(some, np.zeros(len(rows)))
        # Half the mean distance of two members: pairs of one with itself count here.
        plain[rows] = fair[rows] + (np.abs(some).mean(axis=1) - fair[rows]) / size
        middle[rows] = np.median(some, axis=1)
        inside[rows] = _intervals(some, "weibull")
    return _Held(fair, plain, middle, inside)


def _of_quantiles(
    errors: Float64[np.ndarray, "forecast level"],
    chosen: Bool[np.ndarray, " forecast"],
    *,
    otherwise: _Held,
) -> _Held:
    """The k-th of n quantiles stands at (k - 1/2)/n."""
    held = _Held(
        otherwise.crps.copy(),
        otherwise.plain.copy(),
        otherwise.middle.copy(),
        otherwise.inside.copy(),
    )
    rows = np.flatnonzero(chosen)
    if len(rows):
        some = errors[rows]
        levels = (np.arange(some.shape[1]) + 0.5) / some.shape[1]
        held.crps[rows] = crps_of_quantiles(some, levels, np.zeros(len(rows)))
        held.middle[rows] = np.median(some, axis=1)
        held.inside[rows] = _intervals(some, "hazen")
    return held


def _intervals(
    errors: Float64[np.ndarray, "forecast member"], method: Literal["weibull", "hazen"]
) -> Bool[np.ndarray, "forecast level"]:
    """Which intervals hold the truth."""
    inside = np.empty((len(errors), len(LEVELS)), bool)
    for column, level in enumerate(LEVELS):
        tails = [(1.0 - level) / 2.0, (1.0 + level) / 2.0]
        low, high = np.quantile(errors, tails, axis=1, method=method)
        inside[:, column] = (low <= 0.0) & (high >= 0.0)
    return inside
