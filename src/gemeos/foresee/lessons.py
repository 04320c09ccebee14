"""How lessons are heard, and how forecasts are read by them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Final

import numpy as np
from jaxtyping import Float, Float64, Int64

from gemeos.ensemble.blend import LEVELS, Blend, Known, blended, settings_for
from gemeos.ensemble.state import UNTRUSTED, Monitor, TwinState
from gemeos.schema.variable import Sensor
from gemeos.units.instant import SECOND, Span

PRIOR: Final = (0.96, 0.02, 0.02)
DOUBTED: Final = 30.0
RATE: Final = 0.05
TRUSTED: Final = 12.0
POOLED: Final = 60.0
"""Cautious with forecasters (``ensemble.blend``): nobody looks at the first hundreds of forecasts;
quick with spreads, which all sizes learn from together. Truths of forecasts that overlap count by
the root of how many do, between all of them and one. On series of a known model a forecast that is
right loses nothing in its first 300 truths (4 % of the CRPS on a random walk twenty steps ahead);
of one that is half as wide as it should be, 90 % intervals that held 59 to 68 % hold 80 to 83 %."""
_DAY = 86_400 * SECOND
_ERRORS: Final = np.array([NormalDist().inv_cdf((k + 0.5) / 8) for k in range(8)])
"""Of one reading, in standard deviations: eighths of the normal distribution."""


@dataclass(frozen=True, eq=False)
class Ears:
    """How twins hear what their forecasts are held against; a row a twin."""

    channels: Int64[np.ndarray, "twin variable channel"]
    """Rows of ``TwinState.monitors`` in the order of binding; -1 for padding."""
    noise: Float64[np.ndarray, "twin variable"]
    """Standard deviation of one reading; 0 where nothing is bound."""
    blends: tuple[tuple[Blend, ...], ...]
    """Settings, by twin and variable."""
    inputs: Int64[np.ndarray, "twin input channel"]
    """Rows of the monitors that remembered inputs are heard by; -1 for padding."""

    def take(self, twins: Int64[np.ndarray, " some"]) -> Ears:
        """Those of some twins."""
        blends = tuple(self.blends[i] for i in twins.tolist())
        return Ears(self.channels[twins], self.noise[twins], blends, self.inputs[twins])


def settings_of(sensor: Sensor, noise: float, every: Span, leads: Sequence[Span]) -> Blend:
    """How the forecasts of a sensor are blended.

    Args:
        sensor: As declared.
        noise: Standard deviation of one reading; 0 where nothing is bound.
        every: Between two issues.
        leads: How far ahead.
    """
    low, high = sensor.bounds
    settings = settings_for(low, high, noise or 1.0, a_day=_DAY / every)
    return replace(
        settings,
        calibration=replace(settings.calibration, trusted=TRUSTED, pooled=POOLED),
        doubted=DOUBTED,
        prior=PRIOR,
        rate=RATE,
        overlap=tuple(math.sqrt(max(lead / every, 1.0)) for lead in leads),
    )


def read_last(
    state: TwinState, ears: Ears
) -> tuple[Float64[np.ndarray, "twin variable"], Float64[np.ndarray, "twin variable"]]:
    """What each scored sensor read last, and when in microseconds; NaN and -inf where nothing.

    Of several channels the one that was read last; channels that are not trusted are not asked.
    """
    twins = np.arange(len(state))[:, None, None]
    rows = state.monitors[twins, np.maximum(ears.channels, 0)]
    heard = (ears.channels >= 0) & ~np.isin(rows[..., Monitor.VERDICT], UNTRUSTED)
    at = np.where(
        heard & np.isfinite(rows[..., Monitor.LAST_AT]), rows[..., Monitor.LAST_AT], -np.inf
    )
    newest = at.argmax(axis=2)[..., None]
    when = np.take_along_axis(at, newest, axis=2)[..., 0]
    value = np.take_along_axis(rows[..., Monitor.LAST_VALUE], newest, axis=2)[..., 0]
    return np.where(np.isfinite(when), value, np.nan), when


def as_read(
    known: Known,
    settings: Blend,
    leads: tuple[int, ...],
    members: Float[np.ndarray, "time member"],
    *,
    ahead: Int64[np.ndarray, " time"],
    noise: float,
    last: float,
) -> Float[np.ndarray, "time member"]:
    """Members of one sensor on their way, as they will be read.

    At each time the corrected quantiles are given out in the order of the members, so that each
    keeps its way through time: ensemble copula coupling, Schefzik, Thorarinsdottir & Gneiting
    (2013), Stat. Sci. 28, 616-640. Between two scored leads both corrections count, by distance;
    before the first one so does what the ensemble says; behind the last one its correction holds.

    Args:
        known: The lessons.
        settings: Of the sensor.
        leads: What was scored, in steps.
        members: What the sensor would read without error.
        ahead: How many steps ahead each time is, rising.
        noise: Standard deviation of one reading.
        last: What had been read last where the forecast begins; NaN where nothing had.
    """
    size = members.shape[1]
    reading = members.astype(np.float64)[:, :, None] + noise * _ERRORS
    raw = np.quantile(reading.reshape(len(ahead), -1), LEVELS, axis=1, method="hazen").T
    # 0 where the forecast begins, k at the k-th scored lead.
    at = np.interp(ahead.astype(np.float64), [0.0, *leads], np.arange(len(leads) + 1))
    above, below = np.ceil(at).astype(np.int64) - 1, np.floor(at).astype(np.int64) - 1
    part = (at - np.floor(at))[:, None]
    behind = blended(_of_leads(known, above), settings, raw, last)
    before = blended(_of_leads(known, np.maximum(below, 0)), settings, raw, last)
    before = np.where(below[:, None] < 0, raw, before)
    told = np.where(part > 0, part * behind + (1.0 - part) * before, behind)
    ranked = np.clip(_at_ranks(told, size), settings.calibration.low, settings.calibration.high)
    out = np.empty_like(members)
    order = members.argsort(axis=1, kind="stable")
    np.put_along_axis(out, order, ranked.astype(members.dtype), axis=1)
    return out


def _at_ranks(
    told: Float64[np.ndarray, "time level"], size: int
) -> Float64[np.ndarray, "time rank"]:
    """As many evenly spaced quantiles; beyond the outermost level by the line that leads there."""
    # One level more at each end, so far out that every rank lies within.
    ends = np.array([2.0 * LEVELS[0] - LEVELS[1], 2.0 * LEVELS[-1] - LEVELS[-2]])
    levels = np.concatenate([ends[:1], LEVELS, ends[1:]])
    first, last = 2.0 * told[:, 0] - told[:, 1], 2.0 * told[:, -1] - told[:, -2]
    values = np.concatenate([first[:, None], told, last[:, None]], axis=1)
    return np.array([np.interp((np.arange(size) + 0.5) / size, levels, row) for row in values])


def _of_leads(known: Known, leads: Int64[np.ndarray, " time"]) -> Known:
    """The same as if these were the leads."""
    return replace(
        known,
        scores=known.scores[leads],
        changes=known.changes[leads],
        worth=known.worth[leads],
        loss=known.loss[leads],
        scored=known.scored[leads],
        overlap=known.overlap[leads],
    )
