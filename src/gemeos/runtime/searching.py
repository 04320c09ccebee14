"""One search with its verdict: what searches of now and hindcasts of the past share."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from gemeos.errors import GemeosError, InputError
from gemeos.foresee.goal import Goal, Samples
from gemeos.foresee.judge import fewest_of
from gemeos.foresee.search import Evaluate, Found, Members, Progress, fewest_runs, search
from gemeos.foresee.space import Candidate, Space
from gemeos.foresee.verdict import Verdict, fresh_members, verdict
from gemeos.runtime.pace import Pace
from gemeos.runtime.phase import Phase
from gemeos.runtime.trial import Trial
from gemeos.runtime.tried import Once
from gemeos.units import span

MOST_RUNS: Final = 1_000_000
MOST_FRESH: Final = 200_000
"""Members of the check of a winner: they show shares down to 0.006 %."""
_RUNS: Final = re.compile(r"\s*(?:(\d+)\s+of\s+)?(\d+)\s*runs?\s*")


@dataclass(frozen=True, slots=True)
class Decided:
    """What a search found, and what fresh runs say of it."""

    found: Found
    fresh: Members
    """Of the check."""
    verdict: Verdict
    judged: Evaluate
    """Runs what the check has run already no second time."""


def decided(  # noqa: PLR0913 -- each is one thing that the caller decides
    trial: Trial,
    space: Space,
    *,
    runs: int,
    seed: int,
    present: Candidate | None,
    evaluate: Evaluate,
    stop: Callable[[], bool],
    progress: Callable[[Progress], None],
    pace: Pace | None = None,
    ends: int | None = None,
) -> Decided:
    """Search, and check the winner on members that the search never saw.

    Args:
        trial: Runs candidates.
        space: What may be chosen.
        runs: The budget.
        seed: Of all that is drawn.
        present: The plan in force, if there is one.
        evaluate: ``trial.evaluate``, or what looks on at it while it searches.
        stop: Whether the search has to end.
        progress: Told how far the search is.
        pace: How a budget of time is spent, where it is one: on the check, too.
        ends: Runs after which the search is ended, as one was that its time ended.
    """
    at_once = max(1, trial.at_once // trial.block)
    if pace is not None or ends is not None:
        at_once = min(at_once, Pace.at_once(runs, fewest_runs(space, trial.goal, runs)))
    spent = 0

    def counted(candidates: Sequence[Candidate], members: Members) -> Samples:
        nonlocal spent
        spent += len(candidates) * members.count // trial.block
        return evaluate(candidates, members)

    def is_over() -> bool:
        return stop() or (ends is not None and spent >= ends)

    began = 0 if pace is None else pace.now()
    found = search(
        space,
        trial.goal,
        counted,
        runs=runs,
        seed=seed,
        start=_start(space, present),
        stop=is_over,
        progress=progress,
        block=trial.block,
        at_once=at_once,
    )
    trial.at()
    seen = math.ceil(found.seen / trial.origins) * trial.origins
    fresh, finalists = fresh_members(trial.goal, seen, block=trial.origins), found.finalists
    if pace is not None:
        pace.learn(pace.now() - began, found.runs)
        check = pace.check(fresh.count // trial.origins, len(finalists))
        fresh = replace(fresh, count=check.blocks * trial.origins)
        finalists = finalists[: check.finalists]
    judged = Once(trial.evaluate)
    told = verdict(
        trial.goal,
        finalists,
        judged,
        members=fresh,
        seed=seed,
        present=present,
        origins=trial.origins,
    )
    return Decided(found, fresh, told, judged)


def refusal(twin: str, phase: Phase) -> str | None:
    """Why a twin in that phase gives no advice (contract 8); None where it may."""
    if phase not in {Phase.DRIFTING, Phase.BLIND}:
        return None
    return f"{twin} is {phase.value}: what it foresees is not to be relied on."


def check_fresh(goal: Goal) -> None:
    """See that the check of a winner comes to an end."""
    if goal.fresh_wanted > MOST_FRESH:
        raise InputError(
            f"To check a plan for that takes {goal.fresh_wanted} members, and {MOST_FRESH} are run "
            "at most: allow a larger share, or a quantile that is less far out."
        )


def check_members(goal: Goal, twin: str, members: int) -> None:
    """See that the check of a winner can say anything: it has half of the ensemble to itself."""
    needs = {str(objective): 2 * fewest_of(objective) for objective in goal.objectives}
    hardest = max(needs, key=lambda objective: needs[objective])
    if members < needs[hardest]:
        raise InputError(
            f"{twin} has {members} members, and no plan for '{hardest}' can be recommended with "
            f"fewer than {needs[hardest]}: one half is searched on, the other judges. Give the "
            f"twin members={needs[hardest]} where it is declared, or in [twin.{twin}] of the "
            "site's file."
        )


def check_runs(space: Space, goal: Goal, runs: int | None) -> None:
    """Refuse at once what would fail when it is its turn. Of a time it is not known beforehand."""
    if runs is not None and runs < (fewest := fewest_runs(space, goal, runs)):
        names = ", ".join(dict.fromkeys(axis.name for axis in space.axes))
        raise InputError(
            f"A search over {names} needs at least {fewest} runs; the budget is {runs}."
        )


def runs_of(budget: str) -> int | None:
    """The budget in runs; None where it is a time.

    Raises:
        InputError: it is nothing, too much, or cannot be read.
    """
    found = _RUNS.fullmatch(budget)
    if found is None:
        if span(budget) <= 0:
            raise InputError(f"A budget of {budget} searches nothing.")
        return None
    runs = int(found[2])
    if not 0 < runs <= MOST_RUNS:
        raise InputError(f"A budget is 1 to {MOST_RUNS} runs; {runs} were given.")
    if found[1] is not None and not 0 < int(found[1]) <= runs:
        raise InputError(f"A search of {runs} runs cannot be ended after {found[1]}.")
    return runs


def ends_of(budget: str) -> int | None:
    """After how many runs a search is to be ended, as in ``812 of 5000 runs``; None: by itself."""
    found = _RUNS.fullmatch(budget)
    return None if found is None or found[1] is None else int(found[1])


def _start(space: Space, present: Candidate | None) -> Candidate | None:
    """The present plan, for the search to begin with; None where it is not one of its choices."""
    if present is None:
        return None
    try:
        space.check(present)
    except GemeosError:
        return None
    return present


def several(texts: str | Sequence[str]) -> tuple[str, ...]:
    """One text, or some."""
    return (texts,) if isinstance(texts, str) else tuple(texts)
