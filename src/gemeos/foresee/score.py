"""How forecasts at one lead turned out, beside what needs no model: persistence, climatology.

Two forecasters that a twin has to beat to be worth its trouble. *Persistence* says what was last
read when the forecast was issued, with the spread of its own earlier errors at that lead.
*Climatology* says what was read at earlier times. Both know only what was known when the forecast
was issued.

Everything here is a function of forecasts as issued and of readings as known today.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64
from typing_extensions import override

from gemeos.ensemble.score import crps, mean_interval
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
    error: Float64[np.ndarray, " forecast"]
    """Distance of the truth from the median."""
    inside: Bool[np.ndarray, "forecast level"]
    """Whether each of the intervals (``LEVELS``) held the truth."""
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
    errors = _turned(new.members.astype(np.float64) - new.truth[:, None], wraps)
    score, error, inside = _against_truth(errors)
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
        crps=np.concatenate([known.crps, score]),
        error=np.concatenate([known.error, error]),
        inside=np.concatenate([known.inside, inside]),
        persistence=np.concatenate([known.persistence, persistence]),
        spread_known=np.concatenate([known.spread_known, spread_known]),
        climatology=np.concatenate([known.climatology, climatology]),
    )


_ZERO = np.zeros(())


def _turned(difference: np.ndarray, wraps: float | None) -> np.ndarray:
    """Differences of angles at the nearest turn."""
    return difference if wraps is None else difference - wraps * np.round(difference / wraps)


def _against_truth(
    errors: Float64[np.ndarray, "forecast member"],
) -> tuple[
    Float64[np.ndarray, " forecast"],
    Float64[np.ndarray, " forecast"],
    Bool[np.ndarray, "forecast level"],
]:
    """CRPS, distance of the median, and which intervals hold the truth, which is at zero."""
    score, middle = np.empty(len(errors)), np.empty(len(errors))
    inside = np.empty((len(errors), len(LEVELS)), bool)
    # Rows differ in length where a twin was given another number of members.
    sizes = np.isfinite(errors).sum(axis=1)
    for size in np.unique(sizes):
        rows = np.flatnonzero(sizes == size)
        some = errors[rows, :size]
        score[rows] = crps(some, np.zeros(len(rows)))
        middle[rows] = np.abs(np.median(some, axis=1))
        for column, level in enumerate(LEVELS):
            tails = [(1.0 - level) / 2.0, (1.0 + level) / 2.0]
            low, high = np.quantile(some, tails, axis=1, method="weibull")
            inside[rows, column] = (low <= 0.0) & (high >= 0.0)
    return score, middle, inside


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

    @override
    def __str__(self) -> str:
        """One line: the score, the skill with its interval, the coverage."""
        held = "/".join(f"{100 * share:.0f}" for share in self.coverage)
        promised = "/".join(f"{100 * level:.0f}" for level in LEVELS)
        return (
            f"{self.variable} {self.lead / SECOND:g} s ahead: CRPS {self.crps:.3g}"
            f"{f' {self.unit}' if self.unit else ''}, skill against persistence "
            f"{_told(self.persistence)}, {promised} % intervals held {held} % of {self.count}"
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
    covered = outcomes.inside.mean(axis=0)
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
        coverage=(float(covered[0]), float(covered[1]), float(covered[2])),
        persistence=_against(chosen.crps, chosen.persistence, overlap),
        spread_known=spread_known,
        climatology=_against(known.crps, known.climatology, overlap) if len(known) else None,
    )


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
