"""Advice that is asked for of the past: as it is written, and as it is gone through."""

from __future__ import annotations

from typing import Final

from gemeos.errors import InputError
from gemeos.foresee.choices import as_written, space_of
from gemeos.foresee.fork import instants
from gemeos.foresee.goal import Goal
from gemeos.runtime.advice import DEFAULT_RUNS, AdviceRecord
from gemeos.runtime.advising import Sought
from gemeos.runtime.asked import HindcastQuestion
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.scenarios import reach
from gemeos.runtime.searching import (
    MOST_RUNS,
    check_fresh,
    check_members,
    check_runs,
    ends_of,
    runs_of,
    several,
)
from gemeos.runtime.unmodelled import unmodelled
from gemeos.schema.variable import Const
from gemeos.units import span
from gemeos.units.instant import Instant, Span

MOST_ADVISED: Final = 1000
"""Instants at which one hindcast asks for advice."""
MOST_LOOKS: Final = 1000
"""Instants that plans of the past are judged by."""


def check_alone(asked: HindcastQuestion) -> None:
    """See that it is either a warning of a condition that is asked for, or advice.

    Raises:
        InputError: it is both, or neither.
    """
    if asked.condition and asked.over:
        raise InputError(
            "A hindcast asks for one thing: for warnings, with a condition, or for advice, "
            "with what may be chosen (`over`). For both ask twice."
        )
    if not asked.condition and not asked.over:
        raise InputError(
            "A hindcast asks for warnings, with a condition such as 'level > 2 m', or for "
            "advice, with what may be chosen (`over`): this one asks for neither."
        )
    if not asked.over and (asked.minimise or asked.maximise or asked.subject_to):
        raise InputError("Something is sought, but nothing may be chosen: `over` is empty.")


def sought(
    asked: HindcastQuestion,
    fleet: Fleet,
    twin: str,
    begin: Instant,
    end: Instant,
    known_by: Instant,
) -> tuple[Sought, AdviceRecord]:
    """Advice that is asked for, made ready, and what is kept of it.

    Args:
        asked: With what may be chosen.
        fleet: That of the twin.
        twin: Its name.
        begin: The first instant at which it is asked; of the model's grid.
        end: No horizon ends later.
        known_by: What was known by then is what really happened.

    Raises:
        InputError: it cannot be done as asked; the message says how it could.
    """
    schema, step = fleet.schema, fleet.schema.step
    space = space_of(schema, asked.over)
    units = {v.name: v.unit for v in schema.variables if not isinstance(v, Const)}
    goal = Goal.of(
        units, minimise=asked.minimise, maximise=asked.maximise, subject_to=asked.subject_to
    )
    check_fresh(goal)
    check_members(goal, twin, fleet.members)
    within, look = reach(asked.within, asked.look_every, step)
    looks = len(instants(0, within // step, look // step))
    if looks > MOST_LOOKS:
        raise InputError(
            f"Plans would be judged by {looks} instants, and may be by {MOST_LOOKS}: take a "
            "coarser 'look_every'."
        )
    if end - begin < within:
        raise InputError("The stretch is shorter than the horizon of one plan.")
    every = within if asked.every is None else _paced(asked, step)
    runs = _runs(asked.budget)
    check_runs(space, goal, runs)
    _check_work((end - begin - within) // every + 1, runs)
    sought = Sought(space, goal, runs, asked.seed, begin, end, within, look, every, known_by)
    record = AdviceRecord(
        over=as_written(space),
        minimise=several(asked.minimise),
        maximise=several(asked.maximise),
        subject_to=several(asked.subject_to),
        look_every=look,
        budget=asked.budget,
        seed=asked.seed,
        unmodelled=unmodelled(fleet, twin, {axis.name for axis in space.axes}),
    )
    return sought, record


def _paced(asked: HindcastQuestion, step: Span) -> Span:
    told = span(asked.every) if isinstance(asked.every, str) else asked.every or 0
    if told < step:
        raise InputError("'every' cannot be shorter than a step.")
    return told // step * step


def _runs(budget: str) -> int:
    runs = runs_of(budget)
    if runs is None or ends_of(budget) is not None:
        raise InputError(
            f"The budget of each search is told in runs, as in '{DEFAULT_RUNS}': in "
            f"{budget} more would be searched at one time than at another."
        )
    return runs


def _check_work(count: int, runs: int) -> None:
    if count > MOST_ADVISED:
        raise InputError(
            f"It would be asked {count} times, and may be {MOST_ADVISED} times: take a "
            "coarser 'every', or a shorter stretch."
        )
    if count * runs > MOST_RUNS:
        raise InputError(
            f"That would be {count} searches of {runs} runs, and may be {MOST_RUNS} runs "
            "together: take a smaller budget, a coarser 'every', or a shorter stretch."
        )
