"""Cycles of signals as SVG: a row for each group of lights, its greens as bars over the seconds.

Green is a thick bar, yellow a hatched one, red a thin line: nothing is told by colour alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape
from typing import Final

from gemeos.schema.scene import Cycle, Lights, Shows, Stretch
from gemeos.serve.chart import ticks
from gemeos.serve.markup import Html, few

WIDTH: Final = 420
_LEFT, _RIGHT, _TOP = 78, 12, 8
_ROW: Final = 22
_BELOW: Final = 44
MOST_ROWS: Final = 24
LONGEST_NAME: Final = 10


def drawn(cycle: Cycle, *, name: str, title: str, lasts_s: float | None = None) -> Html:
    """The cycle as an ``svg`` element.

    Args:
        cycle: What is drawn, its first ``MOST_ROWS`` groups of lights.
        name: Unique on its page; a plain word.
        title: Of the picture.
        lasts_s: What the width stands for, so that cycles beside each other have one scale; the
            cycle where left out.
    """
    whole = max(lasts_s or 0.0, cycle.lasts_s, 1.0)
    rows = cycle.lights[:MOST_ROWS]
    height = _TOP + _ROW * len(rows) + _BELOW
    hatch = f"{name}-hatch"
    inside = "".join(
        (
            *_axis(cycle, whole, _TOP + _ROW * len(rows)),
            *(
                part
                for place, lights in enumerate(rows)
                for part in _row(lights, _TOP + _ROW * place, whole, hatch)
            ),
            *_key(height - 10, hatch),
        )
    )
    at = escape(name)
    return Html(
        f"<svg class='chart cycle' viewBox='0 0 {WIDTH} {height}' role='img' "
        f"aria-labelledby='{at}-title {at}-told'>"
        f"<title id='{at}-title'>{escape(title)}</title>"
        f"<desc id='{at}-told'>{escape(in_words(cycle))}</desc>"
        f"<defs><pattern id='{escape(hatch)}' class='hatch' width='5' height='5' "
        "patternUnits='userSpaceOnUse' patternTransform='rotate(45)'>"
        "<path d='M0 0V5'/></pattern></defs>"
        f"{inside}</svg>"
    )


def in_words(cycle: Cycle) -> str:
    """When each group of lights has green."""
    told = (f"lights {each.name}: {greens(each)}" for each in cycle.lights[:MOST_ROWS])
    return f"A cycle of {few(cycle.lasts_s)} s. {'; '.join(told)}."


def greens(lights: Lights) -> str:
    """From when to when, as in ``0 to 25 s, 40 to 52 s``."""
    found = [s for s in lights.stretches if s.shows is Shows.GREEN]
    if not found:
        return "never green"
    return ", ".join(f"{few(s.begin_s)} to {few(s.end_s)} s" for s in found)


def _x(seconds: float, whole: float) -> float:
    return _LEFT + seconds / whole * (WIDTH - _LEFT - _RIGHT)


def _row(lights: Lights, top: float, whole: float, hatch: str) -> Iterator[str]:
    short = lights.name
    if len(short) > LONGEST_NAME:
        short = f"{short[: LONGEST_NAME - 1]}…"
    middle = top + _ROW / 2
    yield (
        f"<text class='key' x='{_LEFT - 6}' y='{middle + 4:.1f}' text-anchor='end'>"
        f"{escape(short)}</text>"
    )
    for each in lights.stretches:
        told = f"{each.shows.value} {few(each.begin_s)} to {few(each.end_s)} s"
        inside = "".join(_stretch(each, lights.least_green_s, top, whole, hatch))
        yield f"<g><title>{escape(f'{lights.name}: {told}')}</title>{inside}</g>"


def _stretch(
    each: Stretch, least_s: float | None, top: float, whole: float, hatch: str
) -> Iterator[str]:
    left, right = _x(each.begin_s, whole), _x(each.end_s, whole)
    if each.shows in {Shows.RED, Shows.OFF}:
        yield f"<path class='{each.shows.value}' d='M{left:.1f} {top + _ROW / 2:.1f}H{right:.1f}'/>"
        return
    fill = f" fill='url(#{escape(hatch)})'" if each.shows is Shows.YELLOW else ""
    yield (
        f"<rect class='{each.shows.value}'{fill} x='{left:.1f}' y='{top + 4:.1f}' "
        f"width='{max(right - left, 0.5):.1f}' height='{_ROW - 8}'/>"
    )
    if each.shows is Shows.GREEN and least_s is not None and least_s < each.end_s - each.begin_s:
        at = _x(each.begin_s + least_s, whole)
        yield f"<path class='least' d='M{at:.1f} {top + 3:.1f}v{_ROW - 6}'/>"


def _axis(cycle: Cycle, whole: float, bottom: float) -> Iterator[str]:
    for second in ticks(0.0, whole, about=5):
        x = _x(second, whole)
        yield f"<path class='grid' d='M{x:.1f} {_TOP}V{bottom}'/>"
        if cycle.lasts_s - second > 0.06 * whole or second > cycle.lasts_s:
            yield f"<text x='{x:.1f}' y='{bottom + 14}' text-anchor='middle'>{few(second)}</text>"
    end = _x(cycle.lasts_s, whole)
    yield f"<path class='zero' d='M{end:.1f} {_TOP}V{bottom + 3}'/>"
    anchor = "end" if end > WIDTH - 30 else "middle"
    x = WIDTH - 2 if anchor == "end" else end
    told = f"{math.floor(cycle.lasts_s * 10 + 0.5) / 10:g} s"
    yield f"<text class='key' x='{x:.1f}' y='{bottom + 14}' text-anchor='{anchor}'>{told}</text>"


def _key(y: float, hatch: str) -> Iterator[str]:
    x = _LEFT
    yield f"<rect class='green' x='{x}' y='{y - 8}' width='20' height='10'/>"
    yield f"<path class='least' d='M{x + 8} {y - 9}v12'/>"
    yield f"<text class='key' x='{x + 26}' y='{y + 1}'>green, mark: its least</text>"
    x += 182
    yield (
        f"<rect class='yellow' fill='url(#{escape(hatch)})' x='{x}' y='{y - 8}' width='20' "
        "height='10'/>"
    )
    yield f"<text class='key' x='{x + 26}' y='{y + 1}'>yellow</text>"
    x += 76
    yield f"<path class='red' d='M{x} {y - 3}h20'/>"
    yield f"<text class='key' x='{x + 26}' y='{y + 1}'>red</text>"
