"""Promised against delivered, plan by plan, in one picture: each row in widths of its own promise.

Plans promise in units of their own. So the promised interval of each row is drawn from -1 to 1, its
mean at 0, and what was delivered is measured by that: who keeps promises lies within, nine times of
ten where promises hold 90 %.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from gemeos.runtime.ledger_row import LedgerRow
from gemeos.schema.plan import Gain
from gemeos.serve.chart import LONGEST_LABEL
from gemeos.serve.markup import Html, few

WIDTH: Final = 420
_ROW, _TOP, _BOTTOM = 24, 22, 26
_LEFT, _RIGHT = 150, 14
FARTHEST: Final = 3.0
"""In half widths of the promise; what lies farther out is drawn there, as an arrow."""
_WORDS: Final = {
    None: "not judged",
    True: "as promised",
    False: "NOT as promised",
}


def shown(rows: Sequence[LedgerRow]) -> list[LedgerRow]:
    """Those of which both can be told, in one unit."""
    return [
        row
        for row in rows
        if row.promise is not None
        and row.score is not None
        and row.score.delivered is not None
        and row.score.delivered.unit == row.promise.gain.unit
        and row.promise.gain.low < row.promise.gain.mean < row.promise.gain.high
    ]


def measured(value: float, promised: Gain) -> float:
    """How far from the promised mean: -1 and 1 are the ends of what was promised."""
    half = promised.high - promised.mean if value >= promised.mean else promised.mean - promised.low
    return (value - promised.mean) / half


def drawn(rows: Sequence[LedgerRow]) -> Html:
    """The picture of these rows, which ``shown`` let pass, from top to bottom."""
    height = _TOP + _ROW * len(rows) + _BOTTOM
    told = " ".join(_told(row) for row in rows)
    inside = "".join((*_frame(height), *(_row(row, place) for place, row in enumerate(rows))))
    return Html(
        f"<svg class='chart' viewBox='0 0 {WIDTH} {height}' role='img' "
        "aria-labelledby='kept-title kept-told'>"
        "<title id='kept-title'>What was delivered, measured by what was promised</title>"
        f"<desc id='kept-told'>{escape(told)}</desc>{inside}</svg>"
    )


def _x(value: float) -> float:
    share = (min(max(value, -FARTHEST), FARTHEST) + FARTHEST) / (2 * FARTHEST)
    return _LEFT + share * (WIDTH - _LEFT - _RIGHT)


def _frame(height: int) -> Iterator[str]:
    foot = height - _BOTTOM
    left, right = _x(-1), _x(1)
    yield (
        f"<rect class='band one' x='{left:.1f}' y='{_TOP - 4}' width='{right - left:.1f}' "
        f"height='{foot - _TOP + 4}'/>"
    )
    yield f"<path class='zero' d='M{_x(0):.1f} {_TOP - 4}V{foot}'/>"
    yield f"<text class='key' x='{_x(0):.1f}' y='13' text-anchor='middle'>as promised</text>"
    for x, word in ((_x(-2), "less"), (_x(0), "promised mean"), (_x(2), "more")):
        yield f"<text x='{x:.1f}' y='{height - 8}' text-anchor='middle'>{word}</text>"


def _row(row: LedgerRow, place: int) -> str:
    assert row.promise is not None  # noqa: S101  ``shown`` let it pass
    assert row.score is not None  # noqa: S101
    assert row.score.delivered is not None  # noqa: S101
    promised, delivered = row.promise.gain, row.score.delivered
    y = _TOP + _ROW * place + _ROW / 2
    low, mean, high = (
        measured(each, promised) for each in (delivered.low, delivered.mean, delivered.high)
    )
    name = row.name if len(row.name) <= LONGEST_LABEL else f"{row.name[: LONGEST_LABEL - 1]}…"
    return (
        f"<text class='key' x='{_LEFT - 8}' y='{y + 4:.1f}' text-anchor='end'>{escape(name)}</text>"
        f"<path class='whisker' d='M{_x(low):.1f} {y:.1f}H{_x(high):.1f}'/>"
        f"{_mark(mean, y, is_judged=row.score.inside is not None)}"
    )


def _mark(mean: float, y: float, *, is_judged: bool) -> str:
    """Filled where it is judged, an arrow where it lies farther out than is drawn."""
    kind = "seen" if is_judged else "unjudged"
    x = _x(mean)
    if abs(mean) <= FARTHEST:
        return f"<circle class='{kind}' cx='{x:.1f}' cy='{y:.1f}' r='4'/>"
    back = 7 if mean < 0 else -7
    return f"<path class='{kind}' d='M{x:.1f} {y:.1f}l{back} -5v10Z'/>"


def _told(row: LedgerRow) -> str:
    assert row.promise is not None  # noqa: S101  ``shown`` let it pass
    assert row.score is not None  # noqa: S101
    assert row.score.delivered is not None  # noqa: S101
    promised, delivered = row.promise.gain, row.score.delivered
    return (
        f"{row.name}: promised {few(promised.low)} to {few(promised.high)} {promised.unit}, "
        f"delivered {few(delivered.mean)} ({few(delivered.low)} to {few(delivered.high)}), "
        f"{_WORDS[row.score.inside]}."
    )
