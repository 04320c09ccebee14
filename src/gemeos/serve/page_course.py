"""A twin over time: what was held to be so, what was read, and what was forecast, in one picture.

Nothing is worked out for it: the past is what the twin remembered, the future what it last issued
to be held to. So it costs little to look, and shows what the scores are made of.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import numpy as np
from jaxtyping import Float64

from gemeos.runtime.twin import Twin
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Sensor, State, Virtual
from gemeos.serve import markup
from gemeos.serve.chart import Chart, Course, drawn
from gemeos.serve.markup import Html, few, path
from gemeos.serve.view import View
from gemeos.timeline.base import ForecastRows
from gemeos.units.instant import SECOND, Instant

MOST_ASKED: Final = 6
"""Of which those are drawn first that differ."""
FIRST_SHOWN: Final = 2
"""Of what the twin shows first."""
FULLEST: Final = 2
"""Of what it is held to, those that tell of most."""
MOST_NAMED: Final = 60
MOST_ROWS: Final = 1000
_HOUR: Final = 3600 * SECOND
_Q05, _Q50, _Q95 = 0, 2, 4
"""Places in the quantiles of a summary row."""


def section(view: View, name: str) -> Html:
    """The courses of some variables, or of the one that is wanted.

    Raises:
        UnknownNameError: no such variable is wanted.
    """
    twin = view.host.twin(name)
    schema = twin.schema
    if view.on is not None:
        schema.variable(view.on)
    could = [each for each in twin.shown if _can_be_drawn(schema, each)]
    wanted = [view.on] if view.on is not None else _chosen(view, twin, could)
    figures = [_figure(view, twin, each, place) for place, each in enumerate(wanted)]
    inside = markup.joined(
        (
            Html(f"<div class='figures'>{''.join(figures)}</div>") if any(figures) else "",
            _others(name, [each for each in could if each not in wanted]),
        )
    )
    return markup.section(
        "Past, present, future",
        inside if any(figures) else "",
        name="course",
        none="Nothing is remembered yet.",
    )


def _can_be_drawn(schema: Schema, name: str) -> bool:
    """What goes round, as directions do, has no low and high end."""
    variable = schema.variable(name)
    return (
        isinstance(variable, State | Sensor | Virtual) and getattr(variable, "wraps", None) is None
    )


def _chosen(view: View, twin: Twin, could: Sequence[str]) -> list[str]:
    """What is shown first, and of the forecasts that are scored those of the largest numbers."""
    first = _apart(view, twin, could[:MOST_ASKED])[:FIRST_SHOWN]
    scoring = twin.scoring
    held = [v for v in (scoring.variables if scoring else ()) if v in could and v not in first]
    if not held:
        return first
    rows = view.host.timeline.summary(twin.name, held, _since(view, twin), view.now)
    if not len(rows.valid_at):
        return first
    means = np.nan_to_num(np.abs(rows.mean[-20:]).mean(axis=0), nan=0.0)
    fullest = np.argsort(-means, kind="stable")[:FULLEST]
    return [*first, *(held[place] for place in fullest)]


def _apart(view: View, twin: Twin, could: Sequence[str]) -> list[str]:
    """Those that are not another one's course again, as what could be had is where nothing is lost.

    What has not been remembered yet is kept.
    """
    rows = view.host.timeline.summary(twin.name, could, _since(view, twin), view.now)
    known = np.isfinite(rows.mean).all(axis=1)
    means = rows.mean[known]
    units = [twin.schema.variable(each).unit for each in could]
    found: list[int] = []
    for place, unit in enumerate(units):
        alike = [each for each in found if units[each] == unit]
        if not any(len(means) and _is_same(means[:, place], means[:, each]) for each in alike):
            found.append(place)
    return [could[place] for place in found]


def _is_same(one: Float64[np.ndarray, " time"], other: Float64[np.ndarray, " time"]) -> bool:
    """But for rounding."""
    return bool(np.allclose(one, other, rtol=1e-6, atol=0.0))


def _since(view: View, twin: Twin) -> Instant:
    """As far back as forecasts reach ahead, at least an hour; no more rows than can be drawn."""
    ahead = max(twin.scoring.leads) if twin.scoring is not None else 0
    back = max(2 * ahead, _HOUR)
    return view.now - min(back, MOST_ROWS * twin.remember)


def _figure(view: View, twin: Twin, variable: str, place: int) -> str:
    """One of them; nothing where nothing is remembered."""
    since = _since(view, twin)
    rows = view.host.timeline.summary(twin.name, [variable], since, view.now)
    known = np.isfinite(rows.mean[:, 0]) & np.isfinite(rows.quantiles[:, 0, :]).all(axis=1)
    if not known.any():
        return ""
    quantiles = rows.quantiles[known, 0, :]
    past = Course(
        "held to be so",
        "one",
        rows.valid_at[known],
        quantiles[:, _Q05],
        quantiles[:, _Q95],
        quantiles[:, _Q50],
    )
    issued_at, future = _forecast(view, twin, variable)
    unit = twin.schema.variable(variable).unit
    read = _read(view, twin, variable, since)
    told = f"At {view.clock(int(past.times[-1]))}: {_spoken(past, unit)}."
    if future is not None:
        told += (
            f" Forecast at {view.clock(issued_at)} for {view.clock(int(future.times[-1]))}: "
            f"{_spoken(future, unit)}."
        )
    else:
        told += " No forecast of it is kept; ask for one: "
    chart = Chart(
        name=f"course{place}",
        title=f"{variable}: past, present and future",
        told=told,
        unit=unit,
        courses=(past,) if future is None else (past, future),
        since=view.now,
        seen=read,
        now=True,
    )
    more = f" Dots: {len(read)} readings." if read else ""
    ask = "" if future is not None else view.command("forecast", twin.name)
    caption = markup.joined((f"{told}", ask, f"{more} Bands hold 90 %."))
    heading = markup.of_unit(variable, unit)
    return (
        f"<figure><h3>{markup.html(heading)}</h3>{drawn(chart)}"
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _forecast(view: View, twin: Twin, variable: str) -> tuple[Instant, Course | None]:
    """The newest one that reaches ahead, whole; and when it was issued."""
    if twin.scoring is None or variable not in twin.scoring.variables:
        return 0, None
    reach = max(twin.scoring.leads)
    kept = view.host.timeline.forecasts(twin.name, variable, view.now - reach, view.now + reach)
    ahead = kept.valid_at > view.now
    if not ahead.any():
        return 0, None
    issued_at = int(kept.issued_at[ahead].max())
    mine = np.flatnonzero(kept.issued_at == issued_at)
    ends = np.array([_quantiles(kept, int(row)) for row in mine])
    course = Course(
        f"forecast of {view.clock(issued_at)}",
        "other",
        kept.valid_at[mine],
        ends[:, 0],
        ends[:, 2],
        ends[:, 1],
    )
    return issued_at, course


def _quantiles(kept: ForecastRows, row: int) -> np.ndarray:
    """At 5, 50 and 95 %, as it was told: corrected by what was learned, where it was."""
    corrected = kept.corrected[row] if kept.corrected.shape[1] else np.array([np.nan])
    told = corrected if np.isfinite(corrected).any() else kept.members[row]
    return np.quantile(told[np.isfinite(told)], [0.05, 0.5, 0.95], method="hazen")


def _read(view: View, twin: Twin, variable: str, since: Instant) -> list[tuple[Instant, float]]:
    book = view.host.timeline.book
    mine = [book.number(b.series) for b in twin.bindings if b.variable == variable]
    if not mine:
        return []
    read = view.host.timeline.range(mine, since, view.now)
    return list(zip(read.valid_at.tolist(), read.value.tolist(), strict=True))


def _spoken(course: Course, unit: str) -> str:
    middle = course.high[-1] if course.middle is None else course.middle[-1]
    low, high = _plain(float(course.low[-1])), _plain(float(course.high[-1]))
    return f"{_plain(float(middle))}, 90 % within {low} to {high}{f' {unit}' if unit else ''}"


def _plain(value: float) -> str:
    """Four digits that matter, large numbers to the unit."""
    return few(value) if abs(value) < 1e4 else f"{value:.0f}"


def _others(twin: str, names: Sequence[str]) -> Html:
    if not names:
        return Html("")
    here = path("twins", twin)
    links = [
        markup.link(each, f"{here}?on={quote(each, safe='')}#course") for each in names[:MOST_NAMED]
    ]
    further = len(names) - MOST_NAMED
    rest = f" and {further} more" if further > 0 else ""
    return markup.paragraph(
        markup.joined(("Draw another: ", markup.joined(links, ", "), rest, "."))
    )
