"""What the plans that a twin in a site found show, held to what is promised of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from gemeos.foresee.interval import of_mean
from gemeos.foresee.verdict import Advice
from gemeos.twins.traffic.lived import LEVEL, MOST_STAGES, Course, Tried
from gemeos.twins.traffic.signals.figures import ANSWER_S, LONGEST_WAIT_S
from gemeos.twins.windfarm.checks import Check
from gemeos.units.instant import SECOND

FEWEST_PLANS: Final = 3
"""Fewer have no interval."""
SOURCE: Final = "docs/validation/traffic-signals.md"


def checks(name: str, tried: Sequence[Tried], course: Course) -> list[Check]:
    """What the plans of one district show."""
    taken = [t for t in tried if t.found.advice is Advice.CHANGE]
    shares = np.array([t.delivered / t.lost for t in taken])
    how = (
        f"{len(tried)} searches over {MOST_STAGES} stages, {course.members} members, budget "
        f"{course.budget}, {course.ahead} min ahead; realities that the system drew, each stretch "
        "lived with the plan and without"
    )
    gains = of_mean(shares) if len(shares) >= FEWEST_PLANS else None
    told = ", ".join(f"{s:.1%}" for s in shares)
    mean = "" if gains is None else f"; mean {gains.mean:.1%} ({gains.low:.1%} to {gains.high:.1%})"
    slowest = max(t.found.took for t in tried) / SECOND
    wrong = sum(sum(t.breaches.values()) + t.violations for t in tried)
    held = [t.holds for t in tried]
    counts = np.concatenate([t.counts_hold for t in tried])
    longest = max(t.longest_s for t in tried)
    return [
        _check(
            f"signals, {name}: what plans that the twin recommends gain at the plant",
            f"{len(taken)} of {len(tried)} recommended{': ' if told else ''}{told}{mean}",
            "interval above 0" if gains is not None else "",
            None if gains is None else gains.low > 0.0,
            f"{how}; share of the time that all lose",
        ),
        _check(
            f"signals, {name}: a search in a site, check included",
            f"{slowest:.0f} s at most; {sum(t.found.advice is not None for t in tried)} of "
            f"{len(tried)} with a verdict",
            f"<= {ANSWER_S:g} s, a verdict of each",
            slowest <= ANSWER_S and all(t.found.gains for t in tried),
            f"{how}; on this machine as busy as it was",
        ),
        _check(
            f"signals, {name}: limits that were broken at the plant",
            f"{wrong}; {sum(len(t.refused) for t in tried)} orders refused",
            "0; 0",
            wrong == 0 and not any(t.refused for t in tried),
            "green, yellow, clearing, those who walk and cycles: by the plant's own watch, and by "
            "the twin's checker on what its lights showed",
        ),
        _check(
            f"signals, {name}: what came of a change within what was foreseen of it",
            f"time lost {sum(held)} of {len(held)}; counts {counts.mean():.0%} of {len(counts)}",
            f"told, of {LEVEL:.0%}",
            None,
            f"{how}; between the {0.5 - LEVEL / 2:.0%} and {0.5 + LEVEL / 2:.0%} quantiles of the "
            "members: of what all lose the paired difference, of loops what they count",
        ),
        _check(
            f"signals, {name}: longest that a vehicle stood at the plant",
            f"{longest:.0f} s; without plans {max(t.longest_usual_s for t in tried):.0f} s",
            f"<= {LONGEST_WAIT_S:g} s",
            longest <= LONGEST_WAIT_S,
            f"in all of {course.ahead} min with a plan; waiting to come in counts",
        ),
        *_walking(name, tried),
    ]


def _walking(name: str, tried: Sequence[Tried]) -> list[Check]:
    """What plans do to those who walk, beside what they do to those who drive."""
    pairs = [
        (t.walking, t.walking_usual)
        for t in tried
        if t.walking is not None and t.walking_usual is not None
    ]
    if not pairs:
        return []
    planned = sum(planned.mean_s for planned, _ in pairs) / len(pairs)
    usual = sum(usual.mean_s for _, usual in pairs) / len(pairs)
    longest = max(planned.longest_s for planned, _ in pairs)
    return [
        _check(
            f"signals, {name}: mean delay of pedestrians at the plant",
            f"with plans {planned:.1f} s, without {usual:.1f} s; longest red {longest:.0f} s",
            f"told; <= {LONGEST_WAIT_S:g} s",
            longest <= LONGEST_WAIT_S,
            "from what the lights of the plant showed; Highway Capacity Manual 6, chapter 19",
        )
    ]


def _check(name: str, measured: str, goal: str, ok: bool | None, how: str) -> Check:  # noqa: FBT001
    return Check(name, measured, goal, ok, how, "", SOURCE)
