"""What the twin has to beat: simple forecasts and estimates, fitted on the year before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float64

from gemeos.twins.windfarm.record import Record

POWER_CLASSES: Final = 25
ABOVE_ZERO: Final = 1e-9
"""kW; standing still is a class of its own."""
CURVE_BIN: Final = 0.5
"""Width of a bin of the binned curve, m/s: IEC 61400-12-1:2017, 9.1.3."""
RIDGE_STRENGTHS: Final = (1.0, 10.0, 100.0, 1000.0)


@dataclass(frozen=True, eq=False)
class Persistence:
    """The present power, plus quantiles of how it went on from power of that size."""

    edges: Float64[np.ndarray, " edge"]
    errors: Float64[np.ndarray, "class level"]
    low: float
    high: float

    @staticmethod
    def fitted(
        power: Float64[np.ndarray, " time"],
        lead: int,
        levels: Float64[np.ndarray, " level"],
        high: float,
    ) -> Persistence:
        """Error quantiles of that lead, by equally filled classes of present power above zero."""
        now, later = power[:-lead], power[lead:]
        known = np.isfinite(now) & np.isfinite(later)
        now, error = now[known], (later - now)[known]
        inner = np.quantile(now[now > 0], np.arange(1, POWER_CLASSES) / POWER_CLASSES)
        edges = np.concatenate([[ABOVE_ZERO], np.unique(inner)])
        filled = np.unique(np.digitize(now, edges))
        edges = edges[filled[1:] - 1]  # an edge stays where there is a class on either side
        which = np.digitize(now, edges)
        errors = [np.quantile(error[which == k], levels) for k in range(len(edges) + 1)]
        return Persistence(edges, np.array(errors), 0.0, high)

    def quantiles(self, now: Float64[np.ndarray, " issue"]) -> Float64[np.ndarray, "issue level"]:
        """Quantiles of the forecast, one row for each present power."""
        given = now[:, None] + self.errors[np.digitize(now, self.edges)]
        return np.clip(given, self.low, self.high)


def climatology(
    power: Float64[np.ndarray, " time"],
    day_of_year: Float64[np.ndarray, " time"],
    asked: Float64[np.ndarray, " issue"],
    levels: Float64[np.ndarray, " level"],
    *,
    within_days: float = 45.0,
) -> Float64[np.ndarray, "issue level"]:
    """Quantiles of a year's power around the same day of the year; of all where there is none.

    Args:
        power: Of the year before.
        day_of_year: Of each of its instants, from 0.
        asked: Day of the year of each forecast instant.
        levels: Of the quantiles.
        within_days: To either side.
    """
    out = np.empty((len(asked), len(levels)))
    for day in np.unique(np.floor(asked)):
        apart = np.abs((day_of_year - day + 182.5) % 365.0 - 182.5)
        known = np.isfinite(power)
        near = (apart <= within_days) & known
        near = near if near.any() else known  # a year that lacks this season
        out[np.floor(asked) == day] = np.quantile(power[near], levels)
    return out


def binned_curve(
    wind: Float64[np.ndarray, " time"],
    power: Float64[np.ndarray, " time"],
    fit: Bool[np.ndarray, " time"],
) -> Float64[np.ndarray, " time"]:
    """Power by the mean of each bin of the turbine's own nacelle wind, between bins by line."""
    good = fit & np.isfinite(wind) & np.isfinite(power)
    which = np.round(wind[good] / CURVE_BIN).astype(np.int64)
    filled = np.unique(which)
    speeds = np.array([wind[good][which == k].mean() for k in filled])
    means = np.array([power[good][which == k].mean() for k in filled])
    known = np.interp(np.nan_to_num(wind), speeds, means)
    return np.where(np.isfinite(wind), known, np.nan)


def ridge_on_others(
    record: Record, turbine: int, fit: Bool[np.ndarray, " time"]
) -> Float64[np.ndarray, " time"]:
    """Power of one turbine by ridge regression on all that the others say.

    Features of each other turbine: power, wind with its square and cube, sine and cosine of
    the absolute wind direction once and twice, pitch, temperature. The strength is the best of
    four on the last quarter of the fitting rows, then all of them are fitted.
    """
    others = [i for i in range(record.values["power"].shape[1]) if i != turbine]
    columns = []
    for i in others:
        v = {tag: table[:, i] for tag, table in record.values.items()}
        angle = np.radians(v["vane"] + v["yaw"])
        wind = v["wind"] / 10.0
        columns += [v["power"], wind, wind**2, wind**3, np.clip(v["pitch"], -5, 95)]
        columns += [np.sin(angle), np.cos(angle), np.sin(2 * angle), np.cos(2 * angle)]
        columns += [np.clip(v["temperature"], -30, 45)]
    x = np.stack(columns, axis=1)
    y = record.values["power"][:, turbine]
    usable = np.isfinite(x).all(axis=1)
    rows = np.flatnonzero(fit & usable & np.isfinite(y))
    mean, spread = x[rows].mean(axis=0), x[rows].std(axis=0)
    z = (np.where(usable[:, None], x, mean) - mean) / spread
    cut = 3 * len(rows) // 4
    early, late = rows[:cut], rows[cut:]
    losses = [
        float(np.mean((_ridge(z[early], y[early], s, z[late]) - y[late]) ** 2))
        for s in RIDGE_STRENGTHS
    ]
    strength = RIDGE_STRENGTHS[int(np.argmin(losses))]
    return np.where(usable, _ridge(z[rows], y[rows], strength, z), np.nan)


def _ridge(
    x: Float64[np.ndarray, "fit feature"],
    y: Float64[np.ndarray, " fit"],
    strength: float,
    asked: Float64[np.ndarray, "row feature"],
) -> Float64[np.ndarray, " row"]:
    """Hoerl & Kennard (1970), Technometrics 12, 55-67, eq. 2.1, about the mean of ``y``."""
    weights = np.linalg.solve(x.T @ x + strength * np.eye(x.shape[1]), x.T @ (y - y.mean()))
    return y.mean() + asked @ weights
