"""Charts as SVG, drawn here: two courses with their doubt, readable without colour and script.

Nothing in them is told by colour alone: the one course is filled and solid, the other hatched and
dashed, and both are named in the chart. Each chart has a text alternative.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

import numpy as np
from jaxtyping import Float64, Int64

from gemeos.serve.markup import Html, few, length
from gemeos.units.instant import Instant, Span

WIDTH: Final = 420
HEIGHT: Final = 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 10, 26, 26
MOST_POINTS: Final = 120
MOST_DOTS: Final = 200
LONGEST_LABEL: Final = 22
_TICKS: Final = (1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Course:
    """One thing over time: where it is expected, within which band."""

    label: str
    kind: str
    """``one`` is filled and solid, ``other`` hatched and dashed."""
    times: Int64[np.ndarray, " time"]
    low: Float64[np.ndarray, " time"]
    high: Float64[np.ndarray, " time"]
    middle: Float64[np.ndarray, " time"] | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn."""

    name: str
    """Unique on its page; a plain word."""
    title: str
    told: str
    """What it shows, in a sentence or two, for those who cannot see it."""
    unit: str
    courses: Sequence[Course]
    since: Instant
    """From where the times are counted that stand below."""
    zero: bool = False
    """Whether a line is drawn at zero, and zero is in sight."""
    seen: Sequence[tuple[Instant, float]] = ()
    """What was read, as dots."""
    now: bool = False
    """Whether a line says where ``since`` is, as now."""


@dataclass(frozen=True, slots=True)
class _Scale:
    """From instants and numbers to places."""

    begin: Instant
    end: Instant
    low: float
    high: float

    def x(self, at: Instant) -> float:
        return _LEFT + (at - self.begin) / (self.end - self.begin) * (WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)


def drawn(chart: Chart) -> Html:
    """The chart as an ``svg`` element."""
    courses = [_thinned(each) for each in chart.courses]
    dots = [(t, v) for t, v in chart.seen if math.isfinite(v)]
    dots = dots[:: max(1, math.ceil(len(dots) / MOST_DOTS))]
    scale = _scale(courses, dots, zero=chart.zero, now=chart.since if chart.now else None)
    hatch = f"{chart.name}-hatch"
    inside = "".join(
        (
            *_axes(scale, chart),
            *(_now(scale, chart) if chart.now else ()),
            *(_band(scale, each, hatch) for each in courses),
            *(_middle(scale, each) for each in courses),
            *(
                f"<circle class='seen' cx='{scale.x(t):.1f}' cy='{scale.y(v):.1f}' r='2.2'/>"
                for t, v in dots
            ),
            *_key(courses, hatch),
        )
    )
    name = escape(chart.name)
    return Html(
        f"<svg class='chart' viewBox='0 0 {WIDTH} {HEIGHT}' role='img' "
        f"aria-labelledby='{name}-title {name}-told'>"
        f"<title id='{name}-title'>{escape(chart.title)}</title>"
        f"<desc id='{name}-told'>{escape(chart.told)}</desc>"
        f"<defs><pattern id='{escape(hatch)}' class='hatch' width='6' height='6' "
        "patternUnits='userSpaceOnUse' patternTransform='rotate(45)'>"
        "<path d='M0 0V6'/></pattern></defs>"
        f"{inside}</svg>"
    )


def ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers within the two, some ``about`` of them."""
    span = high - low
    size = 10.0 ** math.floor(math.log10(span / about))
    # That of the round steps that gives a number of ticks nearest to what is wanted, as a ratio.
    step = min((size * each for each in _TICKS), key=lambda s: abs(math.log(span / s / about)))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [place * step for place in range(first, last + 1)]


def _thinned(course: Course) -> Course:
    """At most so many points as can be seen, the last one among them."""
    count = len(course.times)
    if count <= MOST_POINTS:
        return course
    kept = np.unique(np.linspace(0, count - 1, MOST_POINTS).round().astype(np.int64))
    middle = None if course.middle is None else course.middle[kept]
    return Course(
        course.label,
        course.kind,
        course.times[kept],
        course.low[kept],
        course.high[kept],
        middle,
    )


def _scale(
    courses: Sequence[Course],
    dots: Sequence[tuple[Instant, float]],
    *,
    zero: bool,
    now: Instant | None,
) -> _Scale:
    lows = [float(each.low.min()) for each in courses] + [v for _, v in dots]
    highs = [float(each.high.max()) for each in courses] + [v for _, v in dots]
    low, high = min([*lows, 0.0] if zero else lows), max([*highs, 0.0] if zero else highs)
    # A band without width is drawn in the middle, and never fills the frame with rounding errors.
    room = max((high - low) * 0.06, abs(high + low) * 1e-4, 1e-9)
    begin = min(int(each.times[0]) for each in courses)
    end = max(int(each.times[-1]) for each in courses)
    if now is not None:
        begin, end = min(begin, now), max(end, now)
    return _Scale(begin, max(end, begin + 1), low - room, high + room)


def _axes(scale: _Scale, chart: Chart) -> Iterator[str]:
    right = WIDTH - _RIGHT
    marks = ticks(scale.low, scale.high)
    decimals = max(0, -math.floor(math.log10(marks[1] - marks[0]))) if len(marks) > 1 else 2
    for value in marks:
        y = scale.y(value)
        is_zero = chart.zero and abs(value) < 1e-12
        kind = "zero" if is_zero else "grid"
        told = f"{value:.{decimals}f}" if decimals < 6 and abs(value) < 1e6 else few(value)
        yield f"<path class='{kind}' d='M{_LEFT} {y:.1f}H{right}'/>"
        yield f"<text x='{_LEFT - 6}' y='{y + 4:.1f}' text-anchor='end'>{escape(told)}</text>"
    yield f"<text class='unit' x='{_LEFT - 6}' y='14' text-anchor='end'>{escape(chart.unit)}</text>"
    bottom = HEIGHT - 8
    middle = (scale.begin + scale.end) // 2
    for at, anchor in ((scale.begin, "start"), (middle, "middle"), (scale.end, "end")):
        told = _ahead(at - chart.since)
        x = scale.x(at)
        yield f"<text x='{x:.1f}' y='{bottom}' text-anchor='{anchor}'>{escape(told)}</text>"
        yield f"<path class='grid' d='M{x:.1f} {HEIGHT - _BOTTOM}v4'/>"


def _now(scale: _Scale, chart: Chart) -> Iterator[str]:
    """A line with its name; where it is at the edge the name stands inside."""
    x = scale.x(chart.since)
    anchor, aside = ("end", -4) if x > WIDTH / 2 else ("start", 4)
    yield f"<path class='zero' d='M{x:.1f} {_TOP}V{HEIGHT - _BOTTOM}'/>"
    yield f"<text x='{x + aside:.1f}' y='{_TOP + 10}' text-anchor='{anchor}'>now</text>"


def _ahead(after: Span) -> str:
    told = length(after).replace(".0 s", " s")
    return f"+{told}" if after >= 0 else told


def _band(scale: _Scale, course: Course, hatch: str) -> str:
    there = _points(scale, course.times, course.high)
    back = _points(scale, course.times[::-1], course.low[::-1])
    fill = f" fill='url(#{escape(hatch)})'" if course.kind == "other" else ""
    return f"<path class='band {course.kind}'{fill} d='M{there}L{back}Z'/>"


def _middle(scale: _Scale, course: Course) -> str:
    if course.middle is None:
        return ""
    points = _points(scale, course.times, course.middle)
    return f"<path class='line {course.kind}' d='M{points}'/>"


def _points(scale: _Scale, times: Iterable[int], values: Iterable[float]) -> str:
    pairs = zip(times, values, strict=True)
    return "L".join(f"{scale.x(int(t)):.1f} {scale.y(float(v)):.1f}" for t, v in pairs)


def _key(courses: Sequence[Course], hatch: str) -> Iterator[str]:
    """Above the chart: a piece of each course and its name."""
    x = float(_LEFT)
    for course in courses:
        fill = f" fill='url(#{escape(hatch)})'" if course.kind == "other" else ""
        yield f"<rect class='band {course.kind}'{fill} x='{x:.0f}' y='5' width='24' height='12'/>"
        if course.middle is not None:
            yield f"<path class='line {course.kind}' d='M{x:.0f} 11h24'/>"
        label = course.label
        if len(label) > LONGEST_LABEL:
            label = f"{label[: LONGEST_LABEL - 1]}…"
        yield f"<text class='key' x='{x + 30:.0f}' y='15'>{escape(label)}</text>"
        x += 44 + 7.2 * len(label)
