"""Forecasts corrected by how earlier ones turned out: quantile mapping that learns as truths come.

Each truth is told as a *score*: how many standard deviations of its own forecast it lay above the
middle, read off the forecast's quantiles. If forecasts are right, scores are standard normal. A
histogram of scores, kept apart by lead and by the size of the forecast, says how they really are;
a quantile of level p is then read where the histogram, not the normal distribution, reaches p.

Quantile mapping as in Hamill & Scheuerer (2018), Mon. Wea. Rev. 146, 4079-4098, sec. 3a, and the
recalibration of Kuleshov, Fenner & Ermon (2018), ICML, PMLR 80, 2796-2804, with counts that fade.
It corrects bias, spread and shape; it cannot tell one day from another better than the forecast.

Pure functions on arrays. What they know is a ``Learned``; whoever keeps it decides which forecasts
teach it (contract 1: those re-issued at fixed instants of event time), and says of each forecast
how large it is: its *rank* among the truths so far, from 0 to 1 (``blend.rank``). Ranks need no
table of sizes that somebody has to fit beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Final

import numpy as np
from jaxtyping import Float, Float64

from gemeos.errors import SchemaError

_HALF: Final = np.concatenate([np.arange(0.05, 3.0, 0.1), np.linspace(3.5, 7.0, 8)])
SCORE_EDGES: Final[Float64[np.ndarray, " edge"]] = np.concatenate([-_HALF[::-1], _HALF])
"""Of the histogram: a tenth apart within three deviations, where atoms lie, and half of one beyond.
Scores past the ends count there. Nought lies within a bin."""
RANKS: Final[Float64[np.ndarray, " size"]] = np.array([0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
"""Middles of the classes of forecast size. Closer at both ends, where bounds press."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """What stays the same of a calibration. Nothing of it is learned."""

    levels: Float64[np.ndarray, " level"]
    """Of the quantiles that are given and come out, rising, within 0 and 1."""
    low: float
    """Least possible value of what is forecast; minus infinity if there is none."""
    high: float
    """Most possible; infinity if there is none."""
    grain: float
    """Distances below this mean nothing, in the forecast's unit: a few times the sensor's noise.
    It keeps scores finite where all members agree, as at a bound."""
    ranks: Float64[np.ndarray, " size"]
    """Middles of the classes of size, rising, within 0 and 1. A forecast between two of them
    belongs to both, by its distance."""
    trusted: float = 100.0
    """How many truths the forecast's own spread is worth at the start."""
    pooled: float = 0.0
    """How many truths of its own class those of all classes together are worth: with it, what all
    forecasts have in common is learned before what those of one size have."""
    memory: float = 3000.0
    """Truths after which an old one counts 1/e."""

    def __post_init__(self) -> None:
        rising = (np.diff(self.levels) > 0).all() and (np.diff(self.ranks) > 0).all()
        if not (rising and self.levels[0] > 0 and self.levels[-1] < 1 and len(self.ranks)):
            raise SchemaError("A calibration needs rising levels within 0 and 1, and rising ranks.")
        finite = 0 < self.grain < np.inf
        if not (self.low < self.high and finite and self.memory > 1 and self.trusted > 0):
            raise SchemaError("A calibration needs rising bounds, a grain, trust and a memory.")

    @cached_property
    def normal(self) -> Float64[np.ndarray, " level"]:
        """Standard normal quantiles at the levels."""
        return np.array([NormalDist().inv_cdf(float(p)) for p in self.levels])

    @cached_property
    def _expected(self) -> Float64[np.ndarray, " bin"]:
        """Share of scores in each bin of the histogram if the forecast is right."""
        below = np.array([NormalDist().cdf(e) for e in SCORE_EDGES])
        below[0], below[-1] = 0.0, 1.0
        return np.diff(below)

    def shares(self, rank: Float64[np.ndarray, " lead"]) -> Float64[np.ndarray, "lead size"]:
        """How much each forecast belongs to each class of size: hats that sum to one."""
        inside = np.clip(rank, self.ranks[0], self.ranks[-1])
        upper = np.clip(np.searchsorted(self.ranks, inside), 1, max(len(self.ranks) - 1, 1))
        out = np.zeros((len(rank), len(self.ranks)))
        if len(self.ranks) == 1:
            return out + 1.0
        row = np.arange(len(rank))
        step = self.ranks[upper] - self.ranks[upper - 1]
        out[row, upper] = (inside - self.ranks[upper - 1]) / step
        out[row, upper - 1] = 1.0 - out[row, upper]
        return out


@dataclass(frozen=True, eq=False)
class Learned:
    """How earlier forecasts turned out."""

    counts: Float64[np.ndarray, "lead size bin"]
    """Faded number of scores in each bin, by lead and class of size."""


def unlearned(settings: Calibration, leads: int) -> Learned:
    """Before the first truth: the forecast's own spread is believed."""
    each = settings.trusted * settings._expected  # noqa: SLF001 -- the same module's
    return Learned(np.tile(each, (leads, len(settings.ranks), 1)))


def quantiles(
    members: Float[np.ndarray, "*where member"], settings: Calibration
) -> Float64[np.ndarray, "*where level"]:
    """Quantiles of an ensemble at the levels, within what is possible.

    The k-th of N sorted members stands at level (k - 1/2)/N (Hyndman & Fan 1996, Am. Stat. 50,
    361-365, definition 5); beyond the outermost ones they are repeated.
    """
    inside = np.clip(members.astype(np.float64), settings.low, settings.high)
    found = np.quantile(inside, settings.levels, axis=-1, method="hazen")
    return np.moveaxis(found, 0, -1)


def calibrated(
    known: Learned,
    settings: Calibration,
    raw: Float64[np.ndarray, "lead level"],
    rank: Float64[np.ndarray, " lead"],
) -> Float64[np.ndarray, "lead level"]:
    """The quantiles of one forecast at each lead as they have to be read; within the possible."""
    counts = np.einsum("lsb,ls->lb", known.counts, settings.shares(rank))
    if settings.pooled:
        together = known.counts.sum(axis=1)
        counts = counts + settings.pooled * together / together.sum(axis=1, keepdims=True)
    reached = np.zeros((len(raw), counts.shape[1] + 1))
    np.cumsum(counts, axis=1, out=reached[:, 1:])
    out = np.empty_like(raw)
    for lead, row in enumerate(raw):
        share = reached[lead] / reached[lead, -1]
        out[lead] = _value(settings, row, np.interp(settings.levels, share, SCORE_EDGES))
    return np.clip(out, settings.low, settings.high)


def learned(
    known: Learned,
    settings: Calibration,
    raw: Float64[np.ndarray, "lead level"],
    rank: Float64[np.ndarray, " lead"],
    truth: Float64[np.ndarray, " lead"],
) -> Learned:
    """What is known after the truth of one forecast at each lead; NaN where none came."""
    share = settings.shares(rank)
    counts = known.counts.copy()
    for lead in np.flatnonzero(np.isfinite(truth)):
        value = min(max(float(truth[lead]), settings.low), settings.high)
        score = _score(settings, raw[lead], value)
        place = int(np.clip(np.searchsorted(SCORE_EDGES, score) - 1, 0, len(SCORE_EDGES) - 2))
        counts[lead] *= 1.0 - share[lead][:, None] / settings.memory
        counts[lead, :, place] += share[lead]
    return Learned(counts)


def _knots(
    settings: Calibration, row: Float64[np.ndarray, " level"]
) -> tuple[Float64[np.ndarray, " knot"], Float64[np.ndarray, " knot"]]:
    """Scores and values of a rising line through a forecast's quantiles, extended at both ends.

    Beyond the outermost quantiles it goes on as steeply as a normal distribution of the same
    spread between levels 1/6 and 5/6.
    """
    score = settings.normal
    outer = np.interp([1 / 6, 5 / 6], settings.levels, row)
    steep = (outer[1] - outer[0]) / (2.0 * NormalDist().inv_cdf(5 / 6)) + settings.grain
    value = row + settings.grain * score
    far = 2.0 * SCORE_EDGES[-1]
    return (
        np.concatenate([[-far], score, [far]]),
        np.concatenate(
            [
                [value[0] - steep * (far + score[0])],
                value,
                [value[-1] + steep * (far - score[-1])],
            ]
        ),
    )


def _score(settings: Calibration, row: Float64[np.ndarray, " level"], value: float) -> float:
    score, along = _knots(settings, row)
    return float(np.interp(value, along, score))


def _value(
    settings: Calibration,
    row: Float64[np.ndarray, " level"],
    scores: Float64[np.ndarray, " level"],
) -> Float64[np.ndarray, " level"]:
    score, along = _knots(settings, row)
    return np.interp(scores, score, along)
