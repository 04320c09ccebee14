"""How a budget of time is shared between a search and the check of its winner."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from gemeos.runtime.pace import FINALISTS, LEAST_CHECK, RESERVE, Pace
from gemeos.units.instant import SECOND, Instant, Span


@dataclass
class Hands:
    """A clock that somebody moves."""

    at: Instant = 1_000 * SECOND

    def now(self) -> Instant:
        return self.at

    def move(self, by: Span) -> None:
        self.at += by


def paced(hands: Hands, budget: Span, each: Span, *, compared: int = 2) -> Pace:
    """Four runs of a candidate are one whole ensemble."""
    pace = Pace(hands.now, budget, runs_a_block=4, compared=compared)
    pace.learn(each, 1)
    return pace


def test_that_cheap_runs_leave_the_search_three_fifths() -> None:
    hands = Hands()
    pace = paced(hands, 10 * SECOND, 1000)
    assert pace.search_ends - pace.began == 6 * SECOND
    assert pace.runs == 6000


def test_that_dear_runs_are_kept_for_the_check() -> None:
    hands = Hands()
    # The check takes two candidates times four runs of 2 s, and 40 % of reserve: 22.4 s.
    pace = paced(hands, 40 * SECOND, 2 * SECOND)
    assert pace.ends - pace.search_ends == pytest.approx(22.4 * SECOND)
    assert pace.runs == 8


def test_that_a_present_plan_needs_more_time_for_the_check() -> None:
    hands = Hands()
    assert (
        paced(hands, 60 * SECOND, 2 * SECOND, compared=3).search_ends
        < paced(hands, 60 * SECOND, 2 * SECOND).search_ends
    )


def test_that_something_is_tried_even_where_the_check_needs_all() -> None:
    pace = paced(Hands(), 10 * SECOND, 10 * SECOND)
    assert pace.search_ends - pace.began == pytest.approx(2 * SECOND)


def test_that_the_search_is_spent_when_its_share_is_over() -> None:
    hands = Hands()
    pace = paced(hands, 10 * SECOND, 1000)
    hands.move(6 * SECOND)
    assert not pace.is_spent
    hands.move(1)
    assert pace.is_spent


@pytest.mark.parametrize("each_s", [0.05, 0.2, 0.5, 1.0, 1.5])
def test_that_a_check_fits_into_what_is_left(each_s: float) -> None:
    hands = Hands()
    pace = paced(hands, 40 * SECOND, round(each_s * SECOND))
    hands.at = pace.search_ends
    check = pace.check(wanted=8, finalists=6)
    runs = 4 * check.blocks * (2 + check.finalists - 1)
    assert runs * each_s * SECOND <= pace.ends - hands.at
    assert 1 <= check.blocks <= 8
    assert 1 <= check.finalists <= 6


def test_that_a_check_is_as_wide_as_wanted_where_runs_are_cheap() -> None:
    hands = Hands()
    pace = paced(hands, 10 * SECOND, 10)
    hands.at = pace.search_ends
    check = pace.check(wanted=200, finalists=8)
    assert (check.blocks, check.finalists) == (200, 8)


def test_that_the_least_check_is_made_when_no_time_is_left() -> None:
    hands = Hands()
    pace = paced(hands, 10 * SECOND, 5 * SECOND)
    hands.move(30 * SECOND)
    check = pace.check(wanted=8, finalists=8)
    assert (check.blocks, check.finalists) == (1, 1)
    assert not pace.has_room(1)


def test_that_a_check_has_its_least_time_however_late_it_is() -> None:
    hands = Hands()
    # 4 runs of 1 ms: of 2 s some 350 whole ensembles can be run.
    pace = paced(hands, 1000, SECOND // 1000)
    hands.move(20 * SECOND)
    check = pace.check(wanted=8, finalists=3)
    assert (check.blocks, check.finalists) == (8, FINALISTS)
    assert LEAST_CHECK / (RESERVE * 4 * SECOND / 1000) > 8 * 5
    assert pace.has_room(8)


def test_that_a_batch_is_a_share_of_the_search_and_no_less_than_its_method_begins_with() -> None:
    assert Pace.at_once(800, 12) == 100
    assert Pace.at_once(40, 12) == 12
