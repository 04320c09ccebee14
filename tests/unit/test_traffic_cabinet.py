"""The cabinet of a signal in the plant: what it runs, what it refuses, and who watches it."""

from __future__ import annotations

import random

import pytest

from gemeos_plants.traffic.controller import Controller, Phase, Program, RefusedError, Rules
from gemeos_plants.traffic.watch import Watch

# Two lights that cross, and one for pedestrians who walk beside the first; 60 s in all.
DAY = Program(
    "day",
    (
        Phase(27, "GrG"),
        Phase(3, "yrr"),
        Phase(2, "rrr"),
        Phase(23, "rGr", 8, 40),
        Phase(3, "ryr"),
        Phase(2, "rrr"),
    ),
    offset_s=10,
)
# Ends with all red, begins with the second light's green.
NIGHT = Program(
    "night",
    (
        Phase(12, "rGr"),
        Phase(3, "ryr"),
        Phase(2, "rrr"),
        Phase(12, "GrG"),
        Phase(3, "yrr"),
        Phase(2, "rrr"),
    ),
    offset_s=2,
)
RULES = Rules(
    minimum_green_s=7,
    maximum_green_s=50,
    minimum_cycle_s=40,
    maximum_cycle_s=90,
    walking={2: 12.0},
)


def cabinet(*programs: Program, now_s: float = 10.0) -> Controller:
    return Controller(programs or (NIGHT, DAY), RULES, now_s)


def shown(controller: Controller, seconds: int, now_s: float = 10.0) -> list[str]:
    found = []
    for i in range(seconds):
        found.append(controller.state)
        controller.advance(1.0, now_s + i + 1)
    return found


def cycle(program: Program) -> list[str]:
    return [p.state for p in program.phases for _ in range(int(p.duration_s))]


def test_that_the_last_programme_runs_from_its_offset_on() -> None:
    assert shown(cabinet(), 120) == cycle(DAY) * 2
    # At second 0 it is 50 s into the cycle that began 50 s before.
    assert shown(cabinet(now_s=0.0), 10, 0.0) == cycle(DAY)[50:]


def test_that_an_order_is_in_force_when_the_cycle_ends() -> None:
    controller = cabinet()
    shown(controller, 20)
    controller.order(durations=[30, 3, 2, 20, 3, 2])
    rest = shown(controller, 40, 30.0)
    assert rest == cycle(DAY)[20:]
    after = shown(controller, 60, 70.0)
    assert [after.count(s) for s in ("GrG", "yrr", "rGr", "ryr", "rrr")] == [30, 3, 20, 3, 4]


@pytest.mark.parametrize(
    ("durations", "why"),
    [
        ([6, 3, 2, 23, 3, 2], "phase 0 lasts 7 to 50 s, not 6 s"),
        ([51, 3, 2, 23, 3, 2], "phase 0 lasts 7 to 50 s, not 51 s"),
        ([27, 3, 2, 7, 3, 2], "phase 3 lasts 8 to 40 s, not 7 s"),
        ([27, 2, 2, 23, 3, 2], "phase 1 is between stages"),
        ([27, 3, 0, 23, 3, 2], "phase 2 is between stages"),
        ([11, 3, 2, 23, 3, 2], "pedestrians at light 2 have 11 s; they need 12 s"),
        ([12, 3, 2, 8, 3, 2], "a cycle of 30 s; it lasts 40 to 90 s"),
        ([50, 3, 2, 40, 3, 2], "a cycle of 100 s"),
        ([27, 3, 2, 23, 3], "has 6 phases, not 5"),
        ([float("nan"), 3, 2, 23, 3, 2], "no number of seconds"),
    ],
)
def test_that_what_breaks_a_rule_is_refused_and_changes_nothing(
    durations: list[float], why: str
) -> None:
    controller = cabinet()
    with pytest.raises(RefusedError, match=why):
        controller.order(durations=durations)
    assert shown(controller, 120) == cycle(DAY) * 2


def test_that_a_programme_is_chosen_only_if_one_may_follow_the_other() -> None:
    controller = cabinet(NIGHT, DAY)
    with pytest.raises(RefusedError, match="there are programmes 0 to 1, not 2"):
        controller.order(program=2)
    controller.order(program=0)
    assert shown(controller, 60) == cycle(DAY)
    assert shown(controller, 34, 70.0) == cycle(NIGHT)


def test_that_a_change_that_would_cut_a_green_is_refused() -> None:
    # It ends with the first light's green, and the fixed one begins with red for it.
    ends_green = Program(
        "ends", (Phase(3, "rrr"), Phase(30, "rGr"), Phase(3, "ryr"), Phase(9, "GrG"))
    )
    begins_red = Program("begins", (Phase(2, "rrr"), *DAY.phases))
    controller = Controller((ends_green, begins_red), RULES, 0.0)
    with pytest.raises(RefusedError, match="light 0 would lose its green without yellow"):
        controller.order(program=0)


def test_that_lights_that_cross_keep_the_clearing_time_of_the_makers_across_a_change() -> None:
    # The makers leave 5 s between the two greens. This one ends with yellow alone, and begins with
    # the 2 s that are missing; the fixed one begins with the other light's green.
    phases = [Phase(2, "rrr"), Phase(30, "rGr"), Phase(3, "ryr"), Phase(2, "rrr")]
    ends_early = Program("ends", (*phases, Phase(9, "GrG"), Phase(3, "yrr")))
    begins_other = Program("begins", (*DAY.phases[3:], *DAY.phases[:3]))
    controller = Controller((ends_early, begins_other), RULES, 0.0)
    with pytest.raises(RefusedError, match=r"light 1 would follow light 0 after 3 s"):
        controller.order(program=0)


def test_that_falling_back_gives_the_fixed_times_at_once_and_cuts_no_green() -> None:
    controller = cabinet()
    controller.order(durations=[45, 3, 2, 20, 3, 2])
    shown(controller, 60)
    assert shown(controller, 20, 70.0) == ["GrG"] * 20
    assert controller.fall_back()
    # 20 s are spent of the fixed 27.
    assert shown(controller, 40, 90.0) == cycle(DAY)[20:]
    assert not controller.fall_back()
    later = cabinet()
    later.order(durations=[45, 3, 2, 20, 3, 2])
    shown(later, 60 + 40)
    later.fall_back()
    # The fixed green is over already: it ends now, after 40 s and one more.
    assert shown(later, 3, 110.0) == ["GrG", "yrr", "yrr"]


def test_that_falling_back_before_an_order_is_in_force_takes_it_back() -> None:
    controller = cabinet()
    controller.order(durations=[45, 3, 2, 20, 3, 2])
    assert controller.fall_back()
    assert shown(controller, 120) == cycle(DAY) * 2


def test_that_a_cycle_comes_back_to_its_offset_by_longer_greens() -> None:
    controller = cabinet()
    controller.order(offset_s=20.0)
    shown(controller, 60)
    # The longest stage, 27 s, is stretched by the 10 s that it is early; then nothing is.
    states = shown(controller, 70 + 60, 70.0)
    assert states[:70].count("GrG") == 37
    assert states[70:] == cycle(DAY)


def test_that_a_stage_between_two_greens_is_no_clearing_time() -> None:
    # The third light's stage of 25 s lies between; of the 31 s that light 1 comes after light 0
    # only 6 s are there to clear, and the stage may be as short as any.
    three = Program(
        "three",
        (
            Phase(20, "GrrG"),
            Phase(3, "yrrG"),
            Phase(25, "rrGG"),
            Phase(3, "rryG"),
            Phase(20, "rGrG"),
            Phase(3, "ryrG"),
        ),
    )
    controller = Controller((three,), RULES, 0.0)
    controller.order(durations=[20, 3, 12, 3, 20, 3])
    watch = Watch((three,), RULES)
    for state in shown(controller, 3 * 74, 0.0):
        watch.saw(state, 1.0)
    assert watch.breaches == 0


@pytest.mark.parametrize("seed", range(5))
def test_that_no_series_of_orders_ever_breaks_what_is_watched(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    controller = cabinet(NIGHT, DAY)
    watch = Watch(controller.programs, RULES)
    obeyed = 0
    for second in range(3000):
        if chance.random() < 0.05:
            try:
                match chance.randrange(4):
                    case 0:
                        controller.order(program=chance.randrange(2))
                    case 1:
                        controller.order(offset_s=chance.uniform(-100, 100))
                    case 2:
                        times = list(controller.ordered.durations)
                        times[chance.randrange(6)] = chance.randrange(60)
                        controller.order(durations=times)
                    case _:
                        controller.fall_back()
                obeyed += 1
            except RefusedError:
                pass
        watch.saw(controller.state, 1.0)
        controller.advance(1.0, 10.0 + second + 1)
    assert obeyed > 20
    assert watch.breaches == 0


@pytest.mark.parametrize(
    ("states", "breaches"),
    [
        (cycle(DAY) * 3, 0),
        (cycle(DAY) + cycle(DAY)[:6] + ["yrr"] * 3, 2),  # 6 s for cars, and for walkers
        (cycle(DAY) + cycle(DAY)[:27] + ["rrr"] * 5 + ["rGr"] * 9, 1),  # no yellow
        (
            cycle(DAY) + cycle(DAY)[:30] + ["rGr"] * 9,
            2,
        ),  # 3 s to clear, not 5, from cars and from walkers
    ],
)
def test_that_the_watch_sees_what_should_never_be_seen(states: list[str], breaches: int) -> None:
    watch = Watch((DAY,), RULES)
    for state in states:
        watch.saw(state, 1.0)
    assert watch.breaches == breaches


def test_that_a_programme_that_adapts_is_sumos_until_something_else_is_ordered() -> None:
    rows = (("GGrr", 20.0, 5.0, 40.0), ("yyrr", 3.0, None, None), ("rrGG", 20.0, 5.0, 40.0))
    phases = tuple(Phase(s, state, low, high) for state, s, low, high in rows)
    phases = (*phases, Phase(3.0, "rryy"))
    program = Program("0", phases, kind="actuated")
    assert (sum(program.shortest), sum(program.longest)) == (16.0, 86.0)
    cabinet = Controller([program], Rules(), 0.0)
    cabinet.follow(2, "rrGG", 1.0)
    assert (cabinet.is_lent, cabinet.state) == (True, "rrGG")
    cabinet.order(durations=[25.0, 3.0, 9.0, 3.0])
    cabinet.follow(3, "rryy", 1.0)
    assert (cabinet.is_lent, cabinet.state) == (True, "rryy")
    # The next cycle has begun a second ago; it is the one that was ordered.
    cabinet.follow(0, "GGrr", 1.0)
    shown = []
    for second in range(39):
        shown.append(cabinet.state)
        assert not cabinet.advance(1.0, float(second))
    assert shown == ["GGrr"] * 24 + ["yyrr"] * 3 + ["rrGG"] * 9 + ["rryy"] * 3
    assert cabinet.fall_back()
    # A whole cycle of its fixed times; then it adapts again.
    assert [cabinet.advance(1.0, float(second)) for second in range(46)] == [False] * 45 + [True]
    assert cabinet.is_lent


def test_that_time_in_which_who_walks_finishes_is_no_stage() -> None:
    # Cars keep their green while the crossing, light 2, has red already: 6 s, as long as a stage.
    rows = (("GrG", 20), ("Grr", 6), ("yrr", 3), ("rGr", 20), ("ryr", 3))
    program = Program("day", tuple(Phase(seconds, state) for state, seconds in rows))
    cabinet = Controller([program], RULES, 0.0)
    assert cabinet.stages(0) == (0, 3)
    with pytest.raises(RefusedError, match="phase 1 is between stages"):
        cabinet.order(durations=[20, 9, 3, 20, 3])
    # Nobody walks where no light is for that: then it is a stage like others.
    assert Controller([program], Rules(), 0.0).stages(0) == (0, 1, 3)
