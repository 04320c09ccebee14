"""The ledger's picture: what was delivered is measured by what was promised."""

from __future__ import annotations

import re

import pytest

from gemeos.act.undertaking import Stage
from gemeos.runtime.ledger_row import LedgerRow, Score
from gemeos.schema.plan import Gain, Promise
from gemeos.serve.chart_ledger import drawn, measured, shown
from gemeos.units.instant import SECOND

PROMISED = Gain("maximise mean(level)", "m", 10.0, 8.0, 14.0)


def row(
    delivered: Gain | None,
    *,
    name: str = "open",
    inside: bool | None = True,
    promised: Gain | None = PROMISED,
) -> LedgerRow:
    promise = None
    if promised is not None:
        promise = Promise("mean(level)", "maximise", SECOND, SECOND, promised, 16)
    return LedgerRow(
        twin="tank",
        plan="1",
        name=name,
        changes={"valve": "1 m^3/s"},
        applied_at=0,
        by="ada",
        approved_by=(),
        promise=promise,
        stage=Stage.KEPT,
        reason="",
        score=Score("tank", "1", Stage.KEPT, 0, "m", "o", delivered, inside=inside),
    )


def gain(mean: float, low: float, high: float, unit: str = "m") -> Gain:
    return Gain("maximise mean(level)", unit, mean, low, high)


@pytest.mark.parametrize(
    ("value", "expected"),
    # Below the mean a half width is 2, above it 4.
    [(10.0, 0.0), (8.0, -1.0), (14.0, 1.0), (12.0, 0.5), (7.0, -1.5)],
)
def test_that_the_ends_of_a_promise_are_one_away(value: float, expected: float) -> None:
    assert measured(value, PROMISED) == pytest.approx(expected)


def test_that_a_dot_lies_where_it_was_delivered_with_its_doubt() -> None:
    # 150 to 406 are -3 to 3: 0.5 lies at 150 + 256 * 3.5 / 6 = 299.3, -1 and 1 at 235.3 and 320.7.
    svg = drawn([row(gain(12.0, 8.0, 14.0))])
    assert re.search(r"<circle class='seen' cx='299.3'", svg)
    assert re.search(r"<path class='whisker' d='M235.3 [\d.]+H320.7'", svg)


def test_that_what_is_far_out_is_an_arrow_and_what_is_not_judged_is_hollow() -> None:
    svg = drawn([row(gain(100.0, 90.0, 110.0)), row(gain(10.0, 9.0, 11.0), inside=None)])
    assert "class='seen' d='M406.0" in svg
    assert "<circle class='unjudged'" in svg


def test_that_only_rows_that_can_be_measured_are_drawn() -> None:
    measurable = row(gain(9.0, 8.0, 11.0))
    others = [
        row(None),
        row(gain(9.0, 8.0, 11.0, "cm")),
        row(gain(9.0, 8.0, 11.0), promised=None),
        row(gain(0.0, 0.0, 0.0), promised=gain(0.0, 0.0, 0.0)),
    ]
    assert shown([*others, measurable]) == [measurable]


def test_that_the_picture_is_told_in_words_and_names_are_escaped() -> None:
    svg = drawn([row(gain(12.0, 11.0, 13.0), name="<b>", inside=False)])
    assert "<b>" not in svg
    assert "&lt;b&gt;: promised 8 to 14 m, delivered 12 (11 to 13), NOT as promised.</desc>" in svg
