"""The end of every search: is its winner better than doing nothing, and can we be sure?

The winner, doing nothing and the present plan are run on members that the search never saw. The
same members are run under each, so their differences are paired. The winner is fixed before:
nothing is chosen by these runs, so they do not flatter it.

A gain is the mean of members' differences with Student's interval, because few members are the
rule and the bootstrap is too short for few. CVaR is such a mean as well
(``gemeos.foresee.risk.shares``); only an objective with a quantile in it is left to the
percentile bootstrap over members. A constraint counts as met only if the runs show it: if a share
at its limit would have given as few breaches with a chance of at most 5 % (Clopper & Pearson).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from typing_extensions import override

from gemeos.errors import InputError
from gemeos.foresee.goal import Goal, Samples
from gemeos.foresee.judge import Comparison, Judge, told_of
from gemeos.foresee.rival import ALONE, UNTOLD, Rivalry, rivalry
from gemeos.foresee.search.base import Evaluate, Members
from gemeos.foresee.space import DO_NOTHING, Candidate

COMPARED = 64
"""Most members on which the other finalists are run: they are told of, nothing rests on them."""
LEVEL = 0.95
"""Of the intervals of gains, where nobody says otherwise."""


class Advice(Enum):
    """What to do."""

    CHANGE = "change"
    """Take the winner."""
    KEEP = "keep"
    """Leave the present plan as it is."""
    NOTHING = "nothing"
    """Set nothing; where there is a present plan, lift it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What fresh runs say about the winner of a search."""

    winner: Candidate | None
    """None where the search found nothing."""
    over_nothing: Comparison | None
    """The winner against doing nothing."""
    over_present: Comparison | None
    """The winner against the present plan, where there is one."""
    present: Comparison | None
    """The present plan against doing nothing."""
    finalists: tuple[Candidate, ...]
    rivalry: Rivalry
    """Of the finalists, by fresh runs; untold for several objectives."""
    members: int
    """Fresh members of each."""
    level: float
    """Of the intervals of gains."""
    advice: Advice
    reasons: tuple[str, ...]
    """Why, in words: one sentence each."""

    @property
    def chances(self) -> tuple[float, ...]:
        """That each finalist is the best of them, by fresh runs; none for several objectives."""
        return self.rivalry.chances

    @property
    def is_recommended(self) -> bool:
        """Whether the winner is to be taken."""
        return self.advice is Advice.CHANGE

    @override
    def __str__(self) -> str:
        what = {
            Advice.CHANGE: f"Recommended: {self.winner}.",
            Advice.KEEP: "Keep the present plan.",
            Advice.NOTHING: "No recommendation: do nothing.",
        }
        return "\n".join([what[self.advice], *self.reasons])


def fresh_members(goal: Goal, seen: int, *, block: int = 1) -> Members:
    """Members that can decide, none of which the search saw.

    Args:
        goal: Says how many are wanted.
        seen: ``Found.seen`` of the search.
        block: Members of one run, as in the search; whole blocks are asked for.
    """
    return Members(seen, math.ceil(goal.fresh_wanted / block) * block, fresh=True)


def verdict(  # noqa: PLR0913  # each is one thing that the caller decides
    goal: Goal,
    finalists: Sequence[Candidate],
    evaluate: Evaluate,
    *,
    members: Members,
    seed: int,
    present: Candidate | None = None,
    nothing: Candidate = DO_NOTHING,
    origins: int | None = None,
    level: float = LEVEL,
) -> Verdict:
    """Whether to take the first finalist, to keep the present plan, or to do nothing.

    Args:
        goal: What is sought.
        finalists: The winner first, as ``Found.finalists``; the others are only told of.
        evaluate: Runs candidates, ``nothing`` among them.
        members: Those that the search never saw, as ``fresh_members`` gives them.
        seed: Of the bootstrap.
        present: The plan in force, if there is one.
        nothing: What the winner has to beat.
        origins: Size of the ensemble that members begin from, where they are more than it has:
            member n begins like member n + origins. Intervals of gains then rest on so many.
        level: Of the intervals of gains. The chance that a plan which gains nothing is
            recommended is at most half of what is left of it.

    Raises:
        InputError: members that the search may have seen, or a level that is none.
    """
    if not members.fresh:
        raise InputError("A verdict needs fresh members: runs that the search has seen flatter.")
    if not 0.0 < level < 1.0:
        raise InputError(f"The level of an interval lies between 0 and 1; it is {level}.")
    if origins is not None and (members.count % origins or members.first % origins):
        raise InputError(
            f"Members of {origins} origins are asked for in whole ensembles; these are "
            f"{members.count} from number {members.first} on."
        )
    if not finalists:
        return _without_winner(members, level, present)
    judge = Judge(goal, level, seed, origins)
    winner = finalists[0]
    asked = list(dict.fromkeys([winner, nothing, *([] if present is None else [present])]))
    samples = evaluate(asked, members)
    goal.check(samples, candidates=len(asked), members=members.count)

    def compared(one: Candidate, other: Candidate) -> Comparison:
        rows = [asked.index(one), asked.index(other)]
        return judge.comparison(one, other, samples.of(rows))

    over_nothing = compared(winner, nothing)
    over_present = None if present is None else compared(winner, present)
    of_present = None if present is None else compared(present, nothing)
    advice, reasons = _advised(over_nothing, over_present, of_present)
    return Verdict(
        winner,
        over_nothing,
        over_present,
        of_present,
        tuple(finalists),
        _rivalry(goal, finalists, evaluate, members, samples.of([0]), seed, origins, level),
        members.count,
        level,
        advice,
        reasons,
    )


def _without_winner(members: Members, level: float, present: Candidate | None) -> Verdict:
    reasons = ("The search found no plan that could be judged.",)
    advice = Advice.NOTHING if present is None else Advice.KEEP
    return Verdict(None, None, None, None, (), UNTOLD, members.count, level, advice, reasons)


def _advised(
    over_nothing: Comparison, over_present: Comparison | None, present: Comparison | None
) -> tuple[Advice, tuple[str, ...]]:
    """The advice, and why."""
    if over_present is None or present is None:
        if over_nothing.is_better:
            return Advice.CHANGE, _why(over_nothing)
        return Advice.NOTHING, over_nothing.reasons
    # A plan in force stays unless it is shown to be bad: to change has a price, too.
    is_bad = any(k.is_broken for k in present.kept) or (
        any(g.is_loss for g in present.gains) and not present.is_remedy
    )
    if over_nothing.is_better and (over_present.is_better or is_bad):
        return Advice.CHANGE, _why(over_nothing if is_bad else over_present)
    if not is_bad:
        told = over_present.reasons if over_nothing.is_better else over_nothing.reasons
        return Advice.KEEP, told
    worse = tuple(
        f"The present plan is worse than nothing: {told_of(g)}." for g in present.gains if g.is_loss
    )
    broken = tuple(f"Under the present plan {k}." for k in present.kept if k.is_broken)
    return Advice.NOTHING, (*broken, *worse, *over_nothing.reasons)


def _why(comparison: Comparison) -> tuple[str, ...]:
    told = [f"It is better: {told_of(g)}." for g in comparison.gains if g.is_sure]
    if comparison.is_remedy:
        told += [f"Without it {k}." for k in comparison.other_kept if k.is_broken]
    return (*told, *(f"{k}." for k in comparison.kept))


def _rivalry(  # noqa: PLR0913, PLR0917  # what the verdict has at hand
    goal: Goal,
    finalists: Sequence[Candidate],
    evaluate: Evaluate,
    members: Members,
    of_winner: Samples,
    seed: int,
    origins: int | None,
    level: float,
) -> Rivalry:
    """How the finalists stand to the winner, on few of the fresh members."""
    if len(goal.objectives) > 1:
        return UNTOLD
    if len(finalists) == 1:
        return ALONE
    few = Members(members.first, min(members.count, COMPARED), fresh=True)
    others = evaluate(finalists[1:], few)
    goal.check(others, candidates=len(finalists) - 1, members=few.count)
    samples = of_winner.first(few.count).more_candidates(others)
    return rivalry(goal, samples, seed=seed, origins=origins, level=level)
