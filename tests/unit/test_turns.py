"""Turns: one at a time, all of them go on, and none waits for another's end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError

from gemeos.runtime.turns import TURN_S, Turns
from gemeos.units.instant import SECOND

PATIENCE_S = 10.0


def together(*calls: Callable[[], None]) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def worked(seconds: float, turns: Turns) -> int:
    """Be busy so long, giving way after each millisecond. How long it waited for others."""
    waited, left = 0, seconds
    while left > 0:
        began = time.monotonic()
        time.sleep(0.001)
        left -= time.monotonic() - began
        waited += turns.give_way()
    return waited


def test_that_what_is_short_does_not_wait_for_the_end_of_what_is_long() -> None:
    turns, ended = Turns(), list[str]()
    has_begun = threading.Event()

    def long() -> None:
        with turns.taken():
            has_begun.set()
            worked(20 * TURN_S, turns)
            ended.append("long")

    def short() -> None:
        assert has_begun.wait(PATIENCE_S)
        with turns.taken():
            ended.append("short")

    together(long, short)
    assert ended == ["short", "long"]


def test_that_only_one_at_a_time_has_its_turn_and_each_comes_again_and_again() -> None:
    turns, seen = Turns(), list[int]()
    at_once, most = 0, 0
    start = threading.Barrier(3)

    def work(number: int) -> None:
        nonlocal at_once, most
        start.wait(PATIENCE_S)
        with turns.taken():
            for _ in range(4):
                at_once += 1
                most = max(most, at_once)
                seen.append(number)
                time.sleep(TURN_S)
                at_once -= 1
                turns.give_way()

    together(*(lambda n=n: work(n) for n in range(3)))
    assert most == 1
    # Each of three that wait has its turn once before any has it again.
    assert all(sorted(seen[i : i + 3]) == [0, 1, 2] for i in range(0, 12, 3))


def test_that_alone_nobody_waits() -> None:
    turns = Turns()
    with turns.taken():
        assert worked(2 * TURN_S, turns) == 0


def test_that_the_time_in_which_others_had_their_turn_is_told() -> None:
    turns, waited = Turns(), list[int]()
    has_begun = threading.Event()

    def first() -> None:
        with turns.taken():
            has_begun.set()
            waited.append(worked(2 * TURN_S, turns))

    def second() -> None:
        assert has_begun.wait(PATIENCE_S)
        with turns.taken():
            time.sleep(0.2)

    together(first, second)
    assert waited[0] >= 0.2 * SECOND


def test_that_who_has_no_turn_gives_none_away() -> None:
    turns = Turns()
    with turns.taken():
        told = list[int]()
        together(lambda: told.append(turns.give_way()))
        assert told == [0]
        # The turn is still this thread's: another one does not come in.
        came = threading.Event()

        def comes() -> None:
            with turns.taken():
                came.set()

        thread = threading.Thread(target=comes)
        thread.start()
        assert not came.wait(2 * TURN_S)
    thread.join(PATIENCE_S)
    assert came.is_set()


def test_that_who_is_not_wanted_any_more_stops_waiting_and_keeps_nobody_up() -> None:
    turns = Turns()
    told = list[str]()

    def unwanted() -> None:
        try:
            with turns.taken(lambda: False):
                told.append("had its turn")
        except CancelledError:
            told.append("left")

    def next_one() -> None:
        with turns.taken():
            told.append("came")

    with turns.taken():
        together(unwanted)
        assert told == ["left"]
    together(next_one)
    assert told == ["left", "came"]
