"""The fan plot: a median within bands of 50, 80 and 90 %."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from jaxtyping import Float64, Int64

from gemeos.ensemble.marginal import Marginal
from gemeos.ensemble.optional import needed
from gemeos.units.instant import Instant, zone

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BANDS: Final = ((0.9, 0.25), (0.8, 0.42), (0.5, 0.62))
"""Level and depth of colour of each band; widest first, so that the narrower lie on top."""
_UNTOLD: Final = "_nolegend_"
_MINUTE: Final = 1.0 / 1440.0
_Colour: TypeAlias = tuple[float, float, float]
_PAST: Final[_Colour] = (0.36, 0.40, 0.44)
_COMING: Final[_Colour] = (0.12, 0.44, 0.70)


def fan(
    marginal: Marginal,
    *,
    title: str,
    source: str,
    zone_name: str,
    now: Instant | None,
    past: Marginal | None = None,
    axes: Axes | None = None,
) -> Axes:
    """Draw one variable over time in the site's zone.

    Args:
        marginal: What is drawn; a single instant becomes bars.
        title: Above the plot.
        source: Where the numbers are from; stands in the legend.
        zone_name: IANA name of the zone of the time axis.
        now: Where a line parts what was from what is to come.
        past: The same variable before, drawn in grey.
        axes: Where to draw; a new figure without it.

    Raises:
        InputError: matplotlib is not installed.
    """
    dates = needed("matplotlib.dates", by="plot", extra="plot")
    if axes is None:
        _, axes = needed("matplotlib.pyplot", by="plot", extra="plot").subplots()
    if past is not None:
        _bands(axes, past, colour=_PAST, label="")
    _bands(axes, marginal, colour=_COMING, label=f"median, {len(marginal.members[0])} members")
    if now is not None:
        axes.axvline(
            _dates(np.array([now], np.int64))[0],
            color="black",
            linewidth=1.0,
            linestyle="--",
            label="now",
        )
    here = zone(zone_name)
    locator = dates.AutoDateLocator(tz=here)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, tz=here))
    if past is None and len(marginal.times) == 1:
        axes.set_xlim(_dates(marginal.times)[0] - _MINUTE, _dates(marginal.times)[0] + _MINUTE)
    axes.set_xlabel(f"time ({zone_name})")
    axes.set_ylabel(f"{marginal.name} [{marginal.unit or '1'}]")
    axes.set_title(title)
    axes.legend(title=f"source: {source}", framealpha=0.85)
    return axes


def _bands(axes: Axes, marginal: Marginal, *, colour: _Colour, label: str) -> None:
    dates = _dates(marginal.times)
    for level, depth in BANDS:
        low, high = marginal.interval(level)
        tint = tuple(1.0 - depth * (1.0 - part) for part in colour)
        told = f"{level * 100:.0f} %" if label else _UNTOLD
        if len(dates) > 1:
            axes.fill_between(dates, low, high, color=tint, linewidth=0.0, label=told)
        else:
            axes.vlines(dates, low, high, color=tint, linewidth=9.0, label=told)
    marker = None if len(dates) > 1 else "o"
    axes.plot(dates, marginal.quantile(0.5), color=colour, marker=marker, label=label or _UNTOLD)


def _dates(times: Int64[np.ndarray, " time"]) -> Float64[np.ndarray, " time"]:
    """Instants as matplotlib's days, whatever epoch it is set to."""
    convert = needed("matplotlib.dates", by="plot", extra="plot").date2num
    return np.asarray(convert(times.astype("datetime64[us]")))
