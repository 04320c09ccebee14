"""``gemeos validate demand``: districts whose traffic nobody knows, found from their loops.

Of each district a plant lives in a process of its own, with drivers, ways and demand drawn when it
starts. The twin hears its loops and never what was drawn; that is told after the last score.
"""

from __future__ import annotations

import json
import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float64

from gemeos.ensemble.score import MeanInterval, mean_interval
from gemeos.errors import InputError
from gemeos.twins.traffic.demand import marks
from gemeos.twins.traffic.demand.assumed import believed
from gemeos.twins.traffic.demand.heard import lived
from gemeos.twins.traffic.demand.trial import QUARTER, SHARE, Day, Plan, Results, members_for, trial
from gemeos.twins.traffic.district import District
from gemeos.twins.traffic.places import described_in, places_of
from gemeos.twins.windfarm.checks import Check

SOURCE: Final = "docs/validation/traffic-demand.md"
KNOWN: Final = ("resco/cologne8", "traffic-bologna/bologna-pasubio")
"""Folders that the figures are of, where the data has them."""
DAY_MINUTES: Final = 360
"""From the hours that the twin knows of before to the same hours of the day that it lives through:
the longest of the plant's waves, so that the next one is as much like this one as days are."""
FULL: Final = Plan(issued=2)
MINUTES: Final = 150
SMALL_MINUTES: Final = 240
"""Of districts that are small enough for many members, and so for a longer day."""
SMALL: Final = 24
"""Members that such a district has."""
QUICK: Final = Plan(members=12, forecasters=6, warm=4, issued=3, leads=(1, 2, 4))
QUICK_MINUTES: Final = 60
BLOCK_MINUTES: Final = 30
FEWEST_BLOCKS: Final = 3
"""Fewer say nothing of how blocks differ: then no goal that asks for an interval is judged."""
DRAWS: Final = 2000
STEPS: Final = 1000
"""Of the progress of one district."""
LEAST_SHARE: Final = 0.85
GOOD: Final = 5.0
BUSY: Final = 10.0
"""Vehicles in a quarter of an hour, from which a count is no trifle."""
NAMES: Final = {
    "last": "the last count",
    "yesterday": "the same time the day before",
    "mean": "the mean of the last 15 minutes",
}

NO_DAYS: Final = (
    f"; the plant has no days, what it told {DAY_MINUTES // 60} h before stands for the day before "
    "(with --quick the hour before)"
)


def validate(
    folder: Path,
    *,
    ablations: bool = False,
    quick: bool = False,
    tell: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[Check]:
    """Let each district live, follow it, foresee it, and hold the twin to what came.

    Args:
        folder: A district's, or one that has districts in its folders.
        ablations: Not offered here.
        quick: One hour with few members, right after the one that is known: to see that it works,
            not how well.
        tell: Called with the strides done and those there are.

    Raises:
        InputError: there is no district, or no ablation.
        EngineError: SUMO cannot run one.
        LinkError: a plant ended before it was heard.
    """
    if ablations:
        raise InputError("The city's validation has no ablations.")
    places = places_of(folder, KNOWN)
    checks: list[Check] = []
    for number, place in enumerate(places):

        def step(done: int, total: int, number: int = number) -> None:
            tell(round(STEPS * (number + done / total)), STEPS * len(places))

        with tempfile.TemporaryDirectory() as desk:
            checks += _of_one(place, Path(desk), step, quick=quick)
    return checks


def _of_one(
    place: Path, desk: Path, tell: Callable[[int, int], None], *, quick: bool
) -> list[Check]:
    district, folder = described_in(place, desk)
    plan = QUICK if quick else FULL
    minutes = QUICK_MINUTES if quick else _minutes(district)
    begun = time.monotonic()
    reveal = desk / "drawn.json"
    loops = tuple(district.detectors)
    if not loops:
        raise InputError(f"{district.name} has no detector.")
    later = QUICK_MINUTES if quick else DAY_MINUTES
    with lived(folder, loops, later + minutes, reveal) as heard:
        heard_s = time.monotonic() - begun
        yesterday, today = heard.between(0, minutes), heard.between(later, later + minutes)
        results = trial(district, yesterday, today, plan, begin_minute=later, tell=tell)
        checks = checks_of(results, yesterday, plan)
    took = time.monotonic() - begun
    told = json.loads(reveal.read_text("utf-8"))["drawn"] if reveal.is_file() else {}
    return [*checks, _told(results, told, took, heard_s)]


def _minutes(district: District) -> int:
    """The length of the day: what a small district takes less time for it may use for more."""
    ways, _ = believed(district)
    small = members_for(sum(way.hourly for way in ways)) >= SMALL
    return SMALL_MINUTES if small else MINUTES


def checks_of(results: Results, yesterday: Day, plan: Plan) -> list[Check]:
    """The figures of one district."""
    checks = [*_fidelity(results, yesterday, plan)]
    for who, goal in (("last", True), ("yesterday", True), ("mean", False)):
        checks.append(_skill(results, who, plan, goal=goal))
    checks.append(_coverage(results, plan))
    return checks


def _fidelity(results: Results, yesterday: Day, plan: Plan) -> list[Check]:
    told, came = (_quarters(rows, plan) for rows in (results.told, results.came))
    other = _quarters([*marks.stepwise(yesterday.counts, plan.stride)], plan)[: len(came)]
    found = []
    how = (
        f"15-minute counts, times 4, in GEH's formula; {results.members} members; "
        f"after the first {plan.warm * plan.stride} minutes"
    )
    for kind, which in (("withheld", ~results.fed), ("fed", results.fed)):
        if not which.any():
            name, none = f"{results.name}: GEH < 5, {kind} detectors", "there is none: of too few"
            found.append(Check(name, none, "", None, how, "", SOURCE))
            continue
        geh = marks.geh(told[:, which], came[:, which], QUARTER)
        busy = came[:, which] >= BUSY
        share = float((geh < GOOD).mean())
        of_busy = f"{100 * float((geh < GOOD)[busy].mean()):.1f} % of " if busy.any() else ""
        measured = (
            f"{100 * share:.1f} % of {geh.size}, {of_busy}{int(busy.sum())} with "
            f"{BUSY:.0f} vehicles or more"
        )
        goal = f">= {100 * LEAST_SHARE:.0f} %" if kind == "withheld" else ""
        met = share >= LEAST_SHARE if kind == "withheld" else None
        name = f"{results.name}: GEH < 5, {kind} detectors"
        found.append(Check(name, measured, goal, met, how, "DMRB 12.2.1; FHWA 2004", SOURCE))
    held = ~results.fed
    if not held.any():
        return found
    bands = marks.bands(told[:, held], came[:, held], other[:, held])
    found.append(
        Check(
            f"{results.name}: bands of days, withheld detectors",
            f"{100 * bands.within_two:.0f} % within 1.96, {100 * bands.within_one:.0f} % within "
            "one deviation",
            "95 %, 66 % (told without a goal)",
            None,
            "how two days differ, pooled over detectors in roots of counts",
            "FHWA-HOP-18-036 (2019)",
            SOURCE,
        )
    )
    return found


def _skill(results: Results, who: str, plan: Plan, *, goal: bool) -> Check:
    own, other = (_by_issue(results.scores, name, results.leads) for name in ("twin", who))
    gain, mean = _mean(other - own, plan), float(other.mean())
    name = f"{results.name}: CRPS of counts ahead against {NAMES[who]}"
    if not mean > 0:
        return Check(name, "nobody came by", "", None, "", "Ferro 2014", SOURCE)
    low, high = gain.low / mean, gain.high / mean
    by_lead = ", ".join(
        f"{lead * plan.stride} min {_skill_at(results, who, lead):+.2f}" for lead in results.leads
    )
    return Check(
        name,
        f"{own.mean():.3g} against {mean:.3g}: {100 * gain.mean / mean:.1f} % better "
        f"({_ends(100 * low, 100 * high)}); {by_lead}",
        "> 0, interval above 0" if goal else "",
        low > 0 if goal and math.isfinite(low) else None,
        f"5-minute counts of fed detectors, {len(own)} issues, blocks of {BLOCK_MINUTES} minutes"
        + (NO_DAYS if who == "yesterday" else ""),
        "Ferro 2014",
        SOURCE,
    )


def _skill_at(results: Results, who: str, lead: int) -> float:
    own, other = (
        float(np.mean([s.mean() for s in results.scores[name, lead]])) for name in ("twin", who)
    )
    return 1.0 - own / other


def _coverage(results: Results, plan: Plan) -> Check:
    inside = _by_issue(results.held, "twin", results.leads)
    held = _mean(inside, plan)
    low, high = 100 * held.low, 100 * held.high
    met = 86.0 <= 100 * held.mean <= 94.0 and low <= 93.0 and high >= 87.0
    known = math.isfinite(low)
    return Check(
        f"{results.name}: coverage of 90 % intervals",
        f"{100 * held.mean:.1f} % ({_ends(low, high)})",
        "86 .. 94 %, interval overlapping 87 .. 93",
        met if known else None,
        f"{100 * SHARE:.0f} % by randomised PIT, all leads, fed detectors, {len(inside)} issues",
        "Czado, Gneiting & Held 2009",
        SOURCE,
    )


def _ends(low: float, high: float) -> str:
    return f"{low:.1f} .. {high:.1f}" if math.isfinite(low) else "too few issues for an interval"


def _told(results: Results, drawn: Mapping[str, object], took: float, heard_s: float) -> Check:
    known = ", ".join(
        f"{name} {drawn[name]:.2f}" if isinstance(drawn[name], float) else f"{drawn[name]}"
        for name in ("model", "scale", "pair_spread", "cost_spread")
        if name in drawn
    )
    return Check(
        f"{results.name}: the run",
        f"{took:.0f} s, {heard_s:.0f} s of them the plant's; {results.failed} members failed; "
        f"last misfit {results.misfit[-1][-1]:.2f}; drawn: {known}",
        "",
        None,
        "what was drawn is read after the last score",
        "",
        SOURCE,
    )


def _quarters(
    rows: Sequence[Float64[np.ndarray, " loop"]], plan: Plan
) -> Float64[np.ndarray, "quarter loop"]:
    return marks.stepwise(np.array(rows)[plan.warm :], QUARTER // plan.stride)


def _by_issue(
    rows: Mapping[tuple[str, int], Sequence[np.ndarray]], who: str, leads: Sequence[int]
) -> Float64[np.ndarray, " issue"]:
    """Means over loops and leads, of the issues whose every lead has come."""
    shares = [[float(row.mean()) for row in rows[who, lead]] for lead in leads]
    whole = min(map(len, shares))
    return np.array([of_lead[:whole] for of_lead in shares]).mean(axis=0)


def _mean(values: Float64[np.ndarray, " issue"], plan: Plan) -> MeanInterval:
    """Mean over issues with its interval; one without end where there are too few blocks."""
    block = max(1, round(BLOCK_MINUTES / (plan.issued * plan.stride)))
    if len(values) < FEWEST_BLOCKS * block:
        return MeanInterval(float(values.mean()), -math.inf, math.inf)
    return mean_interval(values, block=block, rng=np.random.default_rng(0), draws=DRAWS)
