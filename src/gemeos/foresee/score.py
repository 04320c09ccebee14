"""How forecasts at one lead turned out, before and after correction, beside what needs no model.

Two forecasters that a twin has to beat to be worth its trouble. *Persistence* says what was last
read when the forecast was issued, with the spread of its own earlier errors at that lead.
*Climatology* says what was read at earlier times. Both know only what was known when the forecast
was issued.

Everything here is a function of forecasts as issued and of readings as known today.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64
from typing_extensions import override

from gemeos.ensemble.score import crps, crps_of_quantiles, mean_interval
from gemeos.units.instant import SECOND, Instant, Span

LEVELS = (0.5, 0.8, 0.9)
"""Of the intervals whose coverage is told."""
ENOUGH = 30
"""Earlier errors, or readings, before they count as a distribution."""
HISTORY = 256
"""Most of them: the newest."""
DRAWS = 500
"""Of the bootstrap: its 2.5 % tail then rests on a dozen."""
FEWEST_BLOCKS = 5
"""Fewer say nothing of how blocks differ: no interval is told."""


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


def extended(known: Outcomes, new: Turned, *, lead: Span, wraps: float | None) -> Outcomes:
    """``known`` with ``new`` after it; all of ``new`` is valid later.

    Args:
        known: What persistence and climatology learn from.
        new: By rising ``valid_at``.
        lead: Of all of them.
        wraps: A full turn where the variable is an angle.
    """
    # All about the truth: an angle's errors are then within half a turn, and float32 members of
    # 4e6 lose nothing.
    raw = _of_members(_turned(new.members.astype(np.float64) - new.truth[:, None], wraps))
    is_corrected = np.isfinite(new.corrected).all(axis=1) & (new.corrected.shape[1] > 0)
    told = _of_quantiles(
        _turned(new.corrected - new.truth[:, None], wraps), is_corrected, otherwise=raw
    )
    truth = np.concatenate([known.truth, new.truth])
    last = np.concatenate([known.last, new.last])
    valid_at = np.concatenate([known.valid_at, new.valid_at])
    moved = _turned(truth - last, wraps)
    persistence, climatology = np.empty(len(new.truth)), np.empty(len(new.truth))
    spread_known = np.empty(len(new.truth), bool)
    before = np.searchsorted(valid_at, new.valid_at - lead, side="right")
    for i, (end, row) in enumerate(zip(before, range(len(known), len(truth)), strict=True)):
        history = slice(max(0, end - HISTORY), end)
        spread_known[i] = end >= ENOUGH
        if spread_known[i]:
            persistence[i] = crps(_turned(moved[history] - moved[row], wraps), _ZERO)
            climatology[i] = crps(_turned(truth[history] - truth[row], wraps), _ZERO)
        else:
            persistence[i], climatology[i] = abs(moved[row]), np.nan
    return Outcomes(
        valid_at=valid_at,
        truth=truth,
        last=last,
        crps=np.concatenate([known.crps, told.crps]),
        error=np.concatenate([known.error, np.abs(told.middle)]),
        inside=np.concatenate([known.inside, told.inside]),
        size=np.concatenate([known.size, new.truth + told.middle]),
        raw_crps=np.concatenate([known.raw_crps, np.where(is_corrected, raw.plain, raw.crps)]),
        raw_inside=np.concatenate([known.raw_inside, raw.inside]),
        persistence=np.concatenate([known.persistence, persistence]),
        spread_known=np.concatenate([known.spread_known, spread_known]),
        climatology=np.concatenate([known.climatology, climatology]),
    )


_ZERO = np.zeros(())


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


@dataclass(frozen=True, slots=True)
class Against:
    """A twin's forecasts beside those of a forecaster without a model."""

    count: int
    """Forecasts that both of them made."""
    crps: float
    """Mean of the other one's."""
    skill: float | None
    """Share of it that the twin does without: 1 is perfect, 0 no better, below 0 worse. None where
    the other one made no error at all."""
    low: float | None
    high: float | None
    """Ends of the 95 % interval of the skill, by block bootstrap of the difference; None while
    there are too few forecasts to tell."""


@dataclass(frozen=True, slots=True)
class Uncorrected:
    """The same forecasts as the ensemble alone gave them: what the model itself is worth."""

    crps: float
    coverage: tuple[float, float, float]
    persistence: Against


@dataclass(frozen=True, slots=True)
class OfSize:
    """Forecasts of about one size."""

    low: float
    high: float
    """Least and largest median among them, in the unit."""
    count: int
    crps: float
    coverage: tuple[float, float, float]
    """Share of truths within the 50, 80 and 90 % intervals."""


@dataclass(frozen=True, slots=True)
class LeadScore:
    """How forecasts of one variable at one lead turned out, the newest of them."""

    variable: str
    unit: str
    lead: Span
    every: Span
    """Between two issues."""
    count: int
    """Forecasts whose truth came; everything here is about these."""
    since: Instant
    until: Instant
    """Valid times of the first and of the last."""
    crps: float
    """Mean continuous ranked probability score, in the unit."""
    error: float
    """Mean distance of the truth from the median, in the unit."""
    coverage: tuple[float, float, float]
    """Share of truths within the 50, 80 and 90 % intervals."""
    persistence: Against
    spread_known: bool
    """Whether persistence had the distribution of its own errors in all that counts; until there
    are enough it is a bare value, which is easier to beat."""
    climatology: Against | None
    """None until there is enough history."""
    before: Uncorrected
    """Before correction."""
    sizes: tuple[OfSize, ...]
    """Small, middling and large forecasts, a third each; none where they are too few to tell."""

    @override
    def __str__(self) -> str:
        """One line: the score, the skill with its interval, the coverage."""
        held = "/".join(f"{100 * share:.0f}" for share in self.coverage)
        promised = "/".join(f"{100 * level:.0f}" for level in LEVELS)
        return (
            f"{self.variable} {self.lead / SECOND:g} s ahead: CRPS {self.crps:.3g}"
            f"{f' {self.unit}' if self.unit else ''}, skill against persistence "
            f"{_told(self.persistence)}, of the model alone {_told(self.before.persistence)}, "
            f"{promised} % intervals held {held} % of {self.count}"
        )


def _told(against: Against) -> str:
    if against.skill is None:
        return "unknown"
    if against.low is None or against.high is None:
        return f"{against.skill:+.2f}"
    return f"{against.skill:+.2f} ({against.low:+.2f} .. {against.high:+.2f})"


def lead_score(
    outcomes: Outcomes, *, variable: str, unit: str, lead: Span, every: Span
) -> LeadScore | None:
    """The summary of ``outcomes``; None where there are none."""
    if not len(outcomes):
        return None
    # A bare value pays for every doubt it does not tell: once persistence can tell its own, only
    # those forecasts count.
    fair = outcomes.spread_known
    spread_known = bool(fair.sum() >= ENOUGH)
    chosen = outcomes[fair] if spread_known else outcomes
    known = outcomes[np.isfinite(outcomes.climatology)]
    overlap = -(-lead // every)
    return LeadScore(
        variable=variable,
        unit=unit,
        lead=lead,
        every=every,
        count=len(outcomes),
        since=int(outcomes.valid_at[0]),
        until=int(outcomes.valid_at[-1]),
        crps=float(outcomes.crps.mean()),
        error=float(outcomes.error.mean()),
        coverage=_shares(outcomes.inside),
        persistence=_against(chosen.crps, chosen.persistence, overlap),
        spread_known=spread_known,
        climatology=_against(known.crps, known.climatology, overlap) if len(known) else None,
        before=Uncorrected(
            float(outcomes.raw_crps.mean()),
            _shares(outcomes.raw_inside),
            _against(chosen.raw_crps, chosen.persistence, overlap),
        ),
        sizes=_thirds(outcomes),
    )


def _shares(inside: Bool[np.ndarray, "forecast level"]) -> tuple[float, float, float]:
    half, most, nearly_all = inside.mean(axis=0)
    return float(half), float(most), float(nearly_all)


def _thirds(outcomes: Outcomes) -> tuple[OfSize, ...]:
    if len(outcomes) < 3 * ENOUGH:
        return ()
    order = np.argsort(outcomes.size, kind="stable")
    told = []
    for rows in np.array_split(order, 3):
        size = outcomes.size[rows]
        told.append(
            OfSize(
                low=float(size[0]),
                high=float(size[-1]),
                count=len(rows),
                crps=float(outcomes.crps[rows].mean()),
                coverage=_shares(outcomes.inside[rows]),
            )
        )
    return tuple(told)


def _against(
    own: Float64[np.ndarray, " forecast"], other: Float64[np.ndarray, " forecast"], overlap: int
) -> Against:
    """Skill with its interval.

    The bootstrap is of the mean difference, whose sign is the skill's; the other's mean score, by
    which it is divided, is taken as known.

    Args:
        own: CRPS of the twin.
        other: Of the other one, for the same forecasts.
        overlap: How many forecasts are under way at once: their scores hang together.
    """
    count, mean = len(own), float(other.mean())
    if mean == 0.0:
        return Against(count, mean, None, None, None)
    block = max(2 * overlap, math.ceil(count ** (1 / 3)))
    if count < FEWEST_BLOCKS * block:
        return Against(count, mean, 1.0 - float(own.mean()) / mean, None, None)
    # The same draws every time: a score must not change because it is asked again.
    draws = np.random.default_rng(0)
    gain = mean_interval(other - own, block=block, rng=draws, draws=DRAWS)
    # No skill is above 1; the end of an interval of the difference may be, after few forecasts.
    high = min(gain.high / mean, max(1.0, gain.mean / mean))
    return Against(count, mean, gain.mean / mean, gain.low / mean, high)
