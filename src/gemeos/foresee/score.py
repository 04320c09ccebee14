"""How forecasts at one lead turned out, before and after correction, beside what needs no model.

Two forecasters that a twin has to beat to be worth its trouble. *Persistence* says what was last
read when the forecast was issued, with the spread of its own earlier errors at that lead.
*Climatology* says what was read at earlier times. Both know only what was known when the forecast
was issued.

Everything here is a function of forecasts as issued and of readings as known today.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64
from typing_extensions import override

from gemeos.ensemble.score import mean_interval
from gemeos.foresee.outcome import ENOUGH, LEVELS, Outcomes
from gemeos.units.instant import SECOND, Instant, Span

DRAWS = 500
"""Of the bootstrap: its 2.5 % tail then rests on a dozen."""
FEWEST_BLOCKS = 5
"""Fewer say nothing of how blocks differ: no interval is told."""


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
