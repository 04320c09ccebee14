"""One forecast out of a few, weighted at each lead by what each was worth so far.

A twin's ensemble is one forecaster among others: the last value with the distribution of its own
changes is hard to beat soon, the distribution of all truths so far is hard to beat late. Three
forecasters are blended here, each as quantiles at fixed levels:

- *twin*: the ensemble's quantiles, calibrated (``calibrate``);
- *persistence*: the value at issue and how such values changed by that lead;
- *climatology*: the truths so far, whatever the twin says.

Quantiles are averaged level by level (Vincentisation: Ratcliff 1979, Psychol. Bull. 86, 446-461),
with weights of their own for the low end, the middle and the high end at each lead, as in CRPS
learning (Berrisch & Ziel 2023, J. Econometrics 237, 105221). Weights are learned from pinball
losses by Bernstein online aggregation (Wintenberger 2017, Mach. Learn. 106, 119-141) with the
gradient of the loss at the blend, so that the blend competes with the best fixed mixture.

What is promised. At one lead and one part of the levels let x_k be forecaster k's linearised loss
less the blend's, in units of ``rate`` over the running loss, shrunk to at most one half. The worth
u_k of a forecaster moves to f (u_k - x_k - x_k^2), f just below one, and its weight is
proportional to prior_k exp(u_k). Because exp(-x - x^2) <= 1 - x for x <= 1/2, weights times x sum
to nought and fading is a concave power, the sum of prior_k exp(u_k) never exceeds one. Hence at
any time, on any sequence of truths, for each forecaster k

    sum of faded (-x_k)  <=  ln(1 / prior_k) + sum of faded x_k^2,

where the left side is by how much the blend did worse than k. This holds for forecasts in the
order in which they teach. A truth that comes d issues late is not known to the d issues between;
interleaving d + 1 learners would bound that at d + 1 times the right side (Weinberger & Ordentlich
2002, IEEE Trans. Inf. Theory 48, 1959-1976). That is not done: weights move slowly against a lead.

What is learned, online and from nothing: histograms of scores (calibration) and of changes
(persistence) by lead and class of size, the truths kept (climatology and classes), the worth of
each forecaster, the running loss. What is not learned: levels, bounds, grain, memories, priors,
the rate. Before the first truth all three say what the twin says.

Pure functions on arrays of one variable of one twin. Whoever keeps a ``Known`` decides which
forecasts teach it (contract 1: those re-issued at fixed instants of event time).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Final

import numpy as np
from jaxtyping import Float64

from gemeos.ensemble import calibrate
from gemeos.ensemble.calibrate import RANKS, Calibration, Learned
from gemeos.errors import SchemaError

LEVELS: Final[Float64[np.ndarray, " level"]] = (np.arange(64) + 0.5) / 64.0
"""Middles of equal parts: the mean of pinball losses is then half the CRPS."""
FORECASTERS: Final = ("twin", "persistence", "climatology")
"""In the order of weights."""
PARTS: Final = np.array([0.0, 0.5, 1.0])
"""Levels about which weights are learned apart; between them they go over into each other."""
CHANGE_BINS: Final = 81
"""Odd, so that no change at all lies within a bin."""
UNBOUNDED_GRAINS: Final = 1e4
"""Changes of an unbounded variable beyond so many grains count at the histogram's ends."""


@dataclass(frozen=True, eq=False)
class Blend:
    """What stays the same of a blend. ``settings_for`` derives it for any declared sensor."""

    calibration: Calibration
    """Of the twin's forecaster; its levels, bounds, grain, classes and memory hold for all."""
    kept: int = 512
    """How many truths are kept."""
    window: float = 3000.0
    """Over how many truths they are spread, evenly; at least ``kept``."""
    doubted: float = 3.0
    """How many changes the twin's own spread is worth as persistence's, at the start."""
    prior: tuple[float, float, float] = (0.8, 0.1, 0.1)
    """Weights before the first truth, in the order of ``FORECASTERS``; they sum to one."""
    rate: float = 0.1
    """How fast weights move."""
    overlap: tuple[float, ...] = ()
    """By lead, how many forecasts are under way at once; empty: one. Their errors hang together,
    so that many truths of theirs are worth one: ``trusted`` and ``doubted`` count so many times."""
    fading: float = 2000.0
    """Truths after which a forecaster's worth has faded to 1/e."""

    def __post_init__(self) -> None:
        if len(self.prior) != len(FORECASTERS) or min(self.prior) <= 0:
            raise SchemaError(f"A blend needs a prior weight above 0 for each of {FORECASTERS}.")
        if abs(sum(self.prior) - 1.0) > 1e-9:
            raise SchemaError(f"Prior weights sum to one, not to {sum(self.prior):g}.")
        if not (self.kept >= 1 and self.window >= self.kept and self.fading > 1):
            raise SchemaError("A blend keeps at least one truth, a window as long, and a memory.")
        if not (0 < self.rate <= 1 and self.doubted > 0):
            raise SchemaError("A blend needs a rate of at most 1, and doubt above 0.")

    @cached_property
    def change_edges(self) -> Float64[np.ndarray, " edge"]:
        """Of the histogram of changes, in the scale of ``_on_scale``."""
        span = self.calibration.high - self.calibration.low
        grains = span / self.calibration.grain if math.isfinite(span) else UNBOUNDED_GRAINS
        reach = math.asinh(grains)
        return np.linspace(-reach, reach, CHANGE_BINS + 1)

    @cached_property
    def parts(self) -> Float64[np.ndarray, "part level"]:
        """How much each level belongs to each part; sums to one at each level."""
        levels = self.calibration.levels
        return np.stack([np.interp(levels, PARTS, row) for row in np.eye(len(PARTS))])


def settings_for(
    low: float | None, high: float | None, noise: float, *, a_day: float = 24.0
) -> Blend:
    """Settings for a declared sensor of which nothing else is known.

    What forecasts are worth fades over a season; truths are kept over a year, so that classes of
    size mean the same in calm and in stormy months.

    Args:
        low: Its least possible value; None if it has none.
        high: Its most possible value.
        noise: Standard deviation of one reading, in its unit, above 0.
        a_day: How many forecasts teach on one day.

    Raises:
        SchemaError: bounds do not rise, or the sensor is without noise.
    """
    if not 0 < noise < math.inf:
        raise SchemaError(f"A blend needs the sensor's noise to be above 0, not {noise:g}.")
    if not a_day > 0:
        raise SchemaError("A blend needs at least some forecasts that teach.")
    return Blend(
        Calibration(
            levels=LEVELS,
            low=-math.inf if low is None else low,
            high=math.inf if high is None else high,
            grain=0.5 * noise,
            ranks=RANKS,
            memory=max(90.0 * a_day, 1000.0),
        ),
        window=max(365.0 * a_day, 512.0),
        fading=max(90.0 * a_day, 200.0),
    )


@dataclass(frozen=True, eq=False)
class Known:
    """All that was learned of one variable of one twin. Shapes do not change."""

    scores: Float64[np.ndarray, "lead size bin"]
    """Histogram of the calibration."""
    changes: Float64[np.ndarray, "lead size change"]
    """Faded number of changes in each bin of ``Blend.change_edges``."""
    truths: Float64[np.ndarray, " kept"]
    """Those kept, in no order; those not yet filled are nought."""
    seen: Float64[np.ndarray, ""]
    """How many truths there were."""
    worth: Float64[np.ndarray, "lead part forecaster"]
    """Logarithm of what each forecaster gained on its prior weight."""
    loss: Float64[np.ndarray, " lead"]
    """Faded sum of the blend's mean pinball losses."""
    scored: Float64[np.ndarray, " lead"]
    """Faded number of them."""
    overlap: Float64[np.ndarray, " lead"]
    """``Blend.overlap``. It is not learned, but goes by lead as all of this does."""


def unlearned(settings: Blend, leads: int) -> Known:
    """Before the first truth."""
    sizes, parts = len(settings.calibration.ranks), len(PARTS)
    overlap = np.array(settings.overlap) if settings.overlap else np.ones(leads)
    return Known(
        scores=calibrate.unlearned(settings.calibration, leads).counts * overlap[:, None, None],
        changes=np.zeros((leads, sizes, CHANGE_BINS)),
        truths=np.zeros(settings.kept),
        seen=np.zeros(()),
        worth=np.zeros((leads, parts, len(FORECASTERS))),
        loss=np.zeros(leads),
        scored=np.zeros(leads),
        overlap=overlap,
    )


def packed(known: Known) -> Float64[np.ndarray, " lesson"]:
    """All that is known in one row, as a twin's state keeps it (``TwinState.lessons``)."""
    return np.concatenate([getattr(known, f.name).ravel() for f in fields(known)])


def unpacked(lessons: Float64[np.ndarray, " lesson"], settings: Blend, leads: int) -> Known:
    """The inverse of ``packed``.

    Raises:
        SchemaError: so many numbers belong to other settings.
    """
    like = unlearned(settings, leads)
    shapes = {f.name: getattr(like, f.name).shape for f in fields(like)}
    sizes = [math.prod(shape) for shape in shapes.values()]
    if len(lessons) != sum(sizes):
        raise SchemaError(f"These settings learn {sum(sizes)} numbers, not {len(lessons)}.")
    parts = np.split(lessons, np.cumsum(sizes)[:-1])
    return Known(**{n: p.reshape(s) for (n, s), p in zip(shapes.items(), parts, strict=True)})


def weights(known: Known, settings: Blend) -> Float64[np.ndarray, "lead part forecaster"]:
    """What each forecaster has earned about each of ``PARTS``; sums to one."""
    gained = known.worth + np.log(settings.prior)
    gained = np.exp(gained - gained.max(axis=2, keepdims=True))
    return gained / gained.sum(axis=2, keepdims=True)


def blended(
    known: Known,
    settings: Blend,
    raw: Float64[np.ndarray, "lead level"],
    last: float,
) -> Float64[np.ndarray, "lead level"]:
    """Quantiles of the blend at each lead, rising, within the possible.

    Args:
        known: What was learned so far.
        settings: Of the blend.
        raw: Quantiles of the twin's ensemble, as ``calibrate.quantiles`` gives them.
        last: The value at issue, as it would count as a truth; NaN if there is none.
    """
    each = forecasters(known, settings, raw, np.full(len(raw), last))
    return mixed(known, settings, each)


def mixed(
    known: Known,
    settings: Blend,
    each: Float64[np.ndarray, "lead forecaster level"],
) -> Float64[np.ndarray, "lead level"]:
    """The blend of what ``forecasters`` said."""
    return _mixed(settings, weights(known, settings), each)


def forecasters(
    known: Known,
    settings: Blend,
    raw: Float64[np.ndarray, "lead level"],
    last: Float64[np.ndarray, " lead"],
) -> Float64[np.ndarray, "lead forecaster level"]:
    """What each of ``FORECASTERS`` says."""
    truths = _sorted(known)
    twin = _twin(known, settings, raw, truths)
    always = np.broadcast_to(_climatology(settings, truths), raw.shape) if len(truths) else twin
    return np.stack([twin, _persistence(known, settings, (raw, last), truths, always), always], 1)


def learned(
    known: Known,
    settings: Blend,
    raw: Float64[np.ndarray, "lead level"],
    last: Float64[np.ndarray, " lead"],
    truth: Float64[np.ndarray, " lead"],
) -> Known:
    """What is known after the truth of one forecast at each lead.

    The forecasts at different leads may have been issued at different instants, as those are whose
    truth comes at the same instant. The truth at the first lead that has one joins those kept.

    Args:
        known: What was learned so far.
        settings: Of the blend.
        raw: Quantiles of the twin's ensemble for that truth.
        last: The value at issue of each forecast; NaN if there was none.
        truth: NaN where none came.
    """
    came = np.isfinite(truth)
    if not came.any():
        return known
    low, high = settings.calibration.low, settings.calibration.high
    value = np.clip(np.where(came, truth, 0.0), low, high)
    worth, loss, scored = _judged(known, settings, (raw, last), (came, value))
    truths = _sorted(known)
    rank = _rank(truths, raw.mean(axis=1))
    return Known(
        calibrate.learned(
            Learned(known.scores), settings.calibration, raw, rank, np.where(came, value, np.nan)
        ).counts,
        _changed(known, settings, last, np.where(came, value, np.nan), truths),
        *_joined(known, settings, float(value[came][0])),
        worth,
        loss,
        scored,
        known.overlap,
    )


def rank(known: Known, size: Float64[np.ndarray, " lead"]) -> Float64[np.ndarray, " lead"]:
    """Where each value lies among the truths so far, 0 to 1; amid them before the first."""
    return _rank(_sorted(known), size)


def _sorted(known: Known) -> Float64[np.ndarray, " truth"]:
    return np.sort(known.truths[: min(int(known.seen), len(known.truths))])


def _rank(
    truths: Float64[np.ndarray, " truth"], size: Float64[np.ndarray, " lead"]
) -> Float64[np.ndarray, " lead"]:
    if not len(truths):
        return np.full(len(size), 0.5)
    below, upto = (np.searchsorted(truths, size, side=s) for s in ("left", "right"))
    return 0.5 * (below + upto) / len(truths)


def _twin(
    known: Known,
    settings: Blend,
    raw: Float64[np.ndarray, "lead level"],
    truths: Float64[np.ndarray, " truth"],
) -> Float64[np.ndarray, "lead level"]:
    size = _rank(truths, raw.mean(axis=1))
    return calibrate.calibrated(Learned(known.scores), settings.calibration, raw, size)


def _climatology(
    settings: Blend, truths: Float64[np.ndarray, " truth"]
) -> Float64[np.ndarray, " level"]:
    at = (np.arange(len(truths)) + 0.5) / len(truths)
    return np.interp(settings.calibration.levels, at, truths)


def _persistence(
    known: Known,
    settings: Blend,
    issued: tuple[Float64[np.ndarray, "lead level"], Float64[np.ndarray, " lead"]],
    truths: Float64[np.ndarray, " truth"],
    otherwise: Float64[np.ndarray, "lead level"],
) -> Float64[np.ndarray, "lead level"]:
    """The last value and how such values changed; ``otherwise`` where there is no last value."""
    raw, last = issued
    fixed, edges = settings.calibration, settings.change_edges
    there = np.isfinite(last)
    share = fixed.shares(_rank(truths, np.where(there, last, 0.0)))
    counts = np.einsum("lsc,ls->lc", known.changes, share)
    middle = 0.5 * (raw[:, (raw.shape[1] - 1) // 2] + raw[:, raw.shape[1] // 2])
    place = _bin(edges, _on_scale(settings, raw - middle[:, None]))
    own = place + CHANGE_BINS * np.arange(len(raw))[:, None]
    spread = np.bincount(own.ravel(), minlength=counts.size).reshape(counts.shape)
    doubted = settings.doubted * known.overlap[:, None]
    counts = counts + doubted / raw.shape[1] * spread
    reached = np.zeros((len(raw), CHANGE_BINS + 1))
    np.cumsum(counts, axis=1, out=reached[:, 1:])
    out = otherwise.copy()
    for lead in np.flatnonzero(there):
        moved = np.interp(fixed.levels, reached[lead] / reached[lead, -1], edges)
        out[lead] = last[lead] + fixed.grain * np.sinh(moved)
    return np.clip(out, fixed.low, fixed.high)


def _on_scale(
    settings: Blend, change: Float64[np.ndarray, "*where"]
) -> Float64[np.ndarray, "*where"]:
    """Changes below a grain as they are, larger ones by their logarithm: any size has its bins."""
    return np.asarray(np.arcsinh(change / settings.calibration.grain))


def _bin(edges: Float64[np.ndarray, " edge"], at: Float64[np.ndarray, "*where"]) -> np.ndarray:
    return np.clip(np.searchsorted(edges, at) - 1, 0, len(edges) - 2)


def _mixed(
    settings: Blend,
    earned: Float64[np.ndarray, "lead part forecaster"],
    each: Float64[np.ndarray, "lead forecaster level"],
) -> Float64[np.ndarray, "lead level"]:
    """Means level by level, then sorted: where weights differ by level, lines may cross.

    Sorting brings quantiles nearer to the truth (Chernozhukov, Fernandez-Val & Galichon 2010,
    Econometrica 78, 1093-1125, proposition 4).
    """
    by_level = np.einsum("lpf,pq->lfq", earned, settings.parts)
    low, high = settings.calibration.low, settings.calibration.high
    return np.clip(np.sort((by_level * each).sum(axis=1), axis=1), low, high)


def _judged(
    known: Known,
    settings: Blend,
    issued: tuple[Float64[np.ndarray, "lead level"], Float64[np.ndarray, " lead"]],
    heard: tuple[np.ndarray, Float64[np.ndarray, " lead"]],
) -> tuple[
    Float64[np.ndarray, "lead part forecaster"],
    Float64[np.ndarray, " lead"],
    Float64[np.ndarray, " lead"],
]:
    """Worth, sum of losses and their number after a truth that none of the forecasts knew."""
    came, value = heard
    each, earned = forecasters(known, settings, *issued), weights(known, settings)
    off = _mixed(settings, earned, each) - value[:, None]
    slope = (off > 0) - settings.calibration.levels
    keep = 1.0 - 1.0 / settings.fading
    loss = np.where(came, keep * known.loss + (slope * off).mean(axis=1), known.loss)
    scored = np.where(came, keep * known.scored + 1.0, known.scored)
    told = np.einsum("pq,lq,lfq->lpf", settings.parts, slope, each - value[:, None, None])
    told = told / settings.parts.sum(axis=1)[:, None]
    excess = told - (earned * told).sum(axis=2, keepdims=True)
    typical = loss / np.maximum(scored, 1e-300)
    step = settings.rate / np.maximum(typical, 1e-9 * settings.calibration.grain)
    x = excess * step[:, None, None]
    x = x * np.minimum(1.0, 0.5 / np.maximum(np.abs(x).max(axis=2, keepdims=True), 0.5))
    worth = np.where(came[:, None, None], keep * (known.worth - x - x**2), known.worth)
    return worth, loss, scored


def _changed(
    known: Known,
    settings: Blend,
    last: Float64[np.ndarray, " lead"],
    truth: Float64[np.ndarray, " lead"],
    truths: Float64[np.ndarray, " truth"],
) -> Float64[np.ndarray, "lead size change"]:
    there = np.flatnonzero(np.isfinite(last) & np.isfinite(truth))
    counts = known.changes.copy()
    share = settings.calibration.shares(_rank(truths, last[there]))
    place = _bin(settings.change_edges, _on_scale(settings, truth[there] - last[there]))
    counts[there] *= 1.0 - share[:, :, None] / settings.calibration.memory
    counts[there, :, place] += share
    return counts


def _joined(
    known: Known, settings: Blend, value: float
) -> tuple[Float64[np.ndarray, " kept"], Float64[np.ndarray, ""]]:
    """Each truth is kept until there is no more room; then as many as fill the window evenly."""
    truths, seen = known.truths, float(known.seen)
    part = settings.kept / settings.window
    turn = math.floor((seen + 1.0) * part)
    if seen < settings.kept:
        truths = truths.copy()
        truths[int(seen)] = value
    elif turn > math.floor(seen * part):
        truths = truths.copy()
        truths[turn % settings.kept] = value
    return truths, np.asarray(seen + 1.0)
